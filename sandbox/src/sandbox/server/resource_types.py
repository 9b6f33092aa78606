"""Types that the server's CloudFormation lacks: Access Grants, Studio, trails, network parts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.access_grants import AccessGrantsError
from sandbox.server import cloudtrail, grants_adapter, network, studio_adapter
from sandbox.studio import SageMakerError

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # physical id, attributes
SETTLE_TIMEOUT = 60  # seconds until a domain or profile that does not settle fails its stack


@dataclass(frozen=True)
class ResourceType:
    """How a resource of a type is created and deleted.

    A change to one of `fixed`, or to a property that its schema calls create-only, replaces the
    resource.
    """

    create: Callable[[str, Properties, str], Made]
    delete: Callable[[str, Properties], None]
    fixed: tuple[str, ...]
    update: Callable[[str, Properties, Properties, str], Made] | None = None

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the handlers as the server's table has them."""
        handlers: dict[str, Callable[..., Any]] = {"create": self.create, "delete": self.delete}
        return handlers | ({"update": self.update} if self.update else {})


def _create_instance(_: str, wanted: Properties, __: str) -> Made:
    made = grants_adapter.call_access_grants("CreateAccessGrantsInstance", wanted)
    names = ("AccessGrantsInstanceArn", "AccessGrantsInstanceId")
    return made["AccessGrantsInstanceArn"], {name: made[name] for name in names}


def _create_location(_: str, wanted: Properties, __: str) -> Made:
    made = grants_adapter.call_access_grants("CreateAccessGrantsLocation", _rename_members(wanted))
    names = ("AccessGrantsLocationArn", "AccessGrantsLocationId")
    return made["AccessGrantsLocationId"], {name: made[name] for name in names}


def _update_location(identifier: str, _: Properties, wanted: Properties, __: str) -> Made:
    request = {"AccessGrantsLocationId": identifier, "IAMRoleArn": wanted["IamRoleArn"]}
    made = grants_adapter.call_access_grants("UpdateAccessGrantsLocation", request)
    return identifier, {
        "AccessGrantsLocationArn": made["AccessGrantsLocationArn"],
        "AccessGrantsLocationId": identifier,
    }


def _rename_members(wanted: Properties) -> Properties:
    return {"IAMRoleArn" if name == "IamRoleArn" else name: value for name, value in wanted.items()}


def _create_grant(_: str, wanted: Properties, __: str) -> Made:
    made = grants_adapter.call_access_grants("CreateAccessGrant", wanted)
    return made["AccessGrantId"], {
        name: made[name] for name in ("AccessGrantArn", "AccessGrantId", "GrantScope")
    }


def _delete_instance(identifier: str, properties: Properties) -> None:
    """Delete the instance, and before that its association, as CloudFormation's handler may."""
    _make_deletion("DissociateAccessGrantsIdentityCenter")(identifier, properties)
    _make_deletion("DeleteAccessGrantsInstance")(identifier, properties)


def _make_deletion(operation: str, member: str | None = None) -> Callable[[str, Properties], None]:
    """Return a deletion by the API's own operation. A resource that is gone already is no error."""

    def delete(identifier: str, _: Properties) -> None:
        try:
            grants_adapter.call_access_grants(operation, {member: identifier} if member else {})
        except AccessGrantsError as refusal:
            if refusal.status != 404:
                raise

    return delete


def _create_domain(_: str, wanted: Properties, __: str) -> Made:
    made = studio_adapter.call_studio("CreateDomain", wanted)
    domain = {"DomainId": made["DomainId"]}
    described = _wait_until_settled("DescribeDomain", domain)
    known = (
        "DomainId",
        "DomainArn",
        "Url",
        "HomeEfsFileSystemId",
        "SecurityGroupIdForDomainBoundary",
    )
    return made["DomainId"], {name: described[name] for name in known if name in described}


def _update_domain(identifier: str, old: Properties, wanted: Properties, _: str) -> Made:
    changed = {
        name: value for name, value in wanted.items() if old.get(name) != value and name != "Tags"
    }
    if changed:
        studio_adapter.call_studio("UpdateDomain", {"DomainId": identifier} | changed)
    described = _wait_until_settled("DescribeDomain", {"DomainId": identifier})
    _retag_resource(described["DomainArn"], old, wanted)
    return identifier, {name: described[name] for name in ("DomainId", "DomainArn", "Url")}


def _delete_domain(identifier: str, _: Properties) -> None:
    _delete_and_wait("DeleteDomain", "DescribeDomain", {"DomainId": identifier})


def _create_profile(_: str, wanted: Properties, __: str) -> Made:
    made = studio_adapter.call_studio("CreateUserProfile", wanted)
    _wait_until_settled("DescribeUserProfile", _profile_key(wanted))
    return f"{wanted['UserProfileName']}|{wanted['DomainId']}", {
        "UserProfileArn": made["UserProfileArn"]
    }


def _update_profile(identifier: str, old: Properties, wanted: Properties, _: str) -> Made:
    if wanted.get("UserSettings") != old.get("UserSettings"):
        studio_adapter.call_studio(
            "UpdateUserProfile",
            _profile_key(wanted) | {"UserSettings": wanted.get("UserSettings", {})},
        )
    described = _wait_until_settled("DescribeUserProfile", _profile_key(wanted))
    _retag_resource(described["UserProfileArn"], old, wanted)
    return identifier, {"UserProfileArn": described["UserProfileArn"]}


def _delete_profile(_: str, had: Properties) -> None:
    _delete_and_wait("DeleteUserProfile", "DescribeUserProfile", _profile_key(had))


def _profile_key(of: Properties) -> Properties:
    return {name: of[name] for name in ("DomainId", "UserProfileName")}


def _retag_resource(arn: str, old: Properties, wanted: Properties) -> None:
    before, after = (
        {tag["Key"]: tag["Value"] for tag in of.get("Tags") or ()} for of in (old, wanted)
    )
    if gone := sorted(before.keys() - after.keys()):
        studio_adapter.call_studio("DeleteTags", {"ResourceArn": arn, "TagKeys": gone})
    if after:
        studio_adapter.call_studio("AddTags", {"ResourceArn": arn, "Tags": wanted["Tags"]})


def _wait_until_settled(describe: str, named: Properties) -> dict[str, Any]:
    """Return the description once it is InService.

    Raises RuntimeError, with AWS's reason, if it fails or takes too long.
    """
    for _ in range(SETTLE_TIMEOUT * 20):
        described = studio_adapter.call_studio(describe, named)
        if described["Status"] == "InService":
            return described
        if described["Status"].endswith("Failed"):
            raise RuntimeError(described.get("FailureReason", described["Status"]))
        time.sleep(0.05)
    raise RuntimeError(f"{named} did not settle within {SETTLE_TIMEOUT} s")


def _delete_and_wait(delete: str, describe: str, named: Properties) -> None:
    """Delete the resource, and wait until it is gone."""
    try:
        studio_adapter.call_studio(delete, named)
        for _ in range(SETTLE_TIMEOUT * 20):
            studio_adapter.call_studio(describe, named)
            time.sleep(0.05)
    except SageMakerError as refusal:
        if refusal.code != "ResourceNotFound":
            raise
        return
    raise RuntimeError(f"{named} is still there after {SETTLE_TIMEOUT} s")


RESOURCE_TYPES: dict[str, ResourceType] = {
    # No API changes a grant, and CloudFormation's own update of instance and grant can only
    # tag. Any other change replaces the resource.
    "AWS::S3::AccessGrantsInstance": ResourceType(
        _create_instance, _delete_instance, ("IdentityCenterArn",)
    ),
    "AWS::S3::AccessGrantsLocation": ResourceType(
        _create_location,
        _make_deletion("DeleteAccessGrantsLocation", "AccessGrantsLocationId"),
        ("LocationScope",),
        _update_location,
    ),
    "AWS::S3::AccessGrant": ResourceType(
        _create_grant,
        _make_deletion("DeleteAccessGrant", "AccessGrantId"),
        (
            "AccessGrantsLocationConfiguration",
            "AccessGrantsLocationId",
            "ApplicationArn",
            "Grantee",
            "Permission",
        ),
    ),
    "AWS::SageMaker::Domain": ResourceType(
        _create_domain, _delete_domain, ("VpcId", "SubnetIds"), _update_domain
    ),
    "AWS::SageMaker::UserProfile": ResourceType(
        _create_profile, _delete_profile, (), _update_profile
    ),
    "AWS::CloudTrail::Trail": ResourceType(
        cloudtrail.create_trail, cloudtrail.delete_trail, (), cloudtrail.update_trail
    ),
    "AWS::EC2::EIP": ResourceType(
        network.create_address, network.delete_address, ("Domain",), network.retag_address
    ),
    "AWS::EC2::SecurityGroupIngress": ResourceType(
        network.create_ingress_rule, network.delete_ingress_rule, ()
    ),
    "AWS::EC2::NatGateway": ResourceType(
        network.create_gateway, network.delete_gateway, (), network.retag_gateway
    ),
}
