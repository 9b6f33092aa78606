"""Service Quotas: what the account may have of SageMaker's processing instances.

The values are those of the switches, by which the account's own services refuse. Names are AWS's:
"ml.m5.xlarge for processing job usage". The codes are not: AWS's are eight hex digits without a
rule, so a program finds a quota by its name.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from sandbox.access_grants import Caller
from sandbox.aws_models import ServiceModel
from sandbox.server.account import ServerAccount, find_caller, request_scope
from sandbox.server.control import current_switches
from sandbox.server.seams import use_seam
from sandbox.switches import JobSwitches

Answer = tuple[int, dict[str, str], bytes]
QUOTA_HEADERS = {"Content-Type": "application/x-amz-json-1.1"}  # copied for each answer
SERVICE, QUOTA_SERVICE_NAME = "sagemaker", "Amazon SageMaker"
LONGEST_PAGE = 100  # MaxResults of ListServiceQuotas (model of service-quotas)
QUOTAS_ACCOUNT = ServerAccount()


class QuotaRefusal(Exception):
    """A request is refused, with AWS's code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def install() -> None:
    """Make Service Quotas a service of the server."""
    use_seam("ministack.app", "SERVICE_HANDLERS")["servicequotas"] = handle_quota_request
    use_seam("ministack.core.router", "SERVICE_PATTERNS")["servicequotas"] = {
        "host_patterns": [r"^servicequotas\."],
        "target_prefixes": ["ServiceQuotasV20190624"],
    }


async def handle_quota_request(
    _: str, __: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Answer:
    """Answer one request of the service, which speaks JSON 1.1."""
    lower = {key.lower(): value for key, value in headers.items()}
    operation = lower.get("x-amz-target", "").rpartition(".")[2]
    try:
        request = json.loads(body or b"{}")
        _authorise_quota_call(operation, request, find_caller(headers, query))
        answer = _find_operation(operation)(request)
    except QuotaRefusal as refusal:
        error = {"__type": refusal.code, "Message": str(refusal)}
        return 400, dict(QUOTA_HEADERS), json.dumps(error).encode()
    return 200, dict(QUOTA_HEADERS), json.dumps(answer).encode()


def _authorise_quota_call(operation: str, request: dict[str, Any], caller: Caller) -> None:
    action = f"servicequotas:{operation}"
    if not QUOTAS_ACCOUNT.is_allowed(caller, action, _name_resource(request), {}):
        why = f"User: {caller.arn} is not authorized to perform: {action}"
        raise QuotaRefusal("AccessDeniedException", why)


def _find_operation(operation: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    known = {"ListServiceQuotas": _list_quotas, "GetServiceQuota": _get_quota}
    if operation not in known:
        raise QuotaRefusal("IllegalArgumentException", f"the sandbox does not have {operation}")
    return known[operation]


def _name_resource(request: dict[str, Any]) -> str:
    """Return what a call is judged on: a quota's ARN where the request names one."""
    service, code = request.get("ServiceCode"), request.get("QuotaCode")
    account, region = request_scope()
    return f"arn:aws:servicequotas:{region}:{account}:{service}/{code}" if code else "*"


def _list_quotas(request: dict[str, Any]) -> dict[str, Any]:
    _check_service(request)
    names, start = _list_names(), int(request.get("NextToken") or 0)
    end = start + min(int(request.get("MaxResults") or LONGEST_PAGE), LONGEST_PAGE)
    more = {"NextToken": str(end)} if end < len(names) else {}
    return {"Quotas": [_describe_quota(name) for name in names[start:end]]} | more


def _get_quota(request: dict[str, Any]) -> dict[str, Any]:
    _check_service(request)
    for name in _list_names():
        if _code_of(name) == request.get("QuotaCode"):
            return {"Quota": _describe_quota(name)}
    raise QuotaRefusal("NoSuchResourceException", "The request failed because the quota is unknown")


def _check_service(request: dict[str, Any]) -> None:
    if request.get("ServiceCode") != SERVICE:
        raise QuotaRefusal(
            "NoSuchResourceException", f"the sandbox knows the quotas of {SERVICE} alone"
        )


@cache
def _list_names() -> list[str]:
    shapes = ServiceModel.read(SERVICE).shapes
    return [f"{kind} for processing job usage" for kind in shapes["ProcessingInstanceType"]["enum"]]


def _code_of(name: str) -> str:
    return f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def _describe_quota(name: str) -> dict[str, Any]:
    account, region = request_scope()
    code = _code_of(name)
    return {
        "ServiceCode": SERVICE,
        "ServiceName": QUOTA_SERVICE_NAME,
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account}:{SERVICE}/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(current_switches(JobSwitches).job_instances_quota),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
