"""A function that can invoke itself says `RecursiveLoop: Allow`, and no other does.

Lambda would drop the 17th invocation in a chain of any other. Which functions these are follows
from their events and from what their roles may do.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.template.test_events import Template

FILES = ["template.yaml", *(f"stacks/{path.name}" for path in (ROOT / "stacks").glob("*.yaml"))]
RESOURCES = {
    (file, name): resource
    for file in FILES
    for name, resource in yaml.load((ROOT / file).read_text(), Template)["Resources"].items()
}
FUNCTIONS = [
    place for place, resource in RESOURCES.items() if resource["Type"].endswith("::Function")
]


def list_own_statements(place: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """List the statements of the role of a function, also those with a condition."""
    role = RESOURCES[place[0], f"{place[1]}Role"]["Properties"]
    pending: list[Any] = [policy["PolicyDocument"]["Statement"] for policy in role["Policies"]]
    while pending:
        found = pending.pop()
        if isinstance(found, dict) and "Effect" in found:
            yield found
        elif isinstance(found, dict):
            pending += found.values()
        elif isinstance(found, list):
            pending += found


def list_inputs(place: tuple[str, str]) -> list[str]:
    """List what invokes a function and which of its own actions would lead back to it."""
    function = RESOURCES[place]["Properties"]
    sources = [json.dumps(function["FunctionName"]).rpartition("}")[2].strip('"]')]
    for event in function.get("Events", {}).values():
        assert event["Type"] == "SQS", "a new kind of event: does a loop go through it?"
        sources.append(json.dumps(event["Properties"]["Queue"]))
    return sources


def can_invoke_itself(place: tuple[str, str]) -> bool:
    """Whether the function's role may invoke it, or send to a queue that does."""
    own, *queues = list_inputs(place)
    for statement in list_own_statements(place):
        actions, where = json.dumps(statement["Action"]), json.dumps(statement["Resource"])
        if "lambda:InvokeFunction" in actions and f"{own}" in where:
            return True
        if "sqs:SendMessage" in actions and any(queue in where for queue in queues):
            return True
    return False


@pytest.mark.parametrize("place", FUNCTIONS, ids="/".join)
def test_a_function_allows_loops_exactly_if_it_can_invoke_itself(place: tuple[str, str]) -> None:
    allowed = RESOURCES[place]["Properties"].get("RecursiveLoop") == "Allow"
    assert allowed == can_invoke_itself(place)


def test_there_are_functions_of_both_kinds() -> None:
    assert {can_invoke_itself(place) for place in FUNCTIONS} == {True, False}
