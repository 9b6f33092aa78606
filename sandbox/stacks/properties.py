"""Properties that CloudFormation refuses, judged by AWS's published resource provider schemas, as cfn-lint carries them."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
COMBINED = ("oneOf", "anyOf", "allOf")


class Schemas:
    """The schemas of one Region, read when they are asked for."""

    def __init__(self, folder: Path, region: str = "us-east-1") -> None:
        self._folder = folder
        self._names: dict[str, str] = json.loads((folder / "providers" / f"{region}.json").read_text())

    def of(self, resource_type: str) -> Schema | None:
        """The schema of a type; None where AWS publishes none, as for custom resources."""
        name = self._names.get(resource_type)
        return _read(self._folder / "resources" / f"{name}.json") if name else None


@cache
def _read(path: Path) -> Schema:
    return dict(json.loads(path.read_text()))


def unfit(template: dict[str, Any], schemas: Schemas) -> list[str]:
    """What the types of the template's resources do not take, in CloudFormation's words; empty where all of it fits."""
    resources = {name: it for name, it in (template.get("Resources") or {}).items() if isinstance(it, dict)}
    return [
        f"Properties validation failed for resource {name} with message: {why}"
        for name, resource in resources.items()
        if (schema := schemas.of(resource.get("Type", "")))
        for why in _unfit(resource.get("Properties") or {}, schema, schema, "#")
    ]


def _unfit(value: Any, schema: Schema, root: Schema, path: str) -> Iterator[str]:
    """Keys that the schema does not have, needed ones that are not there, and values outside of an enumeration."""
    schema = _resolved(schema, root)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unfit(item, schema.get("items") or {}, root, f"{path}/{number}")
    elif isinstance(value, dict) and _intrinsic(value):
        for branch in next(iter(value.values()))[1:] if "Fn::If" in value else ():
            yield from _unfit(branch, schema, root, path)
    elif isinstance(value, dict):
        yield from _unfit_object(value, schema, root, path)
    elif "enum" in schema and _said(value) not in map(_said, schema["enum"]) and "{{resolve:" not in _said(value):
        yield f"{path}: failed validation constraint for keyword [enum]"


def _said(value: Any) -> str:
    """A plain value as text; CloudFormation does not mind whether a template says 7 or "7"."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unfit_object(value: dict[str, Any], schema: Schema, root: Schema, path: str) -> Iterator[str]:
    known = schema.get("properties")
    if known is None:
        return
    read_only = root.get("readOnlyProperties") or []
    for key, item in value.items():
        if key in known:
            if path == "#" and f"/properties/{key}" in read_only:
                yield f"{path}: Encountered read-only property [{key}]"
            yield from _unfit(item, known[key], root, f"{path}/{key}")
        elif not schema.get("additionalProperties", True) and not _patterned(key, schema):
            yield f"{path}: extraneous key [{key}] is not permitted"
    for key in schema.get("required") or ():
        if key not in value:
            yield f"{path}: required key [{key}] not found"


def _patterned(key: str, schema: Schema) -> bool:
    return any(re.search(pattern, key) for pattern in schema.get("patternProperties") or ())


def _resolved(schema: Any, root: Schema) -> Schema:
    """The schema behind a $ref; of alternatives, what any of them allows."""
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        return _resolved(_followed(str(schema["$ref"]), root), root)
    if "properties" in schema or not any(key in schema for key in COMBINED):
        return schema
    choices = [_resolved(choice, root) for key in COMBINED for choice in schema.get(key, ())]
    if not all("properties" in choice for choice in choices):
        return next((choice for choice in choices if "items" in choice), {})
    return {"properties": {name: it for choice in choices for name, it in choice["properties"].items()}}


def _followed(reference: str, root: Schema) -> Any:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _intrinsic(value: dict[str, Any]) -> bool:
    return len(value) == 1 and (key := next(iter(value))) and (key == "Ref" or key.startswith("Fn::"))
