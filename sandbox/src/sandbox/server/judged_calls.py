"""Calls that the server judges as another action, or on another resource, than AWS does.

Sources are the service authorization data of AWS: GetEventSourceMapping is an action of its own, a
rule of the default bus has no bus in its ARN, and DescribeAlarms is judged on each alarm that it
names. lambda:FunctionArn is the function of an event source mapping.
"""

import json
from collections.abc import Callable
from dataclasses import replace

from sandbox.server.enforcement import (
    ACTIONS,
    AuthorizedRequest,
    Enforce,
    EnforcedCall,
    FindResource,
    Refusal,
    wrap_enforcement,
    wrap_resource,
)
from sandbox.server.judgements import add_condition_keys
from sandbox.server.seams import use_seam, wrap_seam

MAPPINGS = "event-source-mappings"
# By method and end of the path: actions that the server takes for others of Lambda, or for none.
OWN_ACTIONS = {
    ("GET", "recursion-config"): "GetFunctionRecursionConfig",
    ("PUT", "recursion-config"): "PutFunctionRecursionConfig",
    ("GET", "account-settings"): "GetAccountSettings",
}


class AlarmArns(str):
    """The ARN of the first alarm that a call names, with those of the others."""

    __slots__ = ("others",)

    others: list[str]


def install() -> None:
    """Judge these calls as AWS does."""
    wrap_seam(ACTIONS, "_lambda_action", "method, path", _name_mapping_read)
    wrap_resource(_correct_arn)
    add_condition_keys(_tell_function)
    wrap_enforcement(_judge_each_alarm)


def _name_mapping_read(original: Callable[[str, str], str | None]) -> Callable[..., str | None]:
    def action(method: str, path: str) -> str | None:
        last = path.rstrip("/").rpartition("/")[2]
        if (method, last) in OWN_ACTIONS:
            return OWN_ACTIONS[method, last]
        _, found, mapping = path.partition(f"/{MAPPINGS}/")
        is_one = bool(found and mapping.strip("/"))
        return "GetEventSourceMapping" if is_one and method == "GET" else original(method, path)

    return action


def _correct_arn(request: AuthorizedRequest, find: FindResource) -> str:
    target = str(request.headers.get("x-amz-target", ""))
    if request.service == "monitoring" and target.endswith(".DescribeAlarms"):
        alarms = f"arn:aws:cloudwatch:{request.region}:{request.account_id}:alarm:"
        return _find_alarms(request.body, alarms)
    found = find(request)
    return found.replace(":rule/default/", ":rule/") if request.service == "events" else found


def _find_alarms(body: bytes, prefix: str) -> str:
    """Return the alarms that a request names; every alarm if it names none."""
    names = json.loads(body or b"{}").get("AlarmNames") or ["*"]
    made = AlarmArns(f"{prefix}{names[0]}")
    made.others = [f"{prefix}{name}" for name in names[1:]]
    return made


def _judge_each_alarm(call: EnforcedCall, decide: Enforce) -> Refusal:
    if not isinstance(call.arn, AlarmArns):
        return decide(call)
    refusals = (decide(replace(call, arn=arn)) for arn in call.arn.others)
    return decide(replace(call, arn=str(call.arn))) or next(filter(None, refusals), None)


def _tell_function(arn: str) -> dict[str, str]:
    mappings = use_seam("ministack.services.lambda_svc", "_esms")
    found = mappings.get(str(arn).rpartition(":event-source-mapping:")[2])
    return {"lambda:FunctionArn": found["FunctionArn"]} if found else {}
