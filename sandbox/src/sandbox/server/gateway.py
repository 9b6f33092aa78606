"""Every request passes here: identified, struck by a fault if one is due, served and recorded.

Calls are counted by operation and caller from the start, and the last 100,000 are kept in order.
"""

import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from sandbox.access_grants.data_access import VENDED_FOR
from sandbox.aws_requests import HttpRequest, RequestedOperation, name_operation
from sandbox.server import fault_injection, judgements
from sandbox.server.cloudtrail import record_object_call
from sandbox.server.control import ANSWERS, read_body
from sandbox.server.judgements import Judgement
from sandbox.server.seams import run_before_reset, use_seam, wrap_seam

MAX_RECORDED = 100_000
# Service, operation, caller: how many were answered, how many refused.
CALL_COUNTS: dict[tuple[str, str, str], list[int]] = {}
CALL_RECORD: deque["CallRecord"] = deque(maxlen=MAX_RECORDED)
Scope = dict[str, Any]
CREDENTIAL = re.compile(r"(?:Credential=|^)[^/]+/\d{8}/(?:[^/]+/)?([^/]+)/aws4_request")
VERSION_HEADER = b"x-amz-version-id"
OBJECT_WRITES = {
    "PutObject",
    "CopyObject",
    "PostObject",
    "CompleteMultipartUpload",
    "DeleteObject",
    "DeleteObjects",
}
FORM = "application/x-www-form-urlencoded"
_key_of = use_seam("ministack.core.router", "extract_access_key_id", "headers, query_params=None")
_account_of = use_seam("ministack.app", "_request_account_scope", "access_key_id")
_is_root = use_seam("ministack.core.iam_evaluator", "is_root_access_key", "access_key_id")
_sessions = use_seam("ministack.services.sts", "_sessions")
_access_keys = use_seam("ministack.services.iam", "_access_keys")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call.

    `time` is when it ended (seconds since the epoch), `status` what the caller saw (0:
    nothing), `judged` what was authorized, `fault` the kind that struck. For a session of a
    role, `session` is its name and `vended` what Access Grants vended it for, such as "READ
    s3://data/UserA/*".
    """

    service: str
    operation: str
    principal: str
    status: int
    judged: tuple[Judgement, ...]
    fault: str | None
    session: str = ""
    vended: str = ""
    time: float = field(default_factory=time.time)


def _install_call_log() -> None:
    """Answer for the calls, and forget them when the server forgets everything."""
    ANSWERS["calls"] = answer_calls
    run_before_reset(forget_calls)


def note_call(call: CallRecord) -> None:
    """Count and keep one call."""
    counted = CALL_COUNTS.setdefault((call.service, call.operation, call.principal), [0, 0])
    counted[not 0 < call.status < 400] += 1
    CALL_RECORD.append(call)


def answer_calls(method: str, query: dict[str, str], _: bytes) -> tuple[int, Any]:
    """Answer the counts, or with `record` the record. DELETE starts both afresh."""
    if method == "DELETE":
        forget_calls()
        return 200, []
    return 200, [
        _describe_call(call) for call in CALL_RECORD
    ] if "record" in query else _list_counts()


def forget_calls() -> None:
    CALL_COUNTS.clear()
    CALL_RECORD.clear()


def _list_counts() -> list[dict[str, Any]]:
    return [
        {
            "service": service,
            "operation": operation,
            "principal": principal,
            "answered": answered,
            "refused": refused,
        }
        for (service, operation, principal), (answered, refused) in sorted(CALL_COUNTS.items())
    ]


def _describe_call(call: CallRecord) -> dict[str, Any]:
    judged = [
        {"action": action, "resource": resource, "allowed": allowed}
        for action, resource, allowed in call.judged
    ]
    members = {
        name: getattr(call, name)
        for name in (
            "time",
            "service",
            "operation",
            "principal",
            "session",
            "vended",
            "status",
            "fault",
        )
    }
    return members | {"resource": call.judged[0][1] if call.judged else None, "judged": judged}


def install() -> None:
    """Stand in front of the server's ASGI application, and answer for what was called."""
    _install_call_log()
    # Faults that close or hold connections need the object that `send` is bound to, and its
    # context.
    use_seam("hypercorn.protocol.http_stream", "HTTPStream.app_send", "self, message")
    use_seam("hypercorn.asyncio.worker_context", "WorkerContext", "max_requests")
    wrap_seam("ministack.app", "app", "scope, receive, send", _watch_requests)


def _watch_requests(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            return await original(scope, receive, send)
        what, key, receive = await _identify_request(scope, receive)
        principal, session = _name_caller(key), _describe_session(key)
        rule = fault_injection.FAULT_RULES.find_due(what.service, what.operation, principal)
        decisions, status, version = judgements.begin_judgements(), 0, ""

        async def watched(message: dict[str, Any]) -> None:
            nonlocal status, version
            status = message.get("status", status)
            version = dict(message.get("headers", ())).get(VERSION_HEADER, b"").decode() or version
            await send(message)

        try:
            if rule is None:
                return await original(scope, receive, watched)
            done, closing = partial(original, scope, receive), send.__self__.context.terminated.wait
            return await fault_injection.strike_call(
                rule,
                what,
                fault_injection.HttpExchange(
                    receive, watched, done, partial(_hang_up, send), closing
                ),
            )
        finally:
            fault = rule.kind if rule else None
            note_call(
                CallRecord(
                    what.service,
                    what.operation,
                    principal,
                    status,
                    tuple(decisions),
                    fault,
                    *session,
                )
            )
            if what.service == "s3" and what.operation in OBJECT_WRITES and 0 < status < 300:
                record_object_call(what.operation, key, scope["path"], version)

    return app


async def _identify_request(scope: Scope, receive: Any) -> tuple[RequestedOperation, str, Any]:
    """Return the operation, the key, and a `receive` for the body, which may have been read."""
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    form: dict[str, list[str]] = {}
    if headers.get("content-type", "").startswith(FORM):
        sent = await read_body(receive)
        form, receive = parse_qs(sent.decode("utf-8", "replace")), _replay_body(sent, receive)
    action = (form.get("Action") or query.get("Action") or [""])[0]
    signed = CREDENTIAL.search(
        headers.get("authorization") or query.get("X-Amz-Credential", [""])[0]
    )
    request = HttpRequest(
        signed[1] if signed else "",
        scope["method"],
        str((scope.get("raw_path") or scope["path"].encode()).decode("latin-1")),
        query,
        headers,
        action,
    )
    return name_operation(request), _key_of(headers, query), receive


def _name_caller(key: str) -> str:
    """Return the name of the role or user that a key belongs to; or root, anonymous, unknown."""
    if not key:
        return "anonymous"
    if session := _sessions.get(key):
        parts = str(session["Arn"]).split("/")
        return parts[1] if ":assumed-role/" in session["Arn"] else parts[-1]
    if _is_root(key):
        return "root"
    record = _access_keys.get_scoped(_account_of(key), None, key)
    return str(record["UserName"]) if record else "unknown"


def _describe_session(key: str) -> tuple[str, str]:
    """Return a role session's name, and what Access Grants vended it for.

    The latter is among the session's condition keys.
    """
    session = _sessions.get(key) or {}
    name = (
        str(session.get("Arn", "")).rpartition("/")[2]
        if ":assumed-role/" in session.get("Arn", "")
        else ""
    )
    return name, str(session.get("ConditionKeys", {}).get(VENDED_FOR, ""))


def _replay_body(sent: bytes, receive: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return a `receive` for a body that has been read already; after it, whatever else arrives."""
    replayed = False

    async def once_more() -> dict[str, Any]:
        nonlocal replayed
        if replayed:
            return dict(await receive())
        replayed = True
        return {"type": "http.request", "body": sent, "more_body": False}

    return once_more


def _hang_up(send: Any) -> None:
    """Close the connection without a byte. To the server the answer is begun and unfinished."""
    send.__self__.state = use_seam("hypercorn.protocol.http_stream", "ASGIHTTPState").RESPONSE
