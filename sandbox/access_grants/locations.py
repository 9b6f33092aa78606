"""Operations on locations: a scope and the role that is vended for it."""

import uuid
from typing import Any

from sandbox.access_grants.errors import refused
from sandbox.access_grants.pages import page
from sandbox.access_grants.scope import bucket
from sandbox.access_grants.service import AccessGrants, Request, operation
from sandbox.access_grants.state import Instance, Location
from sandbox.access_grants.tags import merged
from sandbox.access_grants.world import Caller


@operation
def create_access_grants_location(service: AccessGrants, request: Request, caller: Caller) -> dict[str, Any]:
    instance, scope, role = service.existing(), request["LocationScope"], request["IAMRoleArn"]
    _valid(service, scope)
    _pass(service, role, caller)
    if len(instance.locations) >= service.switches.locations_quota:
        raise refused("AccessGrantsLocationsQuotaExceededError", quota=service.switches.locations_quota)
    same = (lambda other: other.rstrip("/") == scope.rstrip("/")) if service.switches.slash_makes_same_location else scope.__eq__
    if any(same(location.scope) for location in instance.locations.values()):
        raise refused("AccessGrantsLocationAlreadyExistsError")
    tags = merged({}, request.get("Tags") or [])
    name = "default" if scope == "s3://" else str(uuid.uuid4())
    made = Location(instance.number(), name, scope, role, service.clock())
    instance.locations[name] = made
    instance.tags[_arn(service, made)] = tags
    return _shown(service, made)


@operation
def get_access_grants_location(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    return _shown(service, find(service.existing(), request))


@operation
def update_access_grants_location(service: AccessGrants, request: Request, caller: Caller) -> dict[str, Any]:
    location = find(service.existing(), request)
    _pass(service, request["IAMRoleArn"], caller)
    location.role = request["IAMRoleArn"]
    return _shown(service, location)


@operation
def delete_access_grants_location(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    instance = service.existing()
    location = find(instance, request)
    if location.grants or location.echoes:
        location.echoes = max(location.echoes - 1, 0)
        raise refused("AccessGrantsLocationNotEmptyError")
    del instance.locations[location.id], instance.tags[_arn(service, location)]
    return {}


@operation
def list_access_grants_locations(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    wanted = request.get("LocationScope")
    numbered = {x.number: x for x in service.existing().locations.values() if wanted in (None, x.scope)}
    found, token = page(sorted(numbered), numbered.get, request, service.switches)
    return {"AccessGrantsLocationsList": [_shown(service, x) for x in found], "NextToken": token}


def find(instance: Instance, request: Request) -> Location:
    """The location that the request names; NoSuchAccessGrantsLocationError if there is none."""
    location = instance.locations.get(request["AccessGrantsLocationId"])
    if location is None:
        raise refused("NoSuchAccessGrantsLocationError")
    return location


def _valid(service: AccessGrants, scope: str) -> None:
    if not scope.startswith("s3://") or "*" in scope[:-1]:
        raise refused("InvalidAccessGrantsLocation")
    if scope != "s3://" and not service.world.bucket(bucket(scope)):
        raise refused("InvalidAccessGrantsLocation")


def _pass(service: AccessGrants, role: str, caller: Caller) -> None:
    service.demand(caller, "iam:PassRole", role, {"iam:PassedToService": "access-grants.s3.amazonaws.com"})
    context = {"aws:SourceAccount": service.account, "aws:SourceArn": service.arn}
    if service.world.role(role) is None or not service.world.trusts(role, context):
        raise refused("InvalidIamRole")


def _arn(service: AccessGrants, location: Location) -> str:
    return f"{service.arn}/location/{location.id}"


def _shown(service: AccessGrants, location: Location) -> dict[str, Any]:
    return {
        "CreatedAt": location.created,
        "AccessGrantsLocationId": location.id,
        "AccessGrantsLocationArn": _arn(service, location),
        "LocationScope": location.scope,
        "IAMRoleArn": location.role,
    }
