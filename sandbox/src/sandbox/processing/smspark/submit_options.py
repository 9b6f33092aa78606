"""The options of smspark-submit, and the command for spark-submit that they make."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

from .submit_errors import (
    BadOptionUsage,
    MissingParameter,
    NoSuchOption,
    SubmitError,
    refuse_preparation,
    show_argument,
)

FILE_OPTIONS = ("--jars", "--py-files", "--files")
EVENT_FOLDER, EVENT_URI = "--local-spark-event-logs-dir", "--spark-event-logs-s3-uri"
VALUE_OPTIONS = ("--class", *FILE_OPTIONS, EVENT_URI, EVENT_FOLDER)
VERBOSE = ("-v", "--verbose")
PARSE_ERROR = "Couldn't parse input."


@dataclass
class SubmitOptions:
    """The options by name, the application, and its arguments."""

    values: dict[str, str] = field(default_factory=dict)
    verbose: bool = False
    app: list[str] = field(default_factory=list)

    @property
    def event_folder(self) -> str:
        """Return the folder for event logs; empty if there is none."""
        return "" if self.event_uri else self.values.get(EVENT_FOLDER, "")

    @property
    def event_uri(self) -> str:
        """Return where S3A writes event logs; it takes precedence over the folder."""
        return self.values.get(EVENT_URI, "")


def parse_options(words: list[str]) -> SubmitOptions:
    """Parse a command line. An option that follows the application is the application's.

    Raises SubmitError, or BadOptionUsage for an option without its value.
    """
    parsed, left = SubmitOptions(), list(words)
    while left and left[0].startswith("-") and left[0] != "--":
        name, equals, value = left.pop(0).partition("=")
        if name in VERBOSE:
            parsed.verbose = True
        elif name not in VALUE_OPTIONS:
            raise SubmitError(PARSE_ERROR, NoSuchOption(f"No such option: {name}"))
        elif equals:
            parsed.values[name] = value
        elif left:
            parsed.values[name] = left.pop(0)
        else:
            raise BadOptionUsage(f"Option '{name}' requires an argument.")
    parsed.app = left[1:] if left[:1] == ["--"] else left
    if not parsed.app:
        raise SubmitError(PARSE_ERROR, MissingParameter("Missing parameter: app"))
    return parsed


def build_command(options: SubmitOptions) -> list[str]:
    """Return options and application for spark-submit, in the order that the container uses."""
    words: list[str] = []
    for name in ("--class", *FILE_OPTIONS):
        if value := options.values.get(name):
            words += [name, value if name == "--class" else _list_files(value)]
    return [*words, *(["--verbose"] if options.verbose else []), *options.app]


def _list_files(paths: str) -> str:
    """Return files for spark-submit. A folder stands for the files directly in it.

    The scheme of the first path decides for all; paths of a scheme that is not known are dropped.
    """
    scheme = urlparse(paths).scheme
    if scheme in ("s3", "s3a"):
        return paths
    known = scheme in ("", "file")
    return ",".join(
        name for path in (paths.split(",") if known else ()) for name in _expand_path(path)
    )


def _expand_path(path: str) -> list[str]:
    place = Path(path)
    shown = show_argument(str(place))
    if not place.is_absolute():
        raise refuse_preparation(
            f"file path {shown} must be an absolute path to a file or directory"
        )
    if not place.exists():
        raise refuse_preparation(f"file path {shown} does not exist")
    if not place.is_dir():
        return [str(place)]
    files = [str(file) for file in sorted(place.iterdir()) if file.is_file()]
    if not files:
        raise refuse_preparation(f"Found zero files in {shown}")
    return files
