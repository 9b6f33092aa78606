"""The outermost layer: refuses what web pages send, and asks for the token at the own addresses.

/_sandbox/ and /_ministack/ hand out credentials, forget everything and change settings, so they
want the token of this start in the header Authorization, as the credentials endpoint of a container
does (AWS_CONTAINER_AUTHORIZATION_TOKEN). What AWS serves by an address that nobody can guess is
open.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.doors import find_intrusion
from sandbox.server.seams import wrap_seam
from sandbox.server.sign_in import START_KEYS

OPEN = ("/_ministack/health", "/_ministack/ready")
# The answers of custom resources and wait conditions, whose path ends with a random token, and the
# code that GetFunction and GetLayerVersion link to.
LINKS = (
    "/_ministack/cfn-response/",
    "/_ministack/cfn-signal/",
    "/_ministack/lambda-code/",
    "/_ministack/lambda-layers/",
)
HOW_TO_ENTER = (
    "This address wants the token of the sandbox's start in the header Authorization: "
    "`python -m sandbox env` prints it as SANDBOX_TOKEN."
)
Scope = dict[str, Any]


def install() -> None:
    """Stand in front of all that stands in front of the server's ASGI application."""
    wrap_seam("ministack.app", "app", "scope, receive, send", _keep_door)


def _keep_door(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await original(scope, receive, send)
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        refusal = find_intrusion(headers) or _find_missing_token(scope["path"], headers)
        if not refusal:
            return await original(scope, receive, send)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(refusal, send)
        return None

    return app


def _find_missing_token(path: str, headers: dict[str, str]) -> str:
    if not path.startswith(("/_sandbox/", "/_ministack/")) or path in OPEN:
        return ""
    sent = headers.get("authorization", "").encode()
    known = secrets.compare_digest(sent, START_KEYS.token.encode())
    return "" if known or path.startswith(LINKS) else HOW_TO_ENTER


async def _refuse(refusal: str, send: Any) -> None:
    body = json.dumps({"error": refusal}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the body of the request stays unread
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
