"""AWS's own descriptions of its services, as botocore publishes them.

They are read as plain data, so that no client library is needed. They are those of the Lambda
runtime's botocore where it is at hand: the newest.
"""

import gzip
import json
import re
from collections.abc import Container
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.paths import find_models

# The Unicode classes that models use and Python's `re` lacks, approximated. Marks, symbols and
# punctuation are ranges.
UNICODE_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{M}": r"\u0300-\u036f",
    r"\p{S}": r"$+<=>^`|~\u00a2-\u00b8\u2190-\u2bff",
    r"\p{P}": r"!-#%-*,\-./:;?@\[-\]_{}\u00a1-\u00bf\u2010-\u205e\u3001-\u3017",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",  # a surrogate pair, as Java writes it
}


class ModelViolation(Exception):
    """A request violates the model: `member` names the part, `why` says how."""

    def __init__(self, member: str, why: str) -> None:
        super().__init__(f"{member} {why}")
        self.member, self.why = member, why


@dataclass(frozen=True)
class ServiceModel:
    """One service: metadata, operations and shapes, as the JSON of its model has them."""

    metadata: dict[str, Any]
    operations: dict[str, Any]
    shapes: dict[str, Any]

    @classmethod
    def read(cls, name: str) -> "ServiceModel":
        """Read the latest version of a service's model.

        Raises FileNotFoundError if botocore has no such service.
        """
        folder = find_models()
        found = max(folder.glob(f"{name}/*/service-2.json*"), default=None)
        if found is None:
            raise FileNotFoundError(f"{folder} holds no model of {name}")
        raw = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
        model = json.loads(raw)
        return cls(model["metadata"], model["operations"], model["shapes"])

    def input_shape(self, operation: str) -> dict[str, Any]:
        """Return the shape of an operation's request."""
        return self._find_shape(self.operations[operation].get("input"))

    def output_shape(self, operation: str) -> dict[str, Any]:
        """Return the shape of an operation's answer.

        It has no members if the operation answers nothing.
        """
        return self._find_shape(self.operations[operation].get("output"))

    def check_request(
        self, operation: str, request: dict[str, Any], but: Container[str] = ()
    ) -> None:
        """Check a request against the model.

        Raises ModelViolation for a missing member, a wrong enum, a value past a limit and a
        text outside its pattern. Members in `but` are not checked.
        """
        self._check_value("request", self.input_shape(operation), request, but)

    def _find_shape(self, ref: dict[str, Any] | None) -> dict[str, Any]:
        return dict(self.shapes[ref["shape"]]) if ref else {"type": "structure", "members": {}}

    def _check_value(
        self, name: str, shape: dict[str, Any], value: Any, but: Container[str]
    ) -> None:
        match shape["type"]:
            case "structure" if not shape.get("document"):
                self._check_structure(shape, value, but)
            case "list" | "map" if (
                not shape.get("min", 0) <= len(value) <= shape.get("max", len(value))
            ):
                raise ModelViolation(
                    name,
                    f"must have {shape.get('min', 0)} to {shape.get('max', 'any number of')} "
                    "members",
                )
            case "map":
                for key, item in value.items():
                    self._check_value(name, self.shapes[shape["key"]["shape"]], key, but)
                    self._check_value(name, self.shapes[shape["value"]["shape"]], item, but)
            case "list":
                for item in value:
                    self._check_value(name, self.shapes[shape["member"]["shape"]], item, but)
            case "string":
                _check_string(name, shape, value)
            case "integer":
                if not shape.get("min", value) <= value <= shape.get("max", value):
                    raise ModelViolation(
                        name, f"must lie between {shape.get('min')} and {shape.get('max')}"
                    )

    def _check_structure(
        self, shape: dict[str, Any], value: dict[str, Any], but: Container[str]
    ) -> None:
        for needed in shape.get("required", []):
            if value.get(needed) is None:
                raise ModelViolation(needed, "is missing")
        for member, given in value.items():
            if member not in but and member in shape["members"] and given is not None:
                self._check_value(
                    member, self.shapes[shape["members"][member]["shape"]], given, but
                )


@cache
def read_service(name: str) -> ServiceModel:
    """Return the service by botocore's name.

    Raises FileNotFoundError if botocore has no such service.
    """
    return ServiceModel.read(name)


@cache
def list_services() -> tuple[str, ...]:
    """Return every service that botocore names."""
    return tuple(sorted(path.name for path in find_models().iterdir() if path.is_dir()))


def _check_string(name: str, shape: dict[str, Any], value: str) -> None:
    if "enum" in shape and value not in shape["enum"]:
        raise ModelViolation(name, f"must be one of {', '.join(shape['enum'])}")
    if not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)):
        raise ModelViolation(
            name, f"must have {shape.get('min', 0)} to {shape.get('max')} characters"
        )
    if "pattern" in shape and not _compile_pattern(shape["pattern"]).search(value):
        raise ModelViolation(name, f"does not match {shape['pattern']}")


@cache
def _compile_pattern(published: str) -> re.Pattern[str]:
    for theirs, ours in UNICODE_CLASSES.items():
        published = published.replace(theirs, ours)
    return re.compile(f"^(?:{published})$")
