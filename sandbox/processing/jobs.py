"""The processing jobs of one account and Region: what is asked for, what has become of it, and how SageMaker says no.

Limits are those of the published model (botocore, sagemaker 2017-07-24). Who runs a job is handed in; it says how the job ended.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

from sandbox.processing.asked import check
from sandbox.processing.switches import JobSwitches
from sandbox.studio import tags
from sandbox.studio.pages import Order, page
from sandbox.studio.requests import Refused, Request, named, needed, one_of

OPERATIONS: dict[str, Callable[["Jobs", Request], dict[str, Any]]] = {}
TAGS = ("AddTags", "ListTags", "DeleteTags")  # operations that serve every kind of resource
RUNNING = ("InProgress", "Stopping")
KILOBYTE = 1024  # what FailureReason and ExitMessage may hold
DAY = 86400  # seconds; how long a job may run that asks for no limit


@dataclass
class Job:
    """One job: what was asked for, and where it stands. Times are seconds of the epoch."""

    asked: Request
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
        """How long it may run, in seconds."""
        return int((self.asked.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds") or DAY)

    @property
    def instances(self) -> tuple[str, int]:
        """Type and number of the instances that it holds."""
        cluster = self.asked["ProcessingResources"]["ClusterConfig"]
        return str(cluster["InstanceType"]), int(cluster["InstanceCount"])

    def summary(self) -> dict[str, Any]:
        """What a list shows of it; what there is not is left out."""
        told = {
            "ProcessingJobName": self.name,
            "ProcessingJobArn": self.arn,
            "CreationTime": self.created,
            "ProcessingEndTime": self.ended,
            "LastModifiedTime": self.modified,
            "ProcessingJobStatus": self.status,
            "FailureReason": self.failure,
            "ExitMessage": self.message,
        }
        return {key: value for key, value in told.items() if value not in (None, "")}

    def described(self) -> dict[str, Any]:
        """What was asked for, and what has become of it."""
        asked = {key: value for key, value in self.asked.items() if key != "Tags"}
        return asked | self.summary() | ({} if self.started is None else {"ProcessingStartTime": self.started})


@dataclass
class Jobs:
    """The service. `assumes` says whether SageMaker can assume a role for an ARN; `told` hears of every new status.

    `start` runs a job and calls `began` and `ended`; `stop` has a container ended. Both come back at once.
    """

    account: str
    region: str
    clock: Callable[[], float]
    assumes: Callable[[str, str], bool]
    start: Callable[[Job], None]
    stop: Callable[[Job], None]
    told: Callable[[Job], None]
    switches: JobSwitches = field(default_factory=JobSwitches)
    jobs: dict[str, Job] = field(default_factory=dict)
    _lock: Any = field(default_factory=RLock)
    _changes: deque[Job] = field(default_factory=deque)

    def call(self, name: str, request: Request) -> dict[str, Any]:
        """One operation, or Refused."""
        with self._lock:
            answer = OPERATIONS[name](self, request)
        self._tell()
        return answer

    def arn(self, name: str) -> str:
        """A job's ARN, in which its name has small letters."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:processing-job/{name.lower()}"

    def began(self, job: Job) -> bool:
        """The job's container is being made ready; False if the job is no longer to run."""
        with self._lock:
            if job.status != "InProgress":
                return False
            job.started = self.clock()
            return True

    def ended(self, job: Job, status: str, failure: str = "", message: str = "") -> None:
        """The job has come to its end: Completed, Failed or Stopped."""
        with self._lock:
            job.failure, job.message = _kilobyte(failure), _kilobyte(message)
            job.ended = self.clock()
            self.change(job, status)
        self._tell()

    def change(self, job: Job, status: str) -> None:
        """A new status, as of now."""
        job.status, job.modified = status, self.clock()
        self._changes.append(replace(job))

    def _tell(self) -> None:
        """Tell of the changes, as each was. Nothing is locked meanwhile: whoever hears may ask back."""
        while self._changes:
            self.told(self._changes.popleft())

    def forget(self) -> None:
        """All jobs are gone: what waits never begins, and nobody hears of it."""
        with self._lock:
            for job in self.jobs.values():
                job.status = "Stopped"
            self.jobs.clear()

    def existing(self, request: Request) -> Job:
        """The job that the request names; ResourceNotFound if there is none."""
        found = self.jobs.get(named(request, "ProcessingJobName"))
        if found is None:
            raise Refused("ResourceNotFound", f"Requested resource not found: processing job {request['ProcessingJobName']}")
        return found


def operation(do: Callable[[Jobs, Request], dict[str, Any]]) -> Callable[[Jobs, Request], dict[str, Any]]:
    """Register an operation under its AWS name."""
    OPERATIONS["".join(word.capitalize() for word in do.__name__.split("_"))] = do
    return do


@operation
def create_processing_job(service: Jobs, request: Request) -> dict[str, Any]:
    check(request)
    name = request["ProcessingJobName"]
    arn = service.arn(name)
    if name in service.jobs:
        why = "Job name must be unique within an AWS account and region, and a job with this name already exists"
        raise Refused("ResourceInUse", f"{why} ({service.jobs[name].arn})")
    _check_role(service, request["RoleArn"], arn)
    _check_quota(service, request["ProcessingResources"]["ClusterConfig"])
    now = service.clock()
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
    job = service.jobs[name] = Job(request, arn, now, now, tags=tags)
    service.change(job, "InProgress")
    service.start(job)
    return {"ProcessingJobArn": arn}


@operation
def describe_processing_job(service: Jobs, request: Request) -> dict[str, Any]:
    return service.existing(request).described()


@operation
def list_processing_jobs(service: Jobs, request: Request) -> dict[str, Any]:
    listed = [job.summary() for job in service.jobs.values() if _fits(job, request)]
    by = one_of(request, "SortBy", "CreationTime", "Name", "Status")
    falling = one_of(request, "SortOrder", "Ascending", "Descending") == "Descending"
    member = {"Name": "ProcessingJobName", "Status": "ProcessingJobStatus"}.get(by, by)
    order = Order(lambda item: [item[member], item["ProcessingJobName"]], falling)
    return page("ProcessingJobSummaries", listed, order, request)


@operation
def stop_processing_job(service: Jobs, request: Request) -> dict[str, Any]:
    job = service.existing(request)
    if job.status != "InProgress":
        raise Refused("ValidationException", f"The request was rejected because the processing job is in status {job.status}.")
    waits = job.started is None
    service.change(job, "Stopping")
    if waits:
        job.ended = service.clock()
        service.change(job, "Stopped")
    else:
        service.stop(job)
    return {}


@operation
def delete_processing_job(service: Jobs, request: Request) -> dict[str, Any]:
    job = service.existing(request)
    if job.status in RUNNING:
        why = "only jobs that are Completed, Failed or Stopped can be deleted."
        raise Refused("ResourceInUse", f"Processing job {job.name} is in status {job.status}; {why}")
    del service.jobs[job.name]
    return {}


@operation
def add_tags(service: Jobs, request: Request) -> dict[str, Any]:
    return tags.add(_tagged(service, request), request)


@operation
def list_tags(service: Jobs, request: Request) -> dict[str, Any]:
    return tags.listed(_tagged(service, request), request)


@operation
def delete_tags(service: Jobs, request: Request) -> dict[str, Any]:
    return tags.delete(_tagged(service, request), request)


def _check_role(service: Jobs, role: str, arn: str) -> None:
    if not service.assumes(role, arn):
        why = f"Could not assume role {role}. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com'"
        raise Refused("ValidationException", f"{why} to assume the role.")


def _check_quota(service: Jobs, cluster: Request) -> None:
    kind, wanted = cluster["InstanceType"], cluster["InstanceCount"]
    used = sum(job.instances[1] for job in service.jobs.values() if job.status in RUNNING and job.instances[0] == kind)
    quota = service.switches.job_instances_quota
    if used + wanted > quota:
        why = f"The account-level service limit '{kind} for processing job usage' is {quota} Instances, with current utilization"
        what_now = "Please use AWS Service Quotas to request an increase for this quota."
        text = f"{why} of {used} Instances and a request delta of {wanted} Instances. {what_now}"
        raise Refused("ResourceLimitExceeded", text)


def _fits(job: Job, request: Request) -> bool:
    """Whether a list that asks for this shows the job."""
    return (
        request.get("NameContains", "").lower() in job.name.lower()
        and request.get("StatusEquals", job.status) == job.status
        and request.get("CreationTimeAfter", 0) <= job.created <= request.get("CreationTimeBefore", job.created)
        and request.get("LastModifiedTimeAfter", 0) <= job.modified <= request.get("LastModifiedTimeBefore", job.modified)
    )


def _tagged(service: Jobs, request: Request) -> Job:
    arn = needed(request, "ResourceArn")
    for job in service.jobs.values():
        if job.arn == arn:
            return job
    raise Refused("ResourceNotFound", f"[{arn}] does not exist.")


def _kilobyte(text: str) -> str:
    return text.encode()[:KILOBYTE].decode(errors="ignore")
