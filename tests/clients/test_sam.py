"""A stack's life with SAM CLI, as users run it: build, guided deploy, second deploy, change,
delete.
"""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docs.deploying_page import PAGE, read_parameters
from sandbox.process import Server
from sandbox.testing.inventory import list_everything
from tests.clients.sam import STACK, Sam, copy_sources
from tests.clients.terminal import Dialogue
from tests.conftest import ACCOUNT, REGION, ROOT, Sandbox

CONFIGURATION = ROOT / "samconfig.toml"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def sam(start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory) -> Sam:
    return Sam(start_sandbox(), copy_sources(tmp_path_factory.mktemp("grantor")))


@pytest.fixture(scope="module")
def built(sam: Sam) -> Path:
    sam("build")
    return sam.folder / ".aws-sam/build"


@pytest.fixture(scope="module")
def deployed(sam: Sam, built: Path) -> tuple[frozenset[str], Dialogue]:
    """What existed before the stack was deployed, and SAM's questions, all answered by their
    defaults.
    """
    before = list_everything(sam.sandbox.client, ACCOUNT)
    return before, sam.run_at_terminal("deploy", "--guided")


def test_a_build_has_every_function_and_a_compiled_layer_without_boto3(built):
    layer = built / "GrantorLayer/python"
    functions, library = ROOT / "functions", ROOT / "layers/grantor"

    assert {path.read_text() for path in built.glob("*/app.py")} == {
        path.read_text() for path in functions.glob("*/app.py")
    }
    assert (built / "Studio/template.yaml").is_file()
    assert list_modules(layer / "grantor", layer) == list_modules(library / "grantor", library)
    assert [path for path in layer.rglob("*.py") if not compiled_path(path).is_file()] == []
    assert [name for name in ("boto3", "botocore", "s3transfer") if (layer / name).exists()] == []


def list_modules(folder: Path, root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in folder.rglob("*.py")}


def compiled_path(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.cpython-312.pyc"


def test_a_guided_deploy_with_every_default_creates_the_stack(sam, deployed):
    _, dialogue = deployed

    assert dialogue.status == 0, dialogue.printed
    assert f"Successfully created/updated stack - {STACK} in {REGION}" in dialogue.printed
    assert sam.list_events()[-1] == (STACK, "CREATE_COMPLETE")
    function = sam.sandbox.client("lambda").get_function(FunctionName=f"{STACK}-reconcile-grants")[
        "Configuration"
    ]
    assert function["State"] == "Active"


def test_sam_asks_the_questions_that_the_page_shows(deployed):
    _, dialogue = deployed
    (page,) = re.findall(r"^```text guided\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    by_name = "".join(
        f"Parameter {name} [{it['Default']}]\n" for name, it in read_parameters().items()
    )

    asked = "".join(f"{question} [{default}]\n" for question, default in dialogue.asked)
    assert asked == page.replace("Parameter … […]\n", by_name)


def test_the_answers_are_saved_and_nothing_else_in_the_configuration_changes(sam, deployed):
    before, after = (
        tomllib.loads((folder / "samconfig.toml").read_text()) for folder in (ROOT, sam.folder)
    )

    kept, given = (it["default"].pop("deploy")["parameters"] for it in (after, before))
    assert kept["capabilities"].split() == given["capabilities"]
    assert kept["region"] == REGION
    assert 'RetainData="false"' in kept["parameter_overrides"]
    assert after["default"].pop("global") == {"parameters": {"stack_name": STACK, "region": REGION}}
    assert before["default"].pop("global") == {"parameters": {"stack_name": STACK}}
    assert after == before


def test_a_second_deploy_asks_nothing_and_has_nothing_to_change(sam, deployed):
    before = sam.list_events()

    assert f"No changes to deploy. Stack {STACK} is up to date" in sam("deploy")
    assert sam.list_events() == before


def test_every_alarm_watches_an_existing_resource_and_notifies_the_stacks_topic(sam, deployed):
    clients, ids = sam.sandbox.client, sam.list_physical_ids()
    alarms = clients("cloudwatch").describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"]
    watched = {(each["Name"], each["Value"]) for alarm in alarms for each in alarm["Dimensions"]}

    queues = {url.rpartition("/")[2] for url in clients("sqs").list_queues()["QueueUrls"]}
    functions = {
        function["FunctionName"] for function in clients("lambda").list_functions()["Functions"]
    }
    services = {("service", "reconcile-grants"), ("service", "start-spark-job")}
    assert len(alarms) == 14
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(ids["AlertTopic"],)}
    assert watched <= {("stack", STACK), *services} | {("QueueName", q) for q in queues} | {
        ("FunctionName", f) for f in functions
    }
    body = clients("cloudwatch").get_dashboard(DashboardName=f"{STACK}-{REGION}")["DashboardBody"]
    shown = json.loads(body)["widgets"][0]["properties"]["alarms"]
    assert {arn.rpartition(":")[2] for arn in shown} == {alarm["AlarmName"] for alarm in alarms}


def test_the_commands_of_the_page_work(sam, deployed):
    """The commands of the first steps and of the article's steps, on the deployed stack."""
    page = PAGE.read_text()
    (setting_out,) = re.findall(r"^```sh\n(output\(\).*?)^```", page, re.DOTALL | re.MULTILINE)
    commands = dict.fromkeys(re.findall(r"`((?:aws|steward|grantor) [^`…]+)`", page))
    environment = os.environ | Server(sam.sandbox.port).client_variables()
    environment |= {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "AWS_PAGER": ""}
    script = (
        "set -euo pipefail\n"
        + setting_out
        + "".join(f"echo '== {command}'\n{command}\n" for command in commands)
    )

    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=sam.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(part.split("\n", 1) for part in done.stdout.split("== ")[1:])
    assert (
        len(
            re.findall(
                r"(Product|UserA|UserB)/abalone\.csv",
                said["aws s3 ls --recursive s3://$DATA_BUCKET/"],
            )
        )
        == 3
    )
    assert '"DomainName": "Product-Domain"' in said["aws sagemaker list-domains"]
    assert re.findall(r'"UserProfileName": "(\w+)"', said["aws sagemaker list-user-profiles"]) == [
        "userA",
        "userB",
    ]
    assert (
        '"AccessGrantsInstanceId": "default"'
        in said["aws s3control get-access-grants-instance --account-id $ACCOUNT"]
    )


def test_a_changed_template_changes_just_that(sam, built, deployed):
    sqs, logs = sam.sandbox.client("sqs"), sam.sandbox.client("logs")
    earlier, ids = sam.list_events(), sam.list_physical_ids()

    sam(
        "deploy",
        "--template",
        change_template(built / "template.yaml"),
        "--config-file",
        CONFIGURATION,
        "--config-env",
        "sandbox",
    )

    # A new name makes a new queue, and what refers to it follows.
    touched = {name for name, _ in sam.list_events()[len(earlier) :]}
    assert touched == {
        STACK,
        "ReconcileGrantsLog",
        "EventDLQ",
        "EventQueue",
        "Operations",
        "BreakGlass",
        "Reader",
    }
    now = sam.list_physical_ids()
    assert {name for name, it in now.items() if it != ids[name]} == {"EventDLQ"}
    assert now["EventDLQ"].endswith("/renamed-dlq")
    assert ":renamed-dlq" in read_redrive_policy(sqs, now["EventQueue"])
    group = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}-reconcile")[
        "logGroups"
    ][0]
    assert group["retentionInDays"] == 30
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        read_redrive_policy(sqs, ids["EventDLQ"])


def change_template(template: Path) -> Path:
    """Copy the template with another retention of one log group and another name of one DLQ."""
    text = template.read_text()
    log, queue = (
        "  ReconcileGrantsLog:\n    Type: AWS::Logs::LogGroup\n",
        "  EventDLQ:\n    Type: AWS::SQS::Queue\n    DependsOn: StackNameHas47CharactersAtMost\n    Properties:\n",
    )
    before, found, after = text.partition(log)
    assert found
    text = before + found + after.replace("RetentionInDays: 90", "RetentionInDays: 30", 1)
    assert queue in text
    copy = template.with_name("changed.yaml")
    copy.write_text(text.replace(queue, queue + "      QueueName: renamed-dlq\n"))
    return copy


def read_redrive_policy(sqs: Any, queue: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])[
        "Attributes"
    ]
    return str(attributes.get("RedrivePolicy"))


def test_sam_logs_and_sam_sync_work_without_cloudformation(sam, deployed):
    """Runs after all tests that deploy: a sync removes from .aws-sam/build what it does not send."""
    logs = sam("logs", "--config-env", "sandbox", "--name", "LoadDataset")
    code = sam.folder / "functions/load_dataset/app.py"
    code.write_text(code.read_text() + "# changed\n")
    before = read_code_hash(sam)

    sam("sync", "--config-env", "sandbox", "--resource-id", "LoadDataset", say="y")

    assert "REPORT RequestId" in logs
    assert read_code_hash(sam) != before


def read_code_hash(sam: Sam) -> str:
    function = sam.sandbox.client("lambda").get_function(FunctionName=f"{STACK}-load-dataset")
    return str(function["Configuration"]["CodeSha256"])


def test_delete_leaves_nothing_of_the_stack(sam, deployed):
    before, _ = deployed
    # An object that somebody has uploaded meanwhile must not prevent the deletion.
    sam.sandbox.client("s3").put_object(
        Bucket=sam.list_physical_ids()["PolicyBucket"], Key="policy/own.yaml", Body=b"version: 1\n"
    )

    assert "Deleted successfully" in sam("delete", "--no-prompts")
    left = list_everything(sam.sandbox.client, ACCOUNT) - before
    assert {line for line in left if "aws-sam-cli-managed-default" not in line} == set()
