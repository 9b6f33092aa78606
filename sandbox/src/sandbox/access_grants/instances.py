"""Operations on the instance, its Identity Center, its resource policy and its tags.

Each account has one instance in each Region.
"""

import json
import uuid
from typing import Any

from sandbox.access_grants.errors import documented_error
from sandbox.access_grants.scopes import bucket_of
from sandbox.access_grants.service import AccessGrants, Caller, GrantsRequest, grants_operation
from sandbox.access_grants.state import Instance, list_tags, merge_tags


@grants_operation
def create_access_grants_instance(
    service: AccessGrants, request: GrantsRequest, caller: Caller
) -> dict[str, Any]:
    if service.instance is not None:
        raise documented_error("AccessGrantsInstanceAlreadyExists")
    tags = merge_tags({}, request.get("Tags") or [])
    made = Instance(created=service.clock())
    if arn := request.get("IdentityCenterArn"):
        service.require_permission(caller, "sso:DescribeInstance", arn)
        _associate_directory(service, made, arn, caller)
    made.tags[service.arn] = tags
    service.instance = made
    return _describe_instance(service, made)


@grants_operation
def get_access_grants_instance(
    service: AccessGrants, _: GrantsRequest, __: Caller
) -> dict[str, Any]:
    return _describe_instance(service, service.require_instance())


@grants_operation
def delete_access_grants_instance(
    service: AccessGrants, _: GrantsRequest, __: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    if instance.locations:
        raise documented_error("AccessGrantsInstanceNotEmptyError")
    if instance.identity_center and service.switches.association_keeps_instance:
        raise documented_error(
            "InvalidRequest",
            why="Please dissociate IAM Identity Center before deleting the access grants instance",
        )
    service.instance = None
    return {}


@grants_operation
def list_access_grants_instances(
    service: AccessGrants, _: GrantsRequest, __: Caller
) -> dict[str, Any]:
    return {
        "AccessGrantsInstancesList": [_describe_instance(service, service.instance)]
        if service.instance
        else []
    }


@grants_operation
def get_access_grants_instance_for_prefix(
    service: AccessGrants, request: GrantsRequest, _: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    prefix = request["S3Prefix"]
    if not service.environment.has_bucket(bucket_of(prefix)):
        raise documented_error("AccessGrantsInstanceNotExistsError")
    covered = any(
        prefix.startswith(location.scope.removesuffix("*"))
        for location in instance.locations.values()
    )
    if service.switches.prefix_needs_location and not covered:
        raise documented_error("AccessGrantsInstanceNotExistsError")
    return {"AccessGrantsInstanceArn": service.arn, "AccessGrantsInstanceId": "default"}


@grants_operation
def associate_access_grants_identity_center(
    service: AccessGrants, request: GrantsRequest, caller: Caller
) -> dict[str, Any]:
    _associate_directory(service, service.require_instance(), request["IdentityCenterArn"], caller)
    return {}


@grants_operation
def dissociate_access_grants_identity_center(
    service: AccessGrants, _: GrantsRequest, __: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    instance.identity_center = instance.application = None
    return {}


@grants_operation
def put_access_grants_instance_resource_policy(
    service: AccessGrants, request: GrantsRequest, _: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    try:
        document = json.loads(request["Policy"])
        statements = document["Statement"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise documented_error("InvalidResourcePolicy") from wrong
    if not statements:
        raise documented_error("InvalidResourcePolicy")
    kept = {
        "Policy": request["Policy"],
        "Organization": request.get("Organization"),
        "CreatedAt": service.clock(),
    }
    instance.policy = {key: value for key, value in kept.items() if value is not None}
    return instance.policy


@grants_operation
def get_access_grants_instance_resource_policy(
    service: AccessGrants, _: GrantsRequest, __: Caller
) -> dict[str, Any]:
    if (policy := service.require_instance().policy) is None:
        raise documented_error("AccessGrantsInstanceResourcePolicyNotExists")
    return policy


@grants_operation
def delete_access_grants_instance_resource_policy(
    service: AccessGrants, _: GrantsRequest, __: Caller
) -> dict[str, Any]:
    instance = service.require_instance()
    if instance.policy is None:
        raise documented_error("AccessGrantsInstanceResourcePolicyNotExists")
    instance.policy = None
    return {}


@grants_operation
def tag_resource(service: AccessGrants, request: GrantsRequest, _: Caller) -> dict[str, Any]:
    tags = _find_tags(service, request["ResourceArn"])
    tags |= merge_tags(tags, request["Tags"])
    return {}


@grants_operation
def untag_resource(service: AccessGrants, request: GrantsRequest, _: Caller) -> dict[str, Any]:
    tags = _find_tags(service, request["ResourceArn"])
    for key in request["TagKeys"]:
        tags.pop(key, None)
    return {}


@grants_operation
def list_tags_for_resource(
    service: AccessGrants, request: GrantsRequest, _: Caller
) -> dict[str, Any]:
    return {"Tags": list_tags(_find_tags(service, request["ResourceArn"]))}


def _find_tags(service: AccessGrants, arn: str) -> dict[str, str]:
    tags = service.require_instance().tags.get(arn)
    if tags is None:
        kinds = {"grant": "NoSuchAccessGrantError", "location": "NoSuchAccessGrantsLocationError"}
        kind = arn.removeprefix(f"{service.arn}/").partition("/")[0]
        raise documented_error(kinds.get(kind, "NoSuchResource"))
    return tags


def _associate_directory(
    service: AccessGrants, instance: Instance, arn: str, caller: Caller
) -> None:
    """Create the application through which the service sees the directory.

    The caller must be allowed to create it (API reference).
    """
    service.require_permission(caller, "sso:CreateApplication", arn)
    if not service.environment.has_identity_center(arn):
        raise documented_error("InvalidIdentityCenterInstance")
    name = arn.rpartition("/")[2]
    application = f"arn:aws:sso::{service.account}:application/{name}/apl-{uuid.uuid4().hex[:16]}"
    for action in ("sso:PutApplicationGrant", "sso:PutApplicationAuthenticationMethod"):
        service.require_permission(caller, action, application)
    instance.identity_center, instance.application = arn, application


def _describe_instance(service: AccessGrants, instance: Instance) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "CreatedAt": instance.created,
        "AccessGrantsInstanceId": "default",
        "AccessGrantsInstanceArn": service.arn,
    }
    if instance.identity_center:
        # The deprecated member holds the application's ARN, not what was sent (Terraform
        # keeps a mapping because of it).
        shown |= {
            "IdentityCenterArn": instance.application,
            "IdentityCenterInstanceArn": instance.identity_center,
            "IdentityCenterApplicationArn": instance.application,
        }
    return shown
