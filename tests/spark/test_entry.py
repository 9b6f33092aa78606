"""The complete job as SageMaker runs it: packed code, written configuration, a session of the role,
and only the article's five arguments.
"""

import json
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from framework.configuration import build_configuration
from sandbox.testing.helpers import policy_document, wait_until
from tests.conftest import ROOT, Sandbox
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import read_output
from tests.spark.spark_worker import JARS

pytestmark = pytest.mark.skipif(
    not JARS.is_dir(), reason="needs the jars: make .tools/spark/jars/.made"
)

IMAGE = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
INSIDE, EVENTS = "/opt/ml/processing/input", "/opt/ml/processing/spark-events/"
OWN = {
    "code": "code/preprocess.py",
    "py-files": "code/framework.zip",
    "conf": "code/configuration.json",
}


@pytest.fixture
def setup(start_sandbox: Callable[..., Sandbox], tmp_path: Path) -> JobSetup:
    """The article's role, and the job's code in the operations bucket as the launcher packs it."""
    made = set_up_job(start_sandbox(), ("UserA/*", "READWRITE"))
    packed(tmp_path)
    code = tmp_path / "abalone"
    (code / "configuration.json").write_text(json.dumps(build_configuration(made.data_bucket)))
    s3 = made.sandbox.client("s3")
    for key in OWN.values():
        s3.put_object(
            Bucket=made.operations_bucket, Key=key, Body=(code / Path(key).name).read_bytes()
        )
    below = [f"arn:aws:s3:::{made.operations_bucket}", f"arn:aws:s3:::{made.operations_bucket}/*"]
    rights = policy_document(
        {"Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"], "Resource": below},
        {"Action": ["ecr:*", "logs:*"], "Resource": "*"},
    )
    made.sandbox.client("iam").put_role_policy(
        RoleName=made.role, PolicyName="container", PolicyDocument=rights
    )
    return made


def packed(folder: Path) -> None:
    """As `sam build` packs it."""
    spec = spec_from_file_location("pack", ROOT / "functions/start_spark_job/pack.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.pack_jobs(ROOT / "spark_jobs", folder)


def job(
    setup: JobSetup,
    name: str,
    arguments: list[str],
    machine: tuple[str, int] = ("ml.m5.xlarge", 2),
    seconds: float = 120,
) -> dict[str, Any]:
    """A processing job from its start to its end, which comes within so many seconds."""
    sagemaker = setup.sandbox.client("sagemaker")
    inputs = [
        {
            "InputName": what,
            "S3Input": {
                "S3Uri": f"s3://{setup.operations_bucket}/{key}",
                "LocalPath": f"{INSIDE}/{what}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        for what, key in OWN.items()
    ]
    events = {
        "S3Uri": f"s3://{setup.operations_bucket}/events/{name}/",
        "LocalPath": EVENTS,
        "S3UploadMode": "Continuous",
    }
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=f"arn:aws:iam::000000000000:role/{setup.role}",
        ProcessingInputs=inputs,
        ProcessingResources={
            "ClusterConfig": {
                "InstanceType": machine[0],
                "InstanceCount": machine[1],
                "VolumeSizeInGB": 30,
            }
        },
        ProcessingOutputConfig={
            "Outputs": [{"OutputName": "spark-event-logs", "S3Output": events}]
        },
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerEntrypoint": [
                "smspark-submit",
                "--py-files",
                f"{INSIDE}/py-files",
                "--local-spark-event-logs-dir",
                EVENTS,
                f"{INSIDE}/code/preprocess.py",
            ],
            "ContainerArguments": arguments,
        },
    )

    def over() -> dict[str, Any] | None:
        described = sagemaker.describe_processing_job(ProcessingJobName=name)
        return (
            described
            if described["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped")
            else None
        )

    return wait_until(over, seconds) or {}


def test_the_articles_five_arguments_make_a_published_run_by_s3a_and_a_failure_keeps_its_exit_code(
    setup: JobSetup, tmp_path: Path
):
    setup.upload("UserA/abalone.csv", build_rows(300))

    done = job(setup, "done", setup.build_arguments("UserA", "UserA/output"))
    denied = job(setup, "denied", setup.build_arguments("UserB", "UserA/output", access="s3a"))

    assert done["ProcessingJobStatus"] == "Completed", done
    seen = read_output(setup)
    assert (seen.manifest["access"]["mode"], seen.manifest["rows"]["in"], seen.plain_digests) == (
        "s3a",
        300,
        seen.files,
    )
    assert seen.manifest["code"] == json.loads((tmp_path / "abalone/code.json").read_text())["code"]
    assert (denied["ProcessingJobStatus"], "10" in denied["FailureReason"]) == ("Failed", True)
    listed = setup.sandbox.client("s3").list_objects_v2(
        Bucket=setup.operations_bucket, Prefix="events/done/"
    )
    assert [one["Key"] for one in listed["Contents"]] != []
