"""What would stop a deployment half-way is refused before anything is made, or cannot happen."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.size_limits import LIMITS, SizeLimit, count_policy_characters
from sandbox.template_checks import find_nulls, find_referred_names
from tests.conftest import Sandbox
from tests.template.intrinsics import FILES, fill, read_template, walk

TEMPLATES = {file: read_template(file) for file in FILES}
RESOURCES: dict[str, Any] = TEMPLATES["template.yaml"]["Resources"]
PARAMETERS: dict[str, Any] = TEMPLATES["template.yaml"]["Parameters"]
GATE = "StackNameHas47CharactersAtMost"
SERVERLESS = "AWS::Serverless-2016-10-31"
LONGEST = 47  # characters of a stack's name


@pytest.mark.parametrize("file", FILES)
def test_a_template_holds_no_null(file: str):
    assert find_nulls(TEMPLATES[file]) == []


@pytest.mark.parametrize("file", FILES)
def test_a_template_names_a_transform_only_if_it_has_a_type_of_it(file: str):
    types = [it["Type"] for it in TEMPLATES[file]["Resources"].values()]
    needed = SERVERLESS if any(it.startswith("AWS::Serverless::") for it in types) else None

    assert TEMPLATES[file].get("Transform") == needed
    functions = {key for _, node in walk(TEMPLATES[file]) if isinstance(node, dict) for key in node}
    assert not functions & {"Fn::ForEach", "Fn::Length", "Fn::ToJsonString"}


# --- names -------------------------------------------------------------------------------------------

LAMBDA_TYPES = {
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::LayerVersion": "AWS::Lambda::LayerVersion",
}
COMPOSED = ("AWS::StackName", "Stack", "RolePrefix")


def list_composed_names(stack: str) -> Iterator[tuple[str, SizeLimit, str]]:
    """Each name that is composed of the stack's name or a prefix, with its limit."""
    prefix = "p" * 40  # the longest that the parameter's pattern allows
    values = {"AWS::StackName": stack, "Stack": stack, "RolePrefix": prefix}
    for template in TEMPLATES.values():
        for name, resource in template["Resources"].items():
            kind = LAMBDA_TYPES.get(resource["Type"], resource["Type"])
            for limit in (it for it in LIMITS if it.resource_type == kind):
                text = fill((resource.get("Properties") or {}).get(limit.property), values)
                if text and (stack in text or prefix in text):
                    yield name, limit, text


def test_every_composed_name_is_within_awss_limit_for_the_longest_stack_name():
    named = list(list_composed_names("s" * LONGEST))

    assert [(name, limit.find_violation(text)) for name, limit, text in named] == [
        (name, None) for name, _, _ in named
    ]
    assert len(named) > 25


def test_a_longer_stack_name_would_break_a_limit_and_is_refused_before_anything_is_made():
    gate = RESOURCES[GATE]["Properties"]
    pattern = re.compile(gate["AllowedPattern"])
    broken = {
        name for name, limit, text in list_composed_names("s" * (LONGEST + 1))
        if limit.find_violation(text) and name != GATE
    }  # fmt: skip

    assert broken == {"ReconcileGrants"}
    assert gate["Value"] == {"Ref": "AWS::StackName"}
    assert [bool(pattern.fullmatch("s" * size)) for size in (1, LONGEST, LONGEST + 1, 128)] == [
        True,
        True,
        False,
        False,
    ]
    assert find_independent() == {GATE}


def find_independent() -> set[str]:
    """The resources that wait for no other: CloudFormation creates these first."""
    return {
        name
        for name, resource in RESOURCES.items()
        if not {it for it in find_referred_names(resource) if it in RESOURCES}
    }


def test_the_longest_role_prefix_makes_names_within_the_limit_of_roles():
    pattern = PARAMETERS["RolePrefix"]["AllowedPattern"]

    assert re.fullmatch(pattern, "p" * 40)
    assert not re.fullmatch(pattern, "p" * 41)


def test_the_longest_list_of_roles_fits_into_its_policy_and_its_parameter():
    role = "arn:aws:iam::000000000000:role/" + "r" * 64
    listed = ",".join([role] * 42)  # CloudFormation allows 4,096 bytes in a parameter
    assert 3_900 < len(listed) < 4_096
    assert re.fullmatch(PARAMETERS["JobRoles"]["AllowedPattern"], listed)
    statement = RESOURCES["PassJobRoles"]["Properties"]["PolicyDocument"]["Statement"][0]
    document = {"Version": "2012-10-17", "Statement": [statement | {"Resource": listed.split(",")}]}

    assert count_policy_characters(document) < find_limit("AWS::IAM::ManagedPolicy")
    assert len(listed) < find_limit("AWS::SSM::Parameter", "Value")
    for function in (it for it in RESOURCES.values() if "Environment" in it.get("Properties", {})):
        assert "JobRoles" not in json.dumps(function["Properties"]["Environment"])


def find_limit(kind: str, member: str = "PolicyDocument") -> int:
    (limit,) = [it for it in LIMITS if (it.resource_type, it.property) == (kind, member)]
    return limit.longest


# --- teardown ------------------------------------------------------------------------------------------------


def test_every_policy_that_people_are_given_is_detached_before_it_is_deleted():
    given = {
        value["Value"]["Ref"]
        for value in TEMPLATES["template.yaml"]["Outputs"].values()
        if isinstance(value["Value"], dict) and value["Value"].get("Ref") in RESOURCES
    }
    peoples = {it for it in given if RESOURCES[it]["Type"] == "AWS::IAM::ManagedPolicy"}
    detached = RESOURCES["DetachedPolicies"]["Properties"]["Policies"]
    named = {it for _, node in walk(detached) for it in find_referred_names({"": node})}
    permitted = RESOURCES["DetachPermissions"]["Properties"]["PolicyDocument"]["Statement"]

    assert named - {"AWS::NoValue"} == peoples
    assert permitted[0]["Resource"] == detached
    assert permitted[1]["Condition"] == {"ArnEquals": {"iam:PolicyARN": detached}}


# --- parameters ----------------------------------------------------------------------------------------------

BLOCK = "must be an IPv4 address and a mask of 16 to 28 bits"
BAD = [
    ({"DomainName": "My_Domain"}, "must be 1 to 63 letters, digits and hyphens"),
    ({"DomainName": "-domain"}, "must be 1 to 63 letters, digits and hyphens"),
    ({"RolePrefix": "p" * 41}, "must be a letter, then letters, digits and hyphens"),
    ({"VpcCIDR": "10.0.0.0"}, BLOCK),
    ({"VpcCIDR": "10.0.0.0/8"}, BLOCK),
    ({"VpcCIDR": "10.0.300.0/16"}, BLOCK),
    ({"PublicSubnetCIDR": "10.0.32.0/29"}, BLOCK),
    ({"PrivateSubnetCIDR": "10.0.0.0/20"}, "must be two IPv4 blocks"),
    ({"PrivateSubnetCIDR": "10.0.0.0/20,10.0.16.0/20,10.0.32.0/20"}, "must be two IPv4 blocks"),
    (
        {"AccessGrantsLocation": "default"},
        "AccessGrantsLocation is for an instance that exists",
    ),
    ({"JobSubnets": "subnet-0a1"}, "SageMaker takes subnets only together with security groups"),
    (
        {"JobSecurityGroups": "sg-0a1"},
        "SageMaker takes security groups only together with subnets",
    ),
]
GOOD = [
    {},
    {"PrivateSubnetCIDR": "172.31.0.0/24, 172.31.1.0/24", "VpcCIDR": "172.31.0.0/16"},
    {"AccessGrantsLocation": "default", "AccessGrants": "existing"},
    {"JobSubnets": "subnet-0a1,subnet-0a2", "JobSecurityGroups": "sg-0a1"},
]


@pytest.fixture(scope="module")
def propose(start_sandbox: Callable[..., Sandbox]) -> Callable[[dict[str, str]], Any]:
    """Ask for a change set of the template's parameters and rules, with one queue for the rest."""
    whole = TEMPLATES["template.yaml"]
    kept = {name: it for name, it in whole.items() if name in ("Parameters", "Rules", "Conditions")}
    body = json.dumps(kept | {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    cloud, numbers = start_sandbox().client("cloudformation"), count()

    def ask(parameters: dict[str, str]) -> Any:
        return cloud.create_change_set(
            StackName=f"proposed-{next(numbers)}",
            ChangeSetName="first",
            ChangeSetType="CREATE",
            TemplateBody=body,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        )

    return ask


@pytest.mark.parametrize(("given", "said"), BAD, ids=[str(given)[:60] for given, _ in BAD])
def test_a_bad_parameter_is_refused_with_its_sentence_before_there_is_a_stack(propose, given, said):
    with pytest.raises(ClientError, match=re.escape(said)):
        propose(given)


def test_good_parameters_are_accepted(propose):
    for given in GOOD:
        assert propose(given)["Id"]
