"""What SageMaker makes with a domain by itself and leaves behind: a file system with its mount targets, and two security groups.

Everything that it makes carries the domain's ARN as a tag. The groups are deleted last, because by them the rest is found again
after a failure.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.clients import Clients
from grantor.aws.errors import NotYet, code

MANAGED = "ManagedByAmazonSageMakerResource"
Groups = dict[str, str]  # the domain's ARN by the group's id
Files = dict[str, str]  # the domain's ARN by the file system's id


def remove(clients: Clients, vpc: str, retain: bool) -> None:
    """Remove what domains that are gone left in a network; where `retain` is set the file system itself stays, unmounted.

    NotYet while something is left. RuntimeError when a domain is still there, for then somebody else made one in this network.
    """
    groups, files = _groups(clients.ec2, vpc), _files(clients.efs)
    targets = {name: _targets(clients.efs, name) for name in files}
    here = {files[name] for name, found in targets.items() if any(it["VpcId"] == vpc for it in found)}
    domains = here | set(groups.values())
    for arn in sorted(domains):
        _must_be_gone(clients.sagemaker, arn)
    left = [name for name, arn in files.items() if arn in domains]
    _unmount(clients.efs, [target for name in left for target in targets[name]])
    if not retain:
        _delete_files(clients.efs, left)
    _delete_groups(clients.ec2, sorted(groups))


def _groups(ec2: Any, vpc: str) -> Groups:
    wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "tag-key", "Values": [MANAGED]}]
    pages = ec2.get_paginator("describe_security_groups").paginate(Filters=wanted)
    return {group["GroupId"]: _domain(group) for page in pages for group in page["SecurityGroups"] if _domain(group)}


def _files(efs: Any) -> Files:
    pages = efs.get_paginator("describe_file_systems").paginate()
    return {it["FileSystemId"]: _domain(it) for page in pages for it in page["FileSystems"] if _domain(it)}


def _domain(thing: Mapping[str, Any]) -> str:
    """The ARN of the domain that it was made for; empty if it was not made for one."""
    arn = next((str(tag["Value"]) for tag in thing.get("Tags", []) if tag["Key"] == MANAGED), "")
    return arn if ":domain/" in arn else ""


def _targets(efs: Any, files: str) -> list[dict[str, Any]]:
    try:
        return list(efs.describe_mount_targets(FileSystemId=files)["MountTargets"])
    except ClientError as error:
        if code(error) != "FileSystemNotFound":
            raise
        return []


def _must_be_gone(sagemaker: Any, arn: str) -> None:
    domain = arn.rpartition("/")[2]
    try:
        status = sagemaker.describe_domain(DomainId=domain)["Status"]
    except ClientError as error:
        if code(error) != "ResourceNotFound":
            raise
        return
    if status == "Deleting":
        raise NotYet(f"domain {domain} is still being deleted")
    raise RuntimeError(f"domain {domain} is in this stack's network and not this stack's: delete it, then delete the stack again")


def _unmount(efs: Any, targets: list[dict[str, Any]]) -> None:
    for target in targets:
        if target["LifeCycleState"] != "deleting":
            efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    if targets:
        raise NotYet(f"{len(targets)} mount targets are still being deleted")


def _delete_files(efs: Any, left: list[str]) -> None:
    for name in left:
        try:
            efs.delete_file_system(FileSystemId=name)
        except ClientError as error:
            if code(error) not in ("FileSystemNotFound", "FileSystemInUse", "IncorrectFileSystemLifeCycleState"):
                raise
    if left:
        raise NotYet(f"{len(left)} file systems are still being deleted")


def _delete_groups(ec2: Any, groups: list[str]) -> None:
    """They refer to each other, so all rules go before any group."""
    for rule in _rules(ec2, groups) if groups else ():
        revoke = ec2.revoke_security_group_egress if rule["IsEgress"] else ec2.revoke_security_group_ingress
        revoke(GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    for group in groups:
        try:
            ec2.delete_security_group(GroupId=group)
        except ClientError as error:
            if code(error) == "DependencyViolation":
                raise NotYet(f"security group {group} is still in use") from error
            if code(error) != "InvalidGroup.NotFound":
                raise


def _rules(ec2: Any, groups: list[str]) -> Iterator[dict[str, Any]]:
    wanted = [{"Name": "group-id", "Values": groups}]
    for page in ec2.get_paginator("describe_security_group_rules").paginate(Filters=wanted):
        yield from page["SecurityGroupRules"]
