"""The managed policy Reader is enough for `make spark-ui`."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import ui
from tests.cli.conftest import CommandLine
from tests.cli.stack_setup import OPERATIONS
from tests.grantor_setup import GrantorSetup

NAME = "grantor-abalone-0123456789abcdef0123-a1"
FOLDER = f"s3://{OPERATIONS}/runs/role-userA/{NAME}/spark-events/"


@pytest.fixture
def cli(cli: CommandLine, setup: GrantorSetup) -> CommandLine:
    """The command line, with a processing job that waits for instances, and an event log of it."""
    setup.client("s3").create_bucket(Bucket=OPERATIONS)
    for key in (
        f"{FOLDER.removeprefix(f's3://{OPERATIONS}/')}application_1",
        "code/c0de/preprocess.py",
    ):
        setup.client("s3").put_object(Bucket=OPERATIONS, Key=key, Body=b"{}")
    setup.set_switches(jobs_at_once=0)
    output = {"S3Uri": FOLDER, "LocalPath": f"{ui.EVENT_LOG_FOLDER}/", "S3UploadMode": "Continuous"}
    setup.client("sagemaker").create_processing_job(
        ProcessingJobName=NAME,
        RoleArn=setup.create_role("role-userA"),
        AppSpecification={"ImageUri": "image"},
        ProcessingResources={
            "ClusterConfig": {
                "InstanceType": "ml.m5.xlarge",
                "InstanceCount": 2,
                "VolumeSizeInGB": 30,
            }
        },
        ProcessingOutputConfig={
            "Outputs": [{"OutputName": "spark-event-logs", "S3Output": output}]
        },
    )
    return cli


def test_a_reader_finds_and_fetches_the_event_log(
    cli: CommandLine, setup: GrantorSetup, tmp_path: Path
):
    reader = cli.create_person("Reader")
    found = ui.find_event_log(setup.sandbox.client("sagemaker", reader), NAME)

    assert found == FOLDER
    assert [
        log.name for log in ui.fetch_log(setup.sandbox.client("s3", reader), found, tmp_path)
    ] == ["application_1"]


def test_a_reader_cannot_read_the_code(cli: CommandLine, setup: GrantorSetup):
    with pytest.raises(ClientError, match="AccessDenied"):
        setup.sandbox.client("s3", cli.create_person("Reader")).get_object(
            Bucket=OPERATIONS, Key="code/c0de/preprocess.py"
        )
