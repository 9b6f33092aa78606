"""The parameters of a job: what job.yaml says of them, and the values that a run gets."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from framework.descriptor import DescriptorReader, Path, show_value
from framework.value_forms import find_pattern_fault

type ParameterValue = str | int | float | bool

PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
PARAMETER_KEYS = {
    "string": ("enum", "pattern"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "boolean": (),
}
COMMON_KEYS = ("type", "default", "description")
# The arguments of every job
OWN_ARGUMENTS = frozenset(
    {
        "account_id", "s3_input_bucket", "s3_input_key_prefix", "s3_output_bucket",
        "s3_output_key_prefix", "run_id", "input_etag", "input_version", "inputs", "job",
        "job_name", "summary", "access", "max_quarantine", "help",
    }
)  # fmt: skip
NUMBER_FORMS = {"integer": r"-?[0-9]{1,18}", "number": r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?"}
MAX_SENTENCE_CHARS = 200
MAX_VALUE_CHARS = 256  # SageMaker's limit for an argument


@dataclass(frozen=True)
class Parameter:
    """A parameter of a job: its type and what its value has to satisfy."""

    name: str
    type: str
    default: ParameterValue | None = None  # None: a value has to be given
    minimum: float = -math.inf
    maximum: float = math.inf
    enum: tuple[str, ...] = ()
    pattern: str = ""
    description: str = ""

    def parse_value(self, text: str) -> ParameterValue:
        """Return the value of a text. Raises ValueError with what the value has to be."""
        if self.type in NUMBER_FORMS:
            return self._parse_number(text)
        if self.type == "boolean":
            if text not in ("true", "false"):
                raise ValueError("true or false")
            return text == "true"
        if self.enum and text not in self.enum:
            raise ValueError(f"one of {', '.join(self.enum)}")
        if self.pattern and not re.fullmatch(self.pattern, text, re.ASCII | re.DOTALL):
            raise ValueError(f"a text like the pattern {self.pattern}")
        if len(text) > MAX_VALUE_CHARS:
            raise ValueError(f"a text of up to {MAX_VALUE_CHARS} characters")
        return text

    def _parse_number(self, text: str) -> int | float:
        whole = self.type == "integer"
        limits = self._describe_range()
        if not re.fullmatch(NUMBER_FORMS[self.type], text):
            raise ValueError(f"{'a whole number' if whole else 'a number'}{limits}")
        value = int(text) if whole else float(text)
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{'a whole number' if whole else 'a number'}{limits}")
        return value

    def _describe_range(self) -> str:
        low = f" from {self.minimum:g}" if math.isfinite(self.minimum) else ""
        high = f" up to {self.maximum:g}" if math.isfinite(self.maximum) else ""
        return low + high


def parse_parameters(reader: DescriptorReader, value: Any, path: Path) -> tuple[Parameter, ...]:
    """Parse the parameters of a job.yaml."""
    if value is None:
        return ()
    if not isinstance(value, Mapping) or not value:
        cause = f"this is {show_value(value)}" if value else "there is no parameter in it"
        reader.report(path, cause, "write {days: {type: integer}}, or remove it")
        return ()
    return tuple(_parse_parameter(reader, str(name), one, (*path, str(name)))
                 for name, one in value.items())  # fmt: skip


def _parse_parameter(reader: DescriptorReader, name: str, value: Any, path: Path) -> Parameter:
    if not PARAMETER_NAME.fullmatch(name):
        reader.report(path, f"{name} is no parameter's name", "use a-z, 0-9 and _")
    if name in OWN_ARGUMENTS:
        reader.report(path, f"every job has an argument {name}", "take another name")
    kind = value.get("type") if isinstance(value, Mapping) else None
    more = PARAMETER_KEYS.get(kind, ()) if isinstance(kind, str) else ()
    found = reader.read_mapping(value, path, (*COMMON_KEYS, *more), "{type: integer, default: 1}")
    report_empty(reader, found, path)
    if found and kind is None:
        reader.report(path, "it has no type", f"write type: {', '.join(PARAMETER_KEYS)}")
    chosen = reader.read_choice(kind, (*path, "type"), tuple(PARAMETER_KEYS), "string")
    parameter = Parameter(
        name,
        chosen,
        minimum=reader.read_number(
            found.get("minimum"), (*path, "minimum"), -1e15, 1e15, -math.inf
        ),
        maximum=reader.read_number(found.get("maximum"), (*path, "maximum"), -1e15, 1e15, math.inf),
        enum=_read_enum(reader, found.get("enum"), (*path, "enum")),
        pattern=_read_pattern(reader, found.get("pattern"), (*path, "pattern")),
        description=_read_description(reader, found.get("description"), (*path, "description")),
    )
    if parameter.minimum > parameter.maximum:
        reader.report((*path, "minimum"), "it is above the maximum", "swap the two")
    return _add_default(reader, parameter, found.get("default"), (*path, "default"))


def report_empty(reader: DescriptorReader, found: Mapping[str, Any], path: Path) -> None:
    """Report keys that are there and have no value."""
    for key in (key for key, value in found.items() if value is None):
        reader.report((*path, key), "this is empty", "write a value, or remove the key")


def _read_description(reader: DescriptorReader, value: Any, path: Path) -> str:
    if value is None:
        return ""
    text = reader.read_text(value, path, "a line")
    if "\n" in text or len(text) > MAX_SENTENCE_CHARS:
        cause = f"this is more than a line of {MAX_SENTENCE_CHARS} characters"
        reader.report(path, cause, "shorten it")
    return text


def _read_enum(reader: DescriptorReader, value: Any, path: Path) -> tuple[str, ...]:
    if value is None:
        return ()
    words = reader.read_list(value, path, "a list of texts, such as [a, b]")
    if not words:
        reader.report(path, "there is no value in it", "write a list of texts, or remove it")
    if not all(isinstance(word, str) for word in words):
        reader.report(path, f"{show_value(value)} are not all texts", "quote them")
        return ()
    return tuple(words)


def _read_pattern(reader: DescriptorReader, value: Any, path: Path) -> str:
    if value is None:
        return ""
    if fault := find_pattern_fault(value):
        reader.report(path, fault, "write a simpler one")
        return ""
    return str(value)


def _add_default(
    reader: DescriptorReader, parameter: Parameter, value: Any, path: Path
) -> Parameter:
    if value is None:
        return parameter
    if parameter.type == "string" and not isinstance(value, str):
        reader.report(path, f"{show_value(value)} is no text", "quote it")
        return parameter
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return replace(parameter, default=parameter.parse_value(text))
    except ValueError as wanted:
        reader.report(
            path, f"{show_value(value)} is no value of {parameter.name}", f"write {wanted}"
        )
        return parameter


def read_values(
    parameters: tuple[Parameter, ...], given: Mapping[str, str | None]
) -> dict[str, ParameterValue]:
    """Return the values of a run. Raises ValueError, with a sentence, if one is not valid."""
    values: dict[str, ParameterValue] = {}
    for parameter in parameters:
        text = given.get(parameter.name)
        if text is None and parameter.default is None:
            raise ValueError(f"--{parameter.name} is missing")
        if text is None:
            values[parameter.name] = parameter.default  # type: ignore[assignment]
            continue
        try:
            values[parameter.name] = parameter.parse_value(text)
        except ValueError as wanted:
            raise ValueError(f"--{parameter.name} is {wanted}, not {text!r}") from wanted
    return values
