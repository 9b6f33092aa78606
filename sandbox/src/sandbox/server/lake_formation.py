"""Lake Formation, as far as it concerns who reaches a bucket: the locations registered with it.

A registered location is vended by Lake Formation to whomever it trusts, with the role of the
registration, whatever grants exist.
"""

import json
from collections.abc import Callable
from typing import Any

from sandbox.access_grants import Caller
from sandbox.server.account import ServerAccount, find_caller, request_scope
from sandbox.server.seams import run_before_reset, use_seam

Answer = tuple[int, dict[str, str], bytes]
LAKE_HEADERS = {"Content-Type": "application/json"}  # copied for each answer
# By account and Region: the registration of each location, by its ARN.
REGISTERED: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
LAKE_ACCOUNT = ServerAccount()


class LakeRefusal(Exception):
    """A request is refused, with AWS's code and a message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def install() -> None:
    """Make Lake Formation a service of the server."""
    use_seam("ministack.app", "SERVICE_HANDLERS")["lakeformation"] = handle_lake_request
    use_seam("ministack.core.router", "SERVICE_PATTERNS")["lakeformation"] = {
        "host_patterns": [r"^lakeformation\."]
    }
    run_before_reset(REGISTERED.clear)


async def handle_lake_request(
    _: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Answer:
    """Answer one request of the service: the operation is the path, the request its JSON body."""
    operation = path.strip("/")
    try:
        request = json.loads(body or b"{}")
        _authorise_lake_call(operation, find_caller(headers, query))
        answer = _find_operation(operation)(request)
    except LakeRefusal as refusal:
        error = {"__type": refusal.code, "Message": str(refusal)}
        named = dict(LAKE_HEADERS) | {"x-amzn-ErrorType": refusal.code}
        return refusal.status, named, json.dumps(error).encode()
    return 200, dict(LAKE_HEADERS), json.dumps(answer).encode()


def _authorise_lake_call(operation: str, caller: Caller) -> None:
    """Its actions support no resource-level permissions (service authorization data)."""
    action = f"lakeformation:{operation}"
    if not LAKE_ACCOUNT.is_allowed(caller, action, "*", {}):
        why = f"User: {caller.arn} is not authorized to perform: {action} on resource: *"
        raise LakeRefusal("AccessDeniedException", why, 403)


def _find_operation(operation: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    known = {
        "ListResources": _list_locations,
        "RegisterResource": _register_location,
        "DeregisterResource": _deregister_location,
    }
    if operation not in known:
        raise LakeRefusal("InvalidInputException", f"the sandbox does not have {operation}")
    return known[operation]


def _list_locations(_: dict[str, Any]) -> dict[str, Any]:
    return {"ResourceInfoList": list(_locations().values())}


def _register_location(request: dict[str, Any]) -> dict[str, Any]:
    arn = request.get("ResourceArn", "")
    if not arn.startswith("arn:aws:s3:::"):
        raise LakeRefusal("InvalidInputException", f"{arn} is no location in S3")
    if arn in _locations():
        raise LakeRefusal("AlreadyExistsException", "Resource is already registered")
    kept = ("ResourceArn", "RoleArn", "HybridAccessEnabled", "WithFederation")
    _locations()[arn] = {name: request[name] for name in kept if name in request}
    return {}


def _deregister_location(request: dict[str, Any]) -> dict[str, Any]:
    if _locations().pop(request.get("ResourceArn", ""), None) is None:
        raise LakeRefusal("EntityNotFoundException", "Entity not found")
    return {}


def _locations() -> dict[str, dict[str, Any]]:
    return REGISTERED.setdefault(request_scope(), {})
