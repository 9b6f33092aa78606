"""Attaching and detaching a managed policy is judged on its role, user or group.

The condition key iam:PolicyARN names the policy. The server by itself knows no such key, and judges
what concerns a group on the policy. Source: Service Authorization Reference, "Actions, resources,
and condition keys for AWS Identity and Access Management".
"""

from sandbox.server.enforcement import ACTIONS, AuthorizedRequest, FindResource, wrap_resource
from sandbox.server.judgements import add_condition_keys
from sandbox.server.seams import use_seam

IAM = "ministack.services.iam"
_query_param = use_seam(ACTIONS, "_query_param", "query_params, key")
ENTITIES = {"RoleName": "_roles", "UserName": "_users", "GroupName": "_groups"}


class PolicyBearerArn(str):
    """The ARN of a role, user or group, with the policy that a call attaches or detaches."""

    __slots__ = ("policy",)

    policy: str


def install() -> None:
    """Find the bearer where the server finds the resource; tell the evaluator the policy."""
    wrap_resource(_judge_by_bearer)
    add_condition_keys(_tell_policy)


def _judge_by_bearer(request: AuthorizedRequest, find: FindResource) -> str:
    policy = _query_param(request.query_params, "PolicyArn") if request.service == "iam" else ""
    for member, store in ENTITIES.items() if policy else ():
        known = use_seam(IAM, store).get(_query_param(request.query_params, member) or "")
        if known:
            bearer = PolicyBearerArn(known["Arn"])
            bearer.policy = str(policy)
            return bearer
    return find(request)


def _tell_policy(arn: str) -> dict[str, str]:
    return {"iam:PolicyARN": arn.policy} if isinstance(arn, PolicyBearerArn) else {}
