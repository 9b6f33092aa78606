"""Operations on grants: made, read, listed and taken away, never changed."""

import re
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sandbox.access_grants.errors import refused
from sandbox.access_grants.locations import find as find_location
from sandbox.access_grants.pages import page
from sandbox.access_grants.scope import bucket, join
from sandbox.access_grants.service import AccessGrants, Request, operation
from sandbox.access_grants.state import Grant, Index, Instance, Key, Location
from sandbox.access_grants.tags import merged
from sandbox.access_grants.world import Caller

PRINCIPAL = re.compile(r"arn:[^:]+:iam::\d{12}:(role|user)/.+")


@operation
def create_access_grant(service: AccessGrants, request: Request, caller: Caller) -> dict[str, Any]:
    # The order of these checks is a guess: AWS documents none.
    instance = service.existing()
    location = find_location(instance, request)
    sub_prefix = (request.get("AccessGrantsLocationConfiguration") or {}).get("S3SubPrefix") or ""
    scope = join(location.scope, sub_prefix)
    _scope(service, location, sub_prefix, scope, request.get("S3PrefixType"))
    _grantee(service, instance, request["Grantee"], caller)
    if len(instance.grants) >= service.switches.grants_quota:
        raise refused("AccessGrantsQuotaExceededError", quota=service.switches.grants_quota)
    made = _made(service, instance, request, location, sub_prefix)
    if key(service, made) in instance.keys:
        raise refused("AccessGrantAlreadyExists")
    tags = merged({}, request.get("Tags") or [])
    instance.add(made, key(service, made))
    instance.tags[arn(service, made)] = tags
    return shown(service, made)


@operation
def get_access_grant(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    return shown(service, _find(service.existing(), request))


@operation
def delete_access_grant(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    instance = service.existing()
    grant = _find(instance, request)
    instance.drop(grant, key(service, grant), service.clock())
    del instance.tags[arn(service, grant)]
    location = instance.locations[grant.location]
    location.echoes = 0 if location.grants else service.switches.late_deletes
    return {}


@operation
def list_access_grants(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    index = _narrowest(service, service.existing(), request)
    unseen, unseen_gone = _unseen(service)

    def wanted(number: int) -> Grant | None:
        grant = None if number in unseen else unseen_gone.get(number) or index.get(number)
        return grant if grant and _matches(service, grant, request) else None

    order = sorted({*index.order, *unseen_gone}) if unseen_gone else index.order
    found, token = page(order, wanted, request, service.switches)
    return {"AccessGrantsList": [shown(service, grant) for grant in found], "NextToken": token}


def _unseen(service: AccessGrants) -> tuple[set[int], dict[int, Grant]]:
    """The changes that a stale list does not show yet: numbers of grants that were made, and grants that went."""
    count, seconds = service.switches.stale_changes, service.switches.stale_seconds
    if not count and not seconds:
        return set(), {}
    return service.existing().since(count, service.clock() - timedelta(seconds=seconds))


def _narrowest(service: AccessGrants, instance: Instance, request: Request) -> Index:
    """The smallest index that holds every grant the filters can match."""
    narrow: list[Index] = [instance.everything]
    if (scope := request.get("GrantScope")) and service.switches.grant_scope_filters_exactly:
        narrow.append(instance.by_scope.get(scope) or Index())
    if (kind := request.get("GranteeType")) and (who := request.get("GranteeIdentifier")):
        narrow.append(instance.by_grantee.get((kind, who)) or Index())
    return min(narrow, key=lambda index: len(index.order))


def _matches(service: AccessGrants, grant: Grant, request: Request) -> bool:
    scope = request.get("GrantScope")
    exact = {
        "GranteeType": grant.grantee_type,
        "GranteeIdentifier": grant.grantee,
        "Permission": grant.permission,
        "ApplicationArn": grant.application,
    }
    if any(request.get(name) not in (None, value) for name, value in exact.items()):
        return False
    exactly = service.switches.grant_scope_filters_exactly
    return scope is None or (grant.scope == scope if exactly else grant.scope.startswith(scope.removesuffix("*")))


def _scope(service: AccessGrants, location: Location, sub_prefix: str, scope: str, kind: str | None) -> None:
    wrong = refused(service.switches.invalid_scope_code, why="The specified Access Grant is invalid")
    if "*" in scope[:-1] or len(scope) > 2000:
        raise wrong
    if location.scope == "s3://" and not sub_prefix:  # the default location can not be granted whole
        raise wrong
    if kind == "Object" and (scope.endswith(("*", "/")) or not sub_prefix):
        raise wrong
    if kind is None and sub_prefix and not scope.endswith("*") and not service.switches.plain_prefix_is_taken:
        raise wrong
    if not service.world.bucket(bucket(scope)):
        raise wrong


def _grantee(service: AccessGrants, instance: Instance, grantee: dict[str, str], caller: Caller) -> None:
    kind, who = grantee.get("GranteeType"), grantee.get("GranteeIdentifier") or ""
    if kind == "IAM":
        known = bool(PRINCIPAL.fullmatch(who)) and service.world.identity(who) is not None
    else:
        known = instance.identity_center is not None and _in_directory(service, instance, str(kind), who, caller)
    if not known:
        raise refused("InvalidRequest", why="Invalid Grantee in the request")


def _in_directory(service: AccessGrants, instance: Instance, kind: str, who: str, caller: Caller) -> bool:
    """Whether the directory has such a grantee, which the caller must be allowed to see there (API reference, CreateAccessGrant)."""
    noun = {"DIRECTORY_USER": "User", "DIRECTORY_GROUP": "Group"}[kind]
    service.demand(caller, "sso:DescribeInstance", str(instance.identity_center))
    service.demand(caller, "sso:DescribeApplication", str(instance.application))
    for resource in (service.world.identity_store(), f"arn:aws:identitystore:::{noun.lower()}/{who}"):
        service.demand(caller, f"identitystore:Describe{noun}", resource)
    return service.world.knows(kind, who)


def _made(service: AccessGrants, instance: Instance, request: Request, location: Location, sub_prefix: str) -> Grant:
    kind = request["Grantee"]["GranteeType"]
    return Grant(
        number=instance.number(),
        id=str(uuid.uuid4()),
        grantee_type=kind,
        grantee=request["Grantee"]["GranteeIdentifier"],
        permission=request["Permission"],
        scope=join(location.scope, sub_prefix),
        location=location.id,
        sub_prefix=sub_prefix,
        application=request.get("ApplicationArn") or "",
        prefix_type=request.get("S3PrefixType") or "",
        created=service.clock(),
        identity=service.world.identity(request["Grantee"]["GranteeIdentifier"]) if kind == "IAM" else None,
    )


def key(service: AccessGrants, grant: Grant) -> Key:
    """What makes a grant unique; AWS does not document it, public fixtures show that the permission is part of it."""
    place = (grant.location,) if service.switches.location_in_key else ()
    return (grant.grantee_type, grant.grantee, grant.permission, grant.scope, grant.application, *place)


def arn(service: AccessGrants, grant: Grant) -> str:
    """A grant's ARN as AWS's documentation shows it (the model's pattern lacks the `default`)."""
    return f"{service.arn}/grant/{grant.id}"


def _find(instance: Instance, request: Request) -> Grant:
    grant = instance.grants.get(request["AccessGrantId"])
    if grant is None:
        raise refused("NoSuchAccessGrantError")
    return grant


def shown(service: AccessGrants, grant: Grant) -> dict[str, Any]:
    """A grant as create, get and list show it: no tags, no prefix type, and an empty sub-prefix where none was given."""
    told: dict[str, Any] = {
        "CreatedAt": grant.created,
        "AccessGrantId": grant.id,
        "AccessGrantArn": arn(service, grant),
        "Grantee": {"GranteeType": grant.grantee_type, "GranteeIdentifier": grant.grantee},
        "AccessGrantsLocationId": grant.location,
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": grant.sub_prefix},
        "Permission": grant.permission,
        "GrantScope": grant.scope,
    }
    return told | ({"ApplicationArn": grant.application} if grant.application else {})


def by_closeness(grants: Sequence[Grant]) -> list[Grant]:
    """Grants, the one with the narrowest scope first; of equal ones the least permission, then the oldest."""
    return sorted(grants, key=lambda grant: (-len(grant.scope.removesuffix("*")), len(grant.permission), grant.number))
