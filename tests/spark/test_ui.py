"""`make spark-ui` shows the Spark UI of a run from its event log. Spark's own history server is
asked what it shows.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

import ui
from sandbox.process import Server
from sandbox.testing.helpers import policy_document, unique_name
from tests.conftest import ROOT, Sandbox

TINY = """
from pyspark.sql import SparkSession
spark = SparkSession.Builder().appName("tiny").getOrCreate()
spark.range(100).selectExpr("sum(id)").collect()
spark.stop()
"""
INPUT = "/opt/ml/processing/input/code"


@pytest.fixture(scope="module")
def run(server: Sandbox) -> str:
    """A processing job that has summed a hundred numbers."""
    bucket, name = unique_name("operations"), unique_name("tiny")
    server.shared("s3").create_bucket(Bucket=bucket)
    server.shared("s3").put_object(Bucket=bucket, Key="code/tiny.py", Body=TINY.encode())
    server.shared("sagemaker").create_processing_job(
        ProcessingJobName=name,
        ProcessingResources={
            "ClusterConfig": {
                "InstanceType": "ml.m5.xlarge",
                "InstanceCount": 2,
                "VolumeSizeInGB": 30,
            }
        },
        AppSpecification={
            "ImageUri": "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3",
            "ContainerEntrypoint": [
                "smspark-submit",
                "--local-spark-event-logs-dir",
                f"{ui.EVENT_LOG_FOLDER}/",
                f"{INPUT}/tiny.py",
            ],
        },
        RoleArn=create_role(server),
        ProcessingInputs=[
            {
                "InputName": "code",
                "S3Input": {
                    "S3Uri": f"s3://{bucket}/code/tiny.py",
                    "LocalPath": INPUT,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "output-1",
                    "S3Output": {
                        "S3Uri": f"s3://{bucket}/runs/{name}/spark-events",
                        "LocalPath": f"{ui.EVENT_LOG_FOLDER}/",
                        "S3UploadMode": "Continuous",
                    },
                }
            ]
        },
    )
    described = ended(server, name)

    assert described["ProcessingJobStatus"] == "Completed", described["FailureReason"]
    return name


def create_role(server: Sandbox) -> str:
    """An execution role that may do what any processing job has to."""
    name, iam = unique_name("role"), server.shared("iam")
    trust = policy_document(
        {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = policy_document({"Action": ["s3:*", "ecr:*", "logs:*"], "Resource": "*"})
    iam.put_role_policy(RoleName=name, PolicyName="operations", PolicyDocument=policy)
    return str(arn)


def ended(server: Sandbox, name: str) -> dict[str, Any]:
    """The job as it ended, within two minutes."""
    until = time.monotonic() + 120
    while (described := server.shared("sagemaker").describe_processing_job(ProcessingJobName=name))[
        "ProcessingJobStatus"
    ] == "InProgress":
        assert time.monotonic() < until
        time.sleep(0.2)
    return dict(described)


@pytest.fixture(scope="module")
def log(server: Sandbox, run: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's event log, fetched."""
    folder = ui.find_event_log(server.shared("sagemaker"), run)
    (found,) = ui.fetch_log(server.shared("s3"), folder, tmp_path_factory.mktemp("log"))
    return found


def asked(address: str, path: str) -> Any:
    with closing(HTTPConnection(address.removeprefix("http://"))) as server:
        server.request("GET", f"/api/v1/{path}")
        return json.load(server.getresponse())


@pytest.fixture
def making(server: Sandbox, run: str) -> Iterator[subprocess.Popen[str]]:
    """`make spark-ui RUN=…`, as far as make itself has no part in it."""
    environment = os.environ | Server(server.port).client_variables()
    pipe: Any = subprocess.PIPE
    command = [sys.executable, ROOT / "spark_jobs/ui.py", run]
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "a kill"])
def test_the_history_server_shows_the_run_until_it_is_stopped_and_leaves_no_process(
    making: subprocess.Popen[str], log: Path, end: int
):
    name, address = making.stdout.readline().split(": ")
    shown = address.partition("/history/")[0]

    assert (name, address) == ("tiny", f"{shown}/history/{log.name}/\n")
    assert shown.startswith("http://localhost:")
    assert asked(shown, f"applications/{log.name}")["attempts"][0]["completed"] is True
    assert {job["status"] for job in asked(shown, f"applications/{log.name}/jobs")} == {"SUCCEEDED"}
    making.send_signal(end)
    assert (making.wait(30), making.stderr.read()) == (0, "")
    with pytest.raises(ConnectionRefusedError):
        asked(shown, "version")


def test_an_interrupted_run_is_shown_up_to_its_end(log: Path, tmp_path: Path):
    lines = log.read_text().splitlines(keepends=True)
    (tmp_path / log.name).write_text("".join(lines[: len(lines) // 2]))

    with ui.run_history_server(tmp_path) as (address, _):
        assert list(ui.describe_applications(address, ui.read_applications(address))) == [
            f"tiny: {address}/history/{log.name}/ (still running, or cut off)",
            "Press Ctrl-C to stop.",
        ]


def test_a_log_that_spark_cannot_read_is_an_error_and_the_server_ends(tmp_path: Path):
    shutil.copy(__file__, tmp_path / "local-1")

    with (
        pytest.raises(ui.NothingToShow, match="Spark cannot read this event log"),
        ui.run_history_server(tmp_path) as (address, server),
    ):
        ui.read_applications(address, limit=3)
    assert server.poll() is not None


def test_an_unknown_job_name_is_an_error(server: Sandbox):
    with pytest.raises(ui.NothingToShow, match="SageMaker has no processing job grantor-x here"):
        ui.find_event_log(server.shared("sagemaker"), "grantor-x")


def test_a_folder_without_a_log_is_an_error(server: Sandbox, tmp_path: Path):
    bucket = unique_name("empty")
    server.shared("s3").create_bucket(Bucket=bucket)

    with pytest.raises(
        ui.NothingToShow, match=f"there is no event log in s3://{bucket}/runs/, or not yet"
    ):
        ui.fetch_log(server.shared("s3"), f"s3://{bucket}/runs/", tmp_path)
