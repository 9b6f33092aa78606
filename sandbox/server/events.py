"""What the server's events leave out: an S3 event's version and request id, and the target's own say in what EventBridge may send.

A queue or function whose policy forgets EventBridge gets nothing on AWS, and nobody is told; here it is recorded as
undelivered, so that it is found on the desk (`python -m sandbox events`).
"""

import hashlib
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
NOTHING = hashlib.md5(b"", usedforsecurity=False).hexdigest()  # the etag of a delete marker, in AWS's own example
FIRE = (
    "bucket_name, key, event_name, size=0, etag='', deletion_type=None, restore_event_data=None, "
    "version_id=None, sequencer=None, object_extra=None, record_extra=None"
)


CONDITIONS = {
    "events:source": "Source",
    "events:detail-type": "DetailType",
}  # condition keys of PutEvents, which the server lacks


def install() -> None:
    """Mend the server's events where they are made and where they are delivered."""
    wrap("ministack.services.s3", "_fire_s3_event", FIRE, _remembering_version)
    wrap("ministack.core.iam_actions", "request_tag_context", "service, iam_action, body, params", _with_entries)
    wrap(BUS, "_dispatch_event", "event, view=None", _completing)
    wrap(BUS, "_invoke_target", "target, event, rule, view=None", _asking_the_target)
    wrap(BUS, "reset", "", _forgetting)


def _with_entries(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The keys are of several values where the entries differ. A second bus is judged without them."""

    def context(service: str, iam_action: str, body: bytes, params: Any) -> dict[str, Any]:
        told = original(service, iam_action, body, params)
        if iam_action != "events:PutEvents":
            return told
        entries = [entry for entry in json.loads(body or b"{}").get("Entries") or [] if isinstance(entry, dict)]
        for key, name in CONDITIONS.items():
            values = sorted({str(entry[name]) for entry in entries if name in entry})
            told = told | ({key: values[0] if len(values) == 1 else values} if values else {})
        return told

    return context


def _remembering_version(original: Callable[..., None]) -> Callable[..., None]:
    def fire(*words: Any, version_id: str | None = None, **others: Any) -> None:
        VERSION.set(version_id)
        original(*words, version_id=version_id, **others)

    return fire


def _completing(original: Callable[..., None]) -> Callable[..., None]:
    def dispatch(event: dict[str, Any], view: Any = None) -> None:
        if event["Source"] == "aws.s3":
            event, view = event | {"Detail": _complete(json.loads(event["Detail"]))}, None
        _see(event)
        original(event, view)

    return dispatch


def _complete(detail: dict[str, Any]) -> str:
    if version := VERSION.get():
        detail["object"]["version-id"] = version
    if detail.get("deletion-type") == "Delete Marker Created":
        detail["object"]["etag"] = NOTHING
    elif "deletion-type" in detail:
        # AWS tells size and etag only where a delete marker was made.
        detail["object"] = {key: value for key, value in detail["object"].items() if key not in ("size", "etag")}
    return json.dumps(detail | {"event-version": "1.1", "request-id": uuid.uuid4().hex[:16].upper()})


def _asking_the_target(original: Callable[..., None]) -> Callable[..., None]:
    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        arn = target.get("Arn", "")
        if why := _refusal(arn, rule["Arn"]):
            return _note(event, "undelivered", f"{arn}: {why}")
        _note(event, "delivered", arn)
        return original(target, event, rule, view)

    return invoke


def _refusal(target: str, rule: str) -> str | None:
    """Why a queue or function takes nothing from the rule; None if it does, and for targets that the server judges itself."""
    kind = target.split(":")[2] if target.count(":") > 2 else ""
    if kind not in TARGETS:
        return None
    action, policy_of = TARGETS[kind]
    policy = policy_of(target)
    if policy is None:
        return f"there is no such {'queue' if kind == 'sqs' else 'function'}"
    if allows_service(policy, "events.amazonaws.com", action, target, {"aws:SourceArn": rule}):
        return None
    return f"its policy does not let events.amazonaws.com send for {rule}"


def _policy_of_queue(arn: str) -> Any:
    queue = use("ministack.services.sqs", "_queue_by_arn", "arn")(arn)
    return queue and queue["attributes"].get("Policy", {})


def _policy_of_function(arn: str) -> Any:
    found = use("ministack.services.lambda_svc", "function_policy_for_arn", "resource_arn")(arn)
    return found and found[0]


TARGETS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "sqs": ("sqs:SendMessage", _policy_of_queue),
    "lambda": ("lambda:InvokeFunction", _policy_of_function),
}


def _note(event: dict[str, Any], how: str, text: str) -> None:
    found = next((seen for seen in reversed(SEEN) if seen["event"]["EventId"] == event["EventId"]), None)
    # A schedule's event is made for its rule alone and passes no bus.
    (found or _see(event))[how].append(text)


def _see(event: dict[str, Any]) -> dict[str, Any]:
    told = event | {"Time": use(BUS, "_event_time_string", "event")(event)}
    SEEN.append({"event": told, "delivered": [], "undelivered": []})
    return SEEN[-1]


def _forgetting(original: Callable[[], None]) -> Callable[[], None]:
    def reset() -> None:
        SEEN.clear()
        original()

    return reset
