"""Operations on the instance itself: one an account and Region, its Identity Center, its resource policy, its tags."""

import json
import uuid
from typing import Any

from sandbox.access_grants.errors import refused
from sandbox.access_grants.scope import bucket
from sandbox.access_grants.service import AccessGrants, Request, operation
from sandbox.access_grants.state import Instance
from sandbox.access_grants.tags import listed, merged
from sandbox.access_grants.world import Caller


@operation
def create_access_grants_instance(service: AccessGrants, request: Request, caller: Caller) -> dict[str, Any]:
    if service.instance is not None:
        raise refused("AccessGrantsInstanceAlreadyExists")
    tags = merged({}, request.get("Tags") or [])
    made = Instance(created=service.clock())
    if arn := request.get("IdentityCenterArn"):
        service.demand(caller, "sso:DescribeInstance", arn)
        _associate(service, made, arn, caller)
    made.tags[service.arn] = tags
    service.instance = made
    return _shown(service, made)


@operation
def get_access_grants_instance(service: AccessGrants, _: Request, __: Caller) -> dict[str, Any]:
    return _shown(service, service.existing())


@operation
def delete_access_grants_instance(service: AccessGrants, _: Request, __: Caller) -> dict[str, Any]:
    instance = service.existing()
    if instance.locations:
        raise refused("AccessGrantsInstanceNotEmptyError")
    if instance.identity_center and service.switches.association_keeps_instance:
        raise refused("InvalidRequest", why="Please dissociate IAM Identity Center before deleting the access grants instance")
    service.instance = None
    return {}


@operation
def list_access_grants_instances(service: AccessGrants, _: Request, __: Caller) -> dict[str, Any]:
    return {"AccessGrantsInstancesList": [_shown(service, service.instance)] if service.instance else []}


@operation
def get_access_grants_instance_for_prefix(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    instance = service.existing()
    prefix = request["S3Prefix"]
    if not service.world.bucket(bucket(prefix)):
        raise refused("AccessGrantsInstanceNotExistsError")
    covered = any(prefix.startswith(location.scope.removesuffix("*")) for location in instance.locations.values())
    if service.switches.prefix_needs_location and not covered:
        raise refused("AccessGrantsInstanceNotExistsError")
    return {"AccessGrantsInstanceArn": service.arn, "AccessGrantsInstanceId": "default"}


@operation
def associate_access_grants_identity_center(service: AccessGrants, request: Request, caller: Caller) -> dict[str, Any]:
    _associate(service, service.existing(), request["IdentityCenterArn"], caller)
    return {}


@operation
def dissociate_access_grants_identity_center(service: AccessGrants, _: Request, __: Caller) -> dict[str, Any]:
    instance = service.existing()
    instance.identity_center = instance.application = None
    return {}


@operation
def put_access_grants_instance_resource_policy(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    instance = service.existing()
    try:
        document = json.loads(request["Policy"])
        statements = document["Statement"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise refused("InvalidResourcePolicy") from wrong
    if not statements:
        raise refused("InvalidResourcePolicy")
    kept = {"Policy": request["Policy"], "Organization": request.get("Organization"), "CreatedAt": service.clock()}
    instance.policy = {key: value for key, value in kept.items() if value is not None}
    return instance.policy


@operation
def get_access_grants_instance_resource_policy(service: AccessGrants, _: Request, __: Caller) -> dict[str, Any]:
    if (policy := service.existing().policy) is None:
        raise refused("AccessGrantsInstanceResourcePolicyNotExists")
    return policy


@operation
def delete_access_grants_instance_resource_policy(service: AccessGrants, _: Request, __: Caller) -> dict[str, Any]:
    instance = service.existing()
    if instance.policy is None:
        raise refused("AccessGrantsInstanceResourcePolicyNotExists")
    instance.policy = None
    return {}


@operation
def tag_resource(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    tags = _tags(service, request["ResourceArn"])
    tags |= merged(tags, request["Tags"])
    return {}


@operation
def untag_resource(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    tags = _tags(service, request["ResourceArn"])
    for key in request["TagKeys"]:
        tags.pop(key, None)
    return {}


@operation
def list_tags_for_resource(service: AccessGrants, request: Request, _: Caller) -> dict[str, Any]:
    return {"Tags": listed(_tags(service, request["ResourceArn"]))}


def _tags(service: AccessGrants, arn: str) -> dict[str, str]:
    tags = service.existing().tags.get(arn)
    if tags is None:
        kinds = {"grant": "NoSuchAccessGrantError", "location": "NoSuchAccessGrantsLocationError"}
        kind = arn.removeprefix(f"{service.arn}/").partition("/")[0]
        raise refused(kinds.get(kind, "NoSuchResource"))
    return tags


def _associate(service: AccessGrants, instance: Instance, arn: str, caller: Caller) -> None:
    """Make the application through which the directory is seen, which the caller must be allowed to make (API reference)."""
    service.demand(caller, "sso:CreateApplication", arn)
    if not service.world.identity_center(arn):
        raise refused("InvalidIdentityCenterInstance")
    name = arn.rpartition("/")[2]
    application = f"arn:aws:sso::{service.account}:application/{name}/apl-{uuid.uuid4().hex[:16]}"
    for action in ("sso:PutApplicationGrant", "sso:PutApplicationAuthenticationMethod"):
        service.demand(caller, action, application)
    instance.identity_center, instance.application = arn, application


def _shown(service: AccessGrants, instance: Instance) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "CreatedAt": instance.created,
        "AccessGrantsInstanceId": "default",
        "AccessGrantsInstanceArn": service.arn,
    }
    if instance.identity_center:
        # The deprecated member tells the application's ARN, not what was sent (Terraform keeps a mapping because of it).
        shown |= {
            "IdentityCenterArn": instance.application,
            "IdentityCenterInstanceArn": instance.identity_center,
            "IdentityCenterApplicationArn": instance.application,
        }
    return shown
