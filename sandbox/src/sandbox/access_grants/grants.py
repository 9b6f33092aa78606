"""Operations on grants. A grant is created, read, listed and deleted, never changed."""

import re
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sandbox.access_grants.errors import documented_error
from sandbox.access_grants.locations import find_location
from sandbox.access_grants.scopes import bucket_of, join_scope
from sandbox.access_grants.service import AccessGrants, Caller, GrantsRequest, grants_operation
from sandbox.access_grants.state import (
    Grant,
    GranteeKey,
    GrantIndex,
    Instance,
    Location,
    merge_tags,
    read_page,
)
from sandbox.identity_center import DIRECTORY_KINDS

PRINCIPAL_ARN = re.compile(r"arn:[^:]+:iam::\d{12}:(role|user)/.+")


@grants_operation
def create_access_grant(
    service: AccessGrants, request: GrantsRequest, caller: Caller
) -> dict[str, Any]:
    # The order of these checks is a guess: AWS documents none.
    instance = service.require_instance()
    location = find_location(instance, request)
    sub_prefix = (request.get("AccessGrantsLocationConfiguration") or {}).get("S3SubPrefix") or ""
    scope = join_scope(location.scope, sub_prefix)
    _check_scope(service, location, sub_prefix, scope, request.get("S3PrefixType"))
    _check_grantee(service, instance, request["Grantee"], caller)
    if len(instance.grants) >= service.switches.grants_quota:
        raise documented_error(
            "AccessGrantsQuotaExceededError", quota=service.switches.grants_quota
        )
    made = _build_grant(service, instance, request, location, sub_prefix)
    if unique_key(service, made) in instance.keys:
        raise documented_error("AccessGrantAlreadyExists")
    tags = merge_tags({}, request.get("Tags") or [])
    instance.add(made, unique_key(service, made))
    instance.tags[grant_arn(service, made)] = tags
    return describe_grant(service, made)


@grants_operation
def get_access_grant(service: AccessGrants, request: GrantsRequest, _: Caller) -> dict[str, Any]:
    return describe_grant(service, _find_grant(service.require_instance(), request))


@grants_operation
def delete_access_grant(service: AccessGrants, request: GrantsRequest, _: Caller) -> dict[str, Any]:
    instance = service.require_instance()
    grant = _find_grant(instance, request)
    instance.drop(grant, unique_key(service, grant), service.clock())
    del instance.tags[grant_arn(service, grant)]
    location = instance.locations[grant.location]
    location.late_refusals = 0 if location.grants else service.switches.late_deletes
    return {}


@grants_operation
def list_access_grants(service: AccessGrants, request: GrantsRequest, _: Caller) -> dict[str, Any]:
    index = _choose_index(service, service.require_instance(), request)
    unseen, unseen_gone = _find_unseen_changes(service)

    def wanted(number: int) -> Grant | None:
        grant = None if number in unseen else unseen_gone.get(number) or index.get(number)
        return grant if grant and _matches_filters(service, grant, request) else None

    order = sorted({*index.order, *unseen_gone}) if unseen_gone else index.order
    found, token = read_page(order, wanted, request, service.switches)
    return {
        "AccessGrantsList": [describe_grant(service, grant) for grant in found],
        "NextToken": token,
    }


def _find_unseen_changes(service: AccessGrants) -> tuple[set[int], dict[int, Grant]]:
    """Return the changes that a stale list does not show yet.

    Created grants are numbers, deleted ones grants by number.
    """
    count, seconds = service.switches.stale_changes, service.switches.stale_seconds
    if not count and not seconds:
        return set(), {}
    return service.require_instance().list_since(
        count, service.clock() - timedelta(seconds=seconds)
    )


def _choose_index(service: AccessGrants, instance: Instance, request: GrantsRequest) -> GrantIndex:
    """Return the smallest index that holds every grant the filters can match."""
    narrow: list[GrantIndex] = [instance.everything]
    if (scope := request.get("GrantScope")) and service.switches.grant_scope_filters_exactly:
        narrow.append(instance.by_scope.get(scope) or GrantIndex())
    if (kind := request.get("GranteeType")) and (who := request.get("GranteeIdentifier")):
        narrow.append(instance.by_grantee.get((kind, who)) or GrantIndex())
    return min(narrow, key=lambda index: len(index.order))


def _matches_filters(service: AccessGrants, grant: Grant, request: GrantsRequest) -> bool:
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
    return scope is None or (
        grant.scope == scope if exactly else grant.scope.startswith(scope.removesuffix("*"))
    )


def _check_scope(
    service: AccessGrants, location: Location, sub_prefix: str, scope: str, kind: str | None
) -> None:
    wrong = documented_error(
        service.switches.invalid_scope_code, why="The specified Access Grant is invalid"
    )
    if "*" in scope[:-1] or len(scope) > 2000:
        raise wrong
    if (
        location.scope == "s3://" and not sub_prefix
    ):  # the default location cannot be granted as a whole
        raise wrong
    if kind == "Object" and (scope.endswith(("*", "/")) or not sub_prefix):
        raise wrong
    if (
        kind is None
        and sub_prefix
        and not scope.endswith("*")
        and not service.switches.plain_prefix_is_taken
    ):
        raise wrong
    if not service.environment.has_bucket(bucket_of(scope)):
        raise wrong


def _check_grantee(
    service: AccessGrants, instance: Instance, grantee: dict[str, str], caller: Caller
) -> None:
    kind, who = grantee.get("GranteeType"), grantee.get("GranteeIdentifier") or ""
    if kind == "IAM":
        known = (
            bool(PRINCIPAL_ARN.fullmatch(who))
            and service.environment.find_principal_id(who) is not None
        )
    else:
        known = instance.identity_center is not None and _is_in_directory(
            service, instance, str(kind), who, caller
        )
    if not known:
        raise documented_error("InvalidRequest", why="Invalid Grantee in the request")


def _is_in_directory(
    service: AccessGrants, instance: Instance, kind: str, who: str, caller: Caller
) -> bool:
    """Return whether the directory has this grantee.

    The caller must be allowed to see it there (API reference, CreateAccessGrant).
    """
    noun = DIRECTORY_KINDS[kind]
    service.require_permission(caller, "sso:DescribeInstance", str(instance.identity_center))
    service.require_permission(caller, "sso:DescribeApplication", str(instance.application))
    for resource in (
        service.environment.find_identity_store(),
        f"arn:aws:identitystore:::{noun.lower()}/{who}",
    ):
        service.require_permission(caller, f"identitystore:Describe{noun}", resource)
    return service.environment.has_grantee(kind, who)


def _build_grant(
    service: AccessGrants,
    instance: Instance,
    request: GrantsRequest,
    location: Location,
    sub_prefix: str,
) -> Grant:
    kind = request["Grantee"]["GranteeType"]
    return Grant(
        number=instance.next_number(),
        id=str(uuid.uuid4()),
        grantee_type=kind,
        grantee=request["Grantee"]["GranteeIdentifier"],
        permission=request["Permission"],
        scope=join_scope(location.scope, sub_prefix),
        location=location.id,
        sub_prefix=sub_prefix,
        application=request.get("ApplicationArn") or "",
        prefix_type=request.get("S3PrefixType") or "",
        created=service.clock(),
        identity=service.environment.find_principal_id(request["Grantee"]["GranteeIdentifier"])
        if kind == "IAM"
        else None,
    )


def unique_key(service: AccessGrants, grant: Grant) -> GranteeKey:
    """Return what makes a grant unique.

    AWS does not document it; public fixtures show that permission is part of it.
    """
    place = (grant.location,) if service.switches.location_in_key else ()
    return (
        grant.grantee_type,
        grant.grantee,
        grant.permission,
        grant.scope,
        grant.application,
        *place,
    )


def grant_arn(service: AccessGrants, grant: Grant) -> str:
    """Return a grant's ARN as AWS's documentation shows it.

    The model's pattern lacks the `default`.
    """
    return f"{service.arn}/grant/{grant.id}"


def _find_grant(instance: Instance, request: GrantsRequest) -> Grant:
    grant = instance.grants.get(request["AccessGrantId"])
    if grant is None:
        raise documented_error("NoSuchAccessGrantError")
    return grant


def describe_grant(service: AccessGrants, grant: Grant) -> dict[str, Any]:
    """Return a grant as create, get and list show it.

    There are no tags and no prefix type, and the sub-prefix is empty if none was given.
    """
    members: dict[str, Any] = {
        "CreatedAt": grant.created,
        "AccessGrantId": grant.id,
        "AccessGrantArn": grant_arn(service, grant),
        "Grantee": {"GranteeType": grant.grantee_type, "GranteeIdentifier": grant.grantee},
        "AccessGrantsLocationId": grant.location,
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": grant.sub_prefix},
        "Permission": grant.permission,
        "GrantScope": grant.scope,
    }
    return members | ({"ApplicationArn": grant.application} if grant.application else {})


def sort_by_closeness(grants: Sequence[Grant]) -> list[Grant]:
    """Sort grants by how closely they match.

    The narrowest scope comes first, then the least permission, then the oldest grant.
    """
    return sorted(
        grants,
        key=lambda grant: (
            -len(grant.scope.removesuffix("*")),
            len(grant.permission),
            grant.number,
        ),
    )
