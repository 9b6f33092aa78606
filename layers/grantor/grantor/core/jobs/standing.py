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
