"""SAM CLI, unmodified, with nothing of AWS in its environment but an endpoint, keys and a Region."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.inventory import inventory
from tests.conftest import ACCOUNT, REGION, ROOT, Sandbox

# One worker has them all: they share a build and a stack.
pytestmark = [pytest.mark.xdist_group("sam-cli"), pytest.mark.timeout(300)]
STACK = "by-sam"
OPTIONS = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "sandbox", "--stack-name", STACK, "--no-progressbar"]


@dataclass(frozen=True)
class Sam:
    """SAM CLI against a sandbox."""

    sandbox: Sandbox
    folder: Path

    def __call__(self, *words: str | Path, say: str = "", where: Path = ROOT) -> str:
        """What a command printed, which runs `where` and hears `say`; it must end with 0."""
        given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
        # The builders look for python3.12 on PATH, and the project's environment has one.
        given |= {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"}
        given |= {"AWS_ENDPOINT_URL": self.sandbox.url, "AWS_DEFAULT_REGION": REGION}
        given |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        command = [ROOT / ".tools/sam/bin/sam", *words]
        done = subprocess.run(command, cwd=where, env=given, input=say, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deploy(self, template: Path) -> str:
        return self("deploy", "--template", template, *OPTIONS)

    def events(self) -> list[tuple[str, str]]:
        """Resource and status of everything that CloudFormation has told of the stack, oldest first."""
        pages = self.sandbox.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=STACK)
        told = [event for page in pages for event in page["StackEvents"]]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(told)]

    def physical(self) -> dict[str, str]:
        """The physical id of each resource."""
        listed = self.sandbox.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}


@pytest.fixture(scope="module")
def sam(start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory) -> Sam:
    return Sam(start_sandbox(), tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def built(sam: Sam) -> Path:
    sam("build", "--build-dir", sam.folder / "build")
    return sam.folder / "build"


@pytest.fixture(scope="module")
def deployed(sam: Sam, built: Path) -> tuple[frozenset[str], str]:
    """What existed before the stack was deployed, and what SAM said to it."""
    before = inventory(sam.sandbox.client, ACCOUNT)
    return before, sam.deploy(built / "template.yaml")


def test_the_template_is_valid_and_clean(sam):
    assert "template.yaml is a valid SAM Template" in sam("validate", "--lint")


def test_a_build_has_every_function_and_a_layer_with_byte_code_and_without_boto3(built):
    layer = built / "GrantorLayer/python"
    functions, library = ROOT / "functions", ROOT / "layers/grantor"

    assert {path.read_text() for path in built.glob("*/app.py")} == {path.read_text() for path in functions.glob("*/app.py")}
    assert (built / "Studio/template.yaml").is_file()
    assert modules(layer / "grantor", layer) == modules(library / "grantor", library)
    assert [path for path in layer.rglob("*.py") if not compiled(path).is_file()] == []
    assert [name for name in ("boto3", "botocore", "s3transfer") if (layer / name).exists()] == []


def modules(folder: Path, root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in folder.rglob("*.py")}


def compiled(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.cpython-312.pyc"


def test_the_built_template_is_deployed(sam, deployed):
    _, said = deployed

    assert f"Successfully created/updated stack - {STACK} in {REGION}" in said
    assert sam.events()[-1] == (STACK, "CREATE_COMPLETE")
    assert (
        sam.sandbox.client("lambda").get_function(FunctionName=f"{STACK}-reconcile-grants")["Configuration"]["State"] == "Active"
    )


def test_every_alarm_watches_what_there_is_and_tells_the_stacks_topic(sam, deployed):
    clients, ids = sam.sandbox.client, sam.physical()
    alarms = clients("cloudwatch").describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"]
    watched = {(each["Name"], each["Value"]) for alarm in alarms for each in alarm["Dimensions"]}

    queues = {url.rpartition("/")[2] for url in clients("sqs").list_queues()["QueueUrls"]}
    functions = {function["FunctionName"] for function in clients("lambda").list_functions()["Functions"]}
    services = {("service", "reconcile-grants"), ("service", "start-spark-job")}
    assert len(alarms) == 14
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(ids["Notices"],)}
    assert watched <= {("stack", STACK), *services} | {("QueueName", q) for q in queues} | {
        ("FunctionName", f) for f in functions
    }
    body = clients("cloudwatch").get_dashboard(DashboardName=f"{STACK}-{REGION}")["DashboardBody"]
    shown = json.loads(body)["widgets"][0]["properties"]["alarms"]
    assert {arn.rpartition(":")[2] for arn in shown} == {alarm["AlarmName"] for alarm in alarms}


def test_logs_and_the_code_of_one_function_are_reached_past_cloudformation(sam, deployed):
    told = sam("logs", "--stack-name", STACK, "--name", "LoadDataset")
    # In a copy: what it does not send is gone from .aws-sam/build afterwards.
    for name in ("functions", "layers", "spark_jobs", "stacks"):
        shutil.copytree(ROOT / name, sam.folder / "copy" / name, symlinks=True)
    shutil.copy(ROOT / "template.yaml", sam.folder / "copy")
    changed_code = sam.folder / "copy/functions/load_dataset/app.py"
    changed_code.write_text(changed_code.read_text() + "# changed\n")
    code = sam.sandbox.client("lambda").get_function(FunctionName=f"{STACK}-load-dataset")["Configuration"]["CodeSha256"]
    sam("sync", *OPTIONS[:-1], "--resource-id", "LoadDataset", say="y", where=sam.folder / "copy")

    assert "REPORT RequestId" in told
    now = sam.sandbox.client("lambda").get_function(FunctionName=f"{STACK}-load-dataset")["Configuration"]["CodeSha256"]
    assert now != code


def test_a_second_deploy_has_nothing_to_change(sam, built, deployed):
    before = sam.events()

    assert f"No changes to deploy. Stack {STACK} is up to date" in sam.deploy(built / "template.yaml")
    assert sam.events() == before


def test_a_changed_template_changes_just_that(sam, built, deployed):
    sqs, logs = sam.sandbox.client("sqs"), sam.sandbox.client("logs")
    told, ids = sam.events(), sam.physical()

    sam.deploy(changed(built / "template.yaml"))

    # A new name makes a new queue, and what refers to it follows.
    touched = {name for name, _ in sam.events()[len(told) :]}
    assert touched == {STACK, "ReconcileGrantsLog", "DeadBells", "Bells", "Operations"}
    now = sam.physical()
    assert {name for name, it in now.items() if it != ids[name]} == {"DeadBells"}
    assert now["DeadBells"].endswith("/dead-bells")
    assert ":dead-bells" in redrive(sqs, now["Bells"])
    group = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}-reconcile")["logGroups"][0]
    assert group["retentionInDays"] == 30
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        redrive(sqs, ids["DeadBells"])


def changed(template: Path) -> Path:
    """A copy of the template with another retention of one log, and a dead letter queue of another name."""
    text = template.read_text()
    log, queue = (
        "  ReconcileGrantsLog:\n    Type: AWS::Logs::LogGroup\n",
        "  DeadBells:\n    Type: AWS::SQS::Queue\n    Properties:\n",
    )
    before, found, after = text.partition(log)
    assert found
    text = before + found + after.replace("RetentionInDays: 90", "RetentionInDays: 30", 1)
    assert queue in text
    copy = template.with_name("changed.yaml")
    copy.write_text(text.replace(queue, queue + "      QueueName: dead-bells\n"))
    return copy


def redrive(sqs: Any, queue: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]
    return str(attributes.get("RedrivePolicy"))


def test_delete_leaves_nothing_of_the_stack(sam, deployed):
    before, _ = deployed
    # Whatever people have put there meanwhile must not keep the stack from going.
    sam.sandbox.client("s3").put_object(Bucket=sam.physical()["PolicyBucket"], Key="policy/own.yaml", Body=b"version: 1\n")

    assert "Deleted successfully" in sam("delete", "--stack-name", STACK, "--no-prompts")
    left = inventory(sam.sandbox.client, ACCOUNT) - before
    assert {line for line in left if "aws-sam-cli-managed-default" not in line} == set()
