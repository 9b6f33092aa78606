"""Processing jobs as rules.

What is refused and how, how a job's status changes, what its event has.
"""

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sandbox.processing import JobSwitches, ProcessingJob, ProcessingJobs
from sandbox.processing.container import RoleCredentials
from sandbox.processing.job_run import path_within, split_uri
from sandbox.processing.jobs import job_event_detail
from sandbox.studio import SageMakerError

ROLE = "arn:aws:iam::000000000000:role/service/processing"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:processing-job/abalone"
CODE = {
    "InputName": "code",
    "S3Input": {
        "S3Uri": "s3://ops/code/x.py", "LocalPath": "/opt/ml/processing/input/code", "S3DataType": "S3Prefix", "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None",
    },
}  # fmt: skip
EVENTS = {
    "OutputName": "events",
    "S3Output": {
        "S3Uri": "s3://ops/runs/",
        "LocalPath": "/opt/ml/processing/events/",
        "S3UploadMode": "Continuous",
    },
}
CLUSTER = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30}


def asked(**more: Any) -> dict[str, Any]:
    """A request for a job, with other members in the place of its own."""
    return {
        "ProcessingJobName": "abalone",
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "AppSpecification": {
            "ImageUri": "image",
            "ContainerEntrypoint": ["smspark-submit", "x.py"],
            "ContainerArguments": ["--a", "1"],
        },
        "RoleArn": ROLE,
        "ProcessingInputs": [CODE],
        "ProcessingOutputConfig": {"Outputs": [EVENTS]},
        "Environment": {},
    } | more


@dataclass
class JobService:
    """The service with a clock that stands still, and a record of what it reports."""

    now: float = 1000.0
    begun: list[ProcessingJob] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    trusted: set[str] = field(default_factory=lambda: {ROLE})

    def __post_init__(self) -> None:
        self.jobs = ProcessingJobs(
            "000000000000", "us-east-1", lambda: self.now, lambda role, _: role in self.trusted, self.begun.append,
            lambda job: self.stopped.append(job.name), lambda job: self.reported.append(f"{job.name} {job.status}"),
        )  # fmt: skip

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.jobs.call(operation, request)

    def make(self, name: str = "abalone", **more: Any) -> ProcessingJob:
        """A new job."""
        self.call("CreateProcessingJob", **asked(ProcessingJobName=name, **more))
        return self.jobs.jobs[name]

    def refusal(self, operation: str, **request: Any) -> tuple[str, str]:
        """Code and text with which a call is refused."""
        with pytest.raises(SageMakerError) as refused:
            self.call(operation, **request)
        return refused.value.code, refused.value.message


@pytest.fixture
def service() -> JobService:
    return JobService()


def test_a_job_is_in_progress_as_soon_as_it_is_made(service: JobService):
    made = service.call("CreateProcessingJob", **asked(ProcessingJobName="Abalone"))
    reported = service.call("DescribeProcessingJob", ProcessingJobName="Abalone")

    assert made == {"ProcessingJobArn": ARN}
    assert reported == asked(ProcessingJobName="Abalone") | {
        "ProcessingJobArn": ARN, "ProcessingJobStatus": "InProgress", "CreationTime": 1000.0, "LastModifiedTime": 1000.0,
    }  # fmt: skip
    assert (service.reported, [job.name for job in service.begun]) == (
        ["Abalone InProgress"],
        ["Abalone"],
    )


def test_a_job_that_ends_shows_when_and_why(service: JobService):
    job = service.make()
    service.now = 1010.0
    began = service.jobs.mark_started(job)
    service.now = 1020.0
    service.jobs.mark_ended(job, "Failed", "AlgorithmError: , exit code: 13", "too much quarantine")
    reported = service.call("DescribeProcessingJob", ProcessingJobName="abalone")

    times = {
        name: reported[name]
        for name in ("CreationTime", "ProcessingStartTime", "ProcessingEndTime", "LastModifiedTime")
    }
    assert began
    assert times == {
        "CreationTime": 1000.0,
        "ProcessingStartTime": 1010.0,
        "ProcessingEndTime": 1020.0,
        "LastModifiedTime": 1020.0,
    }
    assert reported["FailureReason"] == "AlgorithmError: , exit code: 13"
    assert reported["ExitMessage"] == "too much quarantine"
    assert service.reported == ["abalone InProgress", "abalone Failed"]


def test_reason_and_message_are_cut_to_a_kilobyte_between_characters(service: JobService):
    job = service.make()
    service.jobs.mark_ended(job, "Failed", "a" * 2000, "a" + "ü" * 1000)

    assert (job.failure, job.message) == ("a" * 1024, "a" + "ü" * 511)


def test_a_name_is_used_once(service: JobService):
    service.make()
    why = (
        "Job name must be unique within an AWS account and region, and a job with this name "
        "already exists"
    )

    assert service.refusal("CreateProcessingJob", **asked()) == ("ResourceInUse", f"{why} ({ARN})")


def test_the_name_of_a_deleted_job_is_free_again(service: JobService):
    service.jobs.mark_ended(service.make(), "Completed")
    service.call("DeleteProcessingJob", ProcessingJobName="abalone")

    assert service.make().status == "InProgress"


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_a_job_that_runs_is_not_deleted(service: JobService, status: str):
    service.make().status = status

    assert service.refusal("DeleteProcessingJob", ProcessingJobName="abalone")[0] == "ResourceInUse"


def test_a_role_that_sagemaker_cannot_assume_is_refused(service: JobService):
    service.trusted.clear()
    why = (
        f"Could not assume role {ROLE}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )

    assert service.refusal("CreateProcessingJob", **asked()) == ("ValidationException", why)


def test_instances_beyond_the_quota_are_refused_with_the_quota_s_name(service: JobService):
    service.jobs.switches = JobSwitches(job_instances_quota=3)
    service.make("first")
    code, text = service.refusal("CreateProcessingJob", **asked(ProcessingJobName="second"))
    service.jobs.mark_ended(service.jobs.jobs["first"], "Completed")

    assert code == "ResourceLimitExceeded"
    assert text.startswith(
        "The account-level service limit 'ml.m5.xlarge for processing job usage' is 3 Instances, "
        "with current utilization of "
        "2 Instances and a request delta of 2 Instances."
    )
    assert service.make("second").status == "InProgress"


WRONG: dict[str, dict[str, Any]] = {
    "no name": {"ProcessingJobName": None},
    "a name of 64 characters": {"ProcessingJobName": "a" * 64},
    "a name that ends with a hyphen": {"ProcessingJobName": "abalone-"},
    "no role": {"RoleArn": None},
    "no image": {"AppSpecification": {"ContainerEntrypoint": ["x"]}},
    "an argument of 257 characters": {
        "AppSpecification": {"ImageUri": "i", "ContainerArguments": ["a" * 257]}
    },
    "101 arguments": {"AppSpecification": {"ImageUri": "i", "ContainerArguments": ["a"] * 101}},
    "no argument in a list of them": {
        "AppSpecification": {"ImageUri": "i", "ContainerArguments": []}
    },
    "11 inputs": {"ProcessingInputs": [CODE | {"InputName": f"code{n}"} for n in range(11)]},
    "two inputs of one name": {"ProcessingInputs": [CODE, CODE]},
    "11 outputs": {
        "ProcessingOutputConfig": {
            "Outputs": [EVENTS | {"OutputName": f"events{n}"} for n in range(11)]
        }
    },
    "an input outside the folder for inputs": {
        "ProcessingInputs": [CODE | {"S3Input": CODE["S3Input"] | {"LocalPath": "/opt/x"}}]
    },
    "an input that leaves the folder for inputs": {
        "ProcessingInputs": [
            CODE | {"S3Input": CODE["S3Input"] | {"LocalPath": "/opt/ml/processing/../x"}}
        ]
    },
    "an unknown data type": {
        "ProcessingInputs": [CODE | {"S3Input": CODE["S3Input"] | {"S3DataType": "Prefix"}}]
    },
    "no instance": {"ProcessingResources": {"ClusterConfig": CLUSTER | {"InstanceCount": 0}}},
    "101 instances": {"ProcessingResources": {"ClusterConfig": CLUSTER | {"InstanceCount": 101}}},
    "an unknown instance type": {
        "ProcessingResources": {"ClusterConfig": CLUSTER | {"InstanceType": "ml.m5.tiny"}}
    },
    "a limit of no time": {"StoppingCondition": {"MaxRuntimeInSeconds": 0}},
    "a limit beyond nine days": {"StoppingCondition": {"MaxRuntimeInSeconds": 777_601}},
    "an environment of 101 variables": {"Environment": {f"V{n}": "x" for n in range(101)}},
    "a variable's name with a hyphen": {"Environment": {"A-B": "x"}},
    "a value of 257 characters": {"Environment": {"A": "x" * 257}},
    "51 tags": {"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]},
}


@pytest.mark.parametrize("more", WRONG.values(), ids=WRONG.keys())
def test_what_the_model_forbids_is_refused(service: JobService, more: dict[str, Any]):
    assert service.refusal("CreateProcessingJob", **asked(**more))[0] == "ValidationException"
    assert service.jobs.jobs == {}


LARGEST: dict[str, dict[str, Any]] = {
    "a name of 63 characters": {"ProcessingJobName": "a" * 63},
    "an argument of 256 characters": {
        "AppSpecification": {"ImageUri": "i", "ContainerArguments": ["a" * 256]}
    },
    "100 arguments": {"AppSpecification": {"ImageUri": "i", "ContainerArguments": ["a"] * 100}},
    "10 inputs": {"ProcessingInputs": [CODE | {"InputName": f"code{n}"} for n in range(10)]},
    "nine days": {"StoppingCondition": {"MaxRuntimeInSeconds": 777_600}},
}


@pytest.mark.parametrize("more", LARGEST.values(), ids=LARGEST.keys())
def test_what_the_model_just_allows_is_accepted(service: JobService, more: dict[str, Any]):
    assert "ProcessingJobArn" in service.call("CreateProcessingJob", **asked(**more))


LEFT_OUT: dict[str, dict[str, Any]] = {
    "S3DataType ManifestFile": {
        "ProcessingInputs": [CODE | {"S3Input": CODE["S3Input"] | {"S3DataType": "ManifestFile"}}]
    },
    "S3InputMode Pipe": {
        "ProcessingInputs": [CODE | {"S3Input": CODE["S3Input"] | {"S3InputMode": "Pipe"}}]
    },
    "DatasetDefinition": {"ProcessingInputs": [{"InputName": "x", "DatasetDefinition": {}}]},
    "AppManaged": {"ProcessingInputs": [CODE | {"AppManaged": True}]},
    "EnableNetworkIsolation": {"NetworkConfig": {"EnableNetworkIsolation": True}},
}


@pytest.mark.parametrize(("what", "more"), LEFT_OUT.items(), ids=LEFT_OUT.keys())
def test_what_the_sandbox_does_not_have_is_refused_by_its_name(
    service: JobService, what: str, more: dict[str, Any]
):
    why = f"The sandbox has no {what} for processing jobs, and does not act as if it had."

    assert service.refusal("CreateProcessingJob", **asked(**more)) == ("ValidationException", why)


def test_a_job_that_runs_is_stopping_until_its_container_has_ended(service: JobService):
    job = service.make()
    service.jobs.mark_started(job)
    service.call("StopProcessingJob", ProcessingJobName="abalone")
    stopping = job.status
    service.jobs.mark_ended(job, "Stopped")

    assert (stopping, service.stopped) == ("Stopping", ["abalone"])
    assert service.reported == ["abalone InProgress", "abalone Stopping", "abalone Stopped"]


def test_a_job_that_waits_is_stopped_at_once_and_never_begins(service: JobService):
    job = service.make()
    service.call("StopProcessingJob", ProcessingJobName="abalone")

    assert (job.status, job.ended, service.stopped) == ("Stopped", 1000.0, [])
    assert not service.jobs.mark_started(job)


@pytest.mark.parametrize("status", ["Stopping", "Completed", "Failed", "Stopped"])
def test_only_a_job_in_progress_can_be_stopped(service: JobService, status: str):
    service.make().status = status
    why = f"The request was rejected because the processing job is in status {status}."

    assert service.refusal("StopProcessingJob", ProcessingJobName="abalone") == (
        "ValidationException",
        why,
    )


@pytest.mark.parametrize(
    "operation", ["DescribeProcessingJob", "StopProcessingJob", "DeleteProcessingJob"]
)
def test_a_job_that_is_not_there_is_not_found(service: JobService, operation: str):
    assert service.refusal(operation, ProcessingJobName="nobody")[0] == "ResourceNotFound"


def test_tags_are_kept_and_not_described(service: JobService):
    service.make(Tags=[{"Key": "team", "Value": "product"}])
    service.call("AddTags", ResourceArn=ARN, Tags=[{"Key": "cost", "Value": "1"}])
    service.call("DeleteTags", ResourceArn=ARN, TagKeys=["team"])

    assert service.call("ListTags", ResourceArn=ARN)["Tags"] == [{"Key": "cost", "Value": "1"}]
    assert "Tags" not in service.call("DescribeProcessingJob", ProcessingJobName="abalone")


@pytest.fixture
def four(service: JobService) -> JobService:
    """Four jobs, made a second apart.

    The second has failed and the third is completed, both at 1010.
    """
    for n, name in enumerate(["d", "c", "b", "a"]):
        service.now = 1000.0 + n
        service.make(f"job-{name}")
    service.now = 1010.0
    service.jobs.mark_ended(service.jobs.jobs["job-c"], "Failed", "why")
    service.jobs.mark_ended(service.jobs.jobs["job-b"], "Completed")
    return service


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "dcba"),
    ({"SortOrder": "Descending"}, "abcd"),
    ({"SortBy": "Name"}, "abcd"),
    ({"SortBy": "Status", "SortOrder": "Descending"}, "dacb"),
    ({"NameContains": "B-"}, "dcba"),
    ({"NameContains": "-B"}, "b"),
    ({"StatusEquals": "Failed"}, "c"),
    ({"CreationTimeAfter": 1001.5}, "ba"),
    ({"CreationTimeBefore": 1001.5}, "dc"),
    ({"LastModifiedTimeAfter": 1005}, "cb"),
    ({"LastModifiedTimeBefore": 1005}, "da"),
]


@pytest.mark.parametrize(("request_", "names"), FILTERS, ids=[str(row[0]) for row in FILTERS])
def test_a_list_shows_what_is_requested_in_the_requested_order(
    four: JobService, request_: dict[str, Any], names: str
):
    listed = four.call("ListProcessingJobs", **request_)["ProcessingJobSummaries"]

    assert "".join(each["ProcessingJobName"][-1] for each in listed) == names


def test_a_list_comes_in_pages(four: JobService):
    first = four.call("ListProcessingJobs", MaxResults=3)
    rest = four.call("ListProcessingJobs", MaxResults=3, NextToken=first["NextToken"])

    assert [each["ProcessingJobName"] for each in rest["ProcessingJobSummaries"]] == ["job-a"]
    assert "NextToken" not in rest


def test_an_event_has_its_times_in_milliseconds_its_words_in_capitals_and_no_arguments(
    service: JobService,
):
    job = service.make(
        StoppingCondition={"MaxRuntimeInSeconds": 3600}, Tags=[{"Key": "a", "Value": "b"}]
    )
    reported = job_event_detail(
        replace(
            job,
            status="Failed",
            started=1001.5,
            ended=1002.25,
            modified=1002.25,
            failure="AlgorithmError: , exit code: 1",
        )
    )

    assert reported == {
        "ProcessingJobName": "abalone",
        "ProcessingJobArn": ARN,
        "ProcessingJobStatus": "Failed",
        "FailureReason": "AlgorithmError: , exit code: 1",
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingInputs": [{
            "InputName": "code",
            "S3Input": {
                "S3Uri": "s3://ops/code/x.py", "LocalPath": "/opt/ml/processing/input/code", "S3DataType": "S3_PREFIX",
                "S3InputMode": "FILE", "S3DataDistributionType": "FULLYREPLICATED", "S3CompressionType": "NONE",
            },
        }],
        "ProcessingOutputConfig": {"Outputs": [{
            "OutputName": "events",
            "S3Output": {"S3Uri": "s3://ops/runs/", "LocalPath": "/opt/ml/processing/events/", "S3UploadMode": "CONTINUOUS"},
        }]},
        "CreationTime": 1000000,
        "ProcessingStartTime": 1001500,
        "ProcessingEndTime": 1002250,
        "LastModifiedTime": 1002250,
    }  # fmt: skip


def test_a_session_is_kept_as_long_as_a_third_of_its_time_is_left():
    now, made = [1000.0], []

    def make(seconds: float) -> dict[str, str]:
        made.append(seconds)
        return {"AccessKeyId": f"A{len(made)}", "SecretAccessKey": "S", "SessionToken": "T"}

    with closing(RoleCredentials(make, ROLE, 3600, lambda: now[0])) as credentials:
        keys = []
        for now[0] in (1000.0, 3400.0, 3401.0, 3402.0):
            keys.append(credentials.describe_keys()["AccessKeyId"])
        reported = credentials.describe_keys()

    assert (keys, made) == (["A1", "A1", "A2", "A2"], [3600, 3600])
    assert reported == {
        "AccessKeyId": "A2", "SecretAccessKey": "S", "Token": "T", "RoleArn": ROLE, "Expiration": "1970-01-01T01:56:41Z",
    }  # fmt: skip


PLACES = [
    ("code/ab/x.py", "code/ab/x.py", "x.py"),
    ("code/ab/x.zip", "code/ab", "x.zip"),
    ("code/ab/x.zip", "code/ab/", "x.zip"),
    ("code/ab/deep/x.zip", "code/ab", "deep/x.zip"),
    ("code/ab/x.zip", "code/a", "ab/x.zip"),
    ("code/x.zip", "", "code/x.zip"),
]


@pytest.mark.parametrize(("key", "prefix", "place"), PLACES)
def test_an_object_lies_where_its_key_goes_on_after_the_prefix(key: str, prefix: str, place: str):
    assert path_within(key, prefix) == place


@pytest.mark.parametrize(
    "uri", ["s3://bucket/a/b", "https://s3.us-east-1.amazonaws.com/bucket/a/b"]
)
def test_both_kinds_of_address_name_a_bucket_and_a_key(uri: str):
    assert split_uri(uri) == ("bucket", "a/b")
