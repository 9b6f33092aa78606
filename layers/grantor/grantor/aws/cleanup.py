"""A bucket goes with all that is in it: versions, delete markers, unfinished uploads."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.clients import PASSING, Clients, NotYet, code

GoOn = Callable[[str], None]


def delete_bucket(s3: Any, bucket: str, go_on: GoOn) -> int:
    """Empty the bucket and delete it; how many versions and markers there were. One that is gone already is success.

    It is deleted at once, since what somebody puts in it a moment later would keep it. A call for each page of 1,000 and one for the
    next; `go_on` is asked between pages. NotYet when somebody was faster.
    """
    try:
        count = _empty(s3, bucket, go_on)
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if code(error) == "BucketNotEmpty":
            raise NotYet(f"somebody is still writing to s3://{bucket}") from error
        if code(error) != "NoSuchBucket":
            raise
        return 0
    return count


def _empty(s3: Any, bucket: str, go_on: GoOn) -> int:
    count = 0
    for listed in _pages(s3, bucket):
        go_on(f"s3://{bucket} is still being emptied")
        _delete(s3, bucket, listed)
        count += len(listed)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return count


def _pages(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        listed = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if listed:
            yield [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed]


def _delete(s3: Any, bucket: str, named: list[dict[str, str]]) -> None:
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True}).get("Errors", [])
    if errors:
        why = f"s3://{bucket}/{errors[0]['Key']} could not be deleted: {errors[0]['Code']}"
        raise NotYet(why) if errors[0]["Code"] in PASSING else RuntimeError(why)


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


Items = list[dict[str, Any]]


def delete_occupants(sagemaker: Any, domain: str, but: Container[str]) -> None:
    """Ask everything of a domain to end, but the profiles of `but`. NotYet while something is left: an app may need 20 minutes."""
    apps = [app for app in _listed(sagemaker, "list_apps", "Apps", domain) if app["Status"] != "Deleted"]
    _end("apps", apps, sagemaker.delete_app, ("DomainId", "AppType", "AppName", "UserProfileName", "SpaceName"))
    spaces = _listed(sagemaker, "list_spaces", "Spaces", domain)
    _end("spaces", spaces, sagemaker.delete_space, ("DomainId", "SpaceName"))
    profiles = _listed(sagemaker, "list_user_profiles", "UserProfiles", domain)
    others = [profile for profile in profiles if profile["UserProfileName"] not in but]
    _end("profiles", others, sagemaker.delete_user_profile, ("DomainId", "UserProfileName"))


def _listed(sagemaker: Any, operation: str, where: str, domain: str) -> Items:
    pages = sagemaker.get_paginator(operation).paginate(DomainIdEquals=domain)
    return [item for page in pages for item in page[where]]


def _end(what: str, there: Items, delete: Callable[..., Any], names: Iterable[str]) -> None:
    """Ask each to end that is not ending yet. NotYet until all are gone."""
    for item in there:
        if item["Status"] != "Deleting":
            _ask(delete, {name: item[name] for name in names if name in item})
    if there:
        raise NotYet(f"{len(there)} {what} of the domain are still ending")


def _ask(delete: Callable[..., Any], named: Mapping[str, str]) -> None:
    try:
        delete(**named)
    except ClientError as error:
        # It is just being made or changed, or has gone meanwhile; the next pass will see.
        if code(error) not in ("ResourceInUse", "ResourceNotFound"):
            raise
