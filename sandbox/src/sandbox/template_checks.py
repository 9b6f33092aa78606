"""What CloudFormation refuses in a template: dangling names, unknown keys, and invalid properties.

The sentences are those that its users report; only the one about conditions that refer to
conditions is modelled on them. Properties are checked against AWS's published resource provider
schemas, as cfn-lint carries them.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

Node = dict[str, Any]
SUBSTITUTION = re.compile(r"\$\{([^!}][^}]*)\}")
PSEUDO_PARAMETERS = {
    "AccountId",
    "NoValue",
    "NotificationARNs",
    "Partition",
    "Region",
    "StackId",
    "StackName",
    "URLSuffix",
}
TEMPLATE_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
}
RESOURCE_ATTRIBUTES = {
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
}
Schema = dict[str, Any]
COMBINING_KEYWORDS = ("oneOf", "anyOf", "allOf")


def find_dangling_names(template: Node) -> list[str]:
    """Return everything wrong, in CloudFormation's words.

    The list is empty if every name is known and no resource depends on itself.
    """
    resources, outputs = _list_objects(template, "Resources"), _list_objects(template, "Outputs")
    known = resources.keys() | (template.get("Parameters") or {}).keys()
    return [
        *_find_unknown_keys(template, resources),
        *_find_unresolved(
            resources,
            known,
            "Unresolved resource dependencies [{}] in the Resources block of the template",
        ),
        *_find_unresolved(
            outputs,
            known,
            "Unresolved resource dependencies [{}] in the Outputs block of the template",
        ),
        *_find_unresolved(
            template.get("Conditions"),
            known - resources.keys(),
            "Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of "
            "the template",
        ),
        *_find_unresolved_conditions(template, resources, outputs),
        *_find_cycle(resources),
    ]


def find_nulls(template: Any, path: str = "") -> list[str]:
    """Return the places of nulls, which CloudFormation refuses anywhere, as its message has them.

    >>> find_nulls({"Metadata": {"a comment": None}})
    ["[/Metadata/a comment] 'null' values are not allowed in templates"]
    """
    if template is None:
        return [f"[{path}] 'null' values are not allowed in templates"]
    members = (
        template.items()
        if isinstance(template, dict)
        else enumerate(template)
        if isinstance(template, list)
        else ()
    )
    return [why for key, value in members for why in find_nulls(value, f"{path}/{key}")]


def fold_conditions(template: Node, values: dict[str, str]) -> Node:
    """Return the Conditions with Fn::Join and Fn::Split in them replaced by their values.

    `values` are those of the parameters; a list is one text with commas.

    >>> parameters = {"Parameters": {"Subnets": {"Type": "CommaDelimitedList"}}}
    >>> joined = {"Fn::Join": ["", {"Ref": "Subnets"}]}
    >>> fold_conditions(parameters | {"Conditions": {"Some": joined}}, {"Subnets": "a,b"})
    {'Some': 'ab'}
    """
    parameters = template.get("Parameters") or {}
    lists = {name for name, it in parameters.items() if "List" in it.get("Type", "")}
    known = {name: _split_value(value, name in lists) for name, value in values.items()}
    conditions = template.get("Conditions") or {}
    return {name: _fold_joins(it, known) for name, it in conditions.items()}


def _split_value(value: str, is_list: bool) -> list[str]:
    return [part.strip() for part in value.split(",")] if is_list else [value]


def _fold_joins(node: Any, known: dict[str, list[str]]) -> Any:
    """Replace each Fn::Join whose members are known by its text."""
    if isinstance(node, list):
        return [_fold_joins(item, known) for item in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"Fn::Join": [str(between), source]}:
            members = _find_members(source, known)
            return node if members is None else between.join(members)
    return {key: _fold_joins(value, known) for key, value in node.items()}


def _find_members(node: Any, known: dict[str, list[str]]) -> list[str] | None:
    """Return the members of a list, or a text as the only one; None if they are not known."""
    match node:
        case str():
            return [node]
        case {"Ref": str(name)}:
            return known.get(name)
        case {"Fn::Split": [str(between), source]}:
            found = _find_members(source, known)
            return found and found[0].split(between)
        case list():
            parts = [_find_members(item, known) for item in node]
            return None if None in parts else [part[0] for part in parts if part]
    return None


def _list_objects(template: Node, section: str) -> Node:
    return {name: it for name, it in (template.get(section) or {}).items() if isinstance(it, dict)}


def _find_unknown_keys(template: Node, resources: Node) -> Iterator[str]:
    if unknown := sorted(template.keys() - TEMPLATE_SECTIONS):
        yield f"Invalid template property or properties [{', '.join(unknown)}]"
    for resource in resources.values():
        yield from (
            f"Invalid template resource property '{key}'"
            for key in sorted(resource.keys() - RESOURCE_ATTRIBUTES)
        )


def _find_unresolved(node: Any, known: Iterable[str], sentence: str) -> Iterator[str]:
    names = {
        name for name in find_referred_names(node) if name not in known and not _is_pseudo(name)
    }
    if names:
        yield "Template format error: " + sentence.format(", ".join(sorted(names)))


def _is_pseudo(name: str) -> bool:
    return name.startswith("AWS::") and name.removeprefix("AWS::") in PSEUDO_PARAMETERS


def _find_unresolved_conditions(template: Node, resources: Node, outputs: Node) -> Iterator[str]:
    conditions = template.get("Conditions") or {}
    for block, things in (("Resources", resources), ("Outputs", outputs)):
        asked = (it["Condition"] for it in things.values() if isinstance(it.get("Condition"), str))
        yield from (_unresolved_condition(name, block) for name in asked if name not in conditions)
        chosen = (
            value[0]
            for value in _find_values("Fn::If", things)
            if isinstance(value, list) and value
        )
        yield from (
            f"Template error: unresolved condition dependency {name} in Fn::If"
            for name in chosen
            if name not in conditions
        )
    named = (value for value in _find_values("Condition", conditions) if isinstance(value, str))
    yield from (
        _unresolved_condition(name, "Conditions") for name in named if name not in conditions
    )


def _unresolved_condition(condition: str, block: str) -> str:
    return (
        f"Template format error: Unresolved condition dependency {condition} in the {block} block "
        "of the template"
    )


def _find_values(key: str, node: Any) -> Iterator[Any]:
    """Yield the values of a key, wherever it occurs."""
    if isinstance(node, list):
        for item in node:
            yield from _find_values(key, item)
    elif isinstance(node, dict):
        if key in node:
            yield node[key]
        yield from _find_values(key, list(node.values()))


def _find_cycle(resources: Node) -> Iterator[str]:
    needs = {
        name: set(find_referred_names(resource)) & resources.keys()
        for name, resource in resources.items()
    }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as circle:
        yield f"Circular dependency between resources: [{', '.join(sorted(set(circle.args[1])))}]"


def find_referred_names(node: Any) -> Iterator[str]:
    """Yield every name that something refers to."""
    if isinstance(node, list):
        for item in node:
            yield from find_referred_names(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        yield from _list_referred(key, value)


def _list_referred(key: str, value: Any) -> Iterator[str]:
    match key, value:
        case "Ref", str():
            yield value
        case "Fn::GetAtt", [str(name), *_]:
            yield name
        case "Fn::GetAtt", str():
            yield value.partition(".")[0]
        case "Fn::Sub", str():
            yield from (name.partition(".")[0] for name in SUBSTITUTION.findall(value))
        case "Fn::Sub", [str(text), dict(given)]:
            yield from (
                name.partition(".")[0] for name in SUBSTITUTION.findall(text) if name not in given
            )
            yield from find_referred_names(given)
        case "DependsOn", str() | list():
            yield from [value] if isinstance(value, str) else value
        case _:
            yield from find_referred_names(value)


class ResourceSchemas:
    """The schemas of one Region, read on demand."""

    def __init__(self, folder: Path, region: str = "us-east-1") -> None:
        self._folder = folder
        self._names: dict[str, str] = json.loads(
            (folder / "providers" / f"{region}.json").read_text()
        )

    def find_schema(self, resource_type: str) -> Schema | None:
        """Return the schema of a type; None if AWS publishes none, as for custom resources."""
        name = self._names.get(resource_type)
        return _read_schema(self._folder / "resources" / f"{name}.json") if name else None


@cache
def _read_schema(path: Path) -> Schema:
    return dict(json.loads(path.read_text()))


def find_invalid_properties(template: dict[str, Any], schemas: ResourceSchemas) -> list[str]:
    """Return the properties that their types do not accept, in CloudFormation's words."""
    resources = {
        name: it for name, it in (template.get("Resources") or {}).items() if isinstance(it, dict)
    }
    return [
        f"Properties validation failed for resource {name} with message: {why}"
        for name, resource in resources.items()
        if (schema := schemas.find_schema(resource.get("Type", "")))
        for why in _find_invalid(resource.get("Properties") or {}, schema, schema, "#")
    ]


def _find_invalid(value: Any, schema: Schema, root: Schema, path: str) -> Iterator[str]:
    """Yield unknown keys, missing required keys, and values outside of an enumeration."""
    schema = _resolve_schema(schema, root)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _find_invalid(item, schema.get("items") or {}, root, f"{path}/{number}")
    elif isinstance(value, dict) and _is_intrinsic(value):
        for branch in next(iter(value.values()))[1:] if "Fn::If" in value else ():
            yield from _find_invalid(branch, schema, root, path)
    elif isinstance(value, dict):
        yield from _find_invalid_members(value, schema, root, path)
    elif (
        "enum" in schema
        and _format_value(value) not in map(_format_value, schema["enum"])
        and "{{resolve:" not in _format_value(value)
    ):
        yield f"{path}: failed validation constraint for keyword [enum]"


def _format_value(value: Any) -> str:
    """Return a plain value as text. To CloudFormation 7 and "7" are the same."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find_invalid_members(
    value: dict[str, Any], schema: Schema, root: Schema, path: str
) -> Iterator[str]:
    known = schema.get("properties")
    if known is None:
        return
    read_only = root.get("readOnlyProperties") or []
    for key, item in value.items():
        if key in known:
            if path == "#" and f"/properties/{key}" in read_only:
                yield f"{path}: Encountered read-only property [{key}]"
            yield from _find_invalid(item, known[key], root, f"{path}/{key}")
        elif not schema.get("additionalProperties", True) and not _matches_pattern(key, schema):
            yield f"{path}: extraneous key [{key}] is not permitted"
    for key in schema.get("required") or ():
        if key not in value:
            yield f"{path}: required key [{key}] not found"


def _matches_pattern(key: str, schema: Schema) -> bool:
    return any(re.search(pattern, key) for pattern in schema.get("patternProperties") or ())


def _resolve_schema(schema: Any, root: Schema) -> Schema:
    """Return the schema behind a $ref; for alternatives, what any of them allows."""
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        return _resolve_schema(_follow_reference(str(schema["$ref"]), root), root)
    if "properties" in schema or not any(key in schema for key in COMBINING_KEYWORDS):
        return schema
    choices = [
        _resolve_schema(choice, root)
        for key in COMBINING_KEYWORDS
        for choice in schema.get(key, ())
    ]
    if not all("properties" in choice for choice in choices):
        return next((choice for choice in choices if "items" in choice), {})
    return {
        "properties": {name: it for choice in choices for name, it in choice["properties"].items()}
    }


def _follow_reference(reference: str, root: Schema) -> Any:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _is_intrinsic(value: dict[str, Any]) -> bool:
    key = next(iter(value), "")
    return len(value) == 1 and (key == "Ref" or key.startswith("Fn::"))
