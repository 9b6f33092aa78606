"""From an event to a trigger: which objects a run has to look at.

No event is an error. What is missing or has another shape means everything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from grantor.core.diagnostics import parse_json
from grantor.core.snapshot import EVERYTHING
from grantor.settings import CLOCK_SKEW_SECONDS, MAX_EVENT_AGE

IDENTITY_CENTER_ROLE = ":assumed-role/AWSReservedSSO_"  # its sessions are named by their users
DELETE_CALL = "DeleteObject"  # the eventName of CloudTrail; every other call writes
EVENT_SOURCE = "grantor"  # of our own events; a run enqueues one for what it has deferred
JOB_WAITING = "Job Waiting"  # detail-type of our messages about an upload to look at again
JOB_NAME_PREFIX = "grantor-"  # of every processing job of ours; the rule JobEnded has it, too
# Jobs of 0.2.0 and before have no last part, which nobody can guess.
JOB_NAME_PATTERN = re.compile(
    rf"{JOB_NAME_PREFIX}[a-zA-Z0-9-]{{1,32}}-[0-9a-f]{{20}}-a[0-9]{{1,12}}(?:-[0-9a-f]{{8}})?",
    re.ASCII,
)


def parse_event(body: str) -> Mapping[str, Any] | None:
    """The event in the body of a queue's message; None if it is not a JSON object, or one that
    parse_json refuses.

    >>> parse_event('{"source": "aws.s3"}'), parse_event("[1]"), parse_event("hello")
    ({'source': 'aws.s3'}, None, None)
    """
    try:
        found = parse_json(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def read_member(detail: Mapping[str, object], outer: str, inner: str) -> str:
    """The text of a nested member; empty if it is missing.

    >>> read_member({"bucket": {"name": "data"}}, "bucket", "name")
    'data'
    >>> read_member({"bucket": 1}, "bucket", "name")
    ''
    """
    found = detail.get(outer)
    return str(found.get(inner) or "") if isinstance(found, Mapping) else ""


def parse_seconds(time: object) -> float | None:
    """An ISO 8601 time in seconds since the epoch; None if it is not one.

    >>> parse_seconds("1970-01-01T00:01:00Z"), parse_seconds("soon")
    (60.0, None)
    """
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except (ValueError, OverflowError):  # of a year that the clock does not know
        return None


def is_event_time(at: float, now: float) -> bool:
    """Whether an event that is read now can be of this time; both in seconds since the epoch.

    No queue keeps an event for longer than MAX_EVENT_AGE, and none is of the future.

    >>> [is_event_time(at, 1_000_000_000.0) for at in (999_999_990.0, 1_000_000_301.0, 0.0)]
    [True, False, False]
    """
    return now - MAX_EVENT_AGE.total_seconds() <= at <= now + CLOCK_SKEW_SECONDS


@dataclass(frozen=True)
class PolicyWrite:
    """One write of a policy file, as CloudTrail reports it; no version if the file was deleted, or
    if CloudTrail names none. `at` is a timestamp, `principal` the id of the writer.
    """

    file: str
    version: str
    at: str
    principal: str
    arn: str = ""

    def is_by(self, user: str) -> bool:
        """Whether the caller with this id is the writer, as far as identities tell: the same id, or
        a session with the same name where the name is an e-mail address or Identity Center's.

        >>> arn = "arn:aws:sts::1:assumed-role/Writers/ana@example.org"
        >>> write = PolicyWrite("policy/a.yaml", "v1", "", "AROA1:ana@example.org", arn)
        >>> write.is_by("AROA2:Ana@example.org"), write.is_by("AROA2:ben@example.org")
        (True, False)
        """
        if user == self.principal:
            return True
        _, _, session = user.partition(":")
        _, _, own = self.principal.partition(":")
        own = own or (self.arn.rpartition("/")[2] if ":user/" in self.arn else "")
        is_personal = "@" in own or IDENTITY_CENTER_ROLE in self.arn
        return bool(own) and is_personal and session.casefold() == own.casefold()

    @property
    def writer(self) -> str:
        """The writer as CloudTrail names them."""
        return f"{self.principal} ({self.arn})" if self.arn else self.principal


@dataclass(frozen=True)
class Trigger:
    """An event after parsing. It says where to look, never what to do.

    `subjects` are "everything", "profile DOMAIN-ID/NAME" as CloudTrail names it, or "data
    s3://bucket/folder/". CloudTrail's event about a `write` of a policy file has none: it says who
    has written what another event is about.
    """

    kind: str  # policy, author, profile, data, schedule, own or unknown
    subjects: tuple[str, ...]
    id: str = ""
    at: float | None = None  # the event's time in seconds since the epoch, if known
    attempt: int = 0  # how often a run has enqueued it again
    write: PolicyWrite | None = None

    def __str__(self) -> str:
        about = f"{self.write.file} by {self.write.principal}" if self.write else ""
        return f"{self.kind}: {about or ', '.join(self.subjects)}"


def parse_trigger(event: Mapping[str, Any], policy_bucket: str) -> Trigger:
    """The trigger of an EventBridge event. An event of an unknown shape is about everything."""
    detail = event.get("detail")
    known: Mapping[str, Any] = detail if isinstance(detail, Mapping) else {}
    source, event_id = str(event.get("source", "")), str(event.get("id", ""))
    if source == "aws.s3" and (write := _parse_write(known, policy_bucket)):
        return Trigger("author", (), id=event_id, write=write)
    kind, subjects = _parse_detail(source, known, policy_bucket)
    attempt = known.get("attempt") if kind == "own" else 0
    return Trigger(
        kind,
        subjects,
        id=event_id,
        at=parse_seconds(event.get("time")),
        attempt=attempt if isinstance(attempt, int) else 0,
    )


def _parse_write(detail: Mapping[str, Any], policy_bucket: str) -> PolicyWrite | None:
    """Who has written or deleted a version of a policy file, as CloudTrail reports the call."""
    if read_member(detail, "requestParameters", "bucketName") != policy_bucket:
        return None
    file = read_member(detail, "requestParameters", "key")
    principal = read_member(detail, "userIdentity", "principalId")
    version = read_member(detail, "responseElements", "x-amz-version-id")
    is_delete = detail.get("eventName") == DELETE_CALL
    at = str(detail.get("eventTime") or "")
    if not (file and principal and parse_seconds(at)):
        return None
    arn = read_member(detail, "userIdentity", "arn")
    return PolicyWrite(file, "" if is_delete else version, at, principal, arn)


def merge_earliest(triggers: Iterable[Trigger]) -> dict[str, float | None]:
    """The subjects of all triggers, each with the earliest time of an event about it."""
    found: dict[str, float | None] = {}
    for trigger in triggers:
        for subject in trigger.subjects:
            times = [time for time in (found.get(subject), trigger.at) if time is not None]
            found[subject] = min(times, default=None)
    return found


def _parse_detail(
    source: str, detail: Mapping[str, Any], policy_bucket: str
) -> tuple[str, tuple[str, ...]]:
    """The kind and the subjects of a trigger."""
    match source:
        case "aws.s3":
            bucket = read_member(detail, "bucket", "name")
            return _parse_object(bucket, read_member(detail, "object", "key"), policy_bucket)
        case "aws.sagemaker":
            domain = read_member(detail, "requestParameters", "domainId")
            name = read_member(detail, "requestParameters", "userProfileName")
            return "profile", (f"profile {domain}/{name}" if domain and name else EVERYTHING,)
        case "aws.events" | "aws.scheduler":
            return "schedule", (EVERYTHING,)
        case own if own == EVENT_SOURCE:
            return "own", _parse_subjects(detail.get("subjects"))
    return "unknown", (EVERYTHING,)


def _parse_object(bucket: str, key: str, policy_bucket: str) -> tuple[str, tuple[str, ...]]:
    if bucket == policy_bucket:
        return "policy", (EVERYTHING,)
    return "data", (f"data s3://{bucket}/{key[: key.rfind('/') + 1]}" if bucket else EVERYTHING,)


def _parse_subjects(subjects: object) -> tuple[str, ...]:
    named = tuple(map(str, subjects)) if isinstance(subjects, list) else ()
    return named or (EVERYTHING,)


@dataclass(frozen=True)
class UploadTrigger:
    """An event about jobs, after parsing; it says where to look, never what to do.

    It is about an upload (s3://bucket/key), about a processing job that has ended (its name), or
    with `waiting` about all uploads that wait. An upload that is `waiting` was looked at before.
    With `sweep` it is also about new objects that no event has reported.
    `granted`: grants have changed. `at` is the event's time in seconds since the epoch, or None.
    `attempt` counts our own messages about the upload, which may be a batch. `versions` are the
    object's versions that the events named, which may have been replaced since.
    """

    upload: str = ""
    ended: str = ""
    waiting: bool = False
    granted: bool = False
    at: float | None = None
    attempt: int = 0
    id: str = ""
    versions: tuple[str, ...] = ()
    sweep: bool = False
    arrived: float = 0.0  # when the last of its events says that an object has arrived

    def __str__(self) -> str:
        uploads = "all waiting uploads" + (" and all inputs" if self.sweep else "")
        return self.upload or self.ended or (uploads if self.waiting else "no job")


def parse_upload_trigger(event: Mapping[str, Any]) -> UploadTrigger:
    """Parse an event; one that does not concern jobs gives an empty trigger.

    >>> detail = {"bucket": {"name": "data"}, "object": {"key": "UserA/100% a+b.csv"}}
    >>> print(parse_upload_trigger({"source": "aws.s3", "detail": detail}))
    s3://data/UserA/100% a+b.csv
    """
    detail = event.get("detail")
    known: Mapping[str, Any] = detail if isinstance(detail, Mapping) else {}
    at, event_id = parse_seconds(event.get("time")), str(event.get("id", ""))
    match event.get("source"):
        case "aws.s3":
            bucket, key = read_member(known, "bucket", "name"), read_member(known, "object", "key")
            versions = tuple(filter(None, (read_member(known, "object", "version-id"),)))
            return UploadTrigger(
                upload=f"s3://{bucket}/{key}" if bucket and key else "",
                at=at,
                id=event_id,
                versions=versions,
                arrived=at or 0.0,
            )
        case "aws.sagemaker":
            name = str(known.get("ProcessingJobName") or "")
            return UploadTrigger(ended=name if is_grantor_job(name) else "", at=at, id=event_id)
        case "aws.events" | "aws.scheduler":
            return UploadTrigger(waiting=True, at=at, id=event_id, sweep=True)
        case own if own == EVENT_SOURCE and event.get("detail-type") == JOB_WAITING:
            return _parse_own(known, event_id)
        case own if own == EVENT_SOURCE:
            return UploadTrigger(waiting=True, granted=True, at=at, id=event_id)
    return UploadTrigger(at=at, id=event_id)


def _parse_own(detail: Mapping[str, Any], event_id: str) -> UploadTrigger:
    attempt, at = detail.get("attempt"), detail.get("at")
    return UploadTrigger(
        upload=str(detail.get("upload") or ""),
        waiting=True,
        granted=detail.get("granted") is True,
        at=parse_number(at),
        attempt=attempt if isinstance(attempt, int) else 0,
        id=event_id,
    )


def parse_number(value: object) -> float | None:
    """A finite number; None if the value is not one.

    >>> parse_number(3), parse_number(True), parse_number(float("nan")), parse_number(10**400)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def is_grantor_job(name: str) -> bool:
    """Whether the name of a processing job has our format; the ledger says whether it is ours.

    >>> is_grantor_job("grantor-abalone-0123456789abcdef0123-a1-5eed5eed")
    True
    >>> is_grantor_job("grantor-test"), is_grantor_job("pytorch-training-1")
    (False, False)
    """
    return JOB_NAME_PATTERN.fullmatch(name) is not None


def compute_delay(attempt: int, first: float, longest: float, factor: int = 2) -> float:
    """Seconds to wait before an attempt, counted from 1: `first`, then `factor` times as long each
    time, up to `longest`.

    >>> [compute_delay(attempt, 10, 600) for attempt in (1, 2, 3, 7, 1000)]
    [10.0, 20.0, 40.0, 600, 600]
    """
    return min(longest, first * float(factor) ** min(attempt - 1, 32))
