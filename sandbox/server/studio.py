"""SageMaker Studio in the server: its JSON on the wire, IAM in front, and the CloudTrail event that each change leaves on the bus."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from sandbox.access_grants import Caller
from sandbox.server import processing
from sandbox.server.account import ServerWorld, caller_of, place, start_session, trusts
from sandbox.server.homes import Homes
from sandbox.server.seams import use, wrap
from sandbox.server.trail import identity, trail
from sandbox.studio import OPERATIONS, Refused, Studio

# How long a domain or profile takes to settle, in seconds; minutes on AWS, short enough here not to be waited for.
SETTLE = float(os.environ.get("SANDBOX_SETTLE", "0.3"))
SERVICES: dict[tuple[str, str], Studio] = {}
SETTLES: dict[str, float] = {}  # by kind of thing, what is asked for instead
JSON = {"Content-Type": "application/x-amz-json-1.1"}  # copied for each answer: the server adds to it
WORLD = ServerWorld()


def service() -> Studio:
    """Studio in the account and Region of the request in hand."""
    where = place()
    if where not in SERVICES:
        SERVICES[where] = Studio(*where, clock=time.time, settle=SETTLE, assumes=_assumes, homes=Homes(), settles=SETTLES)
    return SERVICES[where]


def call(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """One operation as the account itself, for CloudFormation; raises Refused. It leaves its event as any other."""
    account, _ = place()
    root = f"arn:aws:iam::{account}:root"
    return _call(operation, dict(request), Caller(root, account), identity(root, root))


def notebook(profile: str, domain: str | None = None) -> dict[str, str]:
    """What a notebook of this profile has: a session of its execution role; Refused if SageMaker could not give it one."""
    key = next((k for k in service().profiles if k[1] == profile and domain in (None, k[0])), None)
    if key is None:
        raise Refused("ResourceNotFound", f"no Studio profile is named {profile}")
    own = service().profiles[key].asked.get("UserSettings") or {}
    inherited = service().domains[key[0]].asked.get("DefaultUserSettings") or {}
    arn = own.get("ExecutionRole") or inherited.get("ExecutionRole") or ""
    if not _assumes(arn, service().profiles[key].arn):
        raise Refused(
            "AccessDenied", f"the execution role {arn or '(none)'} of {profile} does not exist or does not trust SageMaker", 403
        )
    return start_session(arn, "SageMaker", 3600)


def _assumes(arn: str, of: str) -> bool:
    """Whether SageMaker can assume the role for its domain or profile `of`."""
    return trusts(arn, "sagemaker.amazonaws.com", {"aws:SourceAccount": place()[0], "aws:SourceArn": of})


def install() -> None:
    """Make `sagemaker` a service of the server."""
    handlers = use("ministack.app", "SERVICE_HANDLERS")
    patterns = use("ministack.core.router", "SERVICE_PATTERNS")
    handlers["sagemaker"] = handle
    patterns["sagemaker"] = {"host_patterns": [r"api\.sagemaker\."], "target_prefixes": ["SageMaker"]}
    wrap("ministack.services.sts", "reset", "", _resetting)


async def handle(
    _: str, __: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    """One request on the wire."""
    lower = {key.lower(): value for key, value in headers.items()}
    operation = lower.get("x-amz-target", "").rpartition(".")[2]
    caller = caller_of(headers, query)
    who = identity(_principal(headers, query, caller.account), caller.arn)
    try:
        answer = _call(operation, json.loads(body or b"{}"), caller, who)
    except Refused as refusal:
        told = {"__type": refusal.code, "message": refusal.message}
        return refusal.status, dict(JSON), json.dumps(told).encode()
    return 200, dict(JSON), json.dumps(answer).encode()


def _principal(headers: Mapping[str, str], query: Mapping[str, Any], account: str) -> str:
    """The caller's own ARN: of a session of a role, the session's."""
    key = use("ministack.core.router", "extract_access_key_id", "headers, query_params=None")(headers, query)
    resolve = use("ministack.core.iam_evaluator", "resolve_principal", "access_key_id, account_id, credential=None")
    return str(resolve(key, account).arn)


def _call(operation: str, request: dict[str, Any], caller: Caller, who: dict[str, Any]) -> dict[str, Any]:
    try:
        _authorise(operation, request, caller)
        jobs = processing.serves(operation, request)
        answer = (processing.service() if jobs else service()).call(operation, request)
    except Refused as refusal:
        _tell(operation, who, request, {"errorCode": refusal.code, "errorMessage": refusal.message})
        raise
    _tell(operation, who, request, {"responseElements": answer or None})
    return answer


def _tell(operation: str, who: dict[str, Any], request: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Leave the event of a call that changes something, or would have."""
    known = operation in OPERATIONS or processing.serves(operation, request)
    if known and not operation.startswith(("Describe", "List")):
        trail("sagemaker", operation, who, request, outcome)


def _authorise(operation: str, request: dict[str, Any], caller: Caller) -> None:
    for action, resource, context in _needs(operation, request):
        if not WORLD.allowed(caller, action, resource, context):
            why = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            raise Refused("AccessDeniedException", why)


def _needs(operation: str, request: dict[str, Any]) -> list[processing.Need]:
    if processing.serves(operation, request):
        return processing.needs(operation, request)
    # SageMaker knows no narrower resource for these.
    lists = operation in ("ListDomains", "ListUserProfiles", "ListApps", "ListSpaces")
    return [(f"sagemaker:{operation}", "*" if lists else service().resource(request), {})]


def _resetting(original: Any) -> Any:
    def reset() -> None:
        SERVICES.clear()
        SETTLES.clear()
        original()

    return reset
