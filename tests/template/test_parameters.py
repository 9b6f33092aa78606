"""Whoever deploys is asked for parameters, and each says by itself what it is for and what it takes."""

from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.template.test_events import Template

PARAMETERS: dict[str, dict[str, Any]] = yaml.load((ROOT / "template.yaml").read_text(), Template)["Parameters"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_says_what_it_is_for_and_has_a_default(name: str):
    parameter = PARAMETERS[name]

    assert len(parameter["Description"]) >= 30
    assert parameter["Description"].endswith(".") or ";" in parameter["Description"]
    assert "Default" in parameter


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_choice_names_its_values_and_a_pattern_says_what_it_asks_for(name: str):
    parameter = PARAMETERS[name]

    assert ("AllowedValues" in parameter) == (parameter["Default"] in ("true", "false", "create"))
    assert parameter["Default"] in parameter.get("AllowedValues", [parameter["Default"]])
    assert "AllowedPattern" not in parameter or "ConstraintDescription" in parameter
