"""A real Spark job as a processing job of the sandbox: S3A with Access Grants, and a role without
permissions on the data.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.testing.helpers import call_control, make_zip, policy_document, unique_name, wait_until
from tests.conftest import ACCOUNT, ROOT, Sandbox

pytestmark = pytest.mark.skipif(
    not (ROOT / ".tools/spark/jars/.made").exists(), reason="needs `make .tools/spark/jars/.made`"
)

IMAGE = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
GRANTS = {
    "spark.hadoop.fs.s3a.access.grants.enabled": "true",
    "spark.hadoop.fs.s3a.access.grants.fallback.to.iam": "false",
}
OTHERS = {
    "spark.hadoop.fs.s3a.performance.flags": "create,mkdir",
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "1",
    "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider",
}
PROGRAM = """
import sys
from pyspark.sql import SparkSession
from helper import doubled

source, target = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
rows = [int(row.value) for row in spark.read.text(source).collect()]
try:
    spark.createDataFrame([(str(doubled(row)),) for row in rows], "value string").coalesce(1).write.text(target)
except Exception as denied:
    print(denied)
    sys.exit(10)
"""


@dataclass
class SandboxJobs:
    """Buckets of data and of code, the job's role, and grants for it."""

    sandbox: Sandbox
    data: str
    operations: str
    role: str
    location_role: str

    def runs(
        self, source: str, target: str, machine: str = "ml.m5.xlarge", count: int = 2
    ) -> dict[str, Any]:
        """A job from its start to its end; what Describe tells of it."""
        name, code = unique_name("job"), f"s3://{self.operations}/code"
        inputs = {
            "py-files": f"{code}/py-files",
            "conf": f"{code}/conf/configuration.json",
            "code": f"{code}/program.py",
        }
        sagemaker = self.sandbox.client("sagemaker")
        events = "/opt/ml/processing/spark-events/"
        sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=self.role,
            ProcessingResources={
                "ClusterConfig": {
                    "InstanceType": machine,
                    "InstanceCount": count,
                    "VolumeSizeInGB": 30,
                }
            },
            ProcessingInputs=[
                {
                    "InputName": each,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/input/{each}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for each, uri in inputs.items()
            ],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": "spark-event-logs",
                        "S3Output": {
                            "S3Uri": f"s3://{self.operations}/runs/{name}/spark-events/",
                            "LocalPath": events,
                            "S3UploadMode": "Continuous",
                        },
                    }
                ]
            },
            AppSpecification={
                "ImageUri": IMAGE,
                "ContainerEntrypoint": [
                    "smspark-submit",
                    "--py-files",
                    "/opt/ml/processing/input/py-files",
                    "--local-spark-event-logs-dir",
                    events,
                    "/opt/ml/processing/input/code/program.py",
                ],
                "ContainerArguments": [source, target],
            },
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
        over = ("Completed", "Failed", "Stopped")
        wait_until(
            lambda: (
                sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"]
                in over
            ),
            120,
        )
        return dict(sagemaker.describe_processing_job(ProcessingJobName=name))

    def output(self, name: str) -> str:
        """What the job has printed."""
        logs, group = self.sandbox.client("logs"), "/aws/sagemaker/ProcessingJobs"
        found = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=f"{name}/")["events"]
        return "\n".join(event["message"] for event in found)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        listed = self.sandbox.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [each["Key"] for each in listed.get("Contents", [])]


@pytest.fixture(scope="module")
def sandbox_jobs(start_sandbox: Callable[..., Sandbox]) -> SandboxJobs:
    sandbox = start_sandbox()
    s3, iam, control = sandbox.client("s3"), sandbox.client("iam"), sandbox.client("s3control")
    for bucket in ("data", "ops"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="data", Key="Product/numbers.txt", Body=b"1\n2\n3\n")
    s3.put_object(Bucket="ops", Key="code/program.py", Body=PROGRAM.encode())
    s3.put_object(
        Bucket="ops",
        Key="code/py-files/helper.zip",
        Body=make_zip({"helper.py": "def doubled(n): return 2 * n"}),
    )
    settings = [{"Classification": "spark-defaults", "Properties": GRANTS | OTHERS}]
    s3.put_object(
        Bucket="ops", Key="code/conf/configuration.json", Body=json.dumps(settings).encode()
    )
    role = make_role(
        iam,
        "job",
        "sagemaker.amazonaws.com",
        [
            {
                "Action": [
                    "s3:GetDataAccess",
                    "s3:GetAccessGrantsInstanceForPrefix",
                    "ecr:*",
                    "logs:*",
                ],
                "Resource": "*",
            },
            {
                "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"],
                "Resource": ["arn:aws:s3:::ops", "arn:aws:s3:::ops/*"],
            },
        ],
    )
    place = make_role(
        iam, "location", "access-grants.s3.amazonaws.com", [{"Action": "s3:*", "Resource": "*"}]
    )
    control.create_access_grants_instance(AccountId=ACCOUNT)
    location = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope="s3://data/", IAMRoleArn=place
    )
    for prefix, permission in (("Product/*", "READ"), ("UserA/*", "READWRITE")):
        control.create_access_grant(
            AccountId=ACCOUNT,
            AccessGrantsLocationId=location["AccessGrantsLocationId"],
            Permission=permission,
            AccessGrantsLocationConfiguration={"S3SubPrefix": prefix},
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": role},
        )
    return SandboxJobs(sandbox, "data", "ops", role, place)


def make_role(iam: Any, name: str, service: str, rights: list[dict[str, Any]]) -> str:
    trust = policy_document(
        {"Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy_document(*rights))
    return str(arn)


def test_a_job_reads_and_writes_only_with_vended_credentials(sandbox_jobs: SandboxJobs):
    call_control(sandbox_jobs.sandbox, "calls", "DELETE")
    ended = sandbox_jobs.runs("s3a://data/Product/numbers.txt", "s3a://data/UserA/output/run1")
    assert ended["ProcessingJobStatus"] == "Completed", sandbox_jobs.output(
        ended["ProcessingJobName"]
    )
    part = next(key for key in sandbox_jobs.keys("data", "UserA/output/run1/part-"))
    calls = [
        call
        for call in call_control(sandbox_jobs.sandbox, "calls?record=1")
        if "arn:aws:s3:::data/" in str(call["resource"])
    ]

    assert (
        sandbox_jobs.sandbox.client("s3").get_object(Bucket="data", Key=part)["Body"].read()
        == b"2\n4\n6\n"
    )
    by_job = [call for call in calls if call["principal"] != "root"]
    assert {(call["principal"], bool(call["vended"])) for call in by_job} == {("location", True)}
    assert all(call["session"].startswith("access-grants-") for call in by_job)
    assert any(
        key.startswith(f"runs/{ended['ProcessingJobName']}/spark-events/local-")
        for key in sandbox_jobs.keys("ops", "runs/")
    )


def test_a_job_without_a_grant_ends_with_its_own_exit_code_and_the_containers_message(
    sandbox_jobs: SandboxJobs,
):
    ended = sandbox_jobs.runs("s3a://data/Product/numbers.txt", "s3a://data/UserB/output/run1")

    begin = "Algorithm Error: (caused by CalledProcessError): spark failed with a non-zero exit code: Command 'spark-submit --master yarn"
    assert (ended["ProcessingJobStatus"], ended["FailureReason"]) == (
        "Failed",
        "AlgorithmError: , exit code: 10",
    )
    assert ended["ExitMessage"].startswith(begin)
    assert ended["ExitMessage"].endswith("returned non-zero exit status 10.")
    assert "You do not have READ permissions" in sandbox_jobs.output(ended["ProcessingJobName"])
    assert sandbox_jobs.keys("data", "UserB/") == []


def test_a_single_machine_that_is_too_small_starts_nothing_and_is_stopped_at_its_time_limit(
    sandbox_jobs: SandboxJobs,
):
    call_control(sandbox_jobs.sandbox, "faults", "POST", {"switches": {"job_starved_seconds": 20}})
    ended = sandbox_jobs.runs(
        "s3a://data/Product/numbers.txt", "s3a://data/UserA/output/run2", "ml.m5.large", 1
    )
    took = ended["ProcessingEndTime"] - ended["ProcessingStartTime"]
    printed = sandbox_jobs.output(ended["ProcessingJobName"])

    assert (ended["ProcessingJobStatus"], took.total_seconds() >= 3600) == ("Stopped", True), (
        printed
    )
    assert "no executor starts on 1 x ml.m5.large: Spark requests 7,704 MiB" in printed
    assert sandbox_jobs.keys("data", "UserA/output/run2") == []


def test_two_machines_of_that_size_run_the_job(sandbox_jobs: SandboxJobs):
    ended = sandbox_jobs.runs(
        "s3a://data/Product/numbers.txt", "s3a://data/UserA/output/run3", "ml.m5.large", 2
    )

    assert ended["ProcessingJobStatus"] == "Completed", ended
