"""Read a contract or a job.yaml: text becomes plain values, and each value's place is kept.

Faults are collected, so that an author sees all of them at once, each with its place, what is
wrong, and what to write instead. PyYAML reads YAML and is needed nowhere else: the packer turns
these files into JSON, since the job's container has no PyYAML.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

type Path = tuple[str | int, ...]
# YAML 1.1 takes dates for dates, and yes, no, on and off for truths; JSON knows neither.
UNWANTED_TAGS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")
MAX_SHOWN_CHARS = 60  # characters of a wrong value that are shown


@dataclass(frozen=True)
class DescriptorFault:
    """One mistake: the path of the value, what is wrong with it, and what to write instead."""

    path: Path
    cause: str
    remedy: str


class ContractError(Exception):
    """A contract or job.yaml has faults; the text has one line for each."""

    def __init__(self, file: str, faults: Sequence[DescriptorFault], places: "Places") -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(_describe_fault(file, fault, places) for fault in faults))


@dataclass(frozen=True)
class Places:
    """Where each value of a file stands: line and column from 1, by path; empty for JSON."""

    found: Mapping[Path, tuple[int, int]] = field(default_factory=dict)

    def find(self, path: Path) -> tuple[int, int] | None:
        """Return the place of a value, or else that of what it belongs to."""
        while path and path not in self.found:
            path = path[:-1]
        return self.found.get(path)


@dataclass(frozen=True)
class Descriptor:
    """A file as it was read: its name, its values, and their places."""

    file: str
    values: Any
    places: Places = Places()

    def make_error(self, faults: Sequence[DescriptorFault]) -> ContractError:
        """Return the error that holds these faults, in the order of the file."""
        ordered = sorted(faults, key=lambda fault: self.places.find(fault.path) or (0, 0))
        return ContractError(self.file, ordered, self.places)


def read_json(file: str, text: str) -> Descriptor:
    """Read JSON. Raises ContractError if it is not valid."""
    try:
        return Descriptor(file, json.loads(text))
    except ValueError as error:
        fault = DescriptorFault((), f"this is not valid JSON: {error}", "correct it")
        raise ContractError(file, [fault], Places()) from error


def read_yaml(file: str, text: str) -> Descriptor:
    """Read YAML by PyYAML. Raises ContractError if it is not valid, ImportError without PyYAML."""
    import yaml

    try:
        node = yaml.compose(text, Loader=_make_loader())
        places: dict[Path, tuple[int, int]] = {}
        faults: list[DescriptorFault] = []
        _record_places(node, (), places, faults)
        values = yaml.load(text, _make_loader())  # noqa: S506  -- a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where: dict[Path, tuple[int, int]] = {(): (mark.line + 1, mark.column + 1)} if mark else {}
        cause = f"this is not valid YAML: {getattr(error, 'problem', None) or error}"
        raise ContractError(file, [DescriptorFault((), cause, "correct it")], Places(where)) from (
            error
        )
    descriptor = Descriptor(file, values, Places(places))
    if faults:
        raise descriptor.make_error(faults)
    return descriptor


def _make_loader() -> Any:
    """Return a loader of plain values, with texts for dates, and true and false as only truths."""
    import yaml

    class PlainLoader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012  -- PyYAML's own way
            first: [one for one in listed if one[0] not in UNWANTED_TAGS]
            for first, listed in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    truth = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
    PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", truth, list("tTfF"))
    return PlainLoader


def _record_places(
    node: Any, path: Path, places: dict[Path, tuple[int, int]], faults: list[DescriptorFault]
) -> None:
    if node is None:
        return
    places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if node.id == "sequence":
        for at, item in enumerate(node.value):
            _record_places(item, (*path, at), places, faults)
    if node.id == "mapping":
        for key, value in node.value:
            below = (*path, str(key.value))
            if below in places:
                faults.append(DescriptorFault(below, "this key is given twice", "remove one"))
            places[below] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _record_places(value, below, places, faults)


def _describe_fault(file: str, fault: DescriptorFault, places: Places) -> str:
    place = places.find(fault.path)
    where = f"{file}:{place[0]}:{place[1]}" if place else file
    name = format_path(fault.path)
    return f"{where}: {name + ': ' if name else ''}{fault.cause}; {fault.remedy}"


def format_path(path: Path) -> str:
    """Return a path as people write it.

    >>> format_path(("schema", "fields", 3, "type"))
    'schema.fields[3].type'
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def show_value(value: Any) -> str:
    r"""Return a wrong value in a form that can be printed.

    >>> show_value("a\x1b"), show_value([1, None])
    ('"a\\u001b"', '[1, null]')
    """
    shown = json.dumps(value, default=str)
    return shown if len(shown) <= MAX_SHOWN_CHARS else f"{shown[:MAX_SHOWN_CHARS]}…"


def suggest(word: str, known: Sequence[str], otherwise: str) -> str:
    """Return a remedy that names the most similar known word.

    >>> suggest("titel", ["title", "name"], "remove it")
    'write title'
    """
    close = get_close_matches(word, known, 1, 0.7)
    return f"write {close[0]}" if close else otherwise


class DescriptorReader:
    """Reads typed values out of mappings, and collects the faults."""

    def __init__(self) -> None:
        self.faults: list[DescriptorFault] = []

    def report(self, path: Path, cause: str, remedy: str) -> None:
        """Add a fault."""
        self.faults.append(DescriptorFault(path, cause, remedy))

    def read_mapping(
        self, value: Any, path: Path, keys: Sequence[str], example: str
    ) -> Mapping[str, Any]:
        """Return the value if it is a mapping, and report keys other than `keys`."""
        if not isinstance(value, Mapping):
            self.report(path, f"this is {show_value(value)}, not a mapping", f"write {example}")
            return {}
        for key in value:
            if key not in keys:
                otherwise = f"remove it; known here: {', '.join(keys)}"
                cause = f"{show_value(key)} is not supported"
                self.report((*path, str(key)), cause, suggest(str(key), keys, otherwise))
        return {str(key): item for key, item in value.items()}

    def read_list(self, value: Any, path: Path, example: str) -> list[Any]:
        """Return the value if it is a list with items."""
        if isinstance(value, list) and value:
            return value
        cause = f"this is {show_value(value)}, not a list with items"
        self.report(path, cause, f"write {example}")
        return []

    def read_text(self, value: Any, path: Path, example: str, default: str = "") -> str:
        """Return the value if it is a text that is not empty; None is the default."""
        if value is None and default:
            return default
        if isinstance(value, str) and value:
            return value
        cause = "this is missing" if value is None else f"this is {show_value(value)}, not a text"
        self.report(path, cause, f"write {example}")
        return default

    def read_choice(
        self, value: Any, path: Path, choices: Sequence[Any], default: Any = None
    ) -> Any:
        """Return the value if it is one of the choices; None is the default."""
        if value is None:
            return default
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return value
        shown = ", ".join(map(show_value, choices))
        cause = f"{show_value(value)} is not supported"
        self.report(path, cause, f"write {shown}" if len(choices) == 1 else f"write one of {shown}")
        return default

    def read_number(self, value: Any, path: Path, low: float, high: float, default: float) -> float:
        """Return the value if it is a number in the range; None is the default."""
        if value is None:
            return default
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if fits and low <= value <= high:
            return float(value)
        self.report(
            path, f"this is {show_value(value)}", f"write a number from {low:g} to {high:g}"
        )
        return default
