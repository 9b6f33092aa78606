"""SageMaker's processing jobs in the server: IAM in front, jobs in threads of their own, their events on the bus, their output in CloudWatch Logs."""

import os
import re
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.processing import OPERATIONS, Job, Jobs, JobSwitches
from sandbox.processing.container import Container, Place
from sandbox.processing.credentials import Credentials, Keys
from sandbox.processing.event import detail
from sandbox.processing.jobs import TAGS
from sandbox.processing.run import Outcome, Run, Turn
from sandbox.server import switches
from sandbox.server.account import place, start_session, trusts
from sandbox.server.execution_role import session_may
from sandbox.server.job_logs import JobLog
from sandbox.server.job_store import S3
from sandbox.server.seams import use, wrap
from sandbox.server.trail import publish

SERVICES: dict[tuple[str, str], Jobs] = {}
RUNS: dict[int, Turn] = {}  # of the jobs that run
SCRATCH = Path(tempfile.gettempdir()) / "processing"
TOLD = ("InProgress", "Completed", "Failed", "Stopped")  # the statuses that SageMaker leaves an event of
IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
_TURN = threading.Condition()
_scope = use("ministack.core.responses", "request_scope", "account_id, region")
Need = tuple[str, str, Mapping[str, str]]  # an action, the resource that it is judged on, and what else is known of the request


def service() -> Jobs:
    """The jobs of the account and Region of the request in hand."""
    where = place()
    if where not in SERVICES:
        start, stop, told = partial(_start, where), _stop, partial(_tell, where)
        SERVICES[where] = Jobs(*where, time.time, partial(_assumes, where[0]), start, stop, told)
    SERVICES[where].switches = switches.of(JobSwitches)
    return SERVICES[where]


def serves(operation: str, request: Mapping[str, Any]) -> bool:
    """Whether a request of SageMaker is about processing jobs."""
    if operation in TAGS:
        return ":processing-job/" in str(request.get("ResourceArn"))
    return operation in OPERATIONS


def needs(operation: str, request: Mapping[str, Any]) -> list[Need]:
    """What the caller of a request must be allowed."""
    if operation == "ListProcessingJobs":
        return [("sagemaker:ListProcessingJobs", "*", {})]
    arn = str(request.get("ResourceArn") or service().arn(str(request.get("ProcessingJobName", "*"))))
    needed: list[Need] = [(f"sagemaker:{operation}", arn, _tags_of(arn))]
    if operation == "CreateProcessingJob":
        needed += [("sagemaker:AddTags", arn, {})] if request.get("Tags") else []
        if role := request.get("RoleArn"):
            needed.append(("iam:PassRole", str(role), {"iam:PassedToService": "sagemaker.amazonaws.com"}))
    return needed


def _tags_of(arn: str) -> dict[str, str]:
    job = service().jobs.get(arn.rpartition("/")[2])
    return {f"aws:ResourceTag/{key}": value for key, value in job.tags.items()} if job else {}


def install() -> None:
    """End all jobs when everything is forgotten."""
    wrap("ministack.services.sts", "reset", "", _resetting)


def _assumes(account: str, role: str, of: str) -> bool:
    return trusts(role, "sagemaker.amazonaws.com", {"aws:SourceAccount": account, "aws:SourceArn": of})


def _start(where: tuple[str, str], job: Job) -> None:
    threading.Thread(target=_in_turn, args=(where, SERVICES[where], job), daemon=True, name=job.name).start()


def _stop(job: Job) -> None:
    RUNS[id(job)].stopping.set()


def _in_turn(where: tuple[str, str], jobs: Jobs, job: Job) -> None:
    """Wait until there is room for the job, then run it, in its account and Region."""
    run = Turn()
    with _TURN:
        while not _TURN.wait_for(lambda: len(RUNS) < switches.of(JobSwitches).jobs_at_once, timeout=1):
            pass  # the switch may have been set meanwhile
        RUNS[id(job)] = run
    try:
        with _scope(*where):
            if jobs.began(job):
                outcome = _ran(where, job, run)
                if not run.killed.is_set():
                    jobs.ended(job, outcome.status, outcome.failure, outcome.message)
    finally:
        with _TURN:
            RUNS.pop(id(job), None)
            _TURN.notify_all()


def _ran(where: tuple[str, str], job: Job, turn: Turn) -> Outcome:
    """How the job ended; what goes wrong in the sandbox itself is SageMaker's own failure, and stands in the server's log."""
    try:
        return _outcome(where, job, turn)
    except Exception:  # noqa: BLE001  -- whatever it is, the job must come to an end
        traceback.print_exc()
        return Outcome("Failed", "InternalServerError: We encountered an internal error. Please try again.")


def _outcome(where: tuple[str, str], job: Job, turn: Turn) -> Outcome:
    """Run the job in a folder of its own, with a session of its role."""
    account, region = where
    chosen, role = switches.of(JobSwitches), job.asked["RoleArn"]

    def session(seconds: float) -> Keys:
        with _scope(*where):
            return start_session(role, "SageMaker", seconds)

    def may(action: str, resource: str) -> bool:
        return session_may(credentials.keys()["AccessKeyId"], account, region, action, resource)

    with closing(Credentials(session, role, chosen.job_session_seconds)) as credentials:
        if chosen.job_image_needs_rights and (why := _unpulled(job.asked["AppSpecification"]["ImageUri"], may)):
            return Outcome("Failed", f"ClientError: {why}")
        spot = Place(region, account, int(os.environ["GATEWAY_PORT"]), credentials.address, credentials.token)
        SCRATCH.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{job.name}-", dir=SCRATCH))
        store, log = S3(region, credentials.keys), JobLog(job.name, account, region, may)
        try:
            return Run(job, Container(folder), spot, store, log, chosen, turn).outcome()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _unpulled(image: str, may: Callable[[str, str], bool]) -> str | None:
    """Why the role can not have the image pulled from ECR; None if it can, or if the image is none of ECR's."""
    found = IMAGE.match(image)
    if found is None:
        return None
    repository = f"arn:aws:ecr:{found[2]}:{found[1]}:repository/{found[3]}"
    needed = [("ecr:GetAuthorizationToken", "*"), *((action, repository) for action in PULL)]
    missing = [action for action, resource in needed if not may(action, resource)]
    return f"The execution role may not pull the image {image}: it lacks {', '.join(missing)}." if missing else None


def _tell(where: tuple[str, str], job: Job) -> None:
    """Leave the event of a job's new status, as often as the switch says."""
    if job.status in TOLD:
        with _scope(*where):
            for _ in range(1 + switches.of(JobSwitches).job_events_twice):
                publish("aws.sagemaker", "SageMaker Processing Job State Change", detail(job), job.arn)


def _resetting(original: Callable[[], None]) -> Callable[[], None]:
    def reset() -> None:
        for jobs in SERVICES.values():
            jobs.forget()
        SERVICES.clear()
        for run in list(RUNS.values()):
            run.killed.set()
        original()

    return reset
