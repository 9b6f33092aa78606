"""S3 Access Grants in the server: its requests on the wire, and the server's IAM as its account.

A vended credential is an ordinary session of the location's role with a session policy, so the
server's evaluator enforces it everywhere. Only the condition key `s3:AccessGrantsInstanceArn` must
be added.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sandbox.access_grants import AccessGrants, AccessGrantsError, Caller, GrantsModel
from sandbox.access_grants.protocol import RestXml, error_document
from sandbox.server import control, directory_adapter
from sandbox.server.account import ServerAccount, expire_session, find_caller, request_scope
from sandbox.server.control import ANSWERS
from sandbox.server.seams import run_before_reset, use_seam, wrap_seam
from sandbox.switches import GrantSwitches

Response = tuple[int, dict[str, str], bytes]
GRANTS_MODEL = GrantsModel.read()
GRANTS_WIRE = RestXml(GRANTS_MODEL)
GRANTS_SERVICES: dict[tuple[str, str], AccessGrants] = {}


class GrantsAccount(ServerAccount):
    """The account of Access Grants, with the directory of IAM Identity Center."""

    def has_grantee(self, kind: str, identifier: str) -> bool:
        return directory_adapter.find_directory().has(kind, identifier)

    def has_identity_center(self, arn: str) -> bool:
        return directory_adapter.find_directory().arn == arn

    def find_identity_store(self) -> str:
        return directory_adapter.find_directory().store_arn


def find_grants_service() -> AccessGrants:
    """Return the service of the current request's account and Region."""
    where = request_scope()
    if where not in GRANTS_SERVICES:
        GRANTS_SERVICES[where] = AccessGrants(
            *where,
            GrantsAccount(),
            lambda: datetime.now(UTC),
            GRANTS_MODEL,
            control.current_switches(GrantSwitches),
        )
    GRANTS_SERVICES[where].switches = control.current_switches(GrantSwitches)
    return GRANTS_SERVICES[where]


def call_access_grants(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out one operation as the account itself, for CloudFormation.

    Raises AccessGrantsError.
    """
    account, _ = request_scope()
    caller = Caller(f"arn:aws:iam::{account}:root", account)
    return find_grants_service().call(operation, {"AccountId": account, **request}, caller)


def create_grants(method: str, _: dict[str, str], sent: bytes) -> tuple[int, Any]:
    """Create a list of grants as the account itself: POST a list of CreateAccessGrant requests.

    If one is refused, those before it exist.
    """
    if method != "POST":
        return 405, {"error": "grants are made by POST, with a list of CreateAccessGrant requests"}
    ids: list[str] = []
    try:
        for request in json.loads(sent):
            ids.append(call_access_grants("CreateAccessGrant", request)["AccessGrantId"])  # noqa: PERF401  -- the error reports those before it
    except AccessGrantsError as refusal:
        return 400, {
            "error": f"request {len(ids)} is refused: {refusal}",
            "count": len(ids),
            "ids": ids,
        }
    return 200, {"count": len(ids), "ids": ids}


def answer_expire(_: str, query: dict[str, str], __: bytes) -> tuple[int, Any]:
    """Let the session of an access key end now."""
    return expire_session(query.get("key", ""))


def install() -> None:
    """Answer for Access Grants where the server would answer InvalidURI."""
    ANSWERS["grants"] = create_grants
    ANSWERS["expire"] = answer_expire
    authenticate = use_seam(
        "ministack.app", "_authenticate_only", "service, headers, query_params, request_id"
    )
    parameters = "path, method, body, query_params, request_id, headers=None"
    wrap_seam(
        "ministack.app",
        "_handle_s3_control_request",
        parameters,
        lambda original: _make_grants_handler(original, authenticate),
    )
    wrap_seam("ministack.core.iam_evaluator", "_principal_keys", "credential", _add_vended_keys)
    run_before_reset(_forget_grants)


def _make_grants_handler(
    original: Callable[..., Awaitable[Any]], authenticate: Callable[..., Any]
) -> Callable[..., Awaitable[Any]]:
    async def handle(
        path: str,
        method: str,
        body: bytes,
        query_params: dict[str, Any],
        request_id: str,
        headers: dict[str, str] | None = None,
    ) -> Any:
        asked = GRANTS_WIRE.find_operation(method, path)
        if asked is None or not _is_grants_operation(asked):
            return await original(path, method, body, query_params, request_id, headers)
        if failure := authenticate("s3", headers or {}, query_params, request_id):
            return failure
        return _answer_grants_request(
            asked,
            body,
            query_params,
            {k.lower(): v for k, v in (headers or {}).items()},
            request_id,
        )

    return handle


def _is_grants_operation(asked: tuple[str, dict[str, str]]) -> bool:
    """Return whether an operation is about Access Grants.

    Tag operations serve every kind of S3 resource.
    """
    name, uri = asked
    return "access-grants" in uri.get("resourceArn", "access-grants" if "Tag" not in name else "")


def _answer_grants_request(
    asked: tuple[str, dict[str, str]],
    body: bytes,
    query: dict[str, Any],
    headers: dict[str, str],
    request_id: str,
) -> Response:
    name, uri = asked
    answer_headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    try:
        request = GRANTS_WIRE.read_request(name, uri, query, headers, body)
        caller = replace(
            find_caller(headers, query),
            directory=directory_adapter.find_identity(headers, query),
        )
        answer = find_grants_service().call(name, request, caller)
    except AccessGrantsError as refusal:
        return refusal.status, answer_headers, error_document(refusal, request_id)
    return GRANTS_WIRE.read_status(name), answer_headers, GRANTS_WIRE.write_answer(name, answer)


def _add_vended_keys(original: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    sessions = use_seam("ministack.services.sts", "_sessions")

    def keys(credential: Any) -> dict[str, Any]:
        vended = sessions.get(credential.access_key_id) or {}
        return dict(original(credential) | vended.get("ConditionKeys", {}))

    return keys


def _forget_grants() -> None:
    GRANTS_SERVICES.clear()
