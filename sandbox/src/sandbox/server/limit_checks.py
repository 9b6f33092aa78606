"""AWS's limits of names and sizes, enforced for resources of stacks and for calls of the API.

The table is `sandbox.size_limits`. The server by itself accepts nearly any name and any size.
"""

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from sandbox.aws_requests import HttpRequest, RequestedOperation, name_operation
from sandbox.faults.responses import service_error
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.size_limits import (
    LIMITS,
    NETWORK_OPERATIONS,
    NETWORK_TYPES,
    SizeLimit,
    count_policy_characters,
    find_network_violation,
    list_limits,
    read_member,
)

Properties = Mapping[str, Any]
Handler = Callable[..., Any]
Serve = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]
EC2 = "ministack.services.ec2"
# The module of the server that answers for a service of the table.
MODULES = {
    "cloudwatch": "cloudwatch",
    "ec2": "ec2",
    "ecr": "ecr",
    "eventbridge": "eventbridge",
    "iam": "iam",
    "lambda": "lambda_svc",
    "logs": "cloudwatch_logs",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
}
SIGNED_AS = {"eventbridge": "events", "cloudwatch": "monitoring"}
MAX_INLINE_CHARACTERS = 10_240  # of all inline policies of a role
MAX_ATTACHED_POLICIES = 10  # of a role; IAM User Guide, IAM and STS quotas (can be raised)


def install() -> None:
    """Check the calls of each service that the table names."""
    for service, module in MODULES.items():
        wrap_seam(
            f"ministack.services.{module}",
            "handle_request",
            "method, path, headers, body, query_params",
            _check_calls(service),
        )


def _check_calls(service: str) -> Callable[[Serve], Serve]:
    def make(original: Serve) -> Serve:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: Any
        ) -> tuple[int, dict[str, str], bytes]:
            asked, members = _read_call(service, method, path, headers, body, query_params)
            if refusal := _find_refusal(f"{service}.{asked.operation}", members):
                return service_error(asked, refusal[0], 400, refusal[1])
            return await original(method, path, headers, body, query_params)

        return handle

    return make


def _read_call(
    service: str, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any
) -> tuple[RequestedOperation, Mapping[str, Any]]:
    """Return the operation and its members, however the request is written."""
    sent = body.encode() if isinstance(body, str) else body or b""
    form = _parse_form(sent, headers)
    action = (form.get("Action") or query.get("Action") or [""])[0]
    signed = SIGNED_AS.get(service, service)
    asked = name_operation(HttpRequest(signed, method, path, query, headers, action))
    if asked.form == "query":
        return asked, {name: values[0] for name, values in form.items()}
    members = _parse_document(sent)
    if asked.operation == "PublishLayerVersion":
        members = {"LayerName": unquote(path.split("/")[3])} | members
    return asked, members


def _parse_form(sent: bytes, headers: Mapping[str, str]) -> dict[str, list[str]]:
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return parse_qs(sent.decode("utf-8", "replace"), keep_blank_values=True)


def _parse_document(sent: bytes) -> dict[str, Any]:
    """Return the members of a body in JSON; none if it is none."""
    try:
        found = json.loads(sent) if sent else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _find_refusal(operation: str, members: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return code and text of the refusal of a call; None if the table has nothing against it."""
    for limit in LIMITS:
        value = read_member(members, limit.member) if operation in limit.operations else None
        if value is not None and (why := limit.find_violation(value)):
            return limit.code, why
    if kind := NETWORK_OPERATIONS.get(operation):
        return _find_network_refusal(kind, members)
    if operation == "iam.PutRolePolicy":
        return _find_inline_refusal(members)
    if operation == "iam.AttachRolePolicy":
        return _find_attachment_refusal(str(members.get("RoleName")), members.get("PolicyArn"))
    return _find_pattern_refusal(members) if operation == "ssm.PutParameter" else None


def _find_pattern_refusal(asked: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the refusal of a parameter's value that its own pattern does not match.

    Source: model of ssm, ParameterPatternMismatchException and AllowedPattern.
    """
    pattern, value = asked.get("AllowedPattern"), str(asked.get("Value", ""))
    if not pattern or re.fullmatch(str(pattern), value):
        return None
    return (
        "ParameterPatternMismatchException",
        f"Parameter value, {value}, failed to satisfy constraint: Must match pattern {pattern}.",
    )


def _find_inline_refusal(members: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the refusal of an inline policy that is too large for its role, beside the others."""
    role, name = str(members.get("RoleName")), members.get("PolicyName")
    total = count_policy_characters(members.get("PolicyDocument", ""))
    if total + _count_inline(role, but=str(name)) <= MAX_INLINE_CHARACTERS:
        return None
    return (
        "LimitExceeded",
        f"Maximum policy size of {MAX_INLINE_CHARACTERS} bytes exceeded for role {role}",
    )


def _find_attachment_refusal(role: str, policy: Any) -> tuple[str, str] | None:
    """Return the refusal of one more managed policy for a role that has as many as it may."""
    known = use_seam("ministack.services.iam", "_roles").get(role) or {}
    attached = set(known.get("AttachedPolicies") or ()) - {policy}
    if len(attached) < MAX_ATTACHED_POLICIES:
        return None
    return "LimitExceeded", f"Cannot exceed quota for PoliciesPerRole: {MAX_ATTACHED_POLICIES}"


def _count_inline(role: str, but: str) -> int:
    known = use_seam("ministack.services.iam", "_roles").get(role) or {}
    return sum(
        count_policy_characters(document)
        for name, document in (known.get("InlinePolicies") or {}).items()
        if name != but
    )


def _find_network_refusal(kind: str, asked: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return EC2's refusal of a network's or subnet's block; None if it is accepted."""
    block = asked.get("CidrBlock")
    if block is None:
        return None
    wrong = find_network_violation(kind, block)
    if wrong or kind != "AWS::EC2::Subnet":
        return wrong
    return _find_subnet_conflict(str(asked.get("VpcId")), str(block))


def _find_subnet_conflict(vpc: str, block: str) -> tuple[str, str] | None:
    """Return the refusal of a subnet outside its network, or over another subnet."""
    network = use_seam(EC2, "_vpcs").get(vpc)
    wanted = ipaddress.IPv4Network(block, strict=False)
    if network and not wanted.subnet_of(ipaddress.IPv4Network(network["CidrBlock"], strict=False)):
        return NETWORK_TYPES["AWS::EC2::Subnet"], f"The CIDR '{block}' is invalid."
    others = (it for it in use_seam(EC2, "_subnets").values() if network and it["VpcId"] == vpc)
    if any(wanted.overlaps(ipaddress.IPv4Network(it["CidrBlock"], strict=False)) for it in others):
        return "InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet"
    return None


def guard_resources(handlers: dict[str, Any]) -> None:
    """Make CloudFormation refuse a resource that the table has something against."""
    limited = {limit.resource_type for limit in LIMITS} | NETWORK_TYPES.keys()
    for kind in limited & handlers.keys():
        handlers[kind] |= _guard_entry(kind, handlers[kind])


def _guard_entry(kind: str, entry: Mapping[str, Any]) -> dict[str, Handler]:
    limits, create, update = tuple(list_limits(kind)), entry["create"], entry.get("update")

    def created(logical_id: str, wanted: Properties, stack: str) -> Any:
        _check_resource(kind, limits, wanted)
        return create(logical_id, wanted, stack)

    def updated(identifier: str, old: Properties, wanted: Properties, *others: Any) -> Any:
        changed = {name: it for name, it in wanted.items() if it != old.get(name)}
        if "Roles" in changed:  # those that it is attached to count already
            changed["Roles"] = [it for it in changed["Roles"] if it not in old.get("Roles", ())]
        _check_resource(kind, limits, changed | {"VpcId": wanted.get("VpcId")})
        return update(identifier, old, wanted, *others) if update else None

    return {"create": created} | ({"update": updated} if update else {})


def _check_resource(kind: str, limits: tuple[SizeLimit, ...], wanted: Properties) -> None:
    """Raise ValueError, in AWS's words, for the first property that is past a limit."""
    for why in _find_reasons(kind, limits, dict(wanted)):
        raise ValueError(why)


def _find_reasons(kind: str, limits: tuple[SizeLimit, ...], wanted: Properties) -> Iterator[str]:
    for limit in limits:
        value = read_member(wanted, limit.property)
        if value is not None and (why := limit.find_violation(value)):
            yield f"Resource handler returned message: {why}"
    if kind in NETWORK_TYPES and (wrong := _find_network_refusal(kind, wanted)):
        yield f"{wrong[1]} (Service: Ec2, Status Code: 400, Error Code: {wrong[0]})"
    if kind == "AWS::SSM::Parameter" and (wrong := _find_pattern_refusal(wanted)):
        yield f"Resource handler returned message: {wrong[1]}"
    yield from _find_role_reasons(kind, wanted)


def _find_role_reasons(kind: str, wanted: Properties) -> Iterator[str]:
    """Yield why the roles that a policy names cannot take it."""
    for role in wanted.get("Roles") or ():
        refusal = None
        if kind == "AWS::IAM::ManagedPolicy":
            refusal = _find_attachment_refusal(str(role), None)
        elif kind == "AWS::IAM::Policy":
            refusal = _find_inline_refusal({"RoleName": role} | dict(wanted))
        if refusal:
            yield f"Resource handler returned message: {refusal[1]}"
