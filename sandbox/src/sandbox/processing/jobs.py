"""The processing jobs of one account and Region, as values: requests, their checks, and job events.

Limits are those of the published model (botocore, sagemaker 2017-07-24). A request for something
that is not emulated is refused, never ignored. Who runs a job is passed in and reports how the job
ended.

Shape of an event: AWS, "Amazon SageMaker AI events", SageMaker Processing Job State Change. Times
are in milliseconds since the epoch, enumerations are in capitals, and of what runs only the image
is named. DescribeProcessingJob has the rest.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

from sandbox.processing.job_requests import check_job_request
from sandbox.studio.sagemaker_requests import (
    ListOrder,
    SageMakerError,
    SageMakerRequest,
    add_resource_tags,
    delete_resource_tags,
    list_page,
    list_resource_tags,
    require_member,
    require_name,
    require_one_of,
)
from sandbox.switches import JobSwitches

JOB_OPERATIONS: dict[str, Callable[["ProcessingJobs", SageMakerRequest], dict[str, Any]]] = {}
TAG_OPERATIONS = (
    "AddTags",
    "ListTags",
    "DeleteTags",
)  # operations that serve every kind of resource
RUNNING_STATUSES = ("InProgress", "Stopping")
KILOBYTE = 1024  # bytes that FailureReason and ExitMessage may hold
DEFAULT_TIME_LIMIT = 86400  # seconds that a job without a limit may run
# The words of AWS's example. Words that it does not show are converted in the same way.
CAPITALIZED = {
    "FullyReplicated": "FULLYREPLICATED",
    "ShardedByS3Key": "SHARDEDBYS3KEY",
    "S3Prefix": "S3_PREFIX",
}
ENUMERATED_MEMBERS = (
    "S3DataType",
    "S3InputMode",
    "S3DataDistributionType",
    "S3CompressionType",
    "S3UploadMode",
)
TIME_MEMBERS = ("ProcessingEndTime", "ProcessingStartTime", "LastModifiedTime", "CreationTime")
EVENT_MEMBERS = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingJobName",
    "ProcessingResources",
    "StoppingCondition",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
    "ProcessingJobArn",
    "ProcessingJobStatus",
    "FailureReason",
)


@dataclass
class ProcessingJob:
    """One job: its request, and its state. Times are seconds since the epoch."""

    asked: SageMakerRequest
    arn: str
    created: float
    modified: float
    status: str = "InProgress"
    started: float | None = None
    ended: float | None = None
    failure: str = ""
    message: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.asked["ProcessingJobName"])

    @property
    def limit(self) -> int:
        """Return how long it may run, in seconds."""
        return int(
            (self.asked.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
            or DEFAULT_TIME_LIMIT
        )

    @property
    def instances(self) -> tuple[str, int]:
        """Return type and number of the instances that it holds."""
        cluster = self.asked["ProcessingResources"]["ClusterConfig"]
        return str(cluster["InstanceType"]), int(cluster["InstanceCount"])

    def summarize(self) -> dict[str, Any]:
        """Return what a list shows of it. Members without a value are left out."""
        members = {
            "ProcessingJobName": self.name,
            "ProcessingJobArn": self.arn,
            "CreationTime": self.created,
            "ProcessingEndTime": self.ended,
            "LastModifiedTime": self.modified,
            "ProcessingJobStatus": self.status,
            "FailureReason": self.failure,
            "ExitMessage": self.message,
        }
        return {key: value for key, value in members.items() if value not in (None, "")}

    def describe(self, form: str = "asked") -> dict[str, Any]:
        """Return its request, with its state; `form` as in JobSwitches.job_description."""
        asked = {key: value for key, value in self.asked.items() if key != "Tags"}
        if form == "defaults":
            asked = _add_defaults(asked)
        return (
            asked
            | self.summarize()
            | ({} if self.started is None else {"ProcessingStartTime": self.started})
        )


@dataclass
class ProcessingJobs:
    """The service.

    `can_assume` says whether SageMaker can assume a role for an ARN; `publish` receives every
    new status. `start` runs a job, which calls `mark_started` and `mark_ended`; `stop` ends a
    container. Both return at once.
    """

    account: str
    region: str
    clock: Callable[[], float]
    can_assume: Callable[[str, str], bool]
    start: Callable[[ProcessingJob], None]
    stop: Callable[[ProcessingJob], None]
    publish: Callable[[ProcessingJob], None]
    switches: JobSwitches = field(default_factory=JobSwitches)
    jobs: dict[str, ProcessingJob] = field(default_factory=dict)
    _lock: Any = field(default_factory=RLock)
    _changes: deque[ProcessingJob] = field(default_factory=deque)

    def call(self, name: str, request: SageMakerRequest) -> dict[str, Any]:
        """Carry out one operation. Raises SageMakerError as SageMaker would."""
        with self._lock:
            answer = JOB_OPERATIONS[name](self, request)
        self._publish_changes()
        return answer

    def arn(self, name: str) -> str:
        """Return a job's ARN, which has its name in lower case."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:processing-job/{name.lower()}"

    def mark_started(self, job: ProcessingJob) -> bool:
        """Note that the job's container is being prepared.

        Return False if the job must no longer run.
        """
        with self._lock:
            if job.status != "InProgress":
                return False
            job.started = self.clock()
            return True

    def mark_ended(
        self,
        job: ProcessingJob,
        status: str,
        failure: str = "",
        message: str = "",
        *,
        at_limit: bool = False,
    ) -> None:
        """Note the job's end: Completed, Failed or Stopped; `at_limit` if its time was over."""
        with self._lock:
            job.failure, job.message = _cut_to_kilobyte(failure), _cut_to_kilobyte(message)
            job.ended = self.clock()
            if at_limit and job.started is not None:
                job.ended = max(job.ended, job.started + job.limit)
            self.change_status(job, status)
        self._publish_changes()

    def change_status(self, job: ProcessingJob, status: str) -> None:
        """Set a new status, as of now."""
        job.status, job.modified = status, self.clock()
        self._changes.append(replace(job))

    def _publish_changes(self) -> None:
        """Publish each change as it was. No lock is held, so the receiver may call back."""
        while self._changes:
            self.publish(self._changes.popleft())

    def forget_all(self) -> None:
        """Forget all jobs. Those that wait never start, and nothing is published."""
        with self._lock:
            for job in self.jobs.values():
                job.status = "Stopped"
            self.jobs.clear()

    def require_job(self, request: SageMakerRequest) -> ProcessingJob:
        """Return the job that the request names. Raises ResourceNotFound if it does not exist."""
        found = self.jobs.get(require_name(request, "ProcessingJobName"))
        if found is None:
            raise SageMakerError(
                "ResourceNotFound",
                f"Requested resource not found: processing job {request['ProcessingJobName']}",
            )
        return found


def job_operation(
    do: Callable[[ProcessingJobs, SageMakerRequest], dict[str, Any]],
) -> Callable[[ProcessingJobs, SageMakerRequest], dict[str, Any]]:
    """Register an operation under its AWS name."""
    JOB_OPERATIONS["".join(word.capitalize() for word in do.__name__.split("_"))] = do
    return do


@job_operation
def create_processing_job(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    check_job_request(request)
    name = request["ProcessingJobName"]
    arn = service.arn(name)
    if name in service.jobs:
        why = (
            "Job name must be unique within an AWS account and region, and a job with this name "
            "already exists"
        )
        raise SageMakerError("ResourceInUse", f"{why} ({service.jobs[name].arn})")
    _check_job_role(service, request["RoleArn"], arn)
    _check_quota(service, request["ProcessingResources"]["ClusterConfig"])
    now = service.clock()
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
    job = service.jobs[name] = ProcessingJob(request, arn, now, now, tags=tags)
    service.change_status(job, "InProgress")
    service.start(job)
    return {"ProcessingJobArn": arn}


@job_operation
def describe_processing_job(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    return service.require_job(request).describe(service.switches.job_description)


@job_operation
def list_processing_jobs(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    listed = [
        job.summarize() for job in service.jobs.values() if _matches_list_request(job, request)
    ]
    by = require_one_of(request, "SortBy", "CreationTime", "Name", "Status")
    falling = require_one_of(request, "SortOrder", "Ascending", "Descending") == "Descending"
    member = {"Name": "ProcessingJobName", "Status": "ProcessingJobStatus"}.get(by, by)
    order = ListOrder(lambda item: [item[member], item["ProcessingJobName"]], falling)
    return list_page("ProcessingJobSummaries", listed, order, request)


@job_operation
def stop_processing_job(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    job = service.require_job(request)
    if job.status != "InProgress":
        raise SageMakerError(
            "ValidationException",
            f"The request was rejected because the processing job is in status {job.status}.",
        )
    waits = job.started is None
    service.change_status(job, "Stopping")
    if waits:
        job.ended = service.clock()
        service.change_status(job, "Stopped")
    else:
        service.stop(job)
    return {}


@job_operation
def delete_processing_job(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    job = service.require_job(request)
    if job.status in RUNNING_STATUSES:
        why = "only jobs that are Completed, Failed or Stopped can be deleted."
        raise SageMakerError(
            "ResourceInUse", f"Processing job {job.name} is in status {job.status}; {why}"
        )
    del service.jobs[job.name]
    return {}


@job_operation
def add_tags(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    return add_resource_tags(_find_tagged_job(service, request), request)


@job_operation
def list_tags(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    return list_resource_tags(_find_tagged_job(service, request), request)


@job_operation
def delete_tags(service: ProcessingJobs, request: SageMakerRequest) -> dict[str, Any]:
    return delete_resource_tags(_find_tagged_job(service, request), request)


def _check_job_role(service: ProcessingJobs, role: str, arn: str) -> None:
    if not service.can_assume(role, arn):
        why = (
            f"Could not assume role {role}. Please ensure that the role exists and allows "
            "principal 'sagemaker.amazonaws.com'"
        )
        raise SageMakerError("ValidationException", f"{why} to assume the role.")


def _check_quota(service: ProcessingJobs, cluster: SageMakerRequest) -> None:
    kind, wanted = cluster["InstanceType"], cluster["InstanceCount"]
    used = sum(
        job.instances[1]
        for job in service.jobs.values()
        if job.status in RUNNING_STATUSES and job.instances[0] == kind
    )
    quota = service.switches.job_instances_quota
    if used + wanted > quota:
        why = (
            f"The account-level service limit '{kind} for processing job usage' is {quota} "
            "Instances, with current utilization"
        )
        what_now = (
            "Please use AWS Service Quotas to request an increase for this quota. If AWS Service "
            "Quotas is not available, contact AWS support to request an increase for this quota."
        )
        text = f"{why} of {used} Instances and a request delta of {wanted} Instances. {what_now}"
        raise SageMakerError("ResourceLimitExceeded", text)


def _matches_list_request(job: ProcessingJob, request: SageMakerRequest) -> bool:
    """Return whether a list request includes the job."""
    return (
        request.get("NameContains", "").lower() in job.name.lower()
        and request.get("StatusEquals", job.status) == job.status
        and request.get("CreationTimeAfter", 0)
        <= job.created
        <= request.get("CreationTimeBefore", job.created)
        and request.get("LastModifiedTimeAfter", 0)
        <= job.modified
        <= request.get("LastModifiedTimeBefore", job.modified)
    )


def _find_tagged_job(service: ProcessingJobs, request: SageMakerRequest) -> ProcessingJob:
    arn = require_member(request, "ResourceArn")
    for job in service.jobs.values():
        if job.arn == arn:
            return job
    raise SageMakerError("ResourceNotFound", f"[{arn}] does not exist.")


def _add_defaults(asked: dict[str, Any]) -> dict[str, Any]:
    answer = {key: value for key, value in asked.items() if (key, value) != ("Environment", {})}
    if inputs := answer.get("ProcessingInputs"):
        answer["ProcessingInputs"] = [{"AppManaged": False, **each} for each in inputs]
    if outputs := answer.get("ProcessingOutputConfig"):
        listed = [{"AppManaged": False, **each} for each in outputs["Outputs"]]
        answer["ProcessingOutputConfig"] = {**outputs, "Outputs": listed}
    return answer


def _cut_to_kilobyte(text: str) -> str:
    return text.encode()[:KILOBYTE].decode(errors="ignore")


def job_event_detail(job: ProcessingJob) -> dict[str, Any]:
    """Return the detail of the event for the job's current status."""
    known = job.describe()
    members = {
        member: _capitalize_members(known[member]) for member in EVENT_MEMBERS if member in known
    }
    members["AppSpecification"] = {"ImageUri": known["AppSpecification"]["ImageUri"]}
    return members | {
        member: int(known[member] * 1000) for member in TIME_MEMBERS if member in known
    }


def _capitalize_members(value: Any) -> Any:
    if isinstance(value, list):
        return [_capitalize_members(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _capitalize_value(each) if key in ENUMERATED_MEMBERS else _capitalize_members(each)
        for key, each in value.items()
    }


def _capitalize_value(word: str) -> str:
    return CAPITALIZED.get(word) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper()
