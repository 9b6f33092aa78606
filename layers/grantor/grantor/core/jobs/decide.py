"""Decide what to do about a job's input, from the status of its last run and what is there now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from grantor.core.jobs.request import Attempt
from grantor.core.rules import Start
from grantor.core.snapshot import InputObject
from grantor.core.triggers import compute_delay
from grantor.settings import (
    CLOCK_SKEW_SECONDS,
    INPUT_QUIET_FIRST_SECONDS,
    INPUT_QUIET_MAX_SECONDS,
    JOB_CLAIM_SECONDS,
    MAX_JOB_FAILURES,
    MAX_REMEMBERED_RUNS,
    SWEEP_SECONDS,
    SWEPT_AFTER_SECONDS,
    SWEPT_UPLOAD_AGE,
)


class JobStatus(StrEnum):
    """The status of a processing job, as SageMaker names it; NEVER before the first run."""

    NEVER = ""
    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPED)


class FailureCause(StrEnum):
    """Why a run did not complete."""

    NONE = ""
    ACCESS = "access denied"
    INPUT = "input missing or changed"
    CONTRACT = "contract broken"
    QUARANTINE = "too much in quarantine"
    CAPABILITY = "capability missing"
    INTERNAL = "internal error"
    INFRASTRUCTURE = "infrastructure"
    SET_UP = "could not be set up"
    SUMMARY = "summary not valid"
    FOREIGN = "not started by Grantor"
    TIME = "time limit"
    STOPPED = "stopped"

    @property
    def is_retryable(self) -> bool:
        """Whether another attempt may succeed although nothing else has changed."""
        causes = (FailureCause.INTERNAL, FailureCause.INFRASTRUCTURE, FailureCause.FOREIGN)
        return self in causes


@dataclass(frozen=True)
class JobDescription:
    """A processing job as SageMaker describes it; times in seconds since the epoch, 0 for none."""

    name: str
    status: JobStatus
    created: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    reason: str = ""  # FailureReason
    message: str = ""  # ExitMessage
    limit: int = 0  # seconds
    arn: str = ""
    role: str = ""  # ARN
    request: str = ""  # hash_request of what SageMaker was asked for


@dataclass(frozen=True)
class InputStatus:
    """The last attempt on an input, and what the decision on the next one needs.

    The status is "in progress" from the moment that the job's name is claimed, before the job
    exists. `at` is that moment, in seconds since the epoch.
    """

    name: str = ""
    run: str = ""
    attempt: int = 0
    status: JobStatus = JobStatus.NEVER
    at: float = 0.0
    version: str = ""  # of the input
    cause: FailureCause = FailureCause.NONE
    failures: int = 0  # in a row, of this run
    superseded: int = 0  # runs in a row whose input was replaced or deleted meanwhile
    done: str = ""  # the last run that completed, which LATEST follows
    tried: Mapping[str, int] = field(default_factory=dict)  # run → attempts
    request: str = ""  # hash_request of what was claimed; "" in a claim of 0.2.0 and before

    def is_own_job(self, job: JobDescription) -> bool:
        """Whether a processing job of the claimed name is the one that was claimed.

        A job that does the same as the same role is: only who may pass this role to SageMaker could
        have created it, and it does nothing else. It was created after the claim, and before the
        claim could be taken over.
        """
        begin, end = self.at - CLOCK_SKEW_SECONDS, self.at + JOB_CLAIM_SECONDS + CLOCK_SKEW_SECONDS
        return self.request in ("", job.request) and begin <= job.created <= end

    @property
    def quiet_seconds(self) -> float:
        """How many seconds must pass without an upload before the next run starts.

        They double with each run in a row that was superseded.

        >>> [InputStatus(superseded=runs).quiet_seconds for runs in (0, 1, 2, 9)]
        [0.0, 30.0, 60.0, 600.0]
        """
        if not self.superseded:
            return 0.0
        return compute_delay(self.superseded, INPUT_QUIET_FIRST_SECONDS, INPUT_QUIET_MAX_SECONDS)

    def claim_attempt(
        self, attempt: Attempt, failures: int, at: float, request: str = ""
    ) -> "InputStatus":
        """Return the status once a new attempt is claimed; `request` is its hash_request."""
        run, version = attempt.run, attempt.input.version
        tried = {past: count for past, count in self.tried.items() if past != run} | {
            run: attempt.number
        }
        kept = dict(list(tried.items())[-MAX_REMEMBERED_RUNS:])
        return InputStatus(
            attempt.name, run, attempt.number, JobStatus.IN_PROGRESS, at, version,
            failures=failures, superseded=self.superseded, done=self.done, tried=kept,
            request=request,
        )  # fmt: skip

    def end_attempt(self, status: JobStatus, cause: FailureCause) -> "InputStatus":
        """Return the status once the attempt has ended."""
        if status is JobStatus.COMPLETED:
            return replace(
                self,
                status=status,
                cause=FailureCause.NONE,
                failures=0,
                superseded=0,
                done=self.run,
            )
        superseded = self.superseded + 1 if cause is FailureCause.INPUT else 0
        return replace(
            self, status=status, cause=cause, failures=self.failures + 1, superseded=superseded
        )


class StartAction(StrEnum):
    """What to do about an input."""

    START = "start"
    RUNNING = "already running"
    DONE = "already done"
    CLAIMED = "about to be started"
    WAIT = "wait until the other run ends"
    UNSETTLED = "wait until uploads pause"
    SETTLE = "record the outcome of the last run"
    FAILED = "failed, and another attempt would change nothing"
    DENIED = "failed for lack of access, and is tried again when grants change"
    GIVEN_UP = "given up"
    GONE = "the input is gone"


@dataclass(frozen=True)
class WantedRun:
    """The run that the latest version of the input calls for; `run` is "" if the input is gone.

    `granted`: grants have changed. `uploaded` is when the version was put, in seconds since the
    epoch.
    """

    run: str
    version: str = ""
    granted: bool = False
    uploaded: float = 0.0


@dataclass(frozen=True)
class StartDecision:
    """What to do; for a start, the attempt's number and the failures in a row of this run.

    `name` is that of a processing job that was claimed and never created, and which is used now.
    """

    action: StartAction
    attempt: int = 0
    failures: int = 0
    name: str = ""


def decide_start(
    current: InputStatus, wanted: WantedRun, description: JobDescription | None, now: float
) -> StartDecision:
    """Decide what to do about an input; `now` is in seconds since the epoch.

    `description` is the processing job of the run in progress, None if SageMaker does not know it.
    """
    if current.status is JobStatus.IN_PROGRESS:
        return _decide_running(current, wanted, description, now)
    if not wanted.run:
        return StartDecision(StartAction.GONE)
    if wanted.run == current.done:
        return StartDecision(StartAction.DONE)
    return (
        _decide_retry(current, wanted, now)
        if wanted.run == current.run
        else _decide_first(current, wanted, now)
    )


def _decide_running(
    current: InputStatus, wanted: WantedRun, description: JobDescription | None, now: float
) -> StartDecision:
    same = wanted.run == current.run
    if description is None:
        return _decide_unknown(current, wanted, same, now)
    if description.status.is_over or not current.is_own_job(description):
        return StartDecision(StartAction.SETTLE)
    return StartDecision(StartAction.RUNNING if same else StartAction.WAIT)


def _decide_unknown(
    current: InputStatus, wanted: WantedRun, same: bool, now: float
) -> StartDecision:
    if now < current.at + JOB_CLAIM_SECONDS:
        return StartDecision(StartAction.CLAIMED)
    if same:
        attempt, failures = current.attempt, current.failures
        return StartDecision(StartAction.START, attempt, failures, current.name)
    return _decide_first(current, wanted, now) if wanted.run else StartDecision(StartAction.GONE)


def _decide_retry(current: InputStatus, wanted: WantedRun, now: float) -> StartDecision:
    if wanted.version != current.version:  # uploaded again, which asks for another try
        return _decide_first(current, wanted, now)
    if current.failures >= MAX_JOB_FAILURES:
        return StartDecision(StartAction.GIVEN_UP)
    if current.cause.is_retryable or (wanted.granted and current.cause is FailureCause.ACCESS):
        return StartDecision(StartAction.START, current.attempt + 1, current.failures)
    denied = current.cause is FailureCause.ACCESS
    return StartDecision(StartAction.DENIED if denied else StartAction.FAILED)


def _decide_first(current: InputStatus, wanted: WantedRun, now: float) -> StartDecision:
    # A run that starts while uploads follow each other would be superseded, at full cost.
    if now < wanted.uploaded + current.quiet_seconds:
        return StartDecision(StartAction.UNSETTLED)
    return StartDecision(StartAction.START, current.tried.get(wanted.run, 0) + 1)


def sort_starts(starts: Iterable[Start]) -> list[Start]:
    """Sort starts by what they wait for, so that each sweep has them in the same order."""
    return sorted(starts, key=lambda start: (start.upload, start.job.id))


def choose_swept[Swept](ordered: Sequence[Swept], now: float, most: int) -> Sequence[Swept]:
    """Choose what the sweep at `now` (seconds since the epoch) looks at, at most `most` of it.

    Of more, each sweep takes the next ones, so that the sweeps look at all of them in turn; the
    time says which, so nothing has to be remembered.

    >>> [choose_swept("abcde", sweep * SWEEP_SECONDS, 2) for sweep in (0, 1, 2)]
    [['a', 'b'], ['c', 'd'], ['e', 'a']]
    """
    if len(ordered) <= most:
        return ordered
    begin = int(now // SWEEP_SECONDS) * most % len(ordered)
    return [*ordered[begin:], *ordered[:begin]][:most]


def is_swept_age(found: InputObject, now: float) -> bool:
    """Whether a sweep at `now` (seconds since the epoch) judges this upload.

    The event of a younger one may be on its way. An older one was there when nobody waited for it:
    a job that is new starts nothing for years of data.
    """
    age = now - found.uploaded
    return SWEPT_AFTER_SECONDS <= age <= SWEPT_UPLOAD_AGE.total_seconds()


def is_unreported(status: InputStatus, found: InputObject, run: str) -> bool:
    """Whether no attempt was for this upload, so that no event has reported it.

    `run` is the run that it calls for; "" if the upload is not what the job reads. What completed
    stays so under newer code. What failed is tried again with it.
    """
    if status.status in (JobStatus.NEVER, JobStatus.IN_PROGRESS):
        return status.status is JobStatus.NEVER
    if found.uploaded > status.at or (run and found.version != status.version):
        return not run or run != status.done
    return status.status is not JobStatus.COMPLETED and run not in ("", status.run)
