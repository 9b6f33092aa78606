"""Processing jobs in the server.

They run as processes with nothing but their role's session, and everybody can see what they do.
"""

import os
import signal
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import (
    call_control,
    make_listener,
    make_role,
    make_trail,
    make_user,
    policy_document,
    reset_sandbox,
    unique_name,
    wait_until,
)
from sandbox.testing.running import ACCOUNT, Sandbox

SAGEMAKER = "sagemaker.amazonaws.com"
GROUP = "/aws/sagemaker/ProcessingJobs"
INPUT, OUTPUT = "/opt/ml/processing/input/code", "/opt/ml/processing/output"
ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:processing-job"
OVER = ("Completed", "Failed", "Stopped")
CONTAINER = (
    "import os, pathlib, sys; folder = pathlib.Path(__file__).parents[5]; out = folder / "
    "'opt/ml/processing/output'\n"
)
RIGHTS = ("s3:*", "logs:*", "ecr:*")


@dataclass
class JobRunner:
    """A bucket, a role that may use it, and jobs that run one program each."""

    sandbox: Sandbox
    bucket: str
    role: str
    sagemaker: Any = field(init=False)

    def __post_init__(self) -> None:
        self.sagemaker = self.sandbox.client("sagemaker")

    def start(
        self,
        program: str,
        *arguments: str,
        mode: str = "EndOfJob",
        sagemaker: Any = None,
        **more: Any,
    ) -> str:
        """Begin a job that runs the Python text; its name."""
        name = unique_name("job")
        self.put(f"code/{name}/x.py", CONTAINER + textwrap.dedent(program))
        code = {
            "S3Uri": f"s3://{self.bucket}/code/{name}",
            "LocalPath": INPUT,
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        output = {
            "S3Uri": f"s3://{self.bucket}/out/{name}/",
            "LocalPath": OUTPUT,
            "S3UploadMode": mode,
        }
        whole = {
            "ProcessingJobName": name,
            "RoleArn": self.role,
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": "ml.t3.medium",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                }
            },
            "AppSpecification": {
                "ImageUri": "image",
                "ContainerEntrypoint": ["python3", f"{INPUT}/x.py"],
                **({"ContainerArguments": list(arguments)} if arguments else {}),
            },
            "ProcessingInputs": [{"InputName": "code", "S3Input": code}],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "output", "S3Output": output}]},
        }
        (sagemaker or self.sagemaker).create_processing_job(**whole | more)
        return name

    def end(self, name: str) -> dict[str, Any]:
        """What Describe shows of the job when it is over."""
        wait_until(lambda: self.status(name) in OVER)
        return dict(self.sagemaker.describe_processing_job(ProcessingJobName=name))

    def run(self, program: str, *arguments: str, **more: Any) -> dict[str, Any]:
        return self.end(self.start(program, *arguments, **more))

    def status(self, name: str) -> str:
        return str(
            self.sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"]
        )

    def put(self, key: str, text: str) -> None:
        self.sandbox.client("s3").put_object(Bucket=self.bucket, Key=key, Body=text.encode())

    def outputs(self, name: str) -> dict[str, str]:
        """What the job's output folder in S3 holds."""
        s3, prefix = self.sandbox.client("s3"), f"out/{name}/"
        listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        read = {
            each["Key"]: s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read().decode()
            for each in listed
        }
        return {key.removeprefix(prefix): text for key, text in read.items()}

    def printed(self, name: str) -> list[str]:
        """The lines of the job's log, if it has left one."""
        logs, stream = self.sandbox.client("logs"), f"{name}/algo-1-"
        if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
            return []
        found = logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix=stream)
        return [event["message"] for event in found["events"]]

    def switch(self, **switches: Any) -> None:
        assert "error" not in call_control(self.sandbox, "faults", "POST", {"switches": switches})


@pytest.fixture(scope="module")
def server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server of this module's own, whose jobs and switches nobody else sees."""
    return start_sandbox()


@pytest.fixture
def runner(server: Sandbox) -> JobRunner:
    reset_sandbox(server)
    bucket = unique_name("bucket")
    server.client("s3").create_bucket(Bucket=bucket)
    return JobRunner(server, bucket, make_role(server, SAGEMAKER, *RIGHTS))


def test_a_job_gets_its_input_prints_to_its_log_and_leaves_its_output(runner: JobRunner):
    ended = runner.run(
        """
        print("reported:", *sys.argv[1:])
        (out / "part").mkdir()
        (out / "part" / "a.txt").write_text("done")
        """,
        "--rows", "5",
    )  # fmt: skip
    name = ended["ProcessingJobName"]

    assert (ended["ProcessingJobStatus"], "FailureReason" in ended, "ExitMessage" in ended) == (
        "Completed",
        False,
        False,
    )
    assert ended["CreationTime"] <= ended["ProcessingStartTime"] <= ended["ProcessingEndTime"]
    assert runner.printed(name) == ["reported: --rows 5"]
    assert runner.outputs(name) == {"part/a.txt": "done"}


def test_a_job_has_the_session_of_its_role_and_no_other_credentials(runner: JobRunner):
    ended = runner.run(
        """
        import boto3
        print(boto3.client("sts", os.environ["AWS_REGION"]).get_caller_identity()["Arn"])
        print(sorted(name for name in os.environ if "KEY" in name or "PROFILE" in name), list((folder / "root").iterdir()))
        """
    )

    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{runner.role.rpartition('/')[2]}/SageMaker"
    assert runner.printed(ended["ProcessingJobName"]) == [arn, "[] []"]


def test_a_session_that_has_ended_is_of_no_use(runner: JobRunner):
    runner.switch(job_session_seconds=0)
    ended = runner.run("print('ran')")

    assert (ended["ProcessingJobStatus"], "expired" in ended["FailureReason"]) == ("Failed", True)


def test_the_credentials_need_the_container_s_token(runner: JobRunner):
    ended = runner.run(
        """
        import urllib.error, urllib.request
        for token in ("", os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]):
            asked = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token})
            try:
                print(urllib.request.urlopen(asked).status)
            except urllib.error.HTTPError as refused:
                print(refused.code)
        """
    )

    assert runner.printed(ended["ProcessingJobName"]) == ["403", "200"]


def test_a_job_reaches_access_grants_and_each_call_shows_its_signer(runner: JobRunner):
    control = runner.sandbox.client("s3control")
    place = make_role(runner.sandbox, "access-grants.s3.amazonaws.com", "s3:*")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    scope = {"LocationScope": f"s3://{runner.bucket}/", "IAMRoleArn": place}
    location = control.create_access_grants_location(AccountId=ACCOUNT, **scope)[
        "AccessGrantsLocationId"
    ]
    control.create_access_grant(
        AccountId=ACCOUNT, AccessGrantsLocationId=location, Permission="READWRITE",
        AccessGrantsLocationConfiguration={"S3SubPrefix": "UserA/*"}, Grantee={"GranteeType": "IAM", "GranteeIdentifier": runner.role},
    )  # fmt: skip
    call_control(runner.sandbox, "calls", "DELETE")
    ended = runner.run(
        """
        import boto3
        account, bucket = sys.argv[1:]
        control = boto3.client("s3control", os.environ["AWS_REGION"])
        vended = control.get_data_access(AccountId=account, Target=f"s3://{bucket}/UserA/*", Permission="READWRITE")["Credentials"]
        keys = [vended[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        boto3.client("s3", os.environ["AWS_REGION"], None, True, None, None, *keys).put_object(Bucket=bucket, Key="UserA/x", Body=b"")
        """,
        ACCOUNT, runner.bucket,
    )  # fmt: skip
    record = [
        call
        for call in call_control(runner.sandbox, "calls?record=1")
        if call["principal"] != "root"
    ]
    signed = {
        (call["operation"], call["principal"], call["vended"])
        for call in record
        if call["operation"] != "ListObjectsV2"
    }
    own_name, place_name = (arn.rpartition("/")[2] for arn in (runner.role, place))

    assert ended["ProcessingJobStatus"] == "Completed", runner.printed(ended["ProcessingJobName"])
    assert signed == {
        ("GetObject", own_name, ""), ("GetDataAccess", own_name, ""), ("PutObject", place_name, f"READWRITE s3://{runner.bucket}/UserA/*"),
    }  # fmt: skip
    sessions = {call["operation"]: call["session"] for call in record}
    assert sessions["GetObject"] == "SageMaker"
    assert sessions["PutObject"].startswith("access-grants-")


def test_a_container_that_fails_fails_its_job_with_its_exit_code_and_its_message(runner: JobRunner):
    ended = runner.run(
        """
        (out / "a.txt").write_text("half")
        (folder / "opt/ml/output/message").write_text("too much quarantine")
        sys.exit(13)
        """
    )

    assert (ended["ProcessingJobStatus"], ended["FailureReason"]) == (
        "Failed",
        "AlgorithmError: , exit code: 13",
    )
    assert ended["ExitMessage"] == "too much quarantine"
    assert runner.outputs(ended["ProcessingJobName"]) == {}


def test_a_message_that_a_completed_job_leaves_is_its_exit_message(runner: JobRunner):
    ended = runner.run("(folder / 'opt/ml/output/message').write_text('all is well')")

    assert (ended["ProcessingJobStatus"], ended["ExitMessage"]) == ("Completed", "all is well")


REASONS = [
    ("logs", "AlgorithmError: See job logs for more information"),
    ("message", "AlgorithmError: why, exit code: 2"),
]


@pytest.mark.parametrize(("form", "reason"), REASONS, ids=["logs", "message"])
def test_the_reason_has_other_forms(runner: JobRunner, form: str, reason: str):
    runner.switch(job_failure_reason=form)
    ended = runner.run("(folder / 'opt/ml/output/message').write_text('why'); sys.exit(2)")

    assert ended["FailureReason"] == reason


def test_an_input_that_is_not_there_fails_the_job_before_it_runs(runner: JobRunner):
    missing = {
        "S3Uri": f"s3://{runner.bucket}/none",
        "LocalPath": INPUT,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    ended = runner.run("print('ran')", ProcessingInputs=[{"InputName": "code", "S3Input": missing}])

    begin = (
        f'ClientError: No S3 objects found under S3 URL "s3://{runner.bucket}/none" given in input '
        "data source."
    )
    assert ended["ProcessingJobStatus"] == "Failed"
    assert ended["FailureReason"].startswith(begin)


def test_a_role_that_may_not_list_its_input_fails_the_job(runner: JobRunner):
    runner.role = make_role(runner.sandbox, SAGEMAKER, "s3:GetObject", "logs:*")
    ended = runner.run("print('ran')")

    begin = (
        "ClientError: Failed to download data. ListObjectsV2 failed for "
        f"s3://{runner.bucket}/code/{ended['ProcessingJobName']}. "
    )
    assert ended["FailureReason"].startswith(begin)


def test_a_role_that_may_not_write_its_output_fails_the_job(runner: JobRunner):
    runner.role = make_role(runner.sandbox, SAGEMAKER, "s3:GetObject", "s3:ListBucket", "logs:*")
    ended = runner.run("(out / 'a.txt').write_text('done')")

    assert ended["ProcessingJobStatus"] == "Failed"
    assert ended["FailureReason"].startswith(
        "ClientError: Failed to upload data. Cannot write S3 key"
    )


def test_a_role_that_may_not_write_logs_leaves_none_and_runs(runner: JobRunner):
    runner.role = make_role(runner.sandbox, SAGEMAKER, "s3:*")
    ended = runner.run("print('nobody reads this')")

    assert ended["ProcessingJobStatus"] == "Completed"
    assert runner.printed(ended["ProcessingJobName"]) == []


@pytest.mark.parametrize(
    ("needs", "status"), [(True, "Failed"), (False, "Completed")], ids=["needed", "not needed"]
)
def test_a_role_that_may_not_pull_the_image_fails_the_job_if_it_needs_the_right(
    runner: JobRunner, needs: bool, status: str
):
    runner.switch(job_image_needs_rights=needs)
    image = (
        "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
    )
    runner.role = make_role(runner.sandbox, SAGEMAKER, "s3:*", "ecr:GetAuthorizationToken")
    ended = runner.run(
        "",
        AppSpecification={"ImageUri": image, "ContainerEntrypoint": ["python3", f"{INPUT}/x.py"]},
    )

    lacks = "ecr:BatchCheckLayerAvailability, ecr:GetDownloadUrlForLayer, ecr:BatchGetImage"
    assert ended["ProcessingJobStatus"] == status
    assert ended.get("FailureReason") == (
        f"ClientError: The execution role may not pull the image {image}: it lacks {lacks}."
        if needs
        else None
    )


def test_an_output_that_is_continuous_is_seen_while_the_job_runs(runner: JobRunner):
    runner.switch(job_stop_seconds=0)
    name = runner.start(
        """
        import time
        (out / "log").write_text("begun")
        time.sleep(600)
        """,
        mode="Continuous",
    )
    wait_until(lambda: runner.outputs(name) == {"log": "begun"})
    runner.sagemaker.stop_processing_job(ProcessingJobName=name)

    assert runner.end(name)["ProcessingJobStatus"] == "Stopped"


DEAF = "print('begun'); import time; time.sleep(600)"
HEARING = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: (print("heard"), sys.exit(0)))
print("begun")
time.sleep(600)
"""


def test_a_job_that_is_stopped_may_clean_up(runner: JobRunner):
    name = runner.start(HEARING)
    wait_until(lambda: "begun" in runner.printed(name))
    runner.sagemaker.stop_processing_job(ProcessingJobName=name)
    ended = runner.end(name)

    assert (ended["ProcessingJobStatus"], "FailureReason" in ended) == ("Stopped", False)
    assert runner.printed(name) == ["begun", "heard"]


def test_a_job_that_ignores_sigterm_is_killed_after_a_while(runner: JobRunner):
    runner.switch(job_stop_seconds=1)
    name = runner.start(DEAF)
    wait_until(lambda: "begun" in runner.printed(name))
    runner.sagemaker.stop_processing_job(ProcessingJobName=name)

    assert runner.status(name) == "Stopping"
    assert runner.end(name)["ProcessingJobStatus"] == "Stopped"


def test_a_job_that_takes_too_long_is_stopped(runner: JobRunner):
    ended = runner.run(HEARING, StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert ended["ProcessingJobStatus"] == "Stopped"
    assert (ended["ProcessingEndTime"] - ended["ProcessingStartTime"]).total_seconds() >= 1


def test_jobs_beyond_the_room_wait_in_progress(runner: JobRunner):
    runner.switch(jobs_at_once=1, job_stop_seconds=0)
    first = runner.start(DEAF)
    wait_until(lambda: "begun" in runner.printed(first))
    second = runner.start("")
    waiting = runner.sagemaker.describe_processing_job(ProcessingJobName=second)
    runner.sagemaker.stop_processing_job(ProcessingJobName=first)

    assert (waiting["ProcessingJobStatus"], "ProcessingStartTime" in waiting) == (
        "InProgress",
        False,
    )
    assert runner.end(second)["ProcessingJobStatus"] == "Completed"


def test_every_status_leaves_an_event_and_some_leave_it_twice(runner: JobRunner):
    listener = make_listener(
        runner.sandbox,
        EventPattern='{"source": ["aws.sagemaker"], "detail-type": ["SageMaker Processing Job State Change"]}',
    )
    once = runner.run("")["ProcessingJobName"]
    told_once = [
        (event["detail"]["ProcessingJobName"], event["detail"]["ProcessingJobStatus"])
        for event in listener.receive_events(2)
    ]
    runner.switch(job_events_twice=True)
    twice = runner.run("sys.exit(1)")["ProcessingJobName"]
    reported_twice = listener.receive_events(4)

    assert told_once == [(once, "InProgress"), (once, "Completed")]
    assert [event["detail"]["ProcessingJobStatus"] for event in reported_twice] == [
        "InProgress",
        "InProgress",
        "Failed",
        "Failed",
    ]
    assert {event["resources"][0] for event in reported_twice} == {f"{ARN}/{twice}"}
    assert reported_twice[0]["detail"] == reported_twice[1]["detail"]


def test_making_and_stopping_a_job_leaves_a_trail(runner: JobRunner):
    make_trail(runner.sandbox)
    listener = make_listener(
        runner.sandbox,
        EventPattern='{"source": ["aws.sagemaker"], "detail-type": ["AWS API Call via CloudTrail"]}',
    )
    name = runner.start(HEARING)
    runner.sagemaker.stop_processing_job(ProcessingJobName=name)
    reported = [
        (event["detail"]["eventName"], event["detail"]["requestParameters"]["processingJobName"])
        for event in listener.receive_events(2)
    ]

    assert reported == [("CreateProcessingJob", name), ("StopProcessingJob", name)]


NEEDED: list[tuple[str, dict[str, Any], str]] = [
    ("sagemaker:CreateProcessingJob", {}, "sagemaker:CreateProcessingJob"),
    ("iam:PassRole", {}, "iam:PassRole"),
    ("sagemaker:AddTags", {"Tags": [{"Key": "a", "Value": "b"}]}, "sagemaker:AddTags"),
]


@pytest.mark.parametrize(("without", "more", "missing"), NEEDED, ids=[row[0] for row in NEEDED])
def test_whoever_starts_a_job_needs_every_right_for_it(
    runner: JobRunner, without: str, more: dict[str, Any], missing: str
):
    passed = {"StringEquals": {"iam:PassedToService": SAGEMAKER}}
    rights = [
        {"Action": "sagemaker:CreateProcessingJob", "Resource": f"{ARN}/*"},
        {"Action": "sagemaker:AddTags", "Resource": f"{ARN}/*"},
        {"Action": "iam:PassRole", "Resource": runner.role, "Condition": passed},
    ]
    _, keys = make_user(runner.sandbox, *(right for right in rights if right["Action"] != without))
    with pytest.raises(
        ClientError,
        match=f"AccessDeniedException.* is not authorized to perform: {missing} on resource: ",
    ):
        runner.start("", sagemaker=runner.sandbox.client("sagemaker", keys), **more)


def test_with_these_rights_a_job_starts(runner: JobRunner):
    passed = {"StringEquals": {"iam:PassedToService": SAGEMAKER}}
    _, keys = make_user(
        runner.sandbox,
        {"Action": ["sagemaker:CreateProcessingJob", "sagemaker:AddTags"], "Resource": f"{ARN}/*"},
        {"Action": "iam:PassRole", "Resource": runner.role, "Condition": passed},
    )
    name = runner.start(
        "", sagemaker=runner.sandbox.client("sagemaker", keys), Tags=[{"Key": "a", "Value": "b"}]
    )

    assert runner.sagemaker.list_tags(ResourceArn=f"{ARN}/{name}")["Tags"] == [
        {"Key": "a", "Value": "b"}
    ]
    assert runner.end(name)["ProcessingJobStatus"] == "Completed"


def test_a_condition_sees_the_instance_type_and_the_longest_time(runner: JobRunner):
    limits = {
        "ForAllValues:StringLike": {"sagemaker:InstanceTypes": ["ml.t3.*"]},
        "NumericLessThanEquals": {"sagemaker:MaxRuntimeInSeconds": "60"},
    }
    _, keys = make_user(
        runner.sandbox,
        {"Action": "sagemaker:CreateProcessingJob", "Resource": f"{ARN}/*", "Condition": limits},
        {"Action": "iam:PassRole", "Resource": runner.role},
    )
    limited = runner.sandbox.client("sagemaker", keys)

    for seconds in ({}, {"StoppingCondition": {"MaxRuntimeInSeconds": 61}}):
        with pytest.raises(ClientError, match="AccessDenied"):
            runner.start("", sagemaker=limited, **seconds)
    name = runner.start("", sagemaker=limited, StoppingCondition={"MaxRuntimeInSeconds": 60})
    assert runner.end(name)["ProcessingJobStatus"] == "Completed"


def test_a_role_for_another_service_is_refused(runner: JobRunner):
    role = make_role(runner.sandbox, "lambda.amazonaws.com")
    with pytest.raises(ClientError, match=f"Could not assume role {role}"):
        runner.start("", RoleArn=role)


def pid_of(runner: JobRunner, name: str) -> int:
    """The process of a job that prints its number first."""
    wait_until(lambda: runner.printed(name))
    return int(runner.printed(name)[0])


def gone(pid: int) -> bool:
    """Whether the process lives no more; one that nobody has waited for is gone."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


NUMBERED = "print(os.getpid()); import time; time.sleep(600)"


def test_a_reset_ends_every_job(runner: JobRunner):
    pid = pid_of(runner, runner.start(NUMBERED))
    reset_sandbox(runner.sandbox)
    wait_until(lambda: gone(pid))

    assert runner.sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []


def test_no_job_outlives_a_server_that_is_killed(start_sandbox: Callable[..., Sandbox]):
    sandbox = start_sandbox()
    sandbox.client("s3").create_bucket(Bucket="bucket")
    runner = JobRunner(sandbox, "bucket", make_role(sandbox, SAGEMAKER, *RIGHTS))
    name = runner.start(f"print(os.getppid(), os.getpid()); {NUMBERED}")
    wait_until(lambda: runner.printed(name))
    first, entry = map(int, runner.printed(name)[0].split())
    server = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)

    assert wait_until(lambda: gone(first) and gone(entry))


# A job in a network.


@dataclass(frozen=True)
class JobSubnet:
    """A network with one subnet and one security group, and what a job says to run there."""

    vpc: str
    subnet: str
    group: str

    @property
    def config(self) -> dict[str, Any]:
        return {"VpcConfig": {"Subnets": [self.subnet], "SecurityGroupIds": [self.group]}}


@pytest.fixture
def network(runner: JobRunner) -> JobSubnet:
    ec2 = runner.sandbox.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=vpc)["GroupId"]
    return JobSubnet(vpc, subnet, group)


DESCRIBE_NETWORK = (
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
)
CHANGE_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
)
NO_INTERFACE = (
    "The execution role cannot create network interfaces in the subnets of VpcConfig: it lacks "
)


@pytest.mark.parametrize(
    ("rights", "lacking"),
    [
        ((), DESCRIBE_NETWORK),
        (DESCRIBE_NETWORK, CHANGE_INTERFACES),
        ((*DESCRIBE_NETWORK, *CHANGE_INTERFACES[1:]), CHANGE_INTERFACES[:1]),
        ((*DESCRIBE_NETWORK, *CHANGE_INTERFACES), ()),
    ],
    ids=["no right", "only looking", "all but one", "all nine"],
)
def test_a_job_in_a_network_needs_nine_rights_of_ec2(
    runner: JobRunner, network: JobSubnet, rights: tuple[str, ...], lacking: tuple[str, ...]
):
    runner.role = make_role(runner.sandbox, SAGEMAKER, *RIGHTS, *rights)
    ended = runner.run("", NetworkConfig=network.config)

    assert ended["ProcessingJobStatus"] == ("Failed" if lacking else "Completed")
    assert ended.get("FailureReason", "") == (
        f"ClientError: {NO_INTERFACE}{', '.join(sorted(lacking))}." if lacking else ""
    )


def test_the_rights_may_be_bound_to_the_subnets_and_groups_of_jobs(
    runner: JobRunner, network: JobSubnet
):
    place = f"arn:aws:ec2:us-east-1:{ACCOUNT}"
    rights = policy_document(
        {"Action": list(DESCRIBE_NETWORK), "Resource": "*"},
        {
            "Action": CHANGE_INTERFACES[0],
            "Resource": [
                f"{place}:network-interface/*",
                f"{place}:subnet/{network.subnet}",
                f"{place}:security-group/{network.group}",
            ],
        },
        {
            "Action": list(CHANGE_INTERFACES[1:]),
            "Resource": f"{place}:network-interface/*",
            "Condition": {"ArnEquals": {"ec2:Subnet": f"{place}:subnet/{network.subnet}"}},
        },
    )
    runner.sandbox.client("iam").put_role_policy(
        RoleName=runner.role.rpartition("/")[2], PolicyName="network", PolicyDocument=rights
    )
    ec2 = runner.sandbox.client("ec2")
    other = ec2.create_subnet(VpcId=network.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    here = runner.run("", NetworkConfig=network.config)
    there = runner.run("", NetworkConfig=JobSubnet(network.vpc, other, network.group).config)

    assert here["ProcessingJobStatus"] == "Completed"
    assert there["FailureReason"] == f"ClientError: {NO_INTERFACE}{', '.join(CHANGE_INTERFACES)}."


def test_a_job_in_a_subnet_that_does_not_exist_fails(runner: JobRunner):
    runner.role = make_role(runner.sandbox, SAGEMAKER, *RIGHTS, "ec2:*")
    nowhere = JobSubnet("", "subnet-nowhere", "sg-nowhere")
    ended = runner.run("", NetworkConfig=nowhere.config)

    assert ended["FailureReason"].startswith("ClientError: subnet-nowhere of VpcConfig does not")


def test_a_job_in_a_network_is_refused_at_once_where_the_switch_says_so(
    runner: JobRunner, network: JobSubnet
):
    runner.switch(job_network_fails_at="create")

    with pytest.raises(ClientError, match=f"{NO_INTERFACE}.*ec2:DescribeVpcs") as refused:
        runner.start("", NetworkConfig=network.config)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert runner.run("")["ProcessingJobStatus"] == "Completed"
