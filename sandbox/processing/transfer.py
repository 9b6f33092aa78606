"""What SageMaker carries between S3 and a container, in the execution role's name: inputs before the job, outputs during or after it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol


class Refusal(Exception):
    """S3 says no, or has nothing: a sentence as FailureReason has it."""


class Store(Protocol):
    """S3, as the execution role may use it. Each raises Refusal."""

    def names(self, bucket: str, prefix: str) -> list[str]:
        """All keys that begin with the prefix."""

    def get(self, bucket: str, key: str, target: Path) -> None:
        """The object, into a file."""

    def put(self, source: Path, bucket: str, key: str, kms_key: str | None) -> None:
        """The file, as an object."""


def download(given: dict[str, Any], to: Path, store: Store) -> None:
    """One input of type S3Prefix: every object whose key begins with the prefix; Refusal if there is none."""
    uri = given["S3Uri"]
    bucket, prefix = split(uri)
    keys = [key for key in store.names(bucket, prefix) if not key.endswith("/")]
    if not keys:
        raise Refusal(f'No S3 objects found under S3 URL "{uri}" given in input data source. {_PLEASE}')
    for key in keys:
        target = (to / within(key, prefix)).resolve()
        if not target.is_relative_to(to.resolve()):
            raise Refusal(f"Failed to download data. The key {key} leads out of the input's folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        store.get(bucket, key, target)


_PLEASE = (
    "Please ensure that the bucket exists, that objects exist under that S3 prefix, and that the role has "
    '"s3:ListBucket" permissions on the bucket.'
)


def within(key: str, prefix: str) -> str:
    """The file of an object below the input's folder: its path below the prefix, or its name where the prefix is all of it.

    >>> within("code/ab/preprocess.py", "code/ab/preprocess.py"), within("code/ab/x.zip", "code"), within("code/ab/x.zip", "code/a")
    ('preprocess.py', 'ab/x.zip', 'ab/x.zip')
    """
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    if key.startswith(folder):
        return key[len(folder) :]
    return key[len(prefix.rpartition("/")[0]) :].lstrip("/")


class Upload:
    """One output: `sync` sends what is new or has grown since the last time."""

    def __init__(self, given: dict[str, Any], source: Path, store: Store, kms_key: str | None = None) -> None:
        self.continuous = given["S3UploadMode"] == "Continuous"
        self._bucket, self._prefix = split(given["S3Uri"])
        self._source, self._store, self._kms_key = source, store, kms_key
        self._sent: dict[str, tuple[int, int]] = {}

    def sync(self) -> None:
        """Refusal if S3 takes a file not."""
        for file in _files(self._source):
            name, seen = str(PurePosixPath(file.relative_to(self._source))), file.stat()
            state = (seen.st_size, seen.st_mtime_ns)
            if self._sent.get(name) != state:
                self._store.put(file, self._bucket, f"{self._prefix.rstrip('/')}/{name}".lstrip("/"), self._kms_key)
                self._sent[name] = state


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address; SageMaker takes https:// ones, too, with the bucket first in their path."""
    rest = uri.partition("://")[2]
    bucket, _, key = (rest.partition("/")[2] if uri.startswith("https") else rest).partition("/")
    return bucket, key
