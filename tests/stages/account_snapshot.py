"""Snapshots of an account: everything that could be changed or deleted by mistake.

Two snapshots can be compared, resource by resource.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from tests.conftest import ACCOUNT
from tests.teardown.empty_account import ARTIFACTS

AccountSnapshot = dict[str, Any]  # by resource: what AWS's APIs return about it
NamedResources = Iterator[tuple[str, Any]]
Client = Callable[[str], Any]
VOLATILE_KEYS = {"ResponseMetadata", "RoleLastUsed"}  # about requests, not about the resource


def take_snapshot(client: Client) -> AccountSnapshot:
    """Access Grants, Studio, trails, roles and buckets, and the grants in each ledger."""
    parts = (
        _list_access_grants,
        _list_studio,
        _list_trails,
        _list_roles,
        _list_buckets,
        _list_ledgers,
    )
    return {name: _drop_volatile(value) for part in parts for name, value in part(client)}


def select_existing(before: AccountSnapshot, now: AccountSnapshot) -> AccountSnapshot:
    """The resources of `before` as they are now; None for one that is gone."""
    return {name: now.get(name) for name in before}


def _list_access_grants(client: Client) -> NamedResources:
    control, account = client("s3control"), {"AccountId": ACCOUNT}
    with suppress(control.exceptions.ClientError):  # without an instance there is nothing else
        yield "instance", control.get_access_grants_instance(**account)
        for location in control.list_access_grants_locations(**account)[
            "AccessGrantsLocationsList"
        ]:
            yield f"location {location['AccessGrantsLocationId']}", location
        for grant in control.list_access_grants(**account)["AccessGrantsList"]:
            tags = control.list_tags_for_resource(**account, ResourceArn=grant["AccessGrantArn"])[
                "Tags"
            ]
            yield f"grant {grant['AccessGrantId']}", grant | {"Tags": tags}


def _list_studio(client: Client) -> NamedResources:
    studio = client("sagemaker")
    for domain in studio.list_domains()["Domains"]:
        yield f"domain {domain['DomainId']}", studio.describe_domain(DomainId=domain["DomainId"])
    for profile in studio.list_user_profiles()["UserProfiles"]:
        named = {"DomainId": profile["DomainId"], "UserProfileName": profile["UserProfileName"]}
        yield f"profile {' '.join(named.values())}", studio.describe_user_profile(**named)
    for space in studio.list_spaces()["Spaces"]:
        named = {"DomainId": space["DomainId"], "SpaceName": space["SpaceName"]}
        yield f"space {' '.join(named.values())}", studio.describe_space(**named)


def _list_trails(client: Client) -> NamedResources:
    cloudtrail = client("cloudtrail")
    for trail in cloudtrail.describe_trails()["trailList"]:
        name = trail["Name"]
        yield (
            f"trail {name}",
            [
                trail,
                cloudtrail.get_trail_status(Name=name),
                cloudtrail.get_event_selectors(TrailName=name),
            ],
        )


def _list_roles(client: Client) -> NamedResources:
    iam = client("iam")
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            named = {"RoleName": role["RoleName"]}
            own = [
                iam.get_role_policy(**named, PolicyName=it)
                for it in iam.list_role_policies(**named)["PolicyNames"]
            ]
            yield (
                f"role {role['RoleName']}",
                [role, own, iam.list_attached_role_policies(**named)["AttachedPolicies"]],
            )


def _list_buckets(client: Client) -> NamedResources:
    s3 = client("s3")
    for name in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} - {ARTIFACTS}:
        named = {"Bucket": name}
        settings = (
            s3.get_bucket_policy,
            s3.get_bucket_versioning,
            s3.get_bucket_notification_configuration,
        )
        objects = [
            (it["Key"], it["VersionId"], it["ETag"])
            for it in s3.list_object_versions(**named).get("Versions", [])
        ]
        yield f"bucket {name}", [objects, *(_call_or_none(ask, named) for ask in settings)]


def _call_or_none(call: Callable[..., Any], named: dict[str, str]) -> Any:
    try:
        return call(**named)
    except ClientError:
        return None


def _list_ledgers(client: Client) -> NamedResources:
    """The items of grants in each table; those of runs and triggers come and go."""
    dynamodb = client("dynamodb")
    for table in dynamodb.list_tables()["TableNames"]:
        items = dynamodb.scan(TableName=table)["Items"]
        yield f"ledger {table}", sorted((it for it in items if "state" in it), key=str)


def _drop_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_volatile(it) for key, it in value.items() if key not in VOLATILE_KEYS}
    return [_drop_volatile(it) for it in value] if isinstance(value, list) else value
