"""What the server's events leave out: an S3 event's version and request id, and the queue's own say in what EventBridge may send.

A queue whose policy forgets EventBridge gets nothing on AWS, and nobody is told; here it is recorded as undelivered, so
that it is found on the desk (`python -m sandbox events`).
"""

import json
import uuid
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sandbox.server.account import allows_service
from sandbox.server.seams import use, wrap

BUS = "ministack.services.eventbridge"
VERSION: ContextVar[str | None] = ContextVar("sandbox_version_id", default=None)
SEEN: deque[dict[str, Any]] = deque(maxlen=1000)  # what passed the bus, newest last
FIRE = (
    "bucket_name, key, event_name, size=0, etag='', deletion_type=None, restore_event_data=None, "
    "version_id=None, sequencer=None, object_extra=None, record_extra=None"
)


def install() -> None:
    """Mend the server's events where they are made and where they are delivered."""
    wrap("ministack.services.s3", "_fire_s3_event", FIRE, _remembering_version)
    wrap(BUS, "_dispatch_event", "event, view=None", _completing)
    wrap(BUS, "_invoke_target", "target, event, rule, view=None", _asking_the_queue)


def _remembering_version(original: Callable[..., None]) -> Callable[..., None]:
    def fire(*words: Any, version_id: str | None = None, **others: Any) -> None:
        VERSION.set(version_id)
        original(*words, version_id=version_id, **others)

    return fire


def _completing(original: Callable[..., None]) -> Callable[..., None]:
    def dispatch(event: dict[str, Any], view: Any = None) -> None:
        if event["Source"] == "aws.s3":
            event, view = event | {"Detail": _complete(json.loads(event["Detail"]))}, None
        SEEN.append({"event": event, "delivered": [], "undelivered": []})
        original(event, view)

    return dispatch


def _complete(detail: dict[str, Any]) -> str:
    if version := VERSION.get():
        detail["object"]["version-id"] = version
    if detail.get("deletion-type") == "Permanently Deleted":
        # AWS tells size and etag only where a delete marker was made.
        detail["object"] = {key: value for key, value in detail["object"].items() if key not in ("size", "etag")}
    return json.dumps(detail | {"request-id": uuid.uuid4().hex[:16].upper()})


def _asking_the_queue(original: Callable[..., None]) -> Callable[..., None]:
    queue_of = use("ministack.services.sqs", "_queue_by_arn", "arn")

    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        arn = target.get("Arn", "")
        queue = queue_of(arn) if ":sqs:" in arn else None
        if queue is not None and not allows_service(
            queue["attributes"].get("Policy"), "events.amazonaws.com", "sqs:SendMessage", arn, {"aws:SourceArn": rule["Arn"]}
        ):
            return _note(event, "undelivered", f"{arn}: its policy does not let events.amazonaws.com send for {rule['Arn']}")
        _note(event, "delivered", arn)
        return original(target, event, rule, view)

    return invoke


def _note(event: dict[str, Any], how: str, text: str) -> None:
    for seen in reversed(SEEN):
        if seen["event"]["EventId"] == event["EventId"]:
            seen[how].append(text)
            return
    # A schedule's event is made for its rule alone and passes no bus.
    SEEN.append({"event": event, "delivered": [], "undelivered": []} | {how: [text]})
