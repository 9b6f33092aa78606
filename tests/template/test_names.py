"""Two stacks of an account never need the same name: each name contains the stack's name or a
parameter.
"""

import re

import pytest

from tests.conftest import ROOT

ONCE = (
    "AlarmName",
    "BucketName",
    "DashboardName",
    "DomainName",
    "FunctionName",
    "GroupName",
    "LayerName",
    "LogGroupName",
    "ManagedPolicyName",
    "QueueName",
    "RoleName",
    "TableName",
    "TopicName",
    "TrailName",
)
"""Properties that an account, or its Region, takes once."""

TEMPLATES = {
    name: (ROOT / name).read_text()
    for name in ("template.yaml", "stacks/studio.yaml", "stacks/operations.yaml")
}
NAMED = re.compile(rf"^ {{6}}({'|'.join(ONCE)}): (.+)$", re.MULTILINE)
GIVEN = [(name, said) for name, text in TEMPLATES.items() for _, said in NAMED.findall(text)]


@pytest.mark.parametrize(("file", "said"), GIVEN, ids=[said for _, said in GIVEN])
def test_a_name_is_the_stacks_own_or_a_parameters(file: str, said: str):
    assert re.search(r"\$\{(AWS::StackName|Stack|RolePrefix)\}|!Ref DomainName$", said), (
        f"{file} says {said}"
    )


def test_names_are_found_where_they_stand():
    assert {file for file, _ in GIVEN} == TEMPLATES.keys()
    assert len(GIVEN) > 25


@pytest.mark.parametrize("file", TEMPLATES)
def test_nothing_is_exported_under_a_name(file: str):
    assert "Export:" not in TEMPLATES[file]
