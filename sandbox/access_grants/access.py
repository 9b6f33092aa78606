"""What callers ask for themselves: credentials for data, and the list of their own grants."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sandbox.access_grants.errors import Refused, refused
from sandbox.access_grants.grants import by_closeness
from sandbox.access_grants.pages import page
from sandbox.access_grants.scope import covers, reach
from sandbox.access_grants.service import AccessGrants, Request, operation
from sandbox.access_grants.session import session_policy
from sandbox.access_grants.state import Grant, Instance
from sandbox.access_grants.world import Caller, Role

# Not of AWS: what a session was vended for, beside the condition keys that it carries.
VENDED = "sandbox:vended"


@operation
def get_data_access(service: AccessGrants, request: Request, caller: Caller) -> dict[str, Any]:
    instance = service.existing()
    grant = _closest(service, instance, request, caller)
    role = _role(service, instance.locations[grant.location].role)
    seconds = int(request.get("DurationSeconds") or service.switches.vended_seconds)
    if seconds > role.longest:
        why = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise refused("StsValidationError", why=why)
    return _vended(service, request, grant, role, service.clock() + timedelta(seconds=seconds))


@operation
def list_caller_access_grants(service: AccessGrants, request: Request, caller: Caller) -> dict[str, Any]:
    numbered = {grant.number: grant for grant in service.existing().held_by(caller.identities)}
    start = request.get("GrantScope") or ""
    found, token = page(
        sorted(numbered), lambda n: numbered[n] if numbered[n].scope.startswith(start) else None, request, service.switches
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


def _closest(service: AccessGrants, instance: Instance, request: Request, caller: Caller) -> Grant:
    target, permission = request["Target"], request["Permission"]
    inside = [
        grant
        for grant in instance.held_by(caller.identities)
        if covers(_reach(grant), target, bare_bucket=service.switches.bare_bucket_is_inside) and _stands(service, grant)
    ]
    serving = by_closeness([grant for grant in inside if grant.permission in (permission, "READWRITE")])
    combined = {grant.permission for grant in inside} >= {"READ", "WRITE"} and permission == "READWRITE"
    if not serving and combined and service.switches.read_and_write_combine:
        serving = by_closeness(inside)
    if not serving:
        raise _no(permission, target)
    return serving[0]


def _stands(service: AccessGrants, grant: Grant) -> bool:
    survives = service.switches.grants_survive_their_role or grant.grantee_type != "IAM"
    return survives or grant.identity == service.world.identity(grant.grantee)


def _reach(grant: Grant) -> str:
    return reach(grant.scope, whole=not grant.sub_prefix)


def _no(permission: str, target: str) -> Refused:
    return refused("AccessDenied", why=f"You do not have {permission} permissions to the requested S3 Prefix: {target}")


def _role(service: AccessGrants, arn: str) -> Role:
    role = service.world.role(arn)
    context = {"aws:SourceAccount": service.account, "aws:SourceArn": service.arn}
    if role is None or not service.world.trusts(arn, context):
        raise refused("StsNotAuthorizedError", role=arn)
    return role


def _vended(service: AccessGrants, request: Request, grant: Grant, role: Role, until: datetime) -> dict[str, Any]:
    minimal = request.get("Privilege") == "Minimal"
    policy = session_policy(request["Target"] if minimal else _reach(grant), request["Permission"])
    context = {"s3:AccessGrantsInstanceArn": service.arn, VENDED: f"{request['Permission']} {grant.scope}"}
    keys = service.world.vend(role, f"access-grants-{uuid.uuid4()}", policy, until, context)
    return {
        "Credentials": keys | {"Expiration": until},
        "MatchedGrantTarget": request["Target"] if minimal else grant.scope,
        "Grantee": {"GranteeType": grant.grantee_type, "GranteeIdentifier": grant.grantee},
        "MatchedInstanceArn": service.arn,
    }
