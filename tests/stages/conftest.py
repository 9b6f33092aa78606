"""Each module has an account of its own, and deploys there once: a deployment takes seconds."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, Sandbox
from tests.teardown.empty_account import EmptyAccount, package_stack

POLICY = """\
version: 1
rules:
  - name: product-team
    to: {{profiles: {{domain: {domain}}}}}
    on: s3://{{data_bucket}}/Product/*
    allow: READWRITE
  - name: own-folder
    to: {{each_profile: {{domain: {domain}}}}}
    on: s3://{{data_bucket}}/{{profile.folder}}/*
    allow: READWRITE
"""


@pytest.fixture(scope="module")
def account(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> EmptyAccount:
    sandbox = start_sandbox()
    made = EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))
    made.reset()
    return made


def put_policy(account: EmptyAccount, bucket: str, text: str, name: str = "own") -> None:
    """Put a policy file into a stack's policy bucket."""
    account.client("s3").put_object(Bucket=bucket, Key=f"policy/{name}.yaml", Body=text.encode())


def list_grants(account: EmptyAccount, bucket: str) -> set[tuple[str, str]]:
    """Role and scope of every grant for a bucket, as an auditor reads them."""
    listed = account.client("s3control").list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
    rows = {
        (it["Grantee"]["GranteeIdentifier"].rpartition("/")[2], it["GrantScope"]) for it in listed
    }
    return {
        (role, scope.removeprefix(f"s3://{bucket}/"))
        for role, scope in rows
        if scope.startswith(f"s3://{bucket}/")
    }


def create_role(account: EmptyAccount, name: str, service: str, *statements: dict[str, Any]) -> str:
    """Create a role that the service may assume, and return its ARN."""
    trust = policy_document(
        {"Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    )
    iam = account.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return str(made)
