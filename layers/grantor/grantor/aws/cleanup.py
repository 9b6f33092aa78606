"""Deletes what CloudFormation cannot: full buckets, domains in use, and what they leave behind.

It also takes back what keeps CloudFormation from deleting: policies that people have.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from grantor.aws.clients import (
    TRANSIENT_CODES,
    Clients,
    RetryableError,
    error_code,
    suppress_code,
)

CheckTime = Callable[[str], None]  # raises if no time is left; the text says what is unfinished


def delete_bucket(s3: Any, bucket: str, check_time: CheckTime) -> int:
    """Delete a bucket with all versions, delete markers and unfinished uploads.

    Returns how many versions and markers it had. A bucket that does not exist counts as deleted. It
    is deleted right after it was emptied, because an object written in between would keep it; then
    RetryableError is raised. Costs two calls per 1,000 versions, and one for each version of a page
    with a key that XML cannot carry; `check_time` is called for each page and before each of these.
    """
    try:
        count = _empty_bucket(s3, bucket, check_time)
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error_code(error) == "BucketNotEmpty":
            raise RetryableError(f"somebody is still writing to s3://{bucket}") from error
        if error_code(error) != "NoSuchBucket":
            raise
        return 0
    return count


def _empty_bucket(s3: Any, bucket: str, check_time: CheckTime) -> int:
    unfinished = f"s3://{bucket} is still being emptied"
    count = 0
    for listed in _list_versions(s3, bucket):
        check_time(unfinished)
        _delete_versions(s3, bucket, listed, lambda: check_time(unfinished))
        count += len(listed)
    for upload in _list_uploads(s3, bucket):
        s3.abort_multipart_upload(Bucket=bucket, **upload)
    return count


def _list_versions(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Yield each page of versions and markers; botocore asks for encoded keys and decodes them."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        listed = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if listed:
            yield [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed]


def _list_uploads(s3: Any, bucket: str) -> Iterator[dict[str, str]]:
    """Yield key and id of each unfinished upload.

    XML has no form for most control characters, so keys are asked for encoded, which botocore
    neither does nor decodes here. The markers of the next page are therefore passed on by hand.
    """
    request = {"Bucket": bucket, "EncodingType": "url"}
    while True:
        page = s3.list_multipart_uploads(**request)
        for upload in page.get("Uploads", []):
            yield {"Key": unquote_plus(upload["Key"]), "UploadId": upload["UploadId"]}
        if not page.get("IsTruncated"):
            return
        request["KeyMarker"] = unquote_plus(page["NextKeyMarker"])
        request["UploadIdMarker"] = page["NextUploadIdMarker"]


def _delete_versions(
    s3: Any, bucket: str, versions: list[dict[str, str]], check_time: Callable[[], None]
) -> None:
    """Delete versions by one call, or one by one if S3 cannot read a key in it (MalformedXML)."""
    try:
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
    except ClientError as error:
        if error_code(error) != "MalformedXML":
            raise
        for version in versions:
            check_time()
            s3.delete_object(Bucket=bucket, **version)
        return
    if errors := answer.get("Errors", []):
        why = f"s3://{bucket}/{errors[0]['Key']} could not be deleted: {errors[0]['Code']}"
        raise RetryableError(why) if errors[0]["Code"] in TRANSIENT_CODES else RuntimeError(why)


MANAGED = "ManagedByAmazonSageMakerResource"
# A file system that is gone, or that a later pass deletes.
FILE_SYSTEM_CODES = (
    "FileSystemNotFound",
    "FileSystemInUse",
    "IncorrectFileSystemLifeCycleState",
)
# By the id of the security group or file system that SageMaker created for the domain
DomainArns = dict[str, str]


def delete_domain_remains(clients: Clients, vpc: str, retain: bool) -> None:
    """Delete what deleted domains left in a network.

    With `retain` their file systems stay, unmounted. Raises RetryableError while something is left,
    and RuntimeError if a domain still exists: then it is not this stack's.
    """
    groups, files = _find_security_groups(clients.ec2, vpc), _find_file_systems(clients.efs)
    targets = {file_id: _list_mount_targets(clients.efs, file_id) for file_id in files}
    mounted = {
        files[file_id]
        for file_id, found in targets.items()
        if any(target["VpcId"] == vpc for target in found)
    }
    domains = mounted | set(groups.values())
    for arn in sorted(domains):
        _check_domain_gone(clients.sagemaker, arn)
    left = [file_id for file_id, arn in files.items() if arn in domains]
    _delete_mount_targets(clients.efs, [target for one in left for target in targets[one]])
    if not retain:
        _delete_file_systems(clients.efs, left)
    _delete_security_groups(clients.ec2, sorted(groups))


def _find_security_groups(ec2: Any, vpc: str) -> DomainArns:
    wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "tag-key", "Values": [MANAGED]}]
    pages = ec2.get_paginator("describe_security_groups").paginate(Filters=wanted)
    groups = [group for page in pages for group in page["SecurityGroups"]]
    return {one["GroupId"]: _owning_domain(one) for one in groups if _owning_domain(one)}


def _find_file_systems(efs: Any) -> DomainArns:
    pages = efs.get_paginator("describe_file_systems").paginate()
    systems = [system for page in pages for system in page["FileSystems"]]
    return {one["FileSystemId"]: _owning_domain(one) for one in systems if _owning_domain(one)}


def _owning_domain(resource: Mapping[str, Any]) -> str:
    """The ARN of the domain that a resource was created for, or ""."""
    tags = resource.get("Tags", [])
    arn = next((str(tag["Value"]) for tag in tags if tag["Key"] == MANAGED), "")
    return arn if ":domain/" in arn else ""


def _list_mount_targets(efs: Any, file_id: str) -> list[dict[str, Any]]:
    try:
        return list(efs.describe_mount_targets(FileSystemId=file_id)["MountTargets"])
    except ClientError as error:
        if error_code(error) != "FileSystemNotFound":
            raise
        return []


def _check_domain_gone(sagemaker: Any, arn: str) -> None:
    domain = arn.rpartition("/")[2]
    try:
        status = sagemaker.describe_domain(DomainId=domain)["Status"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFound":
            raise
        return
    if status == "Deleting":
        raise RetryableError(f"domain {domain} is still being deleted")
    raise RuntimeError(
        f"domain {domain} is in this stack's network and not this stack's: "
        "delete it, then delete the stack again"
    )


def _delete_mount_targets(efs: Any, targets: list[dict[str, Any]]) -> None:
    for target in targets:
        if target["LifeCycleState"] != "deleting":
            efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    if targets:
        raise RetryableError(f"{len(targets)} mount targets are still being deleted")


def _delete_file_systems(efs: Any, left: list[str]) -> None:
    for file_id in left:
        try:
            efs.delete_file_system(FileSystemId=file_id)
        except ClientError as error:
            if error_code(error) not in FILE_SYSTEM_CODES:
                raise
    if left:
        raise RetryableError(f"{len(left)} file systems are still being deleted")


def _delete_security_groups(ec2: Any, groups: list[str]) -> None:
    """Delete the groups' rules first, because the rules refer to other groups."""
    for rule in _iterate_group_rules(ec2, groups) if groups else ():
        egress, ingress = ec2.revoke_security_group_egress, ec2.revoke_security_group_ingress
        revoke = egress if rule["IsEgress"] else ingress
        revoke(GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    for group in groups:
        try:
            ec2.delete_security_group(GroupId=group)
        except ClientError as error:
            if error_code(error) == "DependencyViolation":
                raise RetryableError(f"security group {group} is still in use") from error
            if error_code(error) != "InvalidGroup.NotFound":
                raise


def _iterate_group_rules(ec2: Any, groups: list[str]) -> Iterator[dict[str, Any]]:
    wanted = [{"Name": "group-id", "Values": groups}]
    for page in ec2.get_paginator("describe_security_group_rules").paginate(Filters=wanted):
        yield from page["SecurityGroupRules"]


Items = list[dict[str, Any]]


def delete_domain_contents(sagemaker: Any, domain: str, keep: Container[str]) -> None:
    """Delete the apps, spaces and profiles of a domain, apart from the profiles to `keep`.

    Raises RetryableError while something is left: an app may need 20 minutes.
    """
    apps = _list_items(sagemaker, "list_apps", "Apps", domain)
    app_keys = ("DomainId", "AppType", "AppName", "UserProfileName", "SpaceName")
    existing = [app for app in apps if app["Status"] != "Deleted"]
    _delete_items("apps", existing, sagemaker.delete_app, app_keys)
    spaces = _list_items(sagemaker, "list_spaces", "Spaces", domain)
    _delete_items("spaces", spaces, sagemaker.delete_space, ("DomainId", "SpaceName"))
    profiles = _list_items(sagemaker, "list_user_profiles", "UserProfiles", domain)
    others = [profile for profile in profiles if profile["UserProfileName"] not in keep]
    _delete_items(
        "profiles", others, sagemaker.delete_user_profile, ("DomainId", "UserProfileName")
    )


def _list_items(sagemaker: Any, operation: str, where: str, domain: str) -> Items:
    pages = sagemaker.get_paginator(operation).paginate(DomainIdEquals=domain)
    return [item for page in pages for item in page[where]]


def _delete_items(
    what: str, existing: Items, delete: Callable[..., Any], keys: Iterable[str]
) -> None:
    """Delete each item that is not being deleted. Raises RetryableError until all are gone."""
    for item in existing:
        if item["Status"] != "Deleting":
            _request_deletion(delete, {key: item[key] for key in keys if key in item})
    if existing:
        raise RetryableError(f"{len(existing)} {what} of the domain are still being deleted")


def _request_deletion(delete: Callable[..., Any], request: Mapping[str, str]) -> None:
    try:
        delete(**request)
    except ClientError as error:
        # It is being created or changed, or is gone; the next pass deals with it.
        if error_code(error) not in ("ResourceInUse", "ResourceNotFound"):
            raise


def set_deletion_protection(table: Any, name: str, *, protects: bool) -> None:
    """Protect a table from being deleted, or take the protection off. Costs one call.

    To take it off a table that does not exist does nothing.
    """
    try:
        table.update_table(TableName=name, DeletionProtectionEnabled=protects)
    except ClientError as error:
        if protects or error_code(error) != "ResourceNotFoundException":
            raise


def detach_policy(iam: Any, policy: str, kept: Container[str]) -> int:
    """Detach a managed policy from every role, user and group but the roles in `kept`.

    Returns how many had it; none if there is no such policy. Raises RuntimeError, with what to do,
    if it is a permissions boundary: taking that away would add to what its bearer may do. Costs two
    calls and one for each bearer.
    """
    if bounded := list(_list_bearers(iam, policy, "PermissionsBoundary")):
        raise RuntimeError(_describe_bounded(policy, bounded))
    detach = {
        "role": lambda name: iam.detach_role_policy(RoleName=name, PolicyArn=policy),
        "user": lambda name: iam.detach_user_policy(UserName=name, PolicyArn=policy),
        "group": lambda name: iam.detach_group_policy(GroupName=name, PolicyArn=policy),
    }
    bearers = [
        (kind, name)
        for kind, name in _list_bearers(iam, policy, "PermissionsPolicy")
        if kind != "role" or name not in kept
    ]
    for kind, name in bearers:
        with suppress_code("NoSuchEntity"):
            detach[kind](name)
    return len(bearers)


def _list_bearers(iam: Any, policy: str, usage: str) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each role, user and group that uses a policy in this way."""
    pages = iam.get_paginator("list_entities_for_policy")
    with suppress_code("NoSuchEntity"):
        for page in pages.paginate(PolicyArn=policy, PolicyUsageFilter=usage):
            yield from (("role", it["RoleName"]) for it in page.get("PolicyRoles", []))
            yield from (("user", it["UserName"]) for it in page.get("PolicyUsers", []))
            yield from (("group", it["GroupName"]) for it in page.get("PolicyGroups", []))


def _describe_bounded(policy: str, bearers: list[tuple[str, str]]) -> str:
    named = ", ".join(f"{kind} {name}" for kind, name in bearers)
    commands = "; ".join(
        f"aws iam delete-{kind}-permissions-boundary --{kind}-name {name}" for kind, name in bearers
    )
    return (
        f"{policy} is the permissions boundary of {named}, so it cannot be deleted. "
        f"Give each another boundary, or none ({commands}), then delete the stack again"
    )
