"""The resource types that the server's CloudFormation lacks: Access Grants, Studio, trails, some of a network's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.server import access_grants, network, studio, trails

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # physical id, attributes
PATIENCE = 60  # seconds until a domain or profile that does not settle fails its stack


@dataclass(frozen=True)
class Type:
    """How a resource of a type comes and goes. A change to one of `fixed`, or to what its schema calls create-only, makes a new one."""

    create: Callable[[str, Properties, str], Made]
    delete: Callable[[str, Properties], None]
    fixed: tuple[str, ...]
    update: Callable[[str, Properties, Properties, str], Made] | None = None

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """As the server's table has them."""
        return {"create": self.create, "delete": self.delete} | ({"update": self.update} if self.update else {})


def _create_instance(_: str, wanted: Properties, __: str) -> Made:
    made = access_grants.call("CreateAccessGrantsInstance", wanted)
    names = ("AccessGrantsInstanceArn", "AccessGrantsInstanceId")
    return made["AccessGrantsInstanceArn"], {name: made[name] for name in names}


def _create_location(_: str, wanted: Properties, __: str) -> Made:
    made = access_grants.call("CreateAccessGrantsLocation", _renamed(wanted))
    names = ("AccessGrantsLocationArn", "AccessGrantsLocationId")
    return made["AccessGrantsLocationId"], {name: made[name] for name in names}


def _update_location(identifier: str, _: Properties, wanted: Properties, __: str) -> Made:
    request = {"AccessGrantsLocationId": identifier, "IAMRoleArn": wanted["IamRoleArn"]}
    made = access_grants.call("UpdateAccessGrantsLocation", request)
    return identifier, {"AccessGrantsLocationArn": made["AccessGrantsLocationArn"], "AccessGrantsLocationId": identifier}


def _renamed(wanted: Properties) -> Properties:
    return {"IAMRoleArn" if name == "IamRoleArn" else name: value for name, value in wanted.items()}


def _create_grant(_: str, wanted: Properties, __: str) -> Made:
    made = access_grants.call("CreateAccessGrant", wanted)
    return made["AccessGrantId"], {name: made[name] for name in ("AccessGrantArn", "AccessGrantId", "GrantScope")}


def _delete(operation: str, member: str | None = None) -> Callable[[str, Properties], None]:
    """A deletion by the API's own operation; what is gone already is gone."""

    def delete(identifier: str, _: Properties) -> None:
        try:
            access_grants.call(operation, {member: identifier} if member else {})
        except access_grants.Refused as refusal:
            if refusal.status != 404:
                raise

    return delete


def _create_domain(_: str, wanted: Properties, __: str) -> Made:
    made = studio.call("CreateDomain", wanted)
    domain = {"DomainId": made["DomainId"]}
    described = _settled("DescribeDomain", domain)
    known = ("DomainId", "DomainArn", "Url", "HomeEfsFileSystemId", "SecurityGroupIdForDomainBoundary")
    return made["DomainId"], {name: described[name] for name in known if name in described}


def _update_domain(identifier: str, old: Properties, wanted: Properties, _: str) -> Made:
    changed = {name: value for name, value in wanted.items() if old.get(name) != value and name != "Tags"}
    if changed:
        studio.call("UpdateDomain", {"DomainId": identifier} | changed)
    described = _settled("DescribeDomain", {"DomainId": identifier})
    _retag_in_studio(described["DomainArn"], old, wanted)
    return identifier, {name: described[name] for name in ("DomainId", "DomainArn", "Url")}


def _delete_domain(identifier: str, _: Properties) -> None:
    _vanish("DeleteDomain", "DescribeDomain", {"DomainId": identifier})


def _create_profile(_: str, wanted: Properties, __: str) -> Made:
    made = studio.call("CreateUserProfile", wanted)
    _settled("DescribeUserProfile", _profile(wanted))
    return f"{wanted['UserProfileName']}|{wanted['DomainId']}", {"UserProfileArn": made["UserProfileArn"]}


def _update_profile(identifier: str, old: Properties, wanted: Properties, _: str) -> Made:
    if wanted.get("UserSettings") != old.get("UserSettings"):
        studio.call("UpdateUserProfile", _profile(wanted) | {"UserSettings": wanted.get("UserSettings", {})})
    described = _settled("DescribeUserProfile", _profile(wanted))
    _retag_in_studio(described["UserProfileArn"], old, wanted)
    return identifier, {"UserProfileArn": described["UserProfileArn"]}


def _delete_profile(_: str, had: Properties) -> None:
    _vanish("DeleteUserProfile", "DescribeUserProfile", _profile(had))


def _profile(of: Properties) -> Properties:
    return {name: of[name] for name in ("DomainId", "UserProfileName")}


def _retag_in_studio(arn: str, old: Properties, wanted: Properties) -> None:
    before, after = ({tag["Key"]: tag["Value"] for tag in of.get("Tags") or ()} for of in (old, wanted))
    if gone := sorted(before.keys() - after.keys()):
        studio.call("DeleteTags", {"ResourceArn": arn, "TagKeys": gone})
    if after:
        studio.call("AddTags", {"ResourceArn": arn, "Tags": wanted["Tags"]})


def _settled(describe: str, named: Properties) -> dict[str, Any]:
    """The description, once it is InService; RuntimeError with AWS's reason if it fails or takes too long."""
    for _ in range(PATIENCE * 20):
        described = studio.call(describe, named)
        if described["Status"] == "InService":
            return described
        if described["Status"].endswith("Failed"):
            raise RuntimeError(described.get("FailureReason", described["Status"]))
        time.sleep(0.05)
    raise RuntimeError(f"{named} did not settle within {PATIENCE} s")


def _vanish(delete: str, describe: str, named: Properties) -> None:
    """Delete and wait until it is gone."""
    try:
        studio.call(delete, named)
        for _ in range(PATIENCE * 20):
            studio.call(describe, named)
            time.sleep(0.05)
    except studio.Refused as refusal:
        if refusal.code != "ResourceNotFound":
            raise
        return
    raise RuntimeError(f"{named} is still there after {PATIENCE} s")


TYPES: dict[str, Type] = {
    # No API changes a grant, and CloudFormation's own update of instance and grant may only tag: anything else is a new one.
    "AWS::S3::AccessGrantsInstance": Type(_create_instance, _delete("DeleteAccessGrantsInstance"), ("IdentityCenterArn",)),
    "AWS::S3::AccessGrantsLocation": Type(
        _create_location, _delete("DeleteAccessGrantsLocation", "AccessGrantsLocationId"), ("LocationScope",), _update_location
    ),
    "AWS::S3::AccessGrant": Type(
        _create_grant,
        _delete("DeleteAccessGrant", "AccessGrantId"),
        ("AccessGrantsLocationConfiguration", "AccessGrantsLocationId", "ApplicationArn", "Grantee", "Permission"),
    ),
    "AWS::SageMaker::Domain": Type(_create_domain, _delete_domain, ("VpcId", "SubnetIds"), _update_domain),
    "AWS::SageMaker::UserProfile": Type(_create_profile, _delete_profile, (), _update_profile),
    "AWS::CloudTrail::Trail": Type(trails.create, trails.delete, (), trails.update),
    "AWS::EC2::EIP": Type(network.create_address, network.delete_address, ("Domain",), network.retag_address),
    "AWS::EC2::SecurityGroupIngress": Type(network.create_rule, network.delete_rule, ()),
    "AWS::EC2::NatGateway": Type(network.create_gateway, network.delete_gateway, (), network.retag_gateway),
}
