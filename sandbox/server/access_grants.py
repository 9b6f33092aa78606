"""S3 Access Grants in the server: its requests on the wire, the server's own IAM as the world around it, grants by the thousand.

A vended credential is an ordinary session of the location's role with a session policy, so that the server's evaluator
enforces it everywhere; only the condition key `s3:AccessGrantsInstanceArn` has to be told to that evaluator.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.access_grants import AccessGrants, Caller, Model, Refused
from sandbox.access_grants.switches import Switches
from sandbox.access_grants.wire import Wire, error
from sandbox.server import directory, switches
from sandbox.server.account import ServerWorld, caller_of, place
from sandbox.server.control import ANSWERS
from sandbox.server.seams import use, wrap

ROOT = Path(__file__).parents[2]
Response = tuple[int, dict[str, str], bytes]
MODEL = Model.read(ROOT / ".tools/runtime/botocore/data")
WIRE = Wire(MODEL)
SERVICES: dict[tuple[str, str], AccessGrants] = {}


class World(ServerWorld):
    """The world around Access Grants: the account, and the directory of IAM Identity Center."""

    def knows(self, kind: str, identifier: str) -> bool:
        return directory.service().has(kind, identifier)

    def identity_center(self, arn: str) -> bool:
        return directory.service().arn == arn

    def identity_store(self) -> str:
        return directory.service().store_arn


def service() -> AccessGrants:
    """The service of the account and Region that the current request is in."""
    where = place()
    if where not in SERVICES:
        SERVICES[where] = AccessGrants(*where, World(), lambda: datetime.now(UTC), MODEL, switches.of(Switches))
    SERVICES[where].switches = switches.of(Switches)
    return SERVICES[where]


def call(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """One operation as the account itself, for CloudFormation; raises Refused."""
    account, _ = place()
    caller = Caller(f"arn:aws:iam::{account}:root", account)
    return service().call(operation, {"AccountId": account, **request}, caller)


def make_grants(method: str, _: dict[str, str], sent: bytes) -> tuple[int, Any]:
    """POST a list of CreateAccessGrant requests: all are made as the account itself, or those before the first that is refused."""
    if method != "POST":
        return 405, {"error": "grants are made by POST, with a list of CreateAccessGrant requests"}
    ids: list[str] = []
    try:
        for request in json.loads(sent):
            ids.append(call("CreateAccessGrant", request)["AccessGrantId"])  # noqa: PERF401  -- what was made before a refusal is told
    except Refused as refusal:
        return 400, {"error": f"request {len(ids)} is refused: {refusal}", "count": len(ids), "ids": ids}
    return 200, {"count": len(ids), "ids": ids}


def install() -> None:
    """Answer for Access Grants where the server would say InvalidURI."""
    ANSWERS["grants"] = make_grants
    authenticate = use("ministack.app", "_authenticate_only", "service, headers, query_params, request_id")
    parameters = "path, method, body, query_params, request_id, headers=None"
    wrap("ministack.app", "_handle_s3_control_request", parameters, lambda original: _handler(original, authenticate))
    wrap("ministack.core.iam_evaluator", "_principal_keys", "credential", _with_vended_keys)
    wrap("ministack.services.sts", "reset", "", _resetting)


def _handler(original: Callable[..., Awaitable[Any]], authenticate: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def handle(
        path: str, method: str, body: bytes, query_params: dict[str, Any], request_id: str, headers: dict[str, str] | None = None
    ) -> Any:
        asked = WIRE.operation(method, path)
        if asked is None or not _is_ours(asked):
            return await original(path, method, body, query_params, request_id, headers)
        if failure := authenticate("s3", headers or {}, query_params, request_id):
            return failure
        return _answer(asked, body, query_params, {k.lower(): v for k, v in (headers or {}).items()}, request_id)

    return handle


def _is_ours(asked: tuple[str, dict[str, str]]) -> bool:
    """The tag operations serve every kind of S3 resource; only those of Access Grants are answered here."""
    name, uri = asked
    return "access-grants" in uri.get("resourceArn", "access-grants" if "Tag" not in name else "")


def _answer(
    asked: tuple[str, dict[str, str]], body: bytes, query: dict[str, Any], headers: dict[str, str], request_id: str
) -> Response:
    name, uri = asked
    told = {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    try:
        request = WIRE.request(name, uri, query, headers, body)
        answer = service().call(name, request, caller_of(headers, query))
    except Refused as refusal:
        return refusal.status, told, error(refusal, request_id)
    return WIRE.status(name), told, WIRE.answer(name, answer)


def _with_vended_keys(original: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    sessions = use("ministack.services.sts", "_sessions")

    def keys(credential: Any) -> dict[str, Any]:
        return original(credential) | (sessions.get(credential.access_key_id) or {}).get("ConditionKeys", {})

    return keys


def _resetting(original: Callable[[], None]) -> Callable[[], None]:
    def reset() -> None:
        SERVICES.clear()
        original()

    return reset
