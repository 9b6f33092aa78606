"""All that is told of whatever could be changed or taken by mistake, thing by thing: two looks at an account can be compared."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from tests.conftest import ACCOUNT
from tests.leaving.stage import ARTIFACTS

Account = dict[str, Any]  # a thing's name → all that is told of it
Things = Iterator[tuple[str, Any]]
Client = Callable[[str], Any]
OF_REQUESTS = {"ResponseMetadata", "RoleLastUsed"}  # what is told of asking and using, not of the thing


def look(client: Client) -> Account:
    """Access Grants, Studio, trails, roles and buckets, and which grants each ledger has."""
    parts = (_access_grants, _studio, _trails, _roles, _buckets, _ledgers)
    return {name: _without(told) for part in parts for name, told in part(client)}


def theirs(before: Account, now: Account) -> Account:
    """What there was before, as it is now; None for what is gone."""
    return {name: now.get(name) for name in before}


def _access_grants(client: Client) -> Things:
    control, account = client("s3control"), {"AccountId": ACCOUNT}
    with suppress(control.exceptions.ClientError):  # there is no instance, and so nothing else
        yield "instance", control.get_access_grants_instance(**account)
        for location in control.list_access_grants_locations(**account)["AccessGrantsLocationsList"]:
            yield f"location {location['AccessGrantsLocationId']}", location
        for grant in control.list_access_grants(**account)["AccessGrantsList"]:
            tags = control.list_tags_for_resource(**account, ResourceArn=grant["AccessGrantArn"])["Tags"]
            yield f"grant {grant['AccessGrantId']}", grant | {"Tags": tags}


def _studio(client: Client) -> Things:
    studio = client("sagemaker")
    for domain in studio.list_domains()["Domains"]:
        yield f"domain {domain['DomainId']}", studio.describe_domain(DomainId=domain["DomainId"])
    for profile in studio.list_user_profiles()["UserProfiles"]:
        named = {"DomainId": profile["DomainId"], "UserProfileName": profile["UserProfileName"]}
        yield f"profile {' '.join(named.values())}", studio.describe_user_profile(**named)
    for space in studio.list_spaces()["Spaces"]:
        named = {"DomainId": space["DomainId"], "SpaceName": space["SpaceName"]}
        yield f"space {' '.join(named.values())}", studio.describe_space(**named)


def _trails(client: Client) -> Things:
    cloudtrail = client("cloudtrail")
    for trail in cloudtrail.describe_trails()["trailList"]:
        name = trail["Name"]
        yield f"trail {name}", [trail, cloudtrail.get_trail_status(Name=name), cloudtrail.get_event_selectors(TrailName=name)]


def _roles(client: Client) -> Things:
    iam = client("iam")
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            named = {"RoleName": role["RoleName"]}
            own = [iam.get_role_policy(**named, PolicyName=it) for it in iam.list_role_policies(**named)["PolicyNames"]]
            yield f"role {role['RoleName']}", [role, own, iam.list_attached_role_policies(**named)["AttachedPolicies"]]


def _buckets(client: Client) -> Things:
    s3 = client("s3")
    for name in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} - {ARTIFACTS}:
        named = {"Bucket": name}
        settings = (s3.get_bucket_policy, s3.get_bucket_versioning, s3.get_bucket_notification_configuration)
        objects = [(it["Key"], it["VersionId"], it["ETag"]) for it in s3.list_object_versions(**named).get("Versions", [])]
        yield f"bucket {name}", [objects, *(_or_none(ask, named) for ask in settings)]


def _or_none(ask: Callable[..., Any], named: dict[str, str]) -> Any:
    try:
        return ask(**named)
    except ClientError:
        return None


def _ledgers(client: Client) -> Things:
    """Of each table the items that stand for grants; runs and bells come and go."""
    dynamodb = client("dynamodb")
    for table in dynamodb.list_tables()["TableNames"]:
        items = dynamodb.scan(TableName=table)["Items"]
        yield f"ledger {table}", sorted((it for it in items if "state" in it), key=str)


def _without(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _without(value) for key, value in told.items() if key not in OF_REQUESTS}
    return [_without(item) for item in told] if isinstance(told, list) else told
