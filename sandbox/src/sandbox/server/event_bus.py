"""What the server's EventBridge leaves out.

An S3 event gets its version and request id. A target's own policy decides what EventBridge may
send: a queue or function whose policy forgets EventBridge receives nothing on AWS, and no error is
shown. Here the event is recorded as undelivered (`python -m sandbox events`).
"""

import hashlib
import json
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sandbox.server.account import allows_service, request_scope
from sandbox.server.control import ANSWERS, current_switches
from sandbox.server.recursion import deliver_from_bus
from sandbox.server.seams import run_before, use_seam, wrap_seam
from sandbox.switches import ObjectSwitches

BUS = "ministack.services.eventbridge"
OBJECT_VERSION: ContextVar[str | None] = ContextVar("sandbox_version_id", default=None)
# When EventBridge was enabled for a bucket of an account and Region, in seconds since the epoch.
ENABLED_AT: dict[Any, float] = {}
SEEN_EVENTS: deque[dict[str, Any]] = deque(maxlen=1000)  # the events on the bus, newest last
EMPTY_ETAG = hashlib.md5(
    b"", usedforsecurity=False
).hexdigest()  # the ETag of a delete marker in AWS's own example
FIRE_PARAMETERS = (
    "bucket_name, key, event_name, size=0, etag='', deletion_type=None, restore_event_data=None, "
    "version_id=None, sequencer=None, object_extra=None, record_extra=None"
)


ENTRY_CONDITIONS = {
    "events:source": "Source",
    "events:detail-type": "DetailType",
}  # condition keys of PutEvents, which the server lacks


def install() -> None:
    """Correct the server's events where they are made and where they are delivered."""
    wrap_seam("ministack.services.s3", "_fire_s3_event", FIRE_PARAMETERS, _remember_version)
    wrap_seam(
        "ministack.services.s3", "_put_bucket_notification", "name, body, headers=None", _note_start
    )
    wrap_seam(
        "ministack.core.iam_actions",
        "request_tag_context",
        "service, iam_action, body, params",
        _add_entry_keys,
    )
    wrap_seam(BUS, "_dispatch_event", "event, view=None", _complete_events)
    wrap_seam(BUS, "_invoke_target", "target, event, rule, view=None", _ask_target)
    run_before(BUS, "reset", SEEN_EVENTS.clear)
    run_before("ministack.services.s3", "reset", ENABLED_AT.clear)
    ANSWERS["events"] = answer_events
    ANSWERS["fire-schedules"] = answer_fire_schedules


def _add_entry_keys(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Add the condition keys of PutEvents.

    A key has several values if the entries differ. A second bus is judged without them.
    """

    def context(service: str, iam_action: str, body: bytes, params: Any) -> dict[str, Any]:
        known = original(service, iam_action, body, params)
        if iam_action != "events:PutEvents":
            return known
        entries = [
            entry
            for entry in json.loads(body or b"{}").get("Entries") or []
            if isinstance(entry, dict)
        ]
        for key, name in ENTRY_CONDITIONS.items():
            values = sorted({str(entry[name]) for entry in entries if name in entry})
            known = known | ({key: values[0] if len(values) == 1 else values} if values else {})
        return known

    return context


def _note_start(original: Callable[..., Any]) -> Callable[..., Any]:
    """Note when EventBridge is enabled for a bucket, by a call or by a stack."""

    def put(name: str, body: Any, headers: Any = None) -> Any:
        was_on = _is_enabled(name)
        answer = original(name, body, headers)
        if _is_enabled(name) and not was_on:
            ENABLED_AT[request_scope(), name] = time.time()
        return answer

    return put


def _is_enabled(bucket: str) -> bool:
    configured = use_seam("ministack.services.s3", "_bucket_notifications")
    return "EventBridgeConfiguration" in configured.get(bucket, "")


def _remember_version(original: Callable[..., None]) -> Callable[..., None]:
    def fire(bucket: str, *words: Any, version_id: str | None = None, **others: Any) -> None:
        OBJECT_VERSION.set(version_id)
        start = ENABLED_AT.get((request_scope(), bucket), 0.0)
        if time.time() >= start + current_switches(ObjectSwitches).event_start_seconds:
            original(bucket, *words, version_id=version_id, **others)

    return fire


def _complete_events(original: Callable[..., None]) -> Callable[..., None]:
    def dispatch(event: dict[str, Any], view: Any = None) -> None:
        if event["Source"] == "aws.s3":
            event, view = event | {"Detail": _complete_detail(json.loads(event["Detail"]))}, None
        _record_event(event)
        original(event, view)

    return dispatch


def _complete_detail(detail: dict[str, Any]) -> str:
    if version := OBJECT_VERSION.get():
        detail["object"]["version-id"] = version
    if detail.get("deletion-type") == "Delete Marker Created":
        detail["object"]["etag"] = EMPTY_ETAG
    elif "deletion-type" in detail:
        # AWS sends size and ETag only where a delete marker was created.
        detail["object"] = {
            key: value for key, value in detail["object"].items() if key not in ("size", "etag")
        }
    return json.dumps(
        detail | {"event-version": "1.1", "request-id": uuid.uuid4().hex[:16].upper()}
    )


def _ask_target(original: Callable[..., None]) -> Callable[..., None]:
    def invoke(
        target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
    ) -> None:
        arn = target.get("Arn", "")
        if why := _find_refusal(arn, rule["Arn"]):
            return _note_delivery(event, "undelivered", f"{arn}: {why}")
        _note_delivery(event, "delivered", arn)
        with deliver_from_bus():
            return original(target, event, rule, view)

    return invoke


def _find_refusal(target: str, rule: str) -> str | None:
    """Return why a queue or function accepts nothing from the rule.

    It is None if it accepts, and for targets that the server judges itself.
    """
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


def _find_queue_policy(arn: str) -> Any:
    queue = use_seam("ministack.services.sqs", "_queue_by_arn", "arn")(arn)
    return queue and queue["attributes"].get("Policy", {})


def _find_function_policy(arn: str) -> Any:
    found = use_seam("ministack.services.lambda_svc", "function_policy_for_arn", "resource_arn")(
        arn
    )
    return found and found[0]


TARGETS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "sqs": ("sqs:SendMessage", _find_queue_policy),
    "lambda": ("lambda:InvokeFunction", _find_function_policy),
}


def _note_delivery(event: dict[str, Any], how: str, text: str) -> None:
    found = next(
        (seen for seen in reversed(SEEN_EVENTS) if seen["event"]["EventId"] == event["EventId"]),
        None,
    )
    # A schedule's event is made for its rule alone and is on no bus.
    (found or _record_event(event))[how].append(text)


def _record_event(event: dict[str, Any]) -> dict[str, Any]:
    timed = event | {"Time": use_seam(BUS, "_event_time_string", "event")(event)}
    SEEN_EVENTS.append({"event": timed, "delivered": [], "undelivered": []})
    return SEEN_EVENTS[-1]


def answer_events(_: str, __: dict[str, str], ___: bytes) -> tuple[int, Any]:
    """Answer the last 1,000 events on the bus, with where each was delivered and where not."""
    return 200, [_describe_event(seen) for seen in SEEN_EVENTS]


def _describe_event(seen: dict[str, Any]) -> dict[str, Any]:
    event = seen["event"]
    return {
        "id": event["EventId"],
        "time": event["Time"],
        "source": event["Source"],
        "detail-type": event["DetailType"],
        "resources": event["Resources"],
        "detail": json.loads(event["Detail"]) if event["Detail"] else {},
        "delivered": seen["delivered"],
        "undelivered": seen["undelivered"],
    }


def answer_fire_schedules(_: str, query: dict[str, str], __: bytes) -> tuple[int, Any]:
    """Fire schedule rules now; with `rule` only those whose name contains it."""
    name = query.get("rule")
    scheduled = _find_schedule_rules()
    chosen = {key: rule for key, rule in scheduled.items() if name is None or name in rule["Name"]}
    if not chosen:
        names = ", ".join(sorted(rule["Name"] for rule in scheduled.values())) or "none"
        return 404, {
            "error": f"no enabled schedule rule is named {name or 'anything'}; there are: {names}"
        }
    # The server's own ticker fires them: for it, they fired last a year ago.
    use_seam(BUS, "_rule_last_fired").update(dict.fromkeys(chosen, time.time() - 366 * 86400))
    use_seam(BUS, "_tick_scheduled_rules", "")()
    return 200, {"fired": sorted(rule["Name"] for rule in chosen.values())}


def _find_schedule_rules() -> dict[Any, dict[str, Any]]:
    """Find the enabled schedule rules of the request's account and Region."""
    scope = request_scope()
    return {
        key: rule
        for key, rule in use_seam(BUS, "_rules")._data.items()  # noqa: SLF001  -- all accounts' rules are there
        if rule.get("ScheduleExpression") and rule.get("State") == "ENABLED" and key[:2] == scope
    }
