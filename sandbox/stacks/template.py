"""The mistakes of a template that CloudFormation would refuse and the server would swallow.

Properties are judged by AWS's published resource provider schemas, as cfn-lint carries them; references by the template itself.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")
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


def problems(template: dict[str, Any], schemas: Schemas) -> list[str]:
    """Everything wrong, in CloudFormation's words; empty for a template that may be deployed."""
    resources = {name: it for name, it in (template.get("Resources") or {}).items() if isinstance(it, dict)}
    return _dangling(template, resources) + [
        f"Properties validation failed for resource {name} with message: {why}"
        for name, resource in resources.items()
        if (schema := schemas.of(resource.get("Type", "")))
        for why in _unfit(resource.get("Properties") or {}, schema, schema, "#")
    ]


def _dangling(template: dict[str, Any], resources: dict[str, Any]) -> list[str]:
    known = resources.keys() | (template.get("Parameters") or {}).keys()
    found = []
    for block, names in (("Resources", _named(resources)), ("Outputs", _named(template.get("Outputs") or {}))):
        lost = sorted({name for name in names if name not in known and not name.startswith("AWS::")})
        if lost:
            found.append(
                f"Template format error: Unresolved resource dependencies [{', '.join(lost)}] in the {block} block of the template"
            )
    return found


def _named(node: Any) -> Iterator[str]:
    """Every name that something refers to."""
    if isinstance(node, list):
        for item in node:
            yield from _named(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        yield from _referred(key, value)


def _referred(key: str, value: Any) -> Iterator[str]:
    match key, value:
        case "Ref", str():
            yield value
        case "Fn::GetAtt", [str(name), *_]:
            yield name
        case "Fn::GetAtt", str():
            yield value.partition(".")[0]
        case "Fn::Sub", str():
            yield from (name.partition(".")[0] for name in SUBSTITUTED.findall(value))
        case "Fn::Sub", [str(text), dict(given)]:
            yield from (name.partition(".")[0] for name in SUBSTITUTED.findall(text) if name not in given)
            yield from _named(given)
        case "DependsOn", str() | list():
            yield from [value] if isinstance(value, str) else value
        case _:
            yield from _named(value)


def _unfit(value: Any, schema: Schema, root: Schema, path: str) -> Iterator[str]:
    """Keys that the schema does not have, and needed ones that are not there."""
    schema = _resolved(schema, root)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unfit(item, schema.get("items") or {}, root, f"{path}/{number}")
    elif isinstance(value, dict) and _intrinsic(value):
        for branch in next(iter(value.values()))[1:] if "Fn::If" in value else ():
            yield from _unfit(branch, schema, root, path)
    elif isinstance(value, dict):
        yield from _unfit_object(value, schema, root, path)


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
