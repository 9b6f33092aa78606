"""A stack of the previous version, in use, and what is seen of it before and after an upgrade."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from demo import job_runs
from harness.deployment import (
    ARTICLE_POLICY,
    JOB_POLICY,
    STACK,
    Deployment,
    read_outputs,
)
from harness.session import ROOT, SandboxSession, open_session
from harness.steps import wait_until
from tests.upgrade.access_watch import AccessWatch, watch_access
from tests.upgrade.previous_version import PreviousVersion, extract_previous_version

DEPLOY = (
    "deploy", "--stack-name", STACK, "--resolve-s3", "--no-confirm-changeset", "--no-progressbar",
    "--config-file", str(ROOT / "samconfig.toml"),
)  # fmt: skip
JOB_SECONDS = 180.0
Command = Callable[..., str]  # runs the command line and returns what it prints
# Managed policies of the stack that people's roles have.
ATTACHED = ("Reader", "Steward", "Approver", "BreakGlass")


@dataclass(frozen=True)
class StackState:
    """What must survive an upgrade. Each value is as AWS returns it, by a name."""

    outputs: dict[str, str]
    resources: dict[str, str]  # physical ids by logical id, those of nested stacks included
    grants: dict[str, dict[str, Any]]  # by grant id
    ledger: dict[str, Any]  # the items of grants, by key
    objects: dict[str, str]  # version ids of data and policy files
    attached: dict[str, str]  # the managed policies of the person's role
    history: list[dict[str, Any]]
    runs: list[dict[str, Any]]  # of jobs


@dataclass(frozen=True)
class Upgrade:
    """A stack before and after the upgrade, and what was asked of it meanwhile."""

    deployment: Deployment
    before: StackState
    after: StackState
    access: AccessWatch


@pytest.fixture(scope="session")
def session() -> Iterator[SandboxSession]:
    with open_session() as opened:
        yield opened


@pytest.fixture(scope="session")
def previous(session: SandboxSession, tmp_path_factory: pytest.TempPathFactory) -> PreviousVersion:
    version = extract_previous_version(tmp_path_factory.mktemp("previous"))
    version.build(session)
    return version


@pytest.fixture(scope="session")
def upgrade(session: SandboxSession, previous: PreviousVersion) -> Upgrade:
    accept_nulls(session, accepted=True)
    session.run_sam(*DEPLOY, "--template-file", str(previous.template))
    accept_nulls(session, accepted=False)
    deployment = Deployment(session, read_outputs(session))
    old_command = partial(previous.run_grantor, session)
    use_stack(deployment, previous.folder, old_command)
    before = read_state(deployment, old_command)
    with watch_access(deployment) as access:
        session.run_sam(*DEPLOY)
        upgraded = Deployment(session, read_outputs(session))
        session.run_grantor("apply", "--wait")
    return Upgrade(upgraded, before, read_state(upgraded, session.run_grantor), access)


def accept_nulls(session: SandboxSession, *, accepted: bool) -> None:
    """Set whether the sandbox accepts nulls in Metadata, of which the template of 0.2.0 has two."""
    body = json.dumps({"switches": {"nulls_in_metadata": accepted}}).encode()
    token = {"Authorization": session.environment["SANDBOX_TOKEN"]}
    asked = Request(f"{session.url}/_sandbox/faults", body, token, method="POST")
    with urlopen(asked):
        pass


def use_stack(deployment: Deployment, folder: Path, grantor: Command) -> None:
    """Give the stack people, the article's grants, a job that has completed, and a history."""
    attach_policies(deployment)
    s3, bucket = deployment.session.client("s3"), deployment.policy_bucket
    for key in (ARTICLE_POLICY, JOB_POLICY):
        s3.put_object(Bucket=bucket, Key=key, Body=(folder / key).read_bytes())
    wait_until("the grants are there", 4, lambda: len(deployment.list_grants()))
    job_runs.upload_rows(deployment, job_runs.read_rows(None))
    wait_until("the job has completed", ["Completed"], partial(list_ended, grantor), JOB_SECONDS)


def list_ended(grantor: Command) -> list[str]:
    """The status of each run of a job that is recorded as ended."""
    return [run["status"] for run in json.loads(grantor("jobs", "--json"))["runs"] if run["ended"]]


def attach_policies(deployment: Deployment) -> None:
    """Attach the managed policies to the role of a person."""
    iam, account = deployment.session.client("iam"), deployment.session.account
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    principal = {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allow | principal]})
    iam.create_role(RoleName="person", AssumeRolePolicyDocument=trust)
    for name in ATTACHED:
        iam.attach_role_policy(RoleName="person", PolicyArn=deployment.outputs[name])


def read_state(deployment: Deployment, grantor: Command) -> StackState:
    """Read what AWS, and the command line of the deployed version, say."""
    session = deployment.session
    return StackState(
        outputs=deployment.outputs,
        resources=dict(list_resources(session, STACK)),
        grants={it["AccessGrantId"]: it for it in deployment.iterate_grants()},
        ledger=read_ledger(deployment),
        objects=dict(list_objects(deployment)),
        attached=list_attached(session),
        history=json.loads(grantor("history", "--json"))["runs"],
        runs=json.loads(grantor("jobs", "--json"))["runs"],
    )


def list_resources(session: SandboxSession, stack: str) -> Iterator[tuple[str, str]]:
    """Logical and physical ids of the resources of a stack and its nested stacks."""
    cloud = session.client("cloudformation")
    for found in cloud.describe_stack_resources(StackName=stack)["StackResources"]:
        yield f"{found['ResourceType']} {found['LogicalResourceId']}", found["PhysicalResourceId"]
        if found["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from list_resources(session, found["PhysicalResourceId"])


def read_ledger(deployment: Deployment) -> dict[str, Any]:
    """The items of grants and of the subjects behind them, by key."""
    table = deployment.session.client("dynamodb")
    pages = table.get_paginator("scan").paginate(TableName=deployment.outputs["Ledger"])
    items = {f"{it['pk']['S']} | {it['sk']['S']}": it for page in pages for it in page["Items"]}
    return {key: item for key, item in items.items() if key.startswith(("IAM ", "profile "))}


def list_objects(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Keys and version ids of what users wrote; the functions' own files are left out."""
    s3 = deployment.session.client("s3")
    for bucket in (deployment.data_bucket, deployment.policy_bucket):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in page.get("Versions", []):
                yield f"{bucket}/{item['Key']}", item["VersionId"]


def list_attached(session: SandboxSession) -> dict[str, str]:
    """The managed policies of the person's role, by ARN."""
    listed = session.client("iam").list_attached_role_policies(RoleName="person")
    return {it["PolicyArn"]: it["PolicyName"] for it in listed["AttachedPolicies"]}
