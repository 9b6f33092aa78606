"""Each parameter of the templates describes itself: its purpose, its default, when to change it."""

import re
from functools import cache
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.template.test_events import Template


@cache
def read_template(path: str) -> dict[str, Any]:
    template: dict[str, Any] = yaml.load((ROOT / path).read_text(), Template)
    return template


TEMPLATE = read_template("template.yaml")
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
NESTED = {
    name: it["Properties"]
    for name, it in TEMPLATE["Resources"].items()
    if it["Type"] == "AWS::Serverless::Application"
}
HANDED_DOWN = [
    (name, parameter, read_template(properties["Location"])["Parameters"][parameter])
    for name, properties in NESTED.items()
    for parameter in read_template(properties["Location"])["Parameters"]
]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_states_its_purpose_and_when_to_change_it(name: str):
    *first, last = re.split(r"(?<=\.) ", PARAMETERS[name]["Description"])

    assert len(" ".join(first)) >= 30
    assert re.match(r"(Change|Choose|Name|Set) .*\.$", last), last


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_without_a_default_states_what_empty_means(name: str):
    default, description = PARAMETERS[name]["Default"], PARAMETERS[name]["Description"]

    assert default != "" or "If empty, " in description


CHOICES = ("true", "false", "create", "stewards-only", "grants-only", "split", "withhold")


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_choice_names_its_alternative_and_a_pattern_explains_itself(name: str):
    parameter = PARAMETERS[name]
    choices = parameter.get("AllowedValues", [parameter["Default"]])

    assert ("AllowedValues" in parameter) == (parameter["Default"] in CHOICES)
    assert parameter["Default"] in choices
    assert [
        it
        for it in choices
        if it != parameter["Default"] and f"Choose {it} " not in parameter["Description"]
    ] == []
    assert "AllowedPattern" not in parameter or "ConstraintDescription" in parameter


@pytest.mark.parametrize(
    ("stack", "name", "parameter"),
    HANDED_DOWN,
    ids=[f"{stack}-{name}" for stack, name, _ in HANDED_DOWN],
)
def test_a_nested_stack_describes_its_parameters_and_gets_each_from_its_parent(
    stack, name, parameter
):
    assert len(parameter["Description"]) >= 20
    assert parameter["Description"].endswith(".")
    assert name in NESTED[stack]["Parameters"]
