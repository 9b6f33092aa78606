"""AWS's own descriptions of its services, as botocore publishes them: read as plain data, so that no client library is needed.

The ones that are read are the Lambda runtime's, the newest at hand.
"""

import gzip
import json
import re
from collections.abc import Container
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / ".tools/runtime/botocore/data"
# The Unicode classes that models write and Python's `re` does not have, near enough; marks, symbols and punctuation as ranges.
CLASSES = {
    r"\p{L}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{M}": r"\u0300-\u036f",
    r"\p{S}": r"$+<=>^`|~\u00a2-\u00b8\u2190-\u2bff",
    r"\p{P}": r"!-#%-*,\-./:;?@\[-\]_{}\u00a1-\u00bf\u2010-\u205e\u3001-\u3017",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",  # Java's two halves of a sign
}


class Wrong(Exception):
    """A request breaks the model: `member` names the part, `why` says how."""

    def __init__(self, member: str, why: str) -> None:
        super().__init__(f"{member} {why}")
        self.member, self.why = member, why


@dataclass(frozen=True)
class Service:
    """One service: metadata, operations and shapes, as the JSON of its model has them."""

    metadata: dict[str, Any]
    operations: dict[str, Any]
    shapes: dict[str, Any]

    @classmethod
    def read(cls, name: str, folder: Path = FOLDER) -> "Service":
        """The service of a botocore data folder (…/botocore/data), its latest version; FileNotFoundError if it has none."""
        found = max(folder.glob(f"{name}/*/service-2.json*"), default=None)
        if found is None:
            raise FileNotFoundError(f"{folder} holds no model of {name}")
        raw = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
        model = json.loads(raw)
        return cls(model["metadata"], model["operations"], model["shapes"])

    def input(self, operation: str) -> dict[str, Any]:
        """The shape of an operation's request."""
        return self._shape(self.operations[operation].get("input"))

    def output(self, operation: str) -> dict[str, Any]:
        """The shape of an operation's answer; without members where it answers nothing."""
        return self._shape(self.operations[operation].get("output"))

    def check(self, operation: str, request: dict[str, Any], but: Container[str] = ()) -> None:
        """Raise Wrong for a missing member, a wrong enum, a value past a limit, a text outside its pattern; `but` is not looked at."""
        self._check("request", self.input(operation), request, but)

    def _shape(self, ref: dict[str, Any] | None) -> dict[str, Any]:
        return dict(self.shapes[ref["shape"]]) if ref else {"type": "structure", "members": {}}

    def _check(self, name: str, shape: dict[str, Any], value: Any, but: Container[str]) -> None:
        match shape["type"]:
            case "structure" if not shape.get("document"):
                self._structure(shape, value, but)
            case "list" | "map" if not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)):
                raise Wrong(name, f"must have {shape.get('min', 0)} to {shape.get('max', 'any number of')} members")
            case "map":
                for key, item in value.items():
                    self._check(name, self.shapes[shape["key"]["shape"]], key, but)
                    self._check(name, self.shapes[shape["value"]["shape"]], item, but)
            case "list":
                for item in value:
                    self._check(name, self.shapes[shape["member"]["shape"]], item, but)
            case "string":
                _string(name, shape, value)
            case "integer":
                if not shape.get("min", value) <= value <= shape.get("max", value):
                    raise Wrong(name, f"must lie between {shape.get('min')} and {shape.get('max')}")

    def _structure(self, shape: dict[str, Any], value: dict[str, Any], but: Container[str]) -> None:
        for needed in shape.get("required", []):
            if value.get(needed) is None:
                raise Wrong(needed, "is missing")
        for member, given in value.items():
            if member not in but and member in shape["members"] and given is not None:
                self._check(member, self.shapes[shape["members"][member]["shape"]], given, but)


@cache
def service(name: str) -> Service:
    """The service by botocore's name for it; FileNotFoundError if it has no such service."""
    return Service.read(name)


@cache
def names() -> tuple[str, ...]:
    """Every service that botocore names."""
    return tuple(sorted(path.name for path in FOLDER.iterdir() if path.is_dir()))


def _string(name: str, shape: dict[str, Any], value: str) -> None:
    if "enum" in shape and value not in shape["enum"]:
        raise Wrong(name, f"must be one of {', '.join(shape['enum'])}")
    if not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)):
        raise Wrong(name, f"must have {shape.get('min', 0)} to {shape.get('max')} characters")
    if "pattern" in shape and not _pattern(shape["pattern"]).search(value):
        raise Wrong(name, f"does not match {shape['pattern']}")


@cache
def _pattern(published: str) -> re.Pattern[str]:
    for theirs, ours in CLASSES.items():
        published = published.replace(theirs, ours)
    return re.compile(f"^(?:{published})$")
