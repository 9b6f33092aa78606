"""Two hundred existing buckets with the longest names stay within AWS's limits."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sandbox.size_limits import count_document_characters, list_limits, read_member
from tests.template.intrinsics import PLACEHOLDER, read_template

STACK = "s" * 47
GROUPS, BUCKETS_PER_GROUP = 8, 25
BUCKETS = ",".join(f"{number:02}".ljust(63, "b") for number in range(BUCKETS_PER_GROUP))
KEY = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/" + "k" * 36
MAX_PARAMETER, MAX_PARAMETERS, MAX_RESOURCES = 4096, 200, 500  # CloudFormation User Guide, quotas
MAX_TEMPLATE, MAX_POLICIES_OF_A_ROLE = 1_048_576, 10  # of a template in S3; IAM User Guide, quotas
ROOT, CHILD = read_template("template.yaml"), read_template("stacks/buckets.yaml")
GOV = {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "us-gov-west-1",
    "AWS::AccountId": "111122223333",
    "AWS::StackName": STACK,
    "AWS::StackId": "arn:aws-us-gov:cloudformation:us-gov-west-1:111122223333:stack/" + "s" * 120,
    "Stack": STACK,
    "Group": "8",
    "Buckets": BUCKETS,
    "Keys": ",".join([KEY] * (MAX_PARAMETER // (len(KEY) + 1))),
    "Administrators": "",
}
CHILD_CONDITIONS = {"KeysNamed": True, "StudioMade": True, "InGovCloud": True}


def resolve(node: Any, values: Mapping[str, str], conditions: Mapping[str, bool]) -> Any:
    """A part of a template with its functions carried out; names of resources are long ones."""
    found: Any = node
    match node:
        case list():
            parts = (resolve(it, values, conditions) for it in node)
            found = [it for it in parts if it is not None]
        case {"Ref": "AWS::NoValue"}:
            found = None
        case {"Ref": str(name)}:
            found = values.get(name, name.ljust(128, "x"))
        case {"Fn::GetAtt": [str(name), *_]}:
            found = f"arn:aws-us-gov:iam::111122223333:role/{name.ljust(64, 'x')}"
        case {"Fn::Sub": str(text)}:
            found = PLACEHOLDER.sub(lambda it: values.get(it[1], it[1].ljust(64, "x")), text)
        case {"Fn::If": [str(name), yes, no]}:
            found = resolve(yes if conditions[name] else no, values, conditions)
        case {"Fn::Join": [str(between), listed]}:
            found = between.join(resolve(listed, values, conditions))
        case {"Fn::Split": [str(between), text]}:
            found = resolve(text, values, conditions).split(between)
        case dict():
            found = {key: resolve(it, values, conditions) for key, it in node.items()}
    return found


def list_child_resources() -> Iterator[tuple[str, str, Any]]:
    for name, resource in CHILD["Resources"].items():
        yield name, resource["Type"], resolve(resource["Properties"], GOV, CHILD_CONDITIONS)


def test_a_parameter_holds_its_buckets_and_the_templates_their_parts():
    assert len(BUCKETS) <= MAX_PARAMETER
    assert len(ROOT["Parameters"]) <= MAX_PARAMETERS
    assert len(ROOT["Resources"]) + 20 <= MAX_RESOURCES  # SAM adds mappings and permissions
    assert len(json.dumps(ROOT)) * 2 <= MAX_TEMPLATE


@pytest.mark.parametrize(("name", "kind", "properties"), [*list_child_resources()])
def test_a_resource_of_a_full_parameter_is_within_the_limits(name, kind, properties):
    reasons = [
        why
        for limit in list_limits(kind)
        if (value := read_member(properties, limit.property)) is not None
        and (why := limit.find_violation(value))
    ]

    assert reasons == []


def test_the_names_of_the_rules_and_the_function_fit():
    rules = [it["Name"] for _, kind, it in list_child_resources() if kind == "AWS::Events::Rule"]

    assert max(map(len, rules)) <= 64
    assert len(f"{STACK}-connect-buckets") <= 64


def test_an_event_pattern_has_room_for_the_longest_names():
    patterns = [
        count_document_characters(it["EventPattern"])
        for _, kind, it in list_child_resources()
        if kind == "AWS::Events::Rule"
    ]

    assert len(patterns) == 2
    assert max(patterns) <= 2048


@pytest.mark.parametrize(
    ("role", "others"),
    [("ReconcileGrantsRole", 0), ("StartSparkJobRole", 1), ("StewardRole", 2), ("StudioRoles", 2)],
)
def test_a_role_can_have_the_policies_of_all_parameters(role: str, others: int):
    attached = [
        name
        for name, it in CHILD["Resources"].items()
        if role in json.dumps(it["Properties"].get("Roles", ""))
    ]

    assert len(attached) == 1
    assert others + GROUPS * len(attached) <= MAX_POLICIES_OF_A_ROLE


def test_nothing_of_a_function_grows_with_the_number_of_buckets():
    variables = ROOT["Globals"]["Function"]["Environment"]["Variables"]
    functions = [
        it["Properties"].get("Environment", {})
        for it in ROOT["Resources"].values()
        if it["Type"] == "AWS::Serverless::Function"
    ]
    named = json.dumps([variables, functions])

    assert "DataBuckets2" not in named
    assert named.count('"DataBuckets"') == 1  # the first of them
