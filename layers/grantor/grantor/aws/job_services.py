"""What the launcher uses besides the services of a run: SageMaker's processing jobs, the uploads
that jobs are about, the code of jobs, and the adapters, built from the environment.

Apart from services.py, because the reconciler's cold start would pay for these imports.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import dropwhile, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, error_message, retryable
from grantor.aws.job_store import JobStore
from grantor.aws.queues import UploadQueue
from grantor.aws.s3 import OperationsBucket
from grantor.aws.services import Services, build_services
from grantor.core.grant import split_uri
from grantor.core.jobs.batches import BatchTooLarge, build_batch, explain_long_list
from grantor.core.jobs.job_status import JobDescription, JobStatus
from grantor.core.jobs.request import (
    CodeVersion,
    JobNetwork,
    LaunchEnvironment,
    configuration_path,
    hash_request,
)
from grantor.core.key_pattern import KeyPattern
from grantor.core.policy.job_types import ENTRY
from grantor.core.rules import Start
from grantor.core.snapshot import InputObject
from grantor.settings import MAX_BATCH_PAGES, MAX_COUNTED_VERSIONS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

BUCKET_PLACEHOLDER = "{data_bucket}"  # in the configuration, in place of a data bucket
PACKAGE = "framework.zip"  # the framework and the job type's own files, for spark-submit
DESCRIPTION = "code.json"  # of each packed job type
# In the ValidationException of DescribeProcessingJob
NOT_FOUND_TEXT = "Could not find requested job"
# In a ValidationException: SageMaker cannot assume the role, perhaps because it is new
ASSUME_ROLE_TEXT = "assume role"


class NameTaken(RuntimeError):
    """A processing job of this name exists."""


class QuotaReached(RuntimeError):
    """The account may not use so many instances at once.

    The text is SageMaker's and names the quota.
    """


class RequestRefused(RuntimeError):
    """SageMaker refuses the job for good; the text says why and what to do."""


class ProcessingJobs:
    """The processing jobs of one account and Region."""

    def __init__(self, client: "SageMakerClient") -> None:
        self._client = client

    def create_job(self, request: Mapping[str, Any]) -> str:
        """Start a processing job and return its ARN.

        Costs one call. Raises NameTaken, QuotaReached or RequestRefused.
        """
        arguments: Any = request
        try:
            with retryable():
                return self._client.create_processing_job(**arguments)["ProcessingJobArn"]
        except ClientError as error:
            raise _classify_refusal(error, str(request["RoleArn"])) from error

    def describe_job(self, name: str) -> JobDescription | None:
        """Describe a job; None if there is no job of this name. Costs one call."""
        try:
            with retryable():
                answer = self._client.describe_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFound" or NOT_FOUND_TEXT in error_message(error):
                return None
            raise
        found: Mapping[str, Any] = answer
        return JobDescription(
            name,
            JobStatus(found["ProcessingJobStatus"]),
            _epoch_seconds(found.get("CreationTime")),
            _epoch_seconds(found.get("ProcessingStartTime")),
            _epoch_seconds(found.get("ProcessingEndTime")),
            found.get("FailureReason", ""),
            found.get("ExitMessage", ""),
            found.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 0),
            found["ProcessingJobArn"],
            found["RoleArn"],
            hash_request(found),
        )

    def stop_job(self, name: str) -> None:
        """Ask a job to stop; do nothing if it has ended. Costs one call."""
        try:
            with retryable():
                self._client.stop_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if error_code(error) not in ("ValidationException", "ResourceNotFound"):
                raise


def _classify_refusal(error: ClientError, role: str) -> Exception:
    message = error_message(error)
    match error_code(error):
        case "ResourceInUse":
            return NameTaken(message)
        case "ResourceLimitExceeded":
            return QuotaReached(message)
        case "ValidationException" if ASSUME_ROLE_TEXT in message.lower():
            return RetryableError(f"SageMaker cannot assume {role} yet: {message}")
        case "AccessDeniedException" | "AccessDenied":
            return RequestRefused(_explain_denial(message, role))
    return RequestRefused(f"SageMaker refuses the job: {error_code(error)}: {message}")


def _explain_denial(message: str, role: str) -> str:
    if "PassRole" in message:
        return (
            f"the launcher may not pass {role} to SageMaker: "
            f"name it in the stack's parameter JobRoles. {message}"
        )
    if "AddTags" in message:
        return (
            "the launcher may not tag processing jobs, so it cannot start them: "
            f"allow it sagemaker:AddTags. {message}"
        )
    return (
        "the launcher may not start processing jobs: "
        f"allow it sagemaker:CreateProcessingJob on grantor-*. {message}"
    )


def _epoch_seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0


class Uploads:
    """The objects of every bucket whose versions may be listed."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_latest(self, uri: str) -> InputObject | None:
        """Read the latest version of the object at s3://bucket/key; None if there is none.

        Costs one call.
        """
        bucket, key = split_uri(uri)
        with retryable():
            # Keys come in order, and of each key the newest version first: the object comes before
            # all keys that begin with its key.
            answer = self._client.list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1)
        for found in answer.get("Versions", []):
            if found["Key"] == key and found["IsLatest"]:
                return _parse_version(bucket, found)
        return None

    def list_matching(self, pattern: str) -> list[InputObject]:
        """List the latest version of each object that can match a pattern of keys.

        Costs a call per 1,000 versions that begin with its stem. Raises BatchTooLarge after
        MAX_BATCH_PAGES calls.
        """
        bucket, stem = split_uri(KeyPattern(pattern).stem)
        paginator = self._client.get_paginator("list_object_versions")
        found: list[InputObject] = []
        with retryable():
            for number, page in enumerate(paginator.paginate(Bucket=bucket, Prefix=stem)):
                if number == MAX_BATCH_PAGES:
                    raise BatchTooLarge(explain_long_list(pattern))
                found += [
                    _parse_version(bucket, version)
                    for version in page.get("Versions", ())
                    if version["IsLatest"]
                ]
        return found

    def read_batch(self, pattern: str) -> InputObject | None:
        """Read the objects that match, as one input; None if there is none.

        Costs what list_matching costs. Raises BatchTooLarge.
        """
        return build_batch(pattern, self.list_matching(pattern))

    def count_versions_between(self, given: InputObject, known: str) -> int:
        """Count the versions between the version `known` and this one, at most 10,000.

        Returns 0 if `known` is not found. Costs a call per 1,000 versions.
        """
        with retryable():
            older = dropwhile(
                lambda version: version != given.version, self._iterate_versions(given.uri)
            )
            for count, version in enumerate(islice(older, 1, None)):
                if version == known or count == MAX_COUNTED_VERSIONS:
                    return count
        return 0

    def _iterate_versions(self, uri: str) -> Iterator[str]:
        """Iterate over the ids of the object's versions, newest first."""
        bucket, key = split_uri(uri)
        paginator = self._client.get_paginator("list_object_versions")
        pages: Any = paginator.paginate(Bucket=bucket, Prefix=key)
        listed = (found for page in pages for found in page.get("Versions", ()))
        same_key = takewhile(lambda found: found["Key"] == key, listed)
        return (found["VersionId"] for found in same_key)


def _parse_version(bucket: str, found: Any) -> InputObject:
    return InputObject(
        f"s3://{bucket}/{found['Key']}",
        found["ETag"].strip('"'),
        found["Size"],
        found["VersionId"],
        found["LastModified"].timestamp(),
    )


@dataclass(frozen=True)
class JobCode:
    """The code of one job, in the folder that functions/start_spark_job/pack.py makes for it."""

    folder: Path

    @cached_property
    def code(self) -> CodeVersion:
        """The hash over the job's sources, and the version of its data contract."""
        return CodeVersion(self._description["code"], self._description["contract"])

    @property
    def root(self) -> str:
        """The folder of the code in the operations bucket."""
        return f"code/{self.code.hash}/"

    def build_files(self, *buckets: str) -> Mapping[str, bytes]:
        """Build what must be in the operations bucket before a job on these data buckets starts.

        One hash has the same bytes in every version of Grantor: what is there is compared.
        """
        root = self.root
        configuration = [_name_buckets(one, buckets) for one in self._description["configuration"]]
        return {
            f"{root}{ENTRY}": (self.folder / ENTRY).read_bytes(),
            f"{root}py-files/{PACKAGE}": (self.folder / PACKAGE).read_bytes(),
            f"{root}{configuration_path(buckets)}": json.dumps(configuration, indent=1).encode(),
        }

    @cached_property
    def _description(self) -> Mapping[str, Any]:
        return dict(json.loads((self.folder / DESCRIPTION).read_text()))


def _name_buckets(classification: Mapping[str, Any], buckets: Sequence[str]) -> Mapping[str, Any]:
    """A part of the configuration, with each property of a bucket for each of these buckets."""
    properties = {
        name.replace(BUCKET_PLACEHOLDER, bucket): value
        for name, value in classification["Properties"].items()
        for bucket in (buckets if BUCKET_PLACEHOLDER in name else buckets[:1])
    }
    return {**classification, "Properties": properties}


@dataclass(frozen=True)
class JobNames:
    """The launcher's bucket, its queue's URL, where its roles are listed, and its jobs' network."""

    operations_bucket: str
    upload_queue: str
    roles_parameter: str  # name of the parameter of Systems Manager that lists them
    network: JobNetwork

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "JobNames":
        """Read the settings from a function's environment; lists are comma-separated.

        Raises KeyError with the name of a missing variable.
        """
        subnets, security_groups = (
            _split_list(environment[name]) for name in ("JOB_SUBNETS", "JOB_SECURITY_GROUPS")
        )
        return cls(
            environment["OPERATIONS_BUCKET"],
            environment["UPLOAD_QUEUE"],
            environment["JOB_ROLES_PARAMETER"],
            JobNetwork(subnets, security_groups),
        )


@dataclass
class JobServices:
    """The adapters that the job launcher uses."""

    services: Services
    names: JobNames
    code_folder: Path  # with a folder for each job type that ships

    @cached_property
    def codes(self) -> Mapping[str, JobCode]:
        """The code of each job type that ships, by its name."""
        found = sorted(self.code_folder.glob(f"*/{DESCRIPTION}"))
        return {path.parent.name: JobCode(path.parent) for path in found}

    def read_roles(self) -> frozenset[str]:
        """Read the roles that jobs may run as: ARNs, in which * and ? are wildcards. One call.

        They are no variable of the function, for which all variables share 4 KB. Raises
        RetryableError.
        """
        with retryable():
            found = self.services.clients.ssm.get_parameter(Name=self.names.roles_parameter)
        return frozenset(_split_list(found["Parameter"]["Value"]))

    def launch_environment(self, code: CodeVersion) -> LaunchEnvironment:
        """Where a job with this code is launched."""
        stack = self.services.names
        return LaunchEnvironment(
            stack.stack_name,
            stack.account_id,
            self.services.clients.region,
            self.names.operations_bucket,
            code.hash,
            self.names.network,
        )

    @cached_property
    def jobs(self) -> ProcessingJobs:
        return ProcessingJobs(self.services.clients.processing)

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.services.clients.s3)

    @cached_property
    def operations(self) -> OperationsBucket:
        return OperationsBucket(self.services.clients.s3, self.names.operations_bucket)

    @cached_property
    def store(self) -> JobStore:
        return JobStore(self.services.table)

    @cached_property
    def queue(self) -> UploadQueue:
        return UploadQueue(self.services.clients.sqs, self.names.upload_queue)

    def read_input(self, start: Start) -> InputObject | None:
        """Read what a start reads: one object, or the objects of a batch; None if nothing is there.

        Costs one call, or for a batch a call per 1,000 versions. Raises BatchTooLarge.
        """
        reader = self.uploads.read_batch if start.is_batch else self.uploads.read_latest
        return reader(start.input)

    def place_code(self, code: JobCode, buckets: Sequence[str]) -> None:
        """Make sure that the job's code, and nothing else, is where the job's request points to.

        Costs four calls. Raises CodeChanged.
        """
        self.operations.place_code(code.root, code.build_files(*buckets))

    def clock(self) -> float:
        """The time in seconds since the epoch."""
        return self.services.clock()


def build_job_services(folder: Path, environment: Mapping[str, str] | None = None) -> JobServices:
    """Build the job services from the environment and the folder with the jobs' code.

    Raises KeyError as build_services does.
    """
    variables = os.environ if environment is None else environment
    services = build_services(variables)
    return JobServices(services, JobNames.from_environment(variables), folder)


def _split_list(written: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in written.split(","))))
