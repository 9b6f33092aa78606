"""Whoever deploys is asked for parameters, and each says by itself what it is for, what its default does, and when to change it."""

import re
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.template.test_events import Template


def read(path: str) -> dict[str, Any]:
    template: dict[str, Any] = yaml.load((ROOT / path).read_text(), Template)
    return template


TEMPLATE = read("template.yaml")
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
NESTED = {name: it["Properties"] for name, it in TEMPLATE["Resources"].items() if it["Type"] == "AWS::Serverless::Application"}
HANDED_DOWN = [
    (name, parameter, read(properties["Location"])["Parameters"][parameter])
    for name, properties in NESTED.items()
    for parameter in read(properties["Location"])["Parameters"]
]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_says_what_it_is_for_and_when_to_change_it(name: str):
    *first, last = re.split(r"(?<=\.) ", PARAMETERS[name]["Description"])

    assert len(" ".join(first)) >= 30
    assert re.match(r"(Change|Choose|Name) .*\.$", last), last


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_a_default_and_says_what_it_does_when_it_is_empty(name: str):
    default, description = PARAMETERS[name]["Default"], PARAMETERS[name]["Description"]

    assert default != "" or "; empty " in description


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_choice_names_what_else_may_be_chosen_and_a_pattern_says_what_it_asks_for(name: str):
    parameter = PARAMETERS[name]
    choices = parameter.get("AllowedValues", [parameter["Default"]])

    assert ("AllowedValues" in parameter) == (parameter["Default"] in ("true", "false", "create"))
    assert parameter["Default"] in choices
    assert [it for it in choices if it != parameter["Default"] and f"Choose {it} " not in parameter["Description"]] == []
    assert "AllowedPattern" not in parameter or "ConstraintDescription" in parameter


@pytest.mark.parametrize(("stack", "name", "parameter"), HANDED_DOWN, ids=[f"{stack}-{name}" for stack, name, _ in HANDED_DOWN])
def test_a_nested_stack_says_what_its_parameters_are_and_gets_each_from_the_stack_above(stack, name, parameter):
    assert len(parameter["Description"]) >= 20
    assert parameter["Description"].endswith(".")
    assert name in NESTED[stack]["Parameters"]
