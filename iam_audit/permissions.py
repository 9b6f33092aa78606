"""The permissions in template.yaml and its nested stacks.

A holder is a role or a managed policy. Also, whom each role, bucket, queue and topic trusts by its
own policy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.fast_yaml import FastLoader

ROOT = Path(__file__).parent.parent
TEMPLATES = (ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml")))


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one resource, as the template writes them. `holder` is a logical id."""

    holder: str
    statement: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.holder} {self.statement}: {self.action} on {self.resource}"


@dataclass(frozen=True)
class Statement:
    """A statement of a holder's policies. Without a Sid it has the name of its policy."""

    holder: str
    name: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: str

    def list_permissions(self) -> Iterator[Permission]:
        """What it allows. A Deny allows nothing."""
        if self.effect == "Allow":
            for action in self.actions:
                for resource in self.resources:
                    yield Permission(self.holder, self.name, action, resource)


@dataclass(frozen=True)
class PolicyHolder:
    """A role, with who may assume it, or a managed policy for people, with its description."""

    name: str
    deployed: str  # its name, if the template sets one; else empty
    description: str
    trust: tuple[Statement, ...]
    principals: tuple[str, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class TrustStatement:
    """One statement of a resource's own policy, and to whom it applies."""

    principals: tuple[str, ...]
    statement: Statement


class AmbiguousNameError(ValueError):
    """Two statements of a holder have the same name, so a reason could be for either."""


class _TemplateLoader(FastLoader):
    """Reads CloudFormation's short forms as the text that people write for them."""


def _construct_short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        text = str(node.value)
        return text if tag == "Sub" else f"${{{text}}}"
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {
        tag: loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.MappingNode)
        else None
    }


_TemplateLoader.add_multi_constructor("!", _construct_short_form)


def read_resources(templates: tuple[Path, ...] = TEMPLATES) -> dict[str, Any]:
    """Every resource of the templates by logical id, with the short forms as text."""
    resources: dict[str, Any] = {}
    for path in templates:
        template = yaml.load(path.read_text(), _TemplateLoader)  # noqa: S506  -- a SafeLoader
        resources |= template["Resources"]
    return resources


def read_trusts(templates: tuple[Path, ...] = TEMPLATES) -> list[TrustStatement]:
    """The statements of resources' own policies, of roles, buckets, queues and topics."""
    found = ((name, it.get("Properties", {})) for name, it in read_resources(templates).items())
    documents = [
        (name, given[part])
        for name, given in found
        for part in ("AssumeRolePolicyDocument", "PolicyDocument")
        if any(
            "Principal" in _unwrap_condition(it) for it in given.get(part, {}).get("Statement", [])
        )
    ]
    return [
        TrustStatement(_list_principals(written), statement)
        for name, document in documents
        for written, statement in zip(
            document["Statement"], _parse_statements(name, name, document), strict=True
        )
    ]


def read_holders(templates: tuple[Path, ...] = TEMPLATES) -> dict[str, PolicyHolder]:
    """Every role and managed policy by logical id. Raises AmbiguousNameError."""
    resources = read_resources(templates)
    attached = _find_attached_policies(resources)
    found = {
        name: _build_holder(name, it, attached.get(name, []))
        for name, it in resources.items()
        if it["Type"] in HOLDER_TYPES
    }
    for holder in found.values():
        names = [statement.name for statement in holder.statements]
        if doubled := {name for name in names if names.count(name) > 1}:
            named = ", ".join(sorted(doubled))
            raise AmbiguousNameError(
                f"{holder.name} has more than one statement {named}; give each a Sid of its own"
            )
    return found


NEGATION = "everything but"
HOLDER_TYPES = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")


def _find_attached_policies(resources: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Policies that are resources of their own, by role."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            given = resource["Properties"]
            for role in given["Roles"]:
                found.setdefault(role.strip("${}"), []).append(
                    (given["PolicyName"], given["PolicyDocument"])
                )
    return found


def _build_holder(
    name: str, resource: dict[str, Any], attached: list[tuple[str, Any]]
) -> PolicyHolder:
    given = resource["Properties"]
    own = [(it["PolicyName"], it["PolicyDocument"]) for it in given.get("Policies", [])]
    own += [(name, given["PolicyDocument"])] if "PolicyDocument" in given else []
    statements = tuple(
        it
        for policy, document in own + attached
        for it in _parse_statements(name, policy, document)
    )
    trusting = given.get("AssumeRolePolicyDocument", {"Statement": []})
    named = (one for it in trusting["Statement"] for one in _list_principals(it))
    principals = tuple(dict.fromkeys(named))
    trust = tuple(_parse_statements(name, "trust", trusting))
    deployed, description = given.get("RoleName", ""), given.get("Description", "")
    return PolicyHolder(name, deployed, description, trust, principals, statements)


def _parse_statements(holder: str, policy: str, document: dict[str, Any]) -> Iterator[Statement]:
    for written in document["Statement"]:
        given = _unwrap_condition(written)
        conditions = [_format_value(given.get("Condition", ""))] if given.get("Condition") else []
        conditions += [f"only if {written['If'][0]}"] if "If" in written else []
        actions, resources = _list_part(given, "Action"), _list_part(given, "Resource")
        name, condition = given.get("Sid", policy), "; ".join(conditions)
        yield Statement(holder, name, given["Effect"], actions, resources, condition)


def _list_part(statement: dict[str, Any], part: str) -> tuple[str, ...]:
    """Actions or resources. A negation is one value, which only a Deny may have."""
    if f"Not{part}" in statement:
        return (f"{NEGATION} {_format_value(statement[f'Not{part}'])}",)
    return tuple(map(_format_value, _as_list(statement.get(part, []))))


def _unwrap_condition(statement: dict[str, Any]) -> dict[str, Any]:
    """The statement itself, if it is written with a condition of the template."""
    if "If" in statement:
        return next(it for it in statement["If"] if isinstance(it, dict))
    return statement


def _list_principals(statement: dict[str, Any]) -> tuple[str, ...]:
    """Services and accounts; "*" for everyone."""
    named = _unwrap_condition(statement)["Principal"]
    if isinstance(named, dict):
        return tuple(map(_format_value, named.values()))
    return (str(named),)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _format_value(value: Any) -> str:
    """A value on one line, with CloudFormation's functions in plain words."""
    text = str(value)
    match value:
        case {"If": [condition, one, other]}:
            text = f"{_format_value(one)} if {condition}, else {_format_value(other)}"
        case {"Join": [separator, [*parts]]}:
            text = str(separator).join(map(_format_value, parts))
        case {"Split": [_, whole]} | {"Select": [_, whole]}:
            text = _format_value(whole)
        case {"Sub": [pattern, values]}:
            text = f"{pattern}, {_format_value(values)}"
        case dict():
            text = ", ".join(f"{key} {_format_value(it)}" for key, it in value.items())
        case list():
            text = " or ".join(map(_format_value, value))
    return text
