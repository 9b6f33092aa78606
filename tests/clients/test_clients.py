"""Unmodified clients, configured only by the variables that `python -m sandbox env` prints."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox.testing.scenario import AwsAccount, GrantScenario, lay_scenario
from tests.conftest import ACCOUNT, ROOT, Sandbox


@dataclass(frozen=True)
class Shell:
    """A shell after `eval "$(python -m sandbox env)"`, with an administrator's or a session's keys."""

    environment: dict[str, str]

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
        environment = {"HOME": "/nonexistent", "AWS_PAGER": ""} | self.environment | {"PATH": path}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    def with_keys(self, keys: dict[str, str]) -> "Shell":
        names = {
            "AWS_ACCESS_KEY_ID": "AccessKeyId",
            "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
            "AWS_SESSION_TOKEN": "SessionToken",
        }
        return Shell(self.environment | {variable: keys[name] for variable, name in names.items()})


@pytest.fixture(scope="module")
def scenario(start_sandbox) -> Iterator[tuple[GrantScenario, Shell]]:
    sandbox: Sandbox = start_sandbox()
    printed = subprocess.run(
        [sys.executable, "-m", "sandbox", "env", "--json", "--port", str(sandbox.port)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    laid = lay_scenario(AwsAccount(ACCOUNT, sandbox.client))
    laid.grant("UserA/*", "READWRITE")
    for key in ("UserA/abalone.csv", "UserB/abalone.csv"):
        sandbox.client("s3").put_object(Bucket="data", Key=key, Body=b"M,0.455\n")
    return laid, Shell(json.loads(printed.stdout))


def test_the_aws_cli_lists_grants_and_gets_credentials(scenario):
    laid, shell = scenario
    user = shell.with_keys(laid.aws.session(laid.user))

    listed = json.loads(
        shell("aws", "s3control", "list-access-grants", "--account-id", ACCOUNT).stdout
    )
    assert [grant["GrantScope"] for grant in listed["AccessGrantsList"]] == ["s3://data/UserA/*"]
    words = ["--account-id", ACCOUNT, "--permission", "READ", "--target"]
    given = json.loads(
        user("aws", "s3control", "get-data-access", *words, "s3://data/UserA/*").stdout
    )
    refused = user("aws", "s3control", "get-data-access", *words, "s3://data/UserB/*")
    assert given["MatchedGrantTarget"] == "s3://data/UserA/*"
    assert "AccessDenied" in refused.stderr

    holder = shell.with_keys(given["Credentials"])
    assert holder("aws", "s3", "cp", "s3://data/UserA/abalone.csv", "-").stdout == "M,0.455\n"
    assert "403" in holder("aws", "s3", "cp", "s3://data/UserB/abalone.csv", "-").stderr


PLUGIN = textwrap.dedent("""
    import boto3, sys
    from aws_s3_access_grants_boto3_plugin.s3_access_grants_plugin import S3AccessGrantsPlugin

    s3 = boto3.client("s3")
    S3AccessGrantsPlugin(s3, fallback_enabled=False).register()
    s3.put_object(Bucket="data", Key="UserA/own.csv", Body=b"F,0.53")
    print(s3.get_object(Bucket="data", Key="UserA/own.csv")["Body"].read().decode())
    print(s3.head_object(Bucket="data", Key="UserA/abalone.csv")["ContentLength"])
    s3.copy_object(Bucket="data", Key="UserA/copy.csv", CopySource={"Bucket": "data", "Key": "UserA/own.csv"})
    print([item["Key"] for item in s3.list_objects_v2(Bucket="data", Prefix="UserA/")["Contents"]])
    s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "UserA/own.csv"}, {"Key": "UserA/copy.csv"}]})
    try:
        s3.get_object(Bucket="data", Key="UserB/abalone.csv")
    except s3.exceptions.ClientError as refused:
        print(refused.response["Error"]["Code"])
""")


def test_the_access_grants_plugin_for_boto3_reads_writes_and_is_refused(scenario):
    laid, shell = scenario
    # The plugin's documentation requires this besides s3:GetDataAccess: it finds the instance by
    # prefix.
    allow = {"Effect": "Allow", "Action": "s3:GetAccessGrantsInstanceForPrefix", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    laid.aws.client("iam").put_role_policy(
        RoleName="ana", PolicyName="plugin", PolicyDocument=document
    )
    ran = shell.with_keys(laid.aws.session(laid.user))("python", "-c", PLUGIN)

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "F,0.53",
        "8",
        "['UserA/abalone.csv', 'UserA/copy.csv', 'UserA/own.csv']",
        "AccessDenied",
    ]
