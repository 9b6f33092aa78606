"""The resource types that the server's CloudFormation lacks: Access Grants, Studio, NAT gateways and their addresses."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.server import access_grants, studio
from sandbox.server.seams import use

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # physical id, attributes
PATIENCE = 60  # seconds until a domain or profile that does not settle fails its stack


@dataclass(frozen=True)
class Type:
    """How a resource of a type comes and goes; a change to one of `fixed` makes a new one."""

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
    studio.call("UpdateDomain", {"DomainId": identifier} | changed)
    described = _settled("DescribeDomain", {"DomainId": identifier})
    return identifier, {name: described[name] for name in ("DomainId", "DomainArn", "Url")}


def _delete_domain(identifier: str, _: Properties) -> None:
    _vanish("DeleteDomain", "DescribeDomain", {"DomainId": identifier})


def _create_profile(_: str, wanted: Properties, __: str) -> Made:
    made = studio.call("CreateUserProfile", wanted)
    _settled("DescribeUserProfile", _profile(wanted))
    return f"{wanted['UserProfileName']}|{wanted['DomainId']}", {"UserProfileArn": made["UserProfileArn"]}


def _update_profile(identifier: str, _: Properties, wanted: Properties, __: str) -> Made:
    studio.call("UpdateUserProfile", _profile(wanted) | {"UserSettings": wanted.get("UserSettings", {})})
    described = _settled("DescribeUserProfile", _profile(wanted))
    return identifier, {"UserProfileArn": described["UserProfileArn"]}


def _delete_profile(_: str, had: Properties) -> None:
    _vanish("DeleteUserProfile", "DescribeUserProfile", _profile(had))


def _profile(of: Properties) -> Properties:
    return {name: of[name] for name in ("DomainId", "UserProfileName")}


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


def _ec2(function: str, parameters: str, request: dict[str, Any]) -> str:
    """The server's own EC2 operation; its XML, or RuntimeError with its text."""
    status, _, body = use("ministack.services.ec2", function, parameters)(
        {key: [value] for key, value in request.items() if value}
    )
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        raise RuntimeError(" ".join(re.findall(r"<Message>(.*?)</Message>", text)) or text)
    return text


def _create_address(_: str, wanted: Properties, __: str) -> Made:
    answer = _ec2("_allocate_address", "p", {"Domain": wanted.get("Domain", "vpc")})
    allocation, address = _value(answer, "allocationId"), _value(answer, "publicIp")
    _tag(allocation, wanted)
    return address, {"AllocationId": allocation, "PublicIp": address}


def _delete_address(address: str, _: Properties) -> None:
    known = use("ministack.services.ec2", "_addresses")
    for allocation in [name for name, it in known.items() if it["PublicIp"] == address]:
        _ec2("_release_address", "p", {"AllocationId": allocation})


def _create_gateway(_: str, wanted: Properties, __: str) -> Made:
    names = ("SubnetId", "AllocationId", "ConnectivityType")
    gateway = _value(_ec2("_create_nat_gateway", "params", {name: wanted.get(name) for name in names}), "natGatewayId")
    _tag(gateway, wanted)
    return gateway, {"NatGatewayId": gateway}


def _delete_gateway(gateway: str, _: Properties) -> None:
    _ec2("_delete_nat_gateway", "params", {"NatGatewayId": gateway})


def _tag(identifier: str, wanted: Properties) -> None:
    if wanted.get("Tags"):
        use("ministack.services.ec2", "_tags")[identifier] = list(wanted["Tags"])


def _value(xml: str, name: str) -> str:
    return re.findall(f"<{name}>(.*?)</{name}>", xml)[0]


TYPES: dict[str, Type] = {
    "AWS::S3::AccessGrantsInstance": Type(_create_instance, _delete("DeleteAccessGrantsInstance"), ("IdentityCenterArn", "Tags")),
    "AWS::S3::AccessGrantsLocation": Type(
        _create_location,
        _delete("DeleteAccessGrantsLocation", "AccessGrantsLocationId"),
        ("LocationScope", "Tags"),
        _update_location,
    ),
    "AWS::S3::AccessGrant": Type(
        _create_grant,
        _delete("DeleteAccessGrant", "AccessGrantId"),
        (
            "AccessGrantsLocationConfiguration",
            "AccessGrantsLocationId",
            "ApplicationArn",
            "Grantee",
            "Permission",
            "S3PrefixType",
            "Tags",
        ),
    ),
    "AWS::SageMaker::Domain": Type(
        _create_domain, _delete_domain, ("AuthMode", "DomainName", "KmsKeyId", "VpcId", "SubnetIds"), _update_domain
    ),
    "AWS::SageMaker::UserProfile": Type(_create_profile, _delete_profile, ("DomainId", "UserProfileName"), _update_profile),
    "AWS::EC2::EIP": Type(_create_address, _delete_address, ("Domain",)),
    "AWS::EC2::NatGateway": Type(_create_gateway, _delete_gateway, ("SubnetId", "AllocationId", "ConnectivityType")),
}
