"""Where every request to AWS passes: it is named, struck by a fault if one is due, served, and counted."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from sandbox.access_grants.access import VENDED
from sandbox.operations import Asked, Request, asked
from sandbox.server import calls, faults, judged
from sandbox.server.control import body
from sandbox.server.seams import use, wrap

Scope = dict[str, Any]
CREDENTIAL = re.compile(r"(?:Credential=|^)[^/]+/\d{8}/(?:[^/]+/)?([^/]+)/aws4_request")
FORM = "application/x-www-form-urlencoded"
_key_of = use("ministack.core.router", "extract_access_key_id", "headers, query_params=None")
_account_of = use("ministack.app", "_request_account_scope", "access_key_id")
_bucket_of = use("ministack.app", "_extract_s3_vhost_bucket", "host")
_no_buckets = use("ministack.app", "_NON_S3_VHOST_NAMES")
_is_root = use("ministack.core.iam_evaluator", "is_root_access_key", "access_key_id")
_sessions = use("ministack.services.sts", "_sessions")
_access_keys = use("ministack.services.iam", "_access_keys")


def install() -> None:
    """Stand in front of the server's ASGI application."""
    # What `send` is, bound, and what hangs on it: the faults that close connections, or hold them, need both.
    use("hypercorn.protocol.http_stream", "HTTPStream.app_send", "self, message")
    use("hypercorn.asyncio.worker_context", "WorkerContext", "max_requests")
    wrap("ministack.app", "app", "scope, receive, send", _fronted)


def _fronted(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            return await original(scope, receive, send)
        what, key, receive = await _known(scope, receive)
        principal, session = _principal(key), _session(key)
        rule = faults.RULES.due(what.service, what.operation, principal)
        judgements, status = judged.begin(), 0

        async def watched(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            if rule is None:
                return await original(scope, receive, watched)
            done, closing = partial(original, scope, receive), send.__self__.context.terminated.wait
            return await faults.strike(rule, what, faults.Exchange(receive, watched, done, partial(_hang_up, send), closing))
        finally:
            fault = rule.kind if rule else None
            calls.note(calls.Call(what.service, what.operation, principal, status, tuple(judgements), fault, *session))

    return app


async def _known(scope: Scope, receive: Any) -> tuple[Asked, str, Any]:
    """What is asked and with which key; and the way to the request's body, which may have been read for it."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    form: dict[str, list[str]] = {}
    if headers.get("content-type", "").startswith(FORM):
        sent = await body(receive)
        form, receive = parse_qs(sent.decode("utf-8", "replace")), _again(sent, receive)
    action = (form.get("Action") or query.get("Action") or [""])[0]
    signed = CREDENTIAL.search(headers.get("authorization") or query.get("X-Amz-Credential", [""])[0])
    request = Request(signed[1] if signed else "", scope["method"], _path(scope, headers), query, headers, action)
    return asked(request), _key_of(headers, query), receive


def _path(scope: Scope, headers: dict[str, str]) -> str:
    """The path as it was sent; a bucket in the host's name is put before it."""
    path = str((scope.get("raw_path") or scope["path"].encode()).decode("latin-1"))
    bucket = None if path.startswith("/v20180820/") else _bucket_of(headers.get("host", ""))
    return f"/{bucket}{path}" if bucket and bucket not in _no_buckets else path


def _principal(key: str) -> str:
    """The name of the role or user that a key belongs to; or root, anonymous, unknown."""
    if not key:
        return "anonymous"
    if session := _sessions.get(key):
        parts = str(session["Arn"]).split("/")
        return parts[1] if ":assumed-role/" in session["Arn"] else parts[-1]
    if _is_root(key):
        return "root"
    record = _access_keys.get_scoped(_account_of(key), None, key)
    return str(record["UserName"]) if record else "unknown"


def _session(key: str) -> tuple[str, str]:
    """Of a session of a role the name, and what Access Grants vended it for, which it carries among the instance's condition keys."""
    session = _sessions.get(key) or {}
    name = str(session.get("Arn", "")).rpartition("/")[2] if ":assumed-role/" in session.get("Arn", "") else ""
    return name, str(session.get("ConditionKeys", {}).get(VENDED, ""))


def _again(sent: bytes, receive: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A way to a body that has been read already; then whatever else may come."""
    told = False

    async def once_more() -> dict[str, Any]:
        nonlocal told
        if told:
            return dict(await receive())
        told = True
        return {"type": "http.request", "body": sent, "more_body": False}

    return once_more


def _hang_up(send: Any) -> None:
    """Close the connection without a byte: to the server the answer has begun and was never finished."""
    send.__self__.state = use("hypercorn.protocol.http_stream", "ASGIHTTPState").RESPONSE
