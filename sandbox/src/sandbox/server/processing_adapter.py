"""SageMaker's processing jobs in the server.

IAM authorizes them, each job has a thread, its events go to the bus and its output to CloudWatch
Logs as far as its execution role allows. Inputs and outputs go over the wire, signed with the
execution role's session, so they are judged and counted like any caller's.
"""

import json
import os
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.processing import JOB_OPERATIONS, JobSwitches, ProcessingJob, ProcessingJobs
from sandbox.processing.container import Container, JobHost, RoleCredentials, SessionKeys
from sandbox.processing.job_run import JobResult, JobRun, JobSignals, TransferError
from sandbox.processing.jobs import TAG_OPERATIONS, job_event_detail
from sandbox.server import control
from sandbox.server.account import (
    list_log_permissions,
    request_scope,
    session_may,
    start_session,
    trusts_service,
)
from sandbox.server.cloudtrail import publish_event
from sandbox.server.job_rights import explain_missing_image, explain_network_failure
from sandbox.server.seams import run_before_reset, use_seam
from sandbox.studio import SageMakerError
from sandbox.studio.permissions import NeededPermission, list_request_tags, need_tagging

LOGS = "ministack.services.cloudwatch_logs"
JOB_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
MAX_LOG_EVENTS = 10_000  # events in one PutLogEvents
_groups = use_seam(LOGS, "_log_groups")
_create_group = use_seam(LOGS, "_create_log_group", "data")
_create_stream = use_seam(LOGS, "_create_log_stream", "data")
_put_events = use_seam(LOGS, "_put_log_events", "data")
JOB_SERVICES: dict[tuple[str, str], ProcessingJobs] = {}
RUNNING_JOBS: dict[int, JobSignals] = {}  # of running jobs
JOB_SCRATCH = Path(tempfile.gettempdir()) / "processing"
PUBLISHED_STATUSES = (
    "InProgress",
    "Completed",
    "Failed",
    "Stopped",
)  # the statuses for which SageMaker sends an event
_TURN = threading.Condition()
_scope = use_seam("ministack.core.responses", "request_scope", "account_id, region")


class JobLog:
    """One stream of the group, created with its first line.

    `may` says what the role allows, by action and resource.
    """

    def __init__(
        self, job: str, account: str, region: str, may: Callable[[str, str], bool]
    ) -> None:
        self._named: dict[str, Any] = {
            "logGroupName": JOB_LOG_GROUP,
            "logStreamName": f"{job}/algo-1-{int(time.time())}",
        }
        self._group = f"arn:aws:logs:{region}:{account}:log-group:{JOB_LOG_GROUP}"
        self._may = may
        self._open: bool | None = None

    def __call__(self, lines: list[str]) -> None:
        """Write these lines; none if the role may not write logs."""
        if self._open is None:
            self._open = self._open_stream()
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines if line]
        for start in range(0, len(events) if self._open else 0, MAX_LOG_EVENTS):
            _put_events(self._named | {"logEvents": events[start : start + MAX_LOG_EVENTS]})

    def _open_stream(self) -> bool:
        exists = JOB_LOG_GROUP in _groups
        if not all(
            self._may(action, resource)
            for action, resource in list_log_permissions(self._group, exists)
        ):
            return False
        if not exists:
            _create_group({"logGroupName": JOB_LOG_GROUP})
        _create_stream(self._named)
        return True


class JobObjectStore:
    """S3 for one job. `keys` returns the session in force."""

    def __init__(self, region: str, keys: Callable[[], SessionKeys]) -> None:
        self._region, self._keys = region, keys
        self._of: SessionKeys = {}
        self._made: Any = None

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        """Return all keys that begin with the prefix.

        Raises TransferError if the role may not list them.
        """
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix
            )
            return [found["Key"] for page in pages for found in page.get("Contents", ())]
        except ClientError as error:
            where = f"s3://{bucket}/{prefix}"
            why = (
                f"Failed to download data. ListObjectsV2 failed for {where}. nextToken:[null]: "
                f"{_error_message(error)}"
            )
            raise TransferError(why) from error

    def read_object(self, bucket: str, key: str, target: Path) -> None:
        """Read the object into a file. Raises TransferError if the role may not read it."""
        try:
            target.write_bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            raise TransferError(
                f"Failed to download data. Cannot access S3 key s3://{bucket}/{key}: "
                f"{_error_message(error)}"
            ) from error

    def write_object(self, source: Path, bucket: str, key: str, kms_key: str | None) -> None:
        """Write the file as an object. Raises TransferError if the role may not write it."""
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=source.read_bytes(), **encrypted)
        except ClientError as error:
            raise TransferError(
                f"Failed to upload data. Cannot write S3 key s3://{bucket}/{key}: "
                f"{_error_message(error)}"
            ) from error

    @property
    def _client(self) -> Any:
        if (keys := self._keys()) != self._of:
            session = botocore.session.Session()
            session.register_component("data_loader", _load_models())
            self._of = keys
            self._made = session.create_client(
                "s3",
                self._region,
                endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
                config=Config(s3={"addressing_style": "path"}),
            )
        return self._made


@cache
def _load_models() -> Any:
    return botocore.loaders.create_loader()


def _error_message(error: ClientError) -> str:
    return str(error.response["Error"].get("Message") or error.response["Error"]["Code"])


def find_jobs_service() -> ProcessingJobs:
    """Return the jobs of the current request's account and Region."""
    where = request_scope()
    if where not in JOB_SERVICES:
        start, stop, publish = (
            partial(_start_job, where),
            _stop_job,
            partial(_publish_status, where),
        )
        JOB_SERVICES[where] = ProcessingJobs(
            *where, time.time, partial(_can_assume_job_role, where[0]), start, stop, publish
        )
    JOB_SERVICES[where].switches = control.current_switches(JobSwitches)
    return JOB_SERVICES[where]


def serves_jobs(operation: str, request: Mapping[str, Any]) -> bool:
    """Return whether a request of SageMaker is about processing jobs."""
    if operation in TAG_OPERATIONS:
        return ":processing-job/" in str(request.get("ResourceArn"))
    return operation in JOB_OPERATIONS


def list_job_permissions(operation: str, request: Mapping[str, Any]) -> list[NeededPermission]:
    """List what the caller of a request must be allowed to do."""
    if operation == "ListProcessingJobs":
        return [("sagemaker:ListProcessingJobs", "*", {})]
    arn = str(
        request.get("ResourceArn")
        or find_jobs_service().arn(str(request.get("ProcessingJobName", "*")))
    )
    keys = _list_job_tags(arn) | _list_job_keys(request) | list_request_tags(request)
    needed: list[NeededPermission] = [(f"sagemaker:{operation}", arn, keys)]
    if operation == "CreateProcessingJob":
        needed += [need_tagging(operation, arn, request)] if request.get("Tags") else []
        if role := request.get("RoleArn"):
            needed.append(
                ("iam:PassRole", str(role), {"iam:PassedToService": "sagemaker.amazonaws.com"})
            )
    return needed


def check_job_network(request: Mapping[str, Any]) -> None:
    """Refuse a job whose network fails, where the switch says that the request is refused.

    Raises SageMakerError. A role that cannot be assumed is refused elsewhere.
    """
    account, region = request_scope()
    role, arn = str(request.get("RoleArn")), find_jobs_service().arn("*")
    if control.current_switches(JobSwitches).job_network_fails_at != "create" or (
        not _can_assume_job_role(account, role, arn)
    ):
        return
    key = start_session(role, "SageMaker", 60)["AccessKeyId"]

    def may(action: str, resource: str, context: Mapping[str, str]) -> bool:
        return session_may(key, account, region, action, resource, context)

    if why := explain_network_failure(request, region, account, may):
        raise SageMakerError("ValidationException", why)


def _list_job_keys(request: Mapping[str, Any]) -> dict[str, str]:
    """Return SageMaker's condition keys of a request, as far as it has what they describe.

    Source: Service Authorization Reference, "Actions defined by Amazon SageMaker",
    CreateProcessingJob.
    """
    cluster = (request.get("ProcessingResources") or {}).get("ClusterConfig") or {}
    seconds = (request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
    known = {
        "sagemaker:InstanceTypes": cluster.get("InstanceType"),
        "sagemaker:MaxRuntimeInSeconds": seconds,
    }
    return {name: str(value) for name, value in known.items() if value is not None}


def _list_job_tags(arn: str) -> dict[str, str]:
    job = find_jobs_service().jobs.get(arn.rpartition("/")[2])
    return {f"aws:ResourceTag/{key}": value for key, value in job.tags.items()} if job else {}


def install() -> None:
    """End all jobs when the server forgets everything; answer /_sandbox/end-job."""
    run_before_reset(_forget_jobs)
    control.ANSWERS["end-job"] = answer_end_job


def answer_end_job(method: str, _: dict[str, str], body: bytes) -> tuple[int, Any]:
    """End a job that still waits for its turn, as if its container had exited with a code.

    POST {"name": "grantor-abalone-…", "exit": 12, "message": ""}. The job is otherwise as it was
    asked for. With `jobs_at_once` 0 every job waits.
    """
    asked = json.loads(body or b"{}")
    found = [
        (where, jobs, job)
        for where, jobs in JOB_SERVICES.items()
        for job in jobs.jobs.values()
        if job.name == asked.get("name")
    ]
    if method != "POST" or not found:
        return 404, {"error": f"there is no processing job {asked.get('name')!r} to end"}
    where, jobs, job = found[0]
    code, message = int(asked.get("exit", 0)), str(asked.get("message", ""))
    if job.started is not None or not jobs.mark_started(job):
        return 409, {"error": f"{job.name} does not wait: it is {job.status}"}
    with _scope(*where):
        reason = f"AlgorithmError: , exit code: {code}" if code else ""
        jobs.mark_ended(job, "Failed" if code else "Completed", reason, message)
    return 200, {"status": job.status}


def _can_assume_job_role(account: str, role: str, of: str) -> bool:
    return trusts_service(
        role, "sagemaker.amazonaws.com", {"aws:SourceAccount": account, "aws:SourceArn": of}
    )


def _start_job(where: tuple[str, str], job: ProcessingJob) -> None:
    threading.Thread(
        target=_run_in_turn, args=(where, JOB_SERVICES[where], job), daemon=True, name=job.name
    ).start()


def _stop_job(job: ProcessingJob) -> None:
    RUNNING_JOBS[id(job)].stopping.set()


def _run_in_turn(where: tuple[str, str], jobs: ProcessingJobs, job: ProcessingJob) -> None:
    """Wait until the job may run, then run it, in its account and Region."""
    run = JobSignals()
    with _TURN:
        while not _TURN.wait_for(
            lambda: len(RUNNING_JOBS) < control.current_switches(JobSwitches).jobs_at_once,
            timeout=1,
        ):
            pass  # the switch may have changed
        RUNNING_JOBS[id(job)] = run
    try:
        with _scope(*where):
            if jobs.mark_started(job):
                outcome = _run_safely(where, job, run)
                if not run.killed.is_set():
                    jobs.mark_ended(
                        job,
                        outcome.status,
                        outcome.failure,
                        outcome.message,
                        at_limit=outcome.at_limit,
                    )
    finally:
        with _TURN:
            RUNNING_JOBS.pop(id(job), None)
            _TURN.notify_all()


def _run_safely(where: tuple[str, str], job: ProcessingJob, turn: JobSignals) -> JobResult:
    """Return how the job ended.

    An error of the sandbox itself is SageMaker's own failure; the server's log has it.
    """
    try:
        return _run_job(where, job, turn)
    except Exception:  # noqa: BLE001  -- whatever it is, the job must end
        traceback.print_exc()
        return JobResult(
            "Failed", "InternalServerError: We encountered an internal error. Please try again."
        )


def _run_job(where: tuple[str, str], job: ProcessingJob, turn: JobSignals) -> JobResult:
    """Run the job in a folder of its own, with a session of its role."""
    account, region = where
    chosen, role = control.current_switches(JobSwitches), job.asked["RoleArn"]

    def session(seconds: float) -> SessionKeys:
        with _scope(*where):
            return start_session(role, "SageMaker", seconds)

    def may(action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
        key = credentials.current_keys()["AccessKeyId"]
        return session_may(key, account, region, action, resource, context)

    with closing(RoleCredentials(session, role, chosen.job_session_seconds)) as credentials:
        if why := explain_network_failure(job.asked, region, account, may):
            return JobResult("Failed", f"ClientError: {why}")
        if chosen.job_image_needs_rights and (
            why := explain_missing_image(job.asked["AppSpecification"]["ImageUri"], may)
        ):
            return JobResult("Failed", f"ClientError: {why}")
        spot = JobHost(
            region, account, int(os.environ["GATEWAY_PORT"]), credentials.address, credentials.token
        )
        JOB_SCRATCH.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{job.name}-", dir=JOB_SCRATCH))
        store, log = (
            JobObjectStore(region, credentials.current_keys),
            JobLog(job.name, account, region, may),
        )
        try:
            return JobRun(job, Container(folder), spot, store, log, chosen, turn).run_to_end()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _publish_status(where: tuple[str, str], job: ProcessingJob) -> None:
    """Publish the event of a job's new status, as often as the switch says."""
    if job.status in PUBLISHED_STATUSES:
        with _scope(*where):
            for _ in range(1 + control.current_switches(JobSwitches).job_events_twice):
                publish_event(
                    "aws.sagemaker",
                    "SageMaker Processing Job State Change",
                    job_event_detail(job),
                    job.arn,
                )


def _forget_jobs() -> None:
    for jobs in JOB_SERVICES.values():
        jobs.forget_all()
    JOB_SERVICES.clear()
    for run in list(RUNNING_JOBS.values()):
        run.killed.set()
