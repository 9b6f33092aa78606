"""The sandbox's own address, /_sandbox/, for its verbs; and requests in absolute form, as a client sends them through a proxy.

`python -m sandbox env` has AWS's tools reach S3 Control through a proxy, because they put the account before its host and
such a name does not resolve. The path alone says what is asked; the Host header stays the one that the client has signed.
"""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.server import events, studio
from sandbox.server.account import expire, place
from sandbox.server.seams import use, wrap

BUS = "ministack.services.eventbridge"
# What other extensions answer below /_sandbox/, by its name there: method, query and body in, HTTP status and JSON out.
ANSWERS: dict[str, Callable[[str, dict[str, str], bytes], tuple[int, Any]]] = {}
Send = Callable[[dict[str, Any]], Awaitable[None]]
Scope = dict[str, Any]


def install() -> None:
    """Stand in front of the server's ASGI application."""
    wrap("ministack.app", "app", "scope, receive, send", _fronted)


def _fronted(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def app(scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] == "http":
            scope = _relative(scope)
            if scope["path"].startswith("/_sandbox/"):
                return await _respond(scope, await body(receive), send)
        return await original(scope, receive, send)

    return app


def _relative(scope: Scope) -> Scope:
    raw = scope.get("raw_path") or scope["path"].encode()
    if not raw.startswith(b"http://"):
        return scope
    split = urlsplit(raw.decode("latin-1"))
    path = split.path or "/"
    return scope | {"path": unquote(path), "raw_path": path.encode("latin-1")}


async def body(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    """The whole body of a request, or what came of it before its client went away."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _respond(scope: Scope, sent: bytes, send: Send) -> None:
    query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
    what = scope["path"].removeprefix("/_sandbox/")
    status, answer = ANSWERS[what](scope["method"], query, sent) if what in ANSWERS else _answer(what, query)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def _answer(what: str, query: dict[str, str]) -> tuple[int, Any]:
    match what:
        case "notebook":
            try:
                return 200, studio.notebook(query.get("profile", ""), query.get("domain"))
            except studio.Refused as refusal:
                return refusal.status, {"error": refusal.message}
        case "events":
            return 200, [_shown(seen) for seen in events.SEEN]
        case "ring":
            return _ring(query.get("rule"))
        case "expire":
            return expire(query.get("key", ""))
    known = ", ".join(["notebook", "events", "ring", "expire", *ANSWERS])
    return 404, {"error": f"the sandbox has no {what}; it has {known}"}


def _shown(seen: dict[str, Any]) -> dict[str, Any]:
    event = seen["event"]
    detail = json.loads(event["Detail"]) if event["Detail"] else {}
    told = {"id": event["EventId"], "time": event["Time"], "source": event["Source"], "detail-type": event["DetailType"]}
    return told | {
        "resources": event["Resources"],
        "detail": detail,
        "delivered": seen["delivered"],
        "undelivered": seen["undelivered"],
    }


def _ring(name: str | None) -> tuple[int, Any]:
    """Fire schedule rules now, by the server's own ticker: it is told that they fired last when time began."""
    rules, last = use(BUS, "_rules"), use(BUS, "_rule_last_fired")
    tick = use(BUS, "_tick_scheduled_rules", "")
    account, region = place()
    scheduled = {
        key: rule
        for key, rule in rules._data.items()  # noqa: SLF001  -- the server's rules of all accounts stand nowhere else
        if rule.get("ScheduleExpression") and rule.get("State") == "ENABLED" and key[:2] == (account, region)
    }
    chosen = {key: rule for key, rule in scheduled.items() if name is None or name in rule["Name"]}
    if not chosen:
        names = ", ".join(sorted(rule["Name"] for rule in scheduled.values())) or "none"
        return 404, {"error": f"no enabled schedule rule is named {name or 'anything'}; there are: {names}"}
    last.update(dict.fromkeys(chosen, time.time() - 366 * 86400))
    tick()
    return 200, {"rung": sorted(rule["Name"] for rule in chosen.values())}
