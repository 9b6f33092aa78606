"""Names in a template that lead nowhere, and words that CloudFormation does not know, in its own sentences.

The sentences are those that its users report; only the one about conditions that refer to conditions is made after them.
"""

import re
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

Node = dict[str, Any]
SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")
PSEUDO = {"AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix"}
SECTIONS = {
    "AWSTemplateFormatVersion", "Conditions", "Description", "Hooks", "Mappings", "Metadata", "Outputs", "Parameters", "Resources",
    "Rules", "Transform",
}  # fmt: skip
ATTRIBUTES = {
    "Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdatePolicy",
    "UpdateReplacePolicy",
}  # fmt: skip


def dangling(template: Node) -> list[str]:
    """Everything wrong, in CloudFormation's words; empty where every name is known and no resource waits for itself."""
    resources, outputs = _objects(template, "Resources"), _objects(template, "Outputs")
    known = resources.keys() | (template.get("Parameters") or {}).keys()
    return [
        *_unknown_words(template, resources),
        *_lost(resources, known, "Unresolved resource dependencies [{}] in the Resources block of the template"),
        *_lost(outputs, known, "Unresolved resource dependencies [{}] in the Outputs block of the template"),
        *_lost(
            template.get("Conditions"),
            known - resources.keys(),
            "Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the template",
        ),
        *_lost_conditions(template, resources, outputs),
        *_circle(resources),
    ]


def _objects(template: Node, section: str) -> Node:
    return {name: it for name, it in (template.get(section) or {}).items() if isinstance(it, dict)}


def _unknown_words(template: Node, resources: Node) -> Iterator[str]:
    if unknown := sorted(template.keys() - SECTIONS):
        yield f"Invalid template property or properties [{', '.join(unknown)}]"
    for resource in resources.values():
        yield from (f"Invalid template resource property '{key}'" for key in sorted(resource.keys() - ATTRIBUTES))


def _lost(node: Any, known: Iterable[str], sentence: str) -> Iterator[str]:
    names = {name for name in _named(node) if name not in known and not _is_pseudo(name)}
    if names:
        yield "Template format error: " + sentence.format(", ".join(sorted(names)))


def _is_pseudo(name: str) -> bool:
    return name.startswith("AWS::") and name.removeprefix("AWS::") in PSEUDO


def _lost_conditions(template: Node, resources: Node, outputs: Node) -> Iterator[str]:
    conditions = template.get("Conditions") or {}
    for block, things in (("Resources", resources), ("Outputs", outputs)):
        asked = (it["Condition"] for it in things.values() if isinstance(it.get("Condition"), str))
        yield from (_unresolved(name, block) for name in asked if name not in conditions)
        chosen = (value[0] for value in _values("Fn::If", things) if isinstance(value, list) and value)
        yield from (
            f"Template error: unresolved condition dependency {name} in Fn::If" for name in chosen if name not in conditions
        )
    named = (value for value in _values("Condition", conditions) if isinstance(value, str))
    yield from (_unresolved(name, "Conditions") for name in named if name not in conditions)


def _unresolved(condition: str, block: str) -> str:
    return f"Template format error: Unresolved condition dependency {condition} in the {block} block of the template"


def _values(key: str, node: Any) -> Iterator[Any]:
    """The values of a key, wherever it stands."""
    if isinstance(node, list):
        for item in node:
            yield from _values(key, item)
    elif isinstance(node, dict):
        if key in node:
            yield node[key]
        yield from _values(key, list(node.values()))


def _circle(resources: Node) -> Iterator[str]:
    needs = {name: set(_named(resource)) & resources.keys() for name, resource in resources.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as circle:
        yield f"Circular dependency between resources: [{', '.join(sorted(set(circle.args[1])))}]"


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
