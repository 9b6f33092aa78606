"""AWS's limits of names and sizes: one property, for every limit, at each door that it guards."""

import json
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.stacks.conftest import CAPABILITIES

from sandbox.size_limits import (
    LIMITS,
    SizeLimit,
    count_document_characters,
    count_inline_characters,
    count_policy_characters,
    count_variable_bytes,
    find_network_violation,
)
from sandbox.testing.helpers import make_zip
from sandbox.testing.running import Sandbox

ROLE = "arn:aws:iam::000000000000:role/guest"
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
PLAIN = {"Version": "2012-10-17", "Statement": [ALLOW]}
KEYS = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
ALARM = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "MetricName": "m",
    "Namespace": "n",
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 1,
}
RUNS = {"Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE}
# What else a resource, and a call, must have.
NEEDED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "AWS::IAM::Role": (
        {"AssumeRolePolicyDocument": TRUST},
        {"RoleName": "guest", "AssumeRolePolicyDocument": json.dumps(TRUST)},
    ),
    "AWS::IAM::Policy": (
        {"PolicyName": "p", "PolicyDocument": PLAIN, "Roles": ["guest"]},
        {"PolicyName": "p", "PolicyDocument": json.dumps(PLAIN)},
    ),
    "AWS::IAM::ManagedPolicy": (
        {"PolicyDocument": PLAIN},
        {"PolicyName": "p", "PolicyDocument": json.dumps(PLAIN)},
    ),
    "AWS::IAM::InstanceProfile": ({"Roles": ["guest"]}, {}),
    "AWS::Lambda::Function": (
        RUNS | {"Code": {"ZipFile": "def handler(e, c): pass"}},
        RUNS
        | {
            "FunctionName": "f",
            "Code": {"ZipFile": make_zip({"index.py": "def handler(e, c): pass"})},
        },
    ),
    "AWS::Lambda::LayerVersion": (
        {"Content": {"S3Bucket": "b", "S3Key": "k"}},
        {"Content": {"ZipFile": b"z"}},
    ),
    "AWS::Events::Rule": ({"ScheduleExpression": "rate(1 day)"}, {"Name": "r"}),
    "AWS::S3::BucketPolicy": ({"Bucket": "b"}, {}),
    "AWS::DynamoDB::Table": (KEYS, KEYS),
    "AWS::CloudWatch::Alarm": (ALARM, ALARM | {"AlarmName": "a"}),
    "AWS::CloudWatch::Dashboard": ({"DashboardBody": "{}"},) * 2,
    "AWS::CloudTrail::Trail": ({"S3BucketName": "b", "IsLogging": True}, {"S3BucketName": "b"}),
    "AWS::SageMaker::Domain": (
        {
            "AuthMode": "IAM",
            "VpcId": "vpc-1",
            "SubnetIds": ["s"],
            "DefaultUserSettings": {"ExecutionRole": ROLE},
        },
        {},
    ),
    "AWS::SageMaker::UserProfile": ({"DomainId": "d-1"}, {}),
    "AWS::S3::AccessGrantsLocation": ({"IamRoleArn": ROLE}, {}),
    "AWS::SSM::Parameter": (
        {"Type": "String", "Value": "v"},
        {"Name": "n", "Type": "String", "Value": "v"},
    ),
    "AWS::KMS::Alias": ({"TargetKeyId": "k"}, {}),
    "AWS::EC2::SecurityGroup": (
        {"GroupDescription": "d"},
        {"GroupName": "g", "Description": "d"},
    ),
}
BOTH = {
    "PutRolePolicy": {"RoleName": "guest"},
    "PutUserPolicy": {"UserName": "guest"},
    "PutGroupPolicy": {"GroupName": "guest"},
    "UpdateRole": {"RoleName": "guest"},
    "UpdateAssumeRolePolicy": {"RoleName": "guest"},
    "UpdateFunctionConfiguration": {"FunctionName": "f"},
    "CreatePolicyVersion": {"PolicyArn": "arn:aws:iam::000000000000:policy/guest"},
}


def make_value(limit: SizeLimit, size: int) -> Any:
    """A value of exactly this size, of letters that every pattern accepts."""
    if limit.measure is count_variable_bytes:
        return {"A": "b" * (size - len('{"A":""}'))}
    if limit.measure is count_policy_characters:
        base = TRUST if limit.property == "AssumeRolePolicyDocument" else PLAIN
        return grow_policy(base, size)
    if limit.measure is count_inline_characters:
        return [{"PolicyName": "p", "PolicyDocument": grow_policy(PLAIN, size)}]
    if limit.measure is count_document_characters:
        return '{"source":["' + "a" * (size - len('{"source":[""]}')) + '"]}'
    if limit.measure is len:
        return ["arn:aws:iam::aws:policy/ReadOnlyAccess"] * size
    starts = {"LocationScope": "s3://", "AliasName": "alias/"}
    start = starts.get(limit.property, "")
    return start + "a" * (size - len(start))


def grow_policy(base: dict[str, Any], size: int) -> dict[str, Any]:
    statement = base["Statement"][0] | {"Sid": ""}
    grown = base | {"Statement": [statement]}
    statement["Sid"] = "a" * (size - count_policy_characters(grown))
    return grown


NAMES = [f"{it.resource_type}.{it.property or it.member}" for it in LIMITS]


@pytest.mark.parametrize("limit", LIMITS, ids=NAMES)
def test_a_value_at_the_limit_is_accepted_and_the_next_one_is_refused(limit: SizeLimit):
    assert limit.find_violation(make_value(limit, limit.longest)) is None
    assert limit.find_violation(make_value(limit, limit.longest + 1))
    assert limit.source


def test_a_resource_past_its_limit_fails_its_stack(stacks):
    limits = [it for it in LIMITS if it.resource_type]
    for number, limit in enumerate(limits):
        stacks.cloud.create_stack(
            StackName=f"past-{number}",
            TemplateBody=build_template(limit),
            Capabilities=CAPABILITIES,
        )

    for number, limit in enumerate(limits):
        assert stacks.settled(f"past-{number}") == "ROLLBACK_COMPLETE", limit
        said = stacks.why(f"past-{number}")["It"]
        assert (limit.text or "failed to satisfy constraint") in said, limit


def build_template(limit: SizeLimit) -> str:
    """A template with one resource, which is past this limit alone."""
    needed = NEEDED.get(limit.resource_type, ({}, {}))[0]
    properties = needed | wrap_value(limit.property, make_value(limit, limit.longest + 1))
    return json.dumps(
        {"Resources": {"It": {"Type": limit.resource_type, "Properties": properties}}}
    )


def wrap_value(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def test_a_call_past_a_limit_is_refused_with_the_services_code(own_stacks):
    for limit in LIMITS:
        for operation in limit.operations:
            assert refuse(own_stacks.sandbox, limit, operation) == limit.code, (limit, operation)


def refuse(sandbox: Sandbox, limit: SizeLimit, called: str) -> str:
    """The code of the refusal of a call that is past this limit alone."""
    service, _, operation = called.partition(".")
    client = make_client(sandbox, "events" if service == "eventbridge" else service)
    value: Any = make_value(limit, limit.longest + 1)
    document = limit.measure is count_policy_characters
    given = wrap_value(
        "Description" if limit.member == "GroupDescription" else limit.member,
        json.dumps(value) if document else value,
    )
    known = client.meta.service_model.operation_model(operation).input_shape.members
    others = NEEDED.get(limit.resource_type, ({}, {}))[1]
    asked = {k: v for k, v in others.items() if k in known} | BOTH.get(operation, {}) | given
    with pytest.raises(ClientError) as refused:
        client._make_api_call(operation, asked)
    return str(refused.value.response["Error"]["Code"])


@cache
def make_client(sandbox: Sandbox, service: str) -> Any:
    """A client that leaves the judgement to the service."""
    return sandbox.client(service, parameter_validation=False)


def test_a_role_has_ten_managed_policies_whoever_attaches_them(own_stacks):
    iam = own_stacks.sandbox.client("iam")
    iam.create_role(RoleName="full", AssumeRolePolicyDocument=json.dumps(TRUST))
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=json.dumps(PLAIN))["Policy"][
            "Arn"
        ]
        for number in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName="full", PolicyArn=arn)
    one_more = {"PolicyDocument": PLAIN, "Roles": ["full"]}
    resources = {"It": {"Type": "AWS::IAM::ManagedPolicy", "Properties": one_more}}

    iam.attach_role_policy(RoleName="full", PolicyArn=arns[0])
    with pytest.raises(ClientError, match="PoliciesPerRole: 10"):
        iam.attach_role_policy(RoleName="full", PolicyArn=arns[10])
    own_stacks.cloud.create_stack(
        StackName="one-more", TemplateBody=json.dumps({"Resources": resources}),
        Capabilities=CAPABILITIES,
    )  # fmt: skip
    assert own_stacks.settled("one-more") == "ROLLBACK_COMPLETE"
    assert "PoliciesPerRole: 10" in own_stacks.why("one-more")["It"]


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("10.0.0.0", "InvalidParameterValue"),
        ("10.0.0/16", "InvalidParameterValue"),
        ("10.0.0.0/x", "InvalidParameterValue"),
        ("10.0.0.0/15", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
    ],
)
def test_a_network_without_a_mask_of_16_to_28_bits_is_refused(block: str, code: str):
    found = find_network_violation("AWS::EC2::VPC", block)

    assert found is not None
    assert found[0] == code
    assert find_network_violation("AWS::EC2::VPC", "10.0.0.0/16") is None
