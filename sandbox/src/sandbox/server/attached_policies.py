"""Attaching and detaching a managed policy is judged on its role, user or group.

The condition key iam:PolicyARN names the policy. The server by itself knows no such key, and judges
what concerns a group on the policy. Source: Service Authorization Reference, "Actions, resources,
and condition keys for AWS Identity and Access Management".
"""

from collections.abc import Callable
from typing import Any

from sandbox.server.judgements import add_condition_keys
from sandbox.server.seams import use_seam, wrap_seam

IAM = "ministack.services.iam"
ENTITIES = {"RoleName": "_roles", "UserName": "_users", "GroupName": "_groups"}
RESOURCE = "service, method, path, headers, body, query_params, region, account_id"


class PolicyBearerArn(str):
    """The ARN of a role, user or group, with the policy that a call attaches or detaches."""

    __slots__ = ("policy",)

    policy: str


def install() -> None:
    """Find the bearer where the server finds the resource; tell the evaluator the policy."""
    wrap_seam("ministack.core.iam_actions", "extract_resource_arn", RESOURCE, _judge_by_bearer)
    add_condition_keys(_tell_policy)


def _judge_by_bearer(original: Callable[..., str]) -> Callable[..., str]:
    value = use_seam("ministack.core.iam_actions", "_query_param", "query_params, key")

    def find(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes,
        query_params: Any,
        region: str,
        account_id: str,
    ) -> str:
        policy = value(query_params, "PolicyArn") if service == "iam" else ""
        for member, store in ENTITIES.items() if policy else ():
            known = use_seam(IAM, store).get(value(query_params, member) or "")
            if known:
                bearer = PolicyBearerArn(known["Arn"])
                bearer.policy = str(policy)
                return bearer
        return original(service, method, path, headers, body, query_params, region, account_id)

    return find


def _tell_policy(arn: str) -> dict[str, str]:
    return {"iam:PolicyARN": arn.policy} if isinstance(arn, PolicyBearerArn) else {}
