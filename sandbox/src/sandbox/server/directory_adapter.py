"""IAM Identity Center's directory in the server: `identitystore` and `sso-admin` behind IAM."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.access_grants import Caller
from sandbox.identity_center import Directory, DirectoryError
from sandbox.identity_center.directory_operations import list_resources
from sandbox.server.account import ServerAccount, find_caller, request_scope
from sandbox.server.seams import run_before_reset, use_seam

Answer = tuple[int, dict[str, str], bytes]
# By botocore's name: the signing name, which IAM's actions also have, and the prefix of the
# target header.
DIRECTORY_WIRE = {
    "identitystore": ("identitystore", "AWSIdentityStore"),
    "sso-admin": ("sso", "SWBExternalService"),
}
DIRECTORY_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1"
}  # copied for each answer, because the server adds to it
DIRECTORIES: dict[tuple[str, str], Directory] = {}
DIRECTORY_ACCOUNT = ServerAccount()


def find_directory() -> Directory:
    """Return the directory of the current request's account and Region."""
    where = request_scope()
    if where not in DIRECTORIES:
        DIRECTORIES[where] = Directory(*where, clock=time.time)
    return DIRECTORIES[where]


def install() -> None:
    """Make `identitystore` and `sso` services of the server."""
    handlers = use_seam("ministack.app", "SERVICE_HANDLERS")
    patterns = use_seam("ministack.core.router", "SERVICE_PATTERNS")
    for name, (signed, target) in DIRECTORY_WIRE.items():
        handlers[signed] = _make_directory_handler(name)
        patterns[signed] = {"host_patterns": [rf"^{signed}\."], "target_prefixes": [target]}
    run_before_reset(_forget_directories)


def _make_directory_handler(name: str) -> Callable[..., Awaitable[Answer]]:
    async def handle(
        _: str, __: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        lower = {key.lower(): value for key, value in headers.items()}
        operation = lower.get("x-amz-target", "").rpartition(".")[2]
        try:
            request = json.loads(body or b"{}")
            _authorise_directory_call(name, operation, request, find_caller(headers, query))
            answer = find_directory().call(name, operation, request)
        except DirectoryError as refusal:
            error_body = {
                "__type": refusal.code,
                "message": refusal.message,
                "Message": refusal.message,
            } | refusal.members
            return refusal.status, dict(DIRECTORY_HEADERS), json.dumps(error_body).encode()
        return 200, dict(DIRECTORY_HEADERS), json.dumps(answer).encode()

    return handle


def _authorise_directory_call(
    name: str, operation: str, request: dict[str, Any], caller: Caller
) -> None:
    action = f"{DIRECTORY_WIRE[name][0]}:{operation}"
    for resource in list_resources(find_directory(), name, operation, request):
        if not DIRECTORY_ACCOUNT.is_allowed(caller, action, resource, {}):
            why = (
                f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            )
            raise DirectoryError("AccessDeniedException", why)


def _forget_directories() -> None:
    DIRECTORIES.clear()
