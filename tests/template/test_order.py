"""What is created well after its role, so that IAM has made the role known to the other service."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.template.test_events import Template

ROLES = {
    "template.yaml": ("Location", "LocationRole"),
    "stacks/studio.yaml": ("Domain", "NobodyRole"),
}


def read_resources(file: str) -> dict[str, Any]:
    return dict(yaml.load((ROOT / file).read_text(), Template)["Resources"])


def find_words(value: Any) -> Iterator[str]:
    """Every text inside a value, and the names in its `${…}`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (str(key), *find_words(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from find_words(inner)
    else:
        text = str(value)
        yield from (text, text.partition(".")[0])
        yield from (part.partition("}")[0].partition(".")[0] for part in text.split("${")[1:])


def list_dependencies(resources: Mapping[str, Any], name: str) -> set[str]:
    """The resources that CloudFormation creates before this one because it refers to them."""
    return (set(find_words(resources[name])) & resources.keys()) - {name}


def lies_between(resources: Mapping[str, Any], name: str, role: str) -> bool:
    """Whether another resource is created after the role and before this one."""
    reached, left = set(), [name]
    while left:
        for found in list_dependencies(resources, left.pop()) - reached:
            reached.add(found)
            left.append(found)
    return any(role in list_dependencies(resources, one) for one in reached - {role})


@pytest.mark.parametrize("file", ROLES)
def test_something_is_created_between_a_role_and_what_another_service_checks_it_for(file: str):
    assert lies_between(read_resources(file), *ROLES[file])


@pytest.mark.parametrize("user", ["UserA", "UserB"])
def test_a_users_role_waits_for_nothing_and_the_profile_for_the_domain(user: str):
    resources = read_resources("stacks/studio.yaml")

    assert list_dependencies(resources, f"{user}Role") == set()
    assert "Domain" in list_dependencies(resources, user)
