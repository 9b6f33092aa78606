"""How a processing job is and has ended, as SageMaker and the launcher call it."""

from dataclasses import dataclass
from enum import StrEnum


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
