"""SageMaker Studio in the server: its JSON on the wire, IAM in front, and the CloudTrail event that each change leaves on the bus."""

import json
import os
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.access_grants import Caller
from sandbox.server.account import ServerWorld, caller_of, place, role, start_session, trusts
from sandbox.server.seams import use, wrap
from sandbox.studio import Refused, Studio

# How long a domain or profile takes to settle, in seconds; minutes on AWS, short enough here not to be waited for.
SETTLE = float(os.environ.get("SANDBOX_SETTLE", "0.3"))
SERVICES: dict[tuple[str, str], Studio] = {}
JSON = {"Content-Type": "application/x-amz-json-1.1"}  # copied for each answer: the server adds to it
WORLD = ServerWorld()


def service() -> Studio:
    """Studio in the account and Region of the request in hand."""
    where = place()
    if where not in SERVICES:
        SERVICES[where] = Studio(*where, clock=time.time, settle=SETTLE)
    return SERVICES[where]


def call(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """One operation as the account itself, for CloudFormation; raises Refused. It leaves its event as any other."""
    account, _ = place()
    return _call(operation, dict(request), Caller(f"arn:aws:iam::{account}:root", account))


def notebook(profile: str, domain: str | None = None) -> dict[str, str]:
    """What a notebook of this profile has: a session of its execution role; Refused if SageMaker could not give it one."""
    key = next((k for k in service().profiles if k[1] == profile and domain in (None, k[0])), None)
    if key is None:
        raise Refused("ResourceNotFound", f"no Studio profile is named {profile}")
    own = service().profiles[key].asked.get("UserSettings") or {}
    inherited = service().domains[key[0]].asked.get("DefaultUserSettings") or {}
    arn = own.get("ExecutionRole") or inherited.get("ExecutionRole") or ""
    context = {"aws:SourceAccount": place()[0], "aws:SourceArn": service().profiles[key].arn}
    if role(arn) is None or not trusts(arn, "sagemaker.amazonaws.com", context):
        raise Refused(
            "AccessDenied", f"the execution role {arn or '(none)'} of {profile} does not exist or does not trust SageMaker", 403
        )
    return start_session(arn, "SageMaker", 3600)


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
    try:
        answer = _call(operation, json.loads(body or b"{}"), caller_of(headers, query))
    except Refused as refusal:
        told = {"__type": refusal.code, "message": refusal.message}
        return refusal.status, dict(JSON), json.dumps(told).encode()
    return 200, dict(JSON), json.dumps(answer).encode()


def _call(operation: str, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    writes = operation.endswith(("UserProfile", "Domain")) and not operation.startswith("Describe")
    try:
        _authorise(operation, request, caller)
        answer = service().call(operation, request)
    except Refused as refusal:
        if writes:
            _trail(operation, request, caller, None, refusal)
        raise
    if writes:
        _trail(operation, request, caller, answer, None)
    return answer


def _authorise(operation: str, request: dict[str, Any], caller: Caller) -> None:
    lists = operation in ("ListDomains", "ListUserProfiles")
    resource = "*" if lists else service().resource(request)
    if not WORLD.allowed(caller, f"sagemaker:{operation}", resource, {}):
        why = f"User: {caller.arn} is not authorized to perform: sagemaker:{operation} on resource: {resource}"
        raise Refused("AccessDeniedException", why)


def _trail(
    operation: str, request: dict[str, Any], caller: Caller, answer: dict[str, Any] | None, refusal: Refused | None
) -> None:
    """The event as CloudTrail delivers it: the request's members begin with a small letter there."""
    detail = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root" if caller.arn.endswith(":root") else "AssumedRole",
            "arn": caller.arn,
            "accountId": caller.account,
        },
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "sagemaker.amazonaws.com",
        "eventName": operation,
        "awsRegion": place()[1],
        "sourceIPAddress": "127.0.0.1",
        "requestParameters": _small(request),
        "responseElements": _small(answer) or None if answer is not None else None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": place()[0],
        "eventCategory": "Management",
    }
    detail |= {"errorCode": refusal.code, "errorMessage": refusal.message} if refusal else {}
    publish("aws.sagemaker", "AWS API Call via CloudTrail", detail)


def publish(source: str, detail_type: str, detail: dict[str, Any]) -> None:
    """Put an event of an AWS service onto the default bus."""
    put = use("ministack.services.eventbridge", "_put_events", "data, allow_aws_source=False")
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    put({"Entries": [entry]}, allow_aws_source=True)


def _small(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _small(item) for key, item in value.items()}
    return [_small(item) for item in value] if isinstance(value, list) else value


def _resetting(original: Any) -> Any:
    def reset() -> None:
        SERVICES.clear()
        original()

    return reset
