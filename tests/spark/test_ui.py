"""make ui: a run's Spark UI from its event log, as SageMaker keeps it; Spark's own history server is asked what it shows."""

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

from sandbox.__main__ import variables_of
from sandbox.process import Server
from spark_jobs import ui
from tests.conftest import ROOT, Sandbox
from tests.sandbox.desk import allowing, own

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
    bucket, name = own("operations"), own("tiny")
    server.shared("s3").create_bucket(Bucket=bucket)
    server.shared("s3").put_object(Bucket=bucket, Key="code/tiny.py", Body=TINY.encode())
    server.shared("sagemaker").create_processing_job(
        ProcessingJobName=name,
        ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30}},
        AppSpecification={
            "ImageUri": "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3",
            "ContainerEntrypoint": ["smspark-submit", "--local-spark-event-logs-dir", f"{ui.EVENTS}/", f"{INPUT}/tiny.py"],
        },
        RoleArn=role(server),
        ProcessingInputs=[{"InputName": "code", "S3Input": {
            "S3Uri": f"s3://{bucket}/code/tiny.py", "LocalPath": INPUT, "S3DataType": "S3Prefix", "S3InputMode": "File",
        }}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "output-1", "S3Output": {
            "S3Uri": f"s3://{bucket}/runs/{name}/spark-events", "LocalPath": f"{ui.EVENTS}/", "S3UploadMode": "Continuous",
        }}]},
    )  # fmt: skip
    told = ended(server, name)

    assert told["ProcessingJobStatus"] == "Completed", told["FailureReason"]
    return name


def role(server: Sandbox) -> str:
    """An execution role that may do what any processing job has to."""
    name, iam = own("role"), server.shared("iam")
    trust = allowing({"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = allowing({"Action": ["s3:*", "ecr:*", "logs:*"], "Resource": "*"})
    iam.put_role_policy(RoleName=name, PolicyName="operations", PolicyDocument=policy)
    return str(arn)


def ended(server: Sandbox, name: str) -> dict[str, Any]:
    """The job as it ended, within two minutes."""
    until = time.monotonic() + 120
    while (told := server.shared("sagemaker").describe_processing_job(ProcessingJobName=name))[
        "ProcessingJobStatus"
    ] == "InProgress":
        assert time.monotonic() < until
        time.sleep(0.2)
    return dict(told)


@pytest.fixture(scope="module")
def log(server: Sandbox, run: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's event log, fetched."""
    folder = ui.event_log(server.shared("sagemaker"), run)
    (found,) = ui.fetch(server.shared("s3"), folder, tmp_path_factory.mktemp("log"))
    return found


def asked(address: str, path: str) -> Any:
    with closing(HTTPConnection(address.removeprefix("http://"))) as server:
        server.request("GET", f"/api/v1/{path}")
        return json.load(server.getresponse())


@pytest.fixture
def making(server: Sandbox, run: str) -> Iterator[subprocess.Popen[str]]:
    """`make ui RUN=…`, as far as make itself has no part in it."""
    environment = os.environ | variables_of(Server(server.port), None, None)
    pipe: Any = subprocess.PIPE
    command = [sys.executable, ROOT / "spark_jobs/ui.py", run]
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "a kill"])
def test_it_shows_the_run_until_it_is_ended_and_leaves_nothing_running(making: subprocess.Popen[str], log: Path, end: int):
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


def test_a_run_that_was_cut_off_is_shown_as_far_as_it_came(log: Path, tmp_path: Path):
    lines = log.read_text().splitlines(keepends=True)
    (tmp_path / log.name).write_text("".join(lines[: len(lines) // 2]))

    with ui.history_server(tmp_path) as (address, _):
        assert list(ui.lines(address, ui.applications(address))) == [
            f"tiny: {address}/history/{log.name}/ (it goes on, or was cut off)",
            "Ctrl-C ends it.",
        ]


def test_what_spark_can_not_read_is_said_and_the_server_goes_with_it(tmp_path: Path):
    shutil.copy(__file__, tmp_path / "local-1")

    with pytest.raises(ui.NotShown, match="Spark can not read this event log"), ui.history_server(tmp_path) as (address, server):
        ui.applications(address, limit=3)
    assert server.poll() is not None


def test_a_name_that_sagemaker_does_not_know_is_said(server: Sandbox):
    with pytest.raises(ui.NotShown, match="SageMaker knows no processing job grantor-x here"):
        ui.event_log(server.shared("sagemaker"), "grantor-x")


def test_a_folder_without_a_log_is_said(server: Sandbox, tmp_path: Path):
    bucket = own("empty")
    server.shared("s3").create_bucket(Bucket=bucket)

    with pytest.raises(ui.NotShown, match=f"there is no event log in s3://{bucket}/runs/ yet"):
        ui.fetch(server.shared("s3"), f"s3://{bucket}/runs/", tmp_path)
