"""The statements that close second doors, their off switches, and what the trail logs of writes."""

from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.template.test_events import Template

TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Template)
RESOURCES, PARAMETERS = TEMPLATE["Resources"], TEMPLATE["Parameters"]
STUDIO = yaml.load((ROOT / "stacks/studio.yaml").read_text(), Template)["Resources"]
SWITCHED = {
    "DataBucketPolicy": ("GrantsOnly", "DataAccess", {"VendedOnly"}),
    "PolicyBucketPolicy": (
        "StewardsOnly",
        "PolicyWrites",
        {"StewardsOnly", "PolicyFilesByStewards", "BoundsByApprovers"},
    ),
    "OperationsBucketPolicy": (
        "OperationsSplit",
        "OperationsAccess",
        {
            "OwnTracesOnly",
            "CodeByLauncher",
            "InputsByLauncher",
            "TrailByCloudTrail",
            "TracesOfOthersByOperators",
        },
    ),
}


def list_statements(resource: str) -> list[tuple[str, dict[str, Any]]]:
    """Each statement of a bucket policy with the condition of the template that it needs, or ""."""
    document = RESOURCES[resource]["Properties"]["PolicyDocument"]
    return [
        ("", it)
        if isinstance(it, dict) and "Sid" in it
        else (list_members(it)[0], list_members(it)[1])
        for it in document["Statement"]
    ]


def list_members(function: Any) -> list[Any]:
    """The arguments of a function of CloudFormation, however the loader writes it."""
    return next(iter(function.values())) if isinstance(function, dict) else list(function)


@pytest.mark.parametrize("resource", SWITCHED)
def test_each_bucket_denies_unless_its_parameter_says_any(resource: str):
    condition, parameter, names = SWITCHED[resource]
    switched = {it["Sid"] for needs, it in list_statements(resource) if needs == condition}

    assert switched == names
    assert all(
        it["Effect"] == "Deny" for needs, it in list_statements(resource) if needs == condition
    )
    default = PARAMETERS[parameter]["Default"]
    assert PARAMETERS[parameter]["AllowedValues"] == [default, "any"]
    assert list_members(TEMPLATE["Conditions"][condition])[1] == default


def test_the_trail_logs_writes_of_policy_files_and_of_the_ledger_by_others_than_our_functions():
    selectors = RESOURCES["StudioTrail"]["Properties"]["AdvancedEventSelectors"]
    logged = [list_members(it)[1] for it in selectors[1:]]
    fields = [{it["Field"]: it for it in one["FieldSelectors"]} for one in logged]

    assert [list_members(it)[0] for it in selectors[1:]] == ["DataEventsLogged"] * 2
    assert [it["resources.type"]["Equals"] for it in fields] == [
        ["AWS::S3::Object"],
        ["AWS::DynamoDB::Table"],
    ]
    assert all(it["readOnly"]["Equals"] == ["false"] for it in fields)
    assert len(fields[1]["userIdentity.arn"]["NotStartsWith"]) == 3


@pytest.mark.parametrize("role", ["UserARole", "UserBRole"])
def test_an_execution_role_has_its_tag_and_the_denies(role: str):
    given = STUDIO[role]["Properties"]

    assert [(it["Key"], it["Value"]) for it in given["Tags"]] == [
        ("grantor:role", given["RoleName"])
    ]
    assert given["ManagedPolicyArns"][:2] == ["Scientist", "Notebook"]


def test_no_switch_lets_anybody_alter_the_history():
    statements = {
        it["Sid"]: (condition, it["Effect"])
        for condition, it in list_statements("OperationsBucketPolicy")
        if it["Sid"].startswith("History")
    }
    sids = ("HistoryStays", "HistoryIsWrittenOnce", "HistoryNotBySageMaker")
    assert statements == dict.fromkeys(sids, ("", "Deny"))


def test_the_history_has_no_end_unless_a_parameter_says_one():
    lifecycle = RESOURCES["OperationsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    always = [rule for rule in lifecycle if isinstance(rule, dict) and "Prefix" in rule]
    assert not any("history/".startswith(rule["Prefix"]) for rule in always)
    chosen = [list_members(rule) for rule in lifecycle if rule not in always]
    rules = {members[0]: members[1] for members in chosen if members[0] == "HistoryExpires"}
    assert rules["HistoryExpires"]["Prefix"] == "history/"
    assert PARAMETERS["HistoryDays"]["Default"] == 0
