"""What stands in a raw event, whatever its shape: nothing that is missing or of another kind is a mistake."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grantor.core.snapshot import EVERYTHING

OWN = "grantor"  # the source of our own events; a run that could not finish rings by one of them


def event_in(body: str) -> Mapping[str, Any] | None:
    """The event that a queue's message carries; None if it is none.

    >>> event_in('{"source": "aws.s3"}'), event_in("[1]"), event_in("hello")
    ({'source': 'aws.s3'}, None, None)
    """
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def member(detail: Mapping[str, object], outer: str, inner: str) -> str:
    """A text that stands in another member; empty if it does not.

    >>> member({"bucket": {"name": "data"}}, "bucket", "name"), member({"bucket": 1}, "bucket", "name")
    ('data', '')
    """
    found = detail.get(outer)
    return str(found.get(inner) or "") if isinstance(found, Mapping) else ""


def seconds(time: object) -> float | None:
    """A time of ISO 8601 in seconds since 1970; None if it is none.

    >>> seconds("1970-01-01T00:01:00Z"), seconds("soon")
    (60.0, None)
    """
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return None


@dataclass(frozen=True)
class Bell:
    """What rang: `kind` is policy, profile, data, clock, own or unknown; `at` is the event's time in seconds since 1970, or None.

    `about` says what is to be looked at: "everything", "profile DOMAIN-ID/NAME" as CloudTrail names it, "data s3://bucket/folder/".
    """

    kind: str
    about: tuple[str, ...]
    id: str = ""
    at: float | None = None
    attempt: int = 0  # how often a run has rung it again by itself

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.about)}"


def bell(event: Mapping[str, Any], policy_bucket: str) -> Bell:
    """The bell that an EventBridge event is. Anything can ring: an event of no known shape is about everything."""
    detail = event.get("detail")
    known: Mapping[str, Any] = detail if isinstance(detail, Mapping) else {}
    kind, about = _what(str(event.get("source", "")), known, policy_bucket)
    attempt = known.get("attempt") if kind == "own" else 0
    return Bell(kind, about, str(event.get("id", "")), seconds(event.get("time")), attempt if isinstance(attempt, int) else 0)


def earliest(bells: Iterable[Bell]) -> dict[str, float | None]:
    """What all the bells are about, each with the earliest time at which it rang."""
    found: dict[str, float | None] = {}
    for one in bells:
        for about in one.about:
            times = [time for time in (found.get(about), one.at) if time is not None]
            found[about] = min(times, default=None)
    return found


def _what(source: str, detail: Mapping[str, Any], policy_bucket: str) -> tuple[str, tuple[str, ...]]:
    match source:
        case "aws.s3":
            return _object(member(detail, "bucket", "name"), member(detail, "object", "key"), policy_bucket)
        case "aws.sagemaker":
            domain, name = (member(detail, "requestParameters", key) for key in ("domainId", "userProfileName"))
            return "profile", (f"profile {domain}/{name}" if domain and name else EVERYTHING,)
        case "aws.events" | "aws.scheduler":
            return "clock", (EVERYTHING,)
        case own if own == OWN:
            return "own", _listed(detail.get("bells"))
    return "unknown", (EVERYTHING,)


def _object(bucket: str, key: str, policy_bucket: str) -> tuple[str, tuple[str, ...]]:
    if bucket == policy_bucket:
        return "policy", (EVERYTHING,)
    return "data", (f"data s3://{bucket}/{key[: key.rfind('/') + 1]}" if bucket else EVERYTHING,)


def _listed(bells: object) -> tuple[str, ...]:
    named = tuple(str(one) for one in bells) if isinstance(bells, list) else ()
    return named or (EVERYTHING,)
