"""Condition keys that the server does not tell its evaluator: aws:ResourceTag for EC2 and EFS, ec2:Vpc for security groups."""

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.server.account import place
from sandbox.server.judged import ENFORCE, EVALUATOR
from sandbox.server.seams import use, wrap

TAGGING = "ministack.services.tagging"
RESOURCE = "service, method, path, headers, body, query_params, region, account_id"
Tagged = tuple[str, list[dict[str, str]]]


def install() -> None:
    """Tell them, and judge a mount target by its file system, as AWS does."""
    collectors = use(TAGGING, "_RESOURCE_TAG_COLLECTORS")
    collectors["elasticfilesystem"] = use(TAGGING, "_collect_efs", "")
    collectors["ec2"] = _security_groups
    wrap("ministack.core.iam_actions", "extract_resource_arn", RESOURCE, _of_file_systems)
    wrap(EVALUATOR, "enforce", ENFORCE, _telling_network)


def _security_groups() -> Iterator[Tagged]:
    account, region = place()
    tags = use("ministack.services.ec2", "_tags")
    for name in use("ministack.services.ec2", "_security_groups"):
        yield f"arn:aws:ec2:{region}:{account}:security-group/{name}", tags.get(name, [])


def _of_file_systems(original: Callable[..., str]) -> Callable[..., str]:
    targets = use("ministack.services.efs", "_mount_targets")

    def arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query_params: Any, region: str, account_id: str
    ) -> str:
        _, found, target = path.partition("/mount-targets/")
        if service == "elasticfilesystem" and found and target in targets:
            return f"arn:aws:elasticfilesystem:{region}:{account_id}:file-system/{targets[target]['FileSystemId']}"
        return original(service, method, path, headers, body, query_params, region, account_id)

    return arn


def _telling_network(original: Callable[..., Any]) -> Callable[..., Any]:
    groups = use("ministack.services.ec2", "_security_groups")

    # The parameters are the server's own: others wrap this in their turn.
    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        rest, _, group = str(resource_arn).partition(":security-group/")
        if group in groups:
            service_context = {**(service_context or {}), "ec2:Vpc": f"{rest}:vpc/{groups[group]['VpcId']}"}
        return original(access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=service_context)

    return enforce
