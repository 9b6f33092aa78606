"""The sandbox's own address, /_sandbox/, the switches in force, and requests through a proxy.

`python -m sandbox env` has AWS's tools reach S3 Control through a proxy, because they put the
account before its host and such a name does not resolve. Such a request has an absolute URL. Its
path alone decides what it asks for; the Host header stays the one that the client signed.
"""

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.server.seams import wrap_seam
from sandbox.switches import KINDS, set_switches

# What other modules answer below /_sandbox/, by its name there: method, query and body in, HTTP
# status and JSON out.
ANSWERS: dict[str, Callable[[str, dict[str, str], bytes], tuple[int, Any]]] = {}
START_SWITCHES = set_switches(os.environ.get("SANDBOX_SWITCHES", "").split())
CURRENT_SWITCHES = [START_SWITCHES]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Scope = dict[str, Any]


def install() -> None:
    """Stand in front of the server's ASGI application."""
    wrap_seam("ministack.app", "app", "scope, receive, send", _answer_control_requests)


def current_switches(kind: type) -> Any:
    """Return the switches of one kind, as they are in force."""
    return CURRENT_SWITCHES[0][KINDS.index(kind)]


def change_switches(wanted: Mapping[str, Any]) -> None:
    """Set switches by name, over those in force.

    Raises ValueError for an unknown name or a value of another type.
    """
    settings = (f"{name}={json.dumps(value).strip(chr(34))}" for name, value in wanted.items())
    CURRENT_SWITCHES[0] = set_switches(settings, CURRENT_SWITCHES[0])


def restore_switches() -> None:
    """Set all switches as they were at the start."""
    CURRENT_SWITCHES[0] = START_SWITCHES


def list_changed_switches() -> dict[str, Any]:
    """List the switches in force that differ from the start."""
    pairs = zip(CURRENT_SWITCHES[0], START_SWITCHES, strict=True)
    return {
        name: value
        for now, then in pairs
        for name, value in asdict(now).items() - asdict(then).items()
    }


def _answer_control_requests(
    original: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    async def handle_request(scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] == "http":
            scope = make_relative(scope)
            if scope["path"].startswith("/_sandbox/"):
                return await _send_answer(scope, await read_body(receive), send)
        return await original(scope, receive, send)

    return handle_request


def make_relative(scope: Scope) -> Scope:
    """Return the request with the path alone where its URL is absolute."""
    raw = scope.get("raw_path") or scope["path"].encode()
    if not raw.startswith(b"http://"):
        return scope
    split = urlsplit(raw.decode("latin-1"))
    path = split.path or "/"
    return scope | {"path": unquote(path), "raw_path": path.encode("latin-1")}


async def read_body(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    """Return the whole body of a request, or what came of it before its client disconnected."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send_answer(scope: Scope, sent: bytes, send: Send) -> None:
    query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
    name = scope["path"].removeprefix("/_sandbox/")
    if name in ANSWERS:
        status, answer = ANSWERS[name](scope["method"], query, sent)
    else:
        status, answer = 404, {"error": f"the sandbox has no {name}; it has {', '.join(ANSWERS)}"}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
