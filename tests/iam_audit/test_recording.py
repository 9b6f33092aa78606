"""What the server records of each decision about a role, if SANDBOX_JUDGEMENTS is set."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, Sandbox

TRUST = policy_document(
    {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
)
READ = policy_document({"Sid": "Read", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"})


@pytest.fixture
def lines(
    start_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Any]:
    """The record of a role that may read an object but not write it, with a session policy."""
    monkeypatch.setenv("SANDBOX_JUDGEMENTS", str(tmp_path / "record"))
    server = start_sandbox()
    server.client("s3").create_bucket(Bucket="data")
    server.client("s3").put_object(Bucket="data", Key="x", Body=b"1")
    arn = server.client("iam").create_role(RoleName="reader", AssumeRolePolicyDocument=TRUST)[
        "Role"
    ]["Arn"]
    server.client("iam").put_role_policy(RoleName="reader", PolicyName="own", PolicyDocument=READ)
    keys = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="ana", Policy=READ)[
        "Credentials"
    ]
    server.client("s3", keys).get_object(Bucket="data", Key="x")
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("s3", keys).put_object(Bucket="data", Key="x", Body=b"2")
    [file] = (tmp_path / "record").iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_decision_is_recorded_with_the_policies_that_it_was_based_on(lines: list[Any]):
    policies, read, write = lines

    assert policies["documents"] == {"own": json.loads(READ)}
    assert read["policies"] == write["policies"] == policies["digest"]
    assert [(it["role"], it["session"], it["action"], it["allowed"]) for it in (read, write)] == [
        ("reader", "ana", "s3:GetObject", True),
        ("reader", "ana", "s3:PutObject", False),
    ]
    assert read["keys"]["aws:PrincipalArn"] == f"arn:aws:iam::{ACCOUNT}:role/reader"
    assert read["limits"] == [
        [
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::data/*"],
            }
        ]
    ]


def test_the_lists_of_sagemaker_are_judged_on_everything_since_it_has_no_narrower_resource(
    start_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SANDBOX_JUDGEMENTS", str(tmp_path / "record"))
    server = start_sandbox()
    arn = server.client("iam").create_role(RoleName="looker", AssumeRolePolicyDocument=TRUST)[
        "Role"
    ]["Arn"]
    keys = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="ana")["Credentials"]
    for operation in (
        "list_domains",
        "list_user_profiles",
        "list_apps",
        "list_spaces",
        "list_processing_jobs",
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(server.client("sagemaker", keys), operation)()
    [file] = (tmp_path / "record").iterdir()
    asked = [json.loads(line) for line in file.read_text().splitlines()][1:]

    assert [(it["action"], it["resource"]) for it in asked] == [
        ("sagemaker:ListDomains", "*"),
        ("sagemaker:ListUserProfiles", "*"),
        ("sagemaker:ListApps", "*"),
        ("sagemaker:ListSpaces", "*"),
        ("sagemaker:ListProcessingJobs", "*"),
    ]
