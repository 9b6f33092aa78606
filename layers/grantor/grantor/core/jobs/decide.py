"""How a job stands on one input: which run it made last, whether that goes on, and what is remembered of the ones before."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from grantor.core.jobs.identity import Attempt

REMEMBERED = 40  # runs whose attempts are counted; the name of an older one is found taken, and the next one taken
LIMIT = 3  # failures in a row after which nothing starts by itself
QUIET, LONGEST = 30.0, 600.0  # seconds for which an input that has overtaken a run is to be left alone: at first, and at most


class Status(StrEnum):
    """A processing job's status, as SageMaker names it; NEVER before the first."""

    NEVER = ""
    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (Status.COMPLETED, Status.FAILED, Status.STOPPED)


class Cause(StrEnum):
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
    TIME = "time limit"
    STOPPED = "stopped"

    @property
    def again(self) -> bool:
        """Whether another attempt may mend it though nothing else has changed."""
        return self in (Cause.INTERNAL, Cause.INFRASTRUCTURE)


@dataclass(frozen=True)
class Told:
    """What SageMaker says of a processing job that exists; times in seconds since 1970, 0 for none."""

    name: str
    status: Status
    created: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    reason: str = ""  # FailureReason
    message: str = ""  # ExitMessage
    limit: int = 0  # seconds
    arn: str = ""


@dataclass(frozen=True)
class Standing:
    """The last attempt, and what it takes to decide on the next one.

    In progress from the moment that its name is claimed, which is before it exists. `at` is when that was, in seconds since 1970.
    """

    name: str = ""
    run: str = ""
    attempt: int = 0
    status: Status = Status.NEVER
    at: float = 0.0
    version: str = ""  # of the input
    cause: Cause = Cause.NONE
    failures: int = 0  # in a row, of this run
    overtaken: int = 0  # runs in a row that ended because their input had been replaced or deleted
    done: str = ""  # the last run that completed, which LATEST follows
    tried: Mapping[str, int] = field(default_factory=dict)  # run → attempts

    @property
    def quiet(self) -> float:
        """For how many seconds the input is to be left alone before a machine is paid for again: longer after each run that was overtaken.

        >>> [Standing(overtaken=runs).quiet for runs in (0, 1, 2, 9)]
        [0.0, 30.0, 60.0, 600.0]
        """
        return min(LONGEST, QUIET * 2.0 ** (self.overtaken - 1)) if self.overtaken else 0.0

    def claimed(self, attempt: Attempt, failures: int, at: float) -> "Standing":
        """This, once a new attempt is claimed."""
        run, version = attempt.run, attempt.given.version
        tried = {past: count for past, count in self.tried.items() if past != run} | {run: attempt.number}
        kept = dict(list(tried.items())[-REMEMBERED:])
        return Standing(
            attempt.name, run, attempt.number, Status.IN_PROGRESS, at, version,
            failures=failures, overtaken=self.overtaken, done=self.done, tried=kept,
        )  # fmt: skip

    def ended(self, status: Status, cause: Cause) -> "Standing":
        """This, once its attempt is over."""
        if status is Status.COMPLETED:
            return replace(self, status=status, cause=Cause.NONE, failures=0, overtaken=0, done=self.run)
        overtaken = self.overtaken + 1 if cause is Cause.INPUT else 0
        return replace(self, status=status, cause=cause, failures=self.failures + 1, overtaken=overtaken)


# Seconds in which whoever has claimed a name creates its job, or has died: the function's time limit and a margin.
CLAIM = 90.0
SKEW = 300.0  # seconds that SageMaker's clock and ours may differ


class Do(StrEnum):
    """What is to be done about an input."""

    START = "start"
    RUNNING = "already running"
    DONE = "already done"
    CLAIMED = "about to be started"
    WAIT = "wait until the other run ends"
    UNSETTLED = "wait until the input is left alone"
    SETTLE = "write down what came of the last run"
    FAILED = "failed, and another attempt would change nothing"
    GIVEN_UP = "given up"
    GONE = "the input is gone"


@dataclass(frozen=True)
class WantedRun:
    """The run that the latest input stands for ("" if the input is gone), its version, and whether grants have changed since.

    `uploaded` is when that version was put there, in seconds since 1970.
    """

    run: str
    version: str = ""
    granted: bool = False
    uploaded: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What to do; for a start, which attempt it is and how often in a row this run has failed before."""

    do: Do
    attempt: int = 0
    failures: int = 0


def decide(standing: Standing, wanted: WantedRun, told: Told | None, now: float) -> Decision:
    """`told` is what SageMaker says of the run that goes on, None if it knows none of the name; `now` in seconds since 1970."""
    if standing.status is Status.IN_PROGRESS:
        return _going_on(standing, wanted, told, now)
    if not wanted.run:
        return Decision(Do.GONE)
    if wanted.run == standing.done:
        return Decision(Do.DONE)
    return _again(standing, wanted, now) if wanted.run == standing.run else _first(standing, wanted, now)


def _going_on(standing: Standing, wanted: WantedRun, told: Told | None, now: float) -> Decision:
    same = wanted.run == standing.run
    if told is None:
        return _unheard_of(standing, wanted, same, now)
    if not told.status.over:
        return Decision(Do.RUNNING if same else Do.WAIT)
    if told.created < standing.at - SKEW:
        return _first(standing, wanted, now) if wanted.run else Decision(Do.GONE)
    return Decision(Do.SETTLE)


def _unheard_of(standing: Standing, wanted: WantedRun, same: bool, now: float) -> Decision:
    if now < standing.at + CLAIM:
        return Decision(Do.CLAIMED)
    if same:
        return Decision(Do.START, standing.attempt, standing.failures)
    return _first(standing, wanted, now) if wanted.run else Decision(Do.GONE)


def _again(standing: Standing, wanted: WantedRun, now: float) -> Decision:
    if wanted.version != standing.version:  # somebody has put it there again, who wants another try
        return _first(standing, wanted, now)
    if standing.failures >= LIMIT:
        return Decision(Do.GIVEN_UP)
    if standing.cause.again or (wanted.granted and standing.cause is Cause.ACCESS):
        return Decision(Do.START, standing.attempt + 1, standing.failures)
    return Decision(Do.FAILED)


def _first(standing: Standing, wanted: WantedRun, now: float) -> Decision:
    # A machine that starts while uploads still follow each other is paid for in vain.
    if now < wanted.uploaded + standing.quiet:
        return Decision(Do.UNSETTLED)
    return Decision(Do.START, standing.tried.get(wanted.run, 0) + 1)
