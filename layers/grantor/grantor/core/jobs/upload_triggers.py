"""Events as doorbells for jobs: which upload, or which processing job, is to be looked at because of one; never what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grantor.core.jobs.identity import ours
from grantor.core.triggers import OWN, member, seconds

WAITING = "Job Waiting"  # the detail-type of our own messages about an upload that is to be looked at again


@dataclass(frozen=True)
class JobBell:
    """What rang: `upload` is s3://bucket/key, `ended` a processing job's name; with neither, `waiting` means whatever waits.

    An upload that is `waiting` was looked at before. `at` is the event's time in seconds since 1970, or None; `attempt` how often we have rung about this upload by ourselves.
    `granted`: grants have changed. `versions` are those of the object that the events were about, which may have been replaced since.
    """

    upload: str = ""
    ended: str = ""
    waiting: bool = False
    granted: bool = False
    at: float | None = None
    attempt: int = 0
    id: str = ""
    versions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.upload or self.ended or ("whatever waits" if self.waiting else "nothing of ours")


def job_bell(event: Mapping[str, Any]) -> JobBell:
    """The bell that an event is; one that is none of ours is about nothing.

    >>> print(job_bell({"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": {"key": "UserA/100% a+b.csv"}}}))
    s3://data/UserA/100% a+b.csv
    """
    detail = event.get("detail")
    known: Mapping[str, Any] = detail if isinstance(detail, Mapping) else {}
    at, event_id = seconds(event.get("time")), str(event.get("id", ""))
    match event.get("source"):
        case "aws.s3":
            bucket, key = member(known, "bucket", "name"), member(known, "object", "key")
            versions = tuple(filter(None, (member(known, "object", "version-id"),)))
            return JobBell(upload=f"s3://{bucket}/{key}" if bucket and key else "", at=at, id=event_id, versions=versions)
        case "aws.sagemaker":
            name = str(known.get("ProcessingJobName") or "")
            return JobBell(ended=name if ours(name) else "", at=at, id=event_id)
        case "aws.events" | "aws.scheduler":
            return JobBell(waiting=True, at=at, id=event_id)
        case own if own == OWN and event.get("detail-type") == WAITING:
            return _own(known, event_id)
        case own if own == OWN:
            return JobBell(waiting=True, granted=True, at=at, id=event_id)
    return JobBell(at=at, id=event_id)


def _own(detail: Mapping[str, Any], event_id: str) -> JobBell:
    attempt, at = detail.get("attempt"), detail.get("at")
    return JobBell(
        upload=str(detail.get("upload") or ""),
        waiting=True,
        granted=detail.get("granted") is True,
        at=float(at) if isinstance(at, int | float) else None,
        attempt=attempt if isinstance(attempt, int) else 0,
        id=event_id,
    )
