"""Events as doorbells: what rang and when, never what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Bell:
    """Who rang: `kind` is policy, profile, upload, clock or unknown; `at` is the event's own time in seconds since 1970, or None."""

    kind: str
    subject: str
    id: str
    at: float | None

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()


def bell(event: Mapping[str, Any], policy_bucket: str) -> Bell:
    """The bell that an EventBridge event is. Anything can ring; an event of no known shape rings as unknown."""
    detail = event.get("detail")
    known: Mapping[str, Any] = detail if isinstance(detail, Mapping) else {}
    kind, subject = _who(str(event.get("source", "")), known, policy_bucket)
    return Bell(kind, subject, str(event.get("id", "")), _seconds(event.get("time")))


def _who(source: str, detail: Mapping[str, Any], policy_bucket: str) -> tuple[str, str]:
    match source:
        case "aws.s3":
            bucket, key = _at(detail, "bucket", "name"), _at(detail, "object", "key")
            return ("policy" if bucket == policy_bucket else "upload"), f"s3://{bucket}/{key}"
        case "aws.sagemaker":
            return "profile", f"{detail.get('eventName', '')} {_at(detail, 'requestParameters', 'userProfileName')}"
        case "aws.events" | "aws.scheduler":
            return "clock", ""
    return "unknown", source


def _at(detail: Mapping[str, Any], outer: str, inner: str) -> str:
    found = detail.get(outer)
    return str(found.get(inner, "")) if isinstance(found, Mapping) else ""


def _seconds(time: object) -> float | None:
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return None
