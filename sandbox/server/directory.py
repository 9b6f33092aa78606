"""IAM Identity Center's directory in the server: `identitystore` and `sso-admin` on the wire, IAM in front."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.access_grants import Caller
from sandbox.directory import Directory, Refused
from sandbox.directory.resources import resources
from sandbox.server.account import ServerWorld, caller_of, place
from sandbox.server.seams import use, wrap

Answer = tuple[int, dict[str, str], bytes]
# By botocore's name: what requests are signed for, which is also the name in IAM's actions, and the prefix of their target.
WIRE = {"identitystore": ("identitystore", "AWSIdentityStore"), "sso-admin": ("sso", "SWBExternalService")}
JSON = {"Content-Type": "application/x-amz-json-1.1"}  # copied for each answer: the server adds to it
DIRECTORIES: dict[tuple[str, str], Directory] = {}
WORLD = ServerWorld()


def service() -> Directory:
    """The directory of the account and Region of the request in hand."""
    where = place()
    if where not in DIRECTORIES:
        DIRECTORIES[where] = Directory(*where, clock=time.time)
    return DIRECTORIES[where]


def install() -> None:
    """Make `identitystore` and `sso` services of the server."""
    handlers = use("ministack.app", "SERVICE_HANDLERS")
    patterns = use("ministack.core.router", "SERVICE_PATTERNS")
    for name, (signed, target) in WIRE.items():
        handlers[signed] = _handler(name)
        patterns[signed] = {"host_patterns": [rf"^{signed}\."], "target_prefixes": [target]}
    wrap("ministack.services.sts", "reset", "", _resetting)


def _handler(name: str) -> Callable[..., Awaitable[Answer]]:
    async def handle(_: str, __: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
        lower = {key.lower(): value for key, value in headers.items()}
        operation = lower.get("x-amz-target", "").rpartition(".")[2]
        try:
            request = json.loads(body or b"{}")
            _authorise(name, operation, request, caller_of(headers, query))
            answer = service().call(name, operation, request)
        except Refused as refusal:
            told = {"__type": refusal.code, "message": refusal.message, "Message": refusal.message} | refusal.members
            return refusal.status, dict(JSON), json.dumps(told).encode()
        return 200, dict(JSON), json.dumps(answer).encode()

    return handle


def _authorise(name: str, operation: str, request: dict[str, Any], caller: Caller) -> None:
    action = f"{WIRE[name][0]}:{operation}"
    for resource in resources(service(), name, operation, request):
        if not WORLD.allowed(caller, action, resource, {}):
            why = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            raise Refused("AccessDeniedException", why)


def _resetting(original: Callable[[], None]) -> Callable[[], None]:
    def reset() -> None:
        DIRECTORIES.clear()
        original()

    return reset
