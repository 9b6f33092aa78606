"""A deployed stack's life with SAM CLI, as users run it: the commands of docs/deploying.md, a change,
logs and sync, and the deletion.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docs.deploying_page import PAGE
from sandbox.process import Server
from sandbox.testing.inventory import list_everything
from tests.clients.sam import STACK, Sam
from tests.conftest import ACCOUNT, ROOT

CONFIGURATION = ROOT / "samconfig.toml"
pytestmark = pytest.mark.timeout(600)


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
