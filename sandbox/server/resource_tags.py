"""Condition keys that the server does not tell its evaluator: aws:ResourceTag for EC2 and EFS, ec2:Vpc for security groups."""

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.server.account import place
from sandbox.server.judged import tell
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
    tell(_network)


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


def _network(arn: str) -> dict[str, str]:
    groups = use("ministack.services.ec2", "_security_groups")
    rest, _, group = str(arn).partition(":security-group/")
    return {"ec2:Vpc": f"{rest}:vpc/{groups[group]['VpcId']}"} if group in groups else {}
