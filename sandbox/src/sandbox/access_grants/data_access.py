"""What callers request for themselves: credentials for data, and the list of their own grants."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sandbox.access_grants.errors import AccessGrantsError, documented_error
from sandbox.access_grants.grants import sort_by_closeness
from sandbox.access_grants.scopes import covers_target, session_policy
from sandbox.access_grants.service import (
    AccessGrants,
    Caller,
    GrantsRequest,
    Role,
    grants_operation,
)
from sandbox.access_grants.state import Grant, GranteeKey, Instance, read_page

# Not part of AWS: what a session was vended for, next to the condition keys that it carries.
VENDED_FOR = "sandbox:vended"


@grants_operation
def get_data_access(
    service: AccessGrants, request: GrantsRequest, caller: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    grant = _find_closest_grant(service, instance, request, caller)
    role = _find_role(service, instance.locations[grant.location].role, grant)
    seconds = int(request.get("DurationSeconds") or service.switches.vended_seconds)
    if seconds > role.longest:
        why = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise documented_error("StsValidationError", why=why)
    return _vend_credentials(
        service, request, grant, role, service.clock() + timedelta(seconds=seconds)
    )


@grants_operation
def list_caller_access_grants(
    service: AccessGrants, request: GrantsRequest, caller: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    numbered = {
        grant.number: grant
        for grant in instance.list_held_by(list_grantees(instance, caller))
        if not request.get("AllowedByApplication") or _is_for_application(grant, caller)
    }
    start = request.get("GrantScope") or ""
    found, token = read_page(
        sorted(numbered),
        lambda n: numbered[n] if numbered[n].scope.startswith(start) else None,
        request,
        service.switches,
    )
    listed = [
        {
            "Permission": grant.permission,
            "GrantScope": grant.scope,
            "ApplicationArn": grant.application or "ALL",
            "AccessGrantsInstanceArn": service.arn,
        }
        for grant in found
    ]
    return {"CallerAccessGrantsList": listed, "NextToken": token}


def _find_closest_grant(
    service: AccessGrants, instance: Instance, request: GrantsRequest, caller: Caller
) -> Grant:
    target, permission = request["Target"], request["Permission"]
    around = instance.find_around(list_grantees(instance, caller), target)
    bare_bucket = service.switches.bare_bucket_is_inside
    inside = [
        grant
        for grant in around
        if covers_target(grant.reach, target, bare_bucket=bare_bucket)
        and _is_for_application(grant, caller)
        and _has_same_grantee(service, grant)
    ]
    serving = sort_by_closeness(
        [grant for grant in inside if grant.permission in (permission, "READWRITE")]
    )
    if service.switches.closer_grant_hides and serving:
        closest = sort_by_closeness(inside)[0]
        serving = [grant for grant in serving if grant.scope == closest.scope]
    combined = {grant.permission for grant in inside} >= {
        "READ",
        "WRITE",
    } and permission == "READWRITE"
    if not serving and combined and service.switches.read_and_write_combine:
        serving = sort_by_closeness(inside)
    if not serving:
        raise _deny_access(permission, target)
    return serving[0]


def _has_same_grantee(service: AccessGrants, grant: Grant) -> bool:
    survives = service.switches.grants_survive_their_role or grant.grantee_type != "IAM"
    return survives or grant.identity == service.environment.find_principal_id(grant.grantee)


def list_grantees(instance: Instance, caller: Caller) -> tuple[GranteeKey, ...]:
    """Return every grantee that the caller is.

    The identity of a directory counts while the instance is associated with its Identity Center.
    """
    directory = caller.directory
    if directory is None or directory.center != instance.identity_center:
        return (("IAM", caller.arn),)
    return (("IAM", caller.arn), *directory.grantees)


def _is_for_application(grant: Grant, caller: Caller) -> bool:
    """Return whether the grant is for every application, or for the caller's."""
    return not grant.application or (
        caller.directory is not None and grant.application == caller.directory.application
    )


def _deny_access(permission: str, target: str) -> AccessGrantsError:
    return documented_error(
        "AccessDenied",
        why=f"You do not have {permission} permissions to the requested S3 Prefix: {target}",
    )


def _find_role(service: AccessGrants, arn: str, grant: Grant) -> Role:
    """Return the role of the grant's location, if it lets the service vend for such a grantee.

    Source: API reference, GetDataAccess: sts:SetSourceIdentity for IAM principals, sts:SetContext
    for users and groups of the directory.
    """
    role = service.environment.find_role(arn)
    passing = "sts:SetSourceIdentity" if grant.grantee_type == "IAM" else "sts:SetContext"
    refused = [
        action
        for action in ("sts:AssumeRole", passing)
        if role is None or not service.is_trusted_by(arn, action)
    ]
    if role is None or refused:
        raise documented_error("StsNotAuthorizedError", role=arn, action=refused[0])
    return role


def _vend_credentials(
    service: AccessGrants, request: GrantsRequest, grant: Grant, role: Role, until: datetime
) -> dict[str, Any]:
    minimal = request.get("Privilege") == "Minimal"
    policy = session_policy(
        request["Target"] if minimal else grant.reach,
        request["Permission"],
        lists_uploads=service.switches.readers_see_uploads,
    )
    context = {
        "s3:AccessGrantsInstanceArn": service.arn,
        VENDED_FOR: f"{request['Permission']} {grant.scope}",
    }
    keys = service.environment.start_vended_session(
        role, f"access-grants-{uuid.uuid4()}", policy, until, context
    )
    return {
        "Credentials": keys | {"Expiration": until},
        "MatchedGrantTarget": request["Target"] if minimal else grant.scope,
        "Grantee": {"GranteeType": grant.grantee_type, "GranteeIdentifier": grant.grantee},
        "MatchedInstanceArn": service.arn,
    }
