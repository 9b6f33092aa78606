"""The permissions that template.yaml and its nested stacks give: of each role and each managed policy, by statement, action and resource.

And whom each role, bucket, queue and topic trusts: the policies that stand at the thing itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
TEMPLATES = (ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml")))


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one resource, both as the template writes them; `holder` is the role's or managed policy's logical id."""

    holder: str
    statement: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.holder} {self.statement}: {self.action} on {self.resource}"


@dataclass(frozen=True)
class Statement:
    """A statement of a holder's policies. One without a Sid is called by its policy's name; `condition` is what it depends on."""

    holder: str
    name: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: str

    def permissions(self) -> Iterator[Permission]:
        """What it allows; a Deny allows nothing."""
        if self.effect == "Allow":
            for action in self.actions:
                for resource in self.resources:
                    yield Permission(self.holder, self.name, action, resource)


@dataclass(frozen=True)
class Holder:
    """A role, with who may assume it, or a managed policy for people, with its description."""

    name: str
    deployed: str  # what it is called by when the template says so; else empty
    description: str
    trust: tuple[Statement, ...]
    principals: tuple[str, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Trust:
    """Whom a thing trusts by its own policy: one statement of it, and to whom it applies."""

    principals: tuple[str, ...]
    statement: Statement


class Ambiguous(ValueError):
    """Two statements of a holder have one name, so that nobody could say which of them a reason is for."""


class _Template(yaml.SafeLoader):
    """CloudFormation's short forms, as the text that people write for them."""


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        text = str(node.value)
        return text if tag == "Sub" else f"${{{text}}}"
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {tag: loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None}


_Template.add_multi_constructor("!", _short_form)


def resources_of(templates: tuple[Path, ...] = TEMPLATES) -> dict[str, Any]:
    """Every resource of the templates, by logical id, with CloudFormation's short forms as the text that people write for them."""
    resources: dict[str, Any] = {}
    for path in templates:
        resources |= yaml.load(path.read_text(), _Template)["Resources"]  # noqa: S506  -- it is a SafeLoader
    return resources


def trusts(templates: tuple[Path, ...] = TEMPLATES) -> list[Trust]:
    """The statements that stand at things: who may assume a role, use a bucket, send to a queue or a topic, or may not."""
    found = ((name, it.get("Properties", {})) for name, it in resources_of(templates).items())
    documents = [
        (name, given[part])
        for name, given in found
        for part in ("AssumeRolePolicyDocument", "PolicyDocument")
        if any("Principal" in _written(it) for it in given.get(part, {}).get("Statement", []))
    ]
    return [
        Trust(_principals(written), statement)
        for name, document in documents
        for written, statement in zip(document["Statement"], _statements(name, name, document), strict=True)
    ]


def holders(templates: tuple[Path, ...] = TEMPLATES) -> dict[str, Holder]:
    """Every role and managed policy of the templates, by logical id; raises Ambiguous."""
    resources = resources_of(templates)
    attached = _attached(resources)
    found = {name: _holder(name, it, attached.get(name, [])) for name, it in resources.items() if it["Type"] in KINDS}
    for holder in found.values():
        names = [statement.name for statement in holder.statements]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise Ambiguous(f"{holder.name} has more than one statement {', '.join(sorted(doubled))}; give each a Sid of its own")
    return found


KINDS = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")


def _attached(resources: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Policies that stand beside their role, by the role."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            given = resource["Properties"]
            for role in given["Roles"]:
                found.setdefault(role.strip("${}"), []).append((given["PolicyName"], given["PolicyDocument"]))
    return found


def _holder(name: str, resource: dict[str, Any], attached: list[tuple[str, Any]]) -> Holder:
    given = resource["Properties"]
    own = [(policy["PolicyName"], policy["PolicyDocument"]) for policy in given.get("Policies", [])]
    own += [(name, given["PolicyDocument"])] if "PolicyDocument" in given else []
    statements = tuple(it for policy, document in own + attached for it in _statements(name, policy, document))
    trusting = given.get("AssumeRolePolicyDocument", {"Statement": []})
    principals = tuple(one for it in trusting["Statement"] for one in _principals(it))
    trust = tuple(_statements(name, "trust", trusting))
    return Holder(name, given.get("RoleName", ""), given.get("Description", ""), trust, principals, statements)


def _statements(holder: str, policy: str, document: dict[str, Any]) -> Iterator[Statement]:
    for written in document["Statement"]:
        given = _written(written)
        conditions = [_text(given.get("Condition", ""))] if given.get("Condition") else []
        conditions += [f"only if {written['If'][0]}"] if "If" in written else []
        actions = tuple(_listed(given["Action"]))
        resources = tuple(map(_text, _listed(given.get("Resource", []))))
        yield Statement(holder, given.get("Sid", policy), given["Effect"], actions, resources, "; ".join(conditions))


def _written(statement: dict[str, Any]) -> dict[str, Any]:
    """The statement itself, where it stands there only if some condition holds."""
    return next(it for it in statement["If"] if isinstance(it, dict)) if "If" in statement else statement


def _principals(statement: dict[str, Any]) -> tuple[str, ...]:
    """Services and accounts; "*" for everyone."""
    named = _written(statement)["Principal"]
    return tuple(map(_text, named.values())) if isinstance(named, dict) else (str(named),)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """One line for whatever stands there, and for a function of CloudFormation what a person would say."""
    match value:
        case {"If": [condition, one, other]}:
            return f"{_text(one)} if {condition}, else {_text(other)}"
        case {"Split": [_, whole]} | {"Select": [_, whole]}:
            return _text(whole)
        case {"Sub": [text, values]}:
            return f"{text}, {_text(values)}"
        case dict():
            return ", ".join(f"{key} {_text(it)}" for key, it in value.items())
        case list():
            return " or ".join(map(_text, value))
    return str(value)
