"""No managed policy of AWS's matches a name of the stack, and no parameter admits everybody."""

import importlib.util
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest
import yaml

from tests.attacks.conftest import FULL_ACCESS, AttackedStack
from tests.conftest import ACCOUNT, REGION, ROOT
from tests.template.test_events import Template

PARAMETERS = yaml.load((ROOT / "template.yaml").read_text(), Template)["Parameters"]
PRINCIPALS = ("Stewards", "Approvers", "DataAdministrators", "Operators")
ARN = f"arn:aws:iam::{ACCOUNT}"


def list_patterns() -> Iterator[str]:
    """The patterns of the policy for named resources: not those that match every name."""
    for statement in json.loads(FULL_ACCESS.read_text())["Document"]["Statement"]:
        listed = statement.get("Resource", [])
        for pattern in [listed] if isinstance(listed, str) else listed:
            if re.search(
                "sagemaker|glue", pattern.split(":", 2)[-1].split(":", 3)[-1], re.IGNORECASE
            ):
                yield pattern


def list_names(attacked: AttackedStack) -> Iterator[str]:
    """ARNs of the stack's resources, of its keys, and of the resources of its nested stacks."""
    services = {
        "Function": "lambda",
        "Topic": "sns",
        "Queue": "sqs",
        "Role": "iam",
        "Alarm": "cloudwatch",
    }
    cloud, stacks = attacked.client("cloudformation"), ["grantor"]
    while stacks:
        found = cloud.describe_stack_resources(StackName=stacks.pop())["StackResources"]
        for it in found:
            kind, name = it["ResourceType"].rpartition("::")[2], it["PhysicalResourceId"]
            stacks += [name] if kind == "Stack" else []
            if kind == "Bucket":
                yield from (f"arn:aws:s3:::{name}{key}" for key in list_keys(attacked))
            elif kind in services and not name.startswith(("arn:", "http")):
                yield f"arn:aws:{services[kind]}:{REGION}:{ACCOUNT}:{kind.lower()}:{name}"
                yield f"arn:aws:{services[kind]}::{ACCOUNT}:{kind.lower()}/{name}"
            else:
                yield name


def list_keys(attacked: AttackedStack) -> list[str]:
    roles = [name.rpartition("/")[2] for name, _ in list_roles(attacked)]
    return ["", "/policy/a.yaml", "/bounds/bounds.yaml", "/code/0/a.zip", "/trail/AWSLogs/a"] + [
        f"/runs/{role}/grantor-abalone-0/summary.json" for role in roles
    ]


def list_roles(attacked: AttackedStack) -> list[tuple[str, str]]:
    listed = attacked.client("iam").list_roles(MaxItems=1000)["Roles"]
    return [(it["Arn"], it["RoleName"]) for it in listed if "-user" in it["RoleName"]]


def test_no_name_and_no_key_of_the_stack_is_one_that_the_policy_opens(attacked):
    names, patterns = list(list_names(attacked)), list(list_patterns())

    assert len(names) > 60
    assert len(patterns) > 30
    assert "arn:aws:s3:::*sagemaker*" in patterns
    assert [(n, p) for n in names for p in patterns if fnmatchcase(n, p)] == []


@pytest.mark.parametrize("word", ["sagemaker", "aws-glue"])
def test_a_stack_whose_name_opens_its_buckets_is_refused(word):
    path = ROOT / "functions/clean_up/app.py"
    spec = importlib.util.spec_from_file_location("clean_up_of_names", path)
    clean_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(clean_up)

    assert clean_up.check_names({"Buckets": ["grantor-databucket-0"]}) == {}
    with pytest.raises(ValueError, match=f"under a name without {word}"):
        clean_up.check_names({"Buckets": ["grantor-databucket-0", f"my-{word}-policybucket-0"]})


def admits(parameter: str, value: str) -> bool:
    return re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], value) is not None


@pytest.mark.parametrize("parameter", [*PRINCIPALS, "JobRoles"])
@pytest.mark.parametrize(
    "name",
    ["role/*", "role/**", "role/?*", "role/*-role", "role/path/*", "*", f"role/a,{ARN}:role/*"],
)
def test_no_parameter_admits_every_role(parameter, name):
    assert not admits(parameter, f"{ARN}:{name}") or (
        name == "role/path/*" and parameter != "JobRoles"
    )


@pytest.mark.parametrize("parameter", [*PRINCIPALS, "JobRoles"])
def test_a_parameter_admits_roles_by_name_and_by_the_beginning_of_a_name(parameter):
    one, many = f"{ARN}:role/path/data-loader", f"{ARN}:role/team-blue-*"

    assert admits(parameter, "")
    assert admits(parameter, one)
    assert admits(parameter, f"{one},{many}")
    assert not admits(parameter, f"{one}, {many}")
    assert not admits(parameter, "arn:aws:iam::*:role/data-loader")


@pytest.mark.parametrize("parameter", PRINCIPALS)
def test_a_parameter_admits_the_roles_of_single_sign_on(parameter):
    name = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Data_*"

    assert admits(parameter, f"{ARN}:role/{name}")
    assert admits(parameter, f"{ARN}:user/eva,{ARN}:root")
