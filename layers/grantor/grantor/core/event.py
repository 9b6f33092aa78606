"""What stands in a raw event, whatever its shape: nothing that is missing or of another kind is a mistake."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any


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
