"""Operations on locations: a scope, and the role whose credentials are vended for it."""

import uuid
from typing import Any

from sandbox.access_grants.errors import documented_error
from sandbox.access_grants.scopes import bucket_of
from sandbox.access_grants.service import AccessGrants, Caller, GrantsRequest, grants_operation
from sandbox.access_grants.state import Instance, Location, merge_tags, read_page


@grants_operation
def create_access_grants_location(
    service: AccessGrants, request: GrantsRequest, caller: Caller
) -> dict[str, Any]:
    instance, scope, role = (
        service.require_instance(),
        request["LocationScope"],
        request["IAMRoleArn"],
    )
    _check_location_scope(service, scope)
    _check_passed_role(service, role, caller)
    if len(instance.locations) >= service.switches.locations_quota:
        raise documented_error(
            "AccessGrantsLocationsQuotaExceededError", quota=service.switches.locations_quota
        )
    same = (
        (lambda other: other.rstrip("/") == scope.rstrip("/"))
        if service.switches.slash_makes_same_location
        else scope.__eq__
    )
    if any(same(location.scope) for location in instance.locations.values()):
        raise documented_error("AccessGrantsLocationAlreadyExistsError")
    tags = merge_tags({}, request.get("Tags") or [])
    name = "default" if scope == "s3://" else str(uuid.uuid4())
    made = Location(instance.next_number(), name, scope, role, service.clock())
    instance.locations[name] = made
    instance.tags[_location_arn(service, made)] = tags
    return _describe_location(service, made)


@grants_operation
def get_access_grants_location(
    service: AccessGrants, request: GrantsRequest, _: Caller
) -> dict[str, Any]:
    return _describe_location(service, find_location(service.require_instance(), request))


@grants_operation
def update_access_grants_location(
    service: AccessGrants, request: GrantsRequest, caller: Caller
) -> dict[str, Any]:
    location = find_location(service.require_instance(), request)
    _check_passed_role(service, request["IAMRoleArn"], caller)
    location.role = request["IAMRoleArn"]
    return _describe_location(service, location)


@grants_operation
def delete_access_grants_location(
    service: AccessGrants, request: GrantsRequest, _: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    location = find_location(instance, request)
    if location.grants or location.late_refusals:
        location.late_refusals = max(location.late_refusals - 1, 0)
        raise documented_error("AccessGrantsLocationNotEmptyError")
    del instance.locations[location.id], instance.tags[_location_arn(service, location)]
    return {}


@grants_operation
def list_access_grants_locations(
    service: AccessGrants, request: GrantsRequest, _: Caller
) -> dict[str, Any]:
    wanted = request.get("LocationScope")
    numbered = {
        x.number: x
        for x in service.require_instance().locations.values()
        if wanted in (None, x.scope)
    }
    found, token = read_page(sorted(numbered), numbered.get, request, service.switches)
    return {
        "AccessGrantsLocationsList": [_describe_location(service, x) for x in found],
        "NextToken": token,
    }


def find_location(instance: Instance, request: GrantsRequest) -> Location:
    """Return the location that the request names.

    Raises NoSuchAccessGrantsLocationError if it does not exist.
    """
    location = instance.locations.get(request["AccessGrantsLocationId"])
    if location is None:
        raise documented_error("NoSuchAccessGrantsLocationError")
    return location


def _check_location_scope(service: AccessGrants, scope: str) -> None:
    if not scope.startswith("s3://") or "*" in scope[:-1]:
        raise documented_error("InvalidAccessGrantsLocation")
    if scope != "s3://" and not service.environment.has_bucket(bucket_of(scope)):
        raise documented_error("InvalidAccessGrantsLocation")


def _check_passed_role(service: AccessGrants, role: str, caller: Caller) -> None:
    service.require_permission(
        caller, "iam:PassRole", role, {"iam:PassedToService": "access-grants.s3.amazonaws.com"}
    )
    if service.environment.find_role(role) is None or not service.is_trusted_by(
        role, "sts:AssumeRole"
    ):
        raise documented_error("InvalidIamRole")


def _location_arn(service: AccessGrants, location: Location) -> str:
    return f"{service.arn}/location/{location.id}"


def _describe_location(service: AccessGrants, location: Location) -> dict[str, Any]:
    return {
        "CreatedAt": location.created,
        "AccessGrantsLocationId": location.id,
        "AccessGrantsLocationArn": _location_arn(service, location),
        "LocationScope": location.scope,
        "IAMRoleArn": location.role,
    }
