"""What keeps a part of a network from being deleted, as EC2 has it; the server by itself lets most of it go.

The sentences are EC2's, as its users report them. CloudFormation meets the same refusals as everybody else.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.server.seams import use

EC2 = "ministack.services.ec2"
EFS = "ministack.services.efs"
CLOUD = "ministack.services.cloudformation.provisioners"
Refusal = tuple[str, str]  # code, message
Asks = Callable[[str], Refusal | None]


def install() -> None:
    """Stand before the operations that delete parts of networks, and tell EC2's tags and EFS's resources to the evaluator."""
    actions = use(EC2, "_ACTION_MAP")
    for name, (member, ask) in OPERATIONS.items():
        actions[name] = _asking(actions[name], member, ask)


def guard(handlers: dict[str, Any]) -> None:
    """Let CloudFormation's types meet the same refusals."""
    for name, ask in RESOURCES.items():
        handlers[name] |= {"delete": _guarded(handlers[name]["delete"], ask)}


def _asking(original: Callable[[Any], Any], member: str, ask: Asks) -> Callable[[Any], Any]:
    error = use(EC2, "_error", "code, message, status")
    value = use(EC2, "_p", "params, key, default=''")

    def act(params: Any) -> Any:
        refusal = ask(value(params, member))
        return error(*refusal, 400) if refusal else original(params)

    return act


def _guarded(delete: Callable[[str, Any], None], ask: Asks) -> Callable[[str, Any], None]:
    def guarded(identifier: str, had: Mapping[str, Any]) -> None:
        if refusal := ask(identifier):
            raise ValueError(f"{refusal[1]} (Service: Ec2, Status Code: 400, Error Code: {refusal[0]})")
        delete(identifier, had)

    return guarded


def _subnet(identifier: str) -> Refusal | None:
    held = [
        *(it for it in use(EFS, "_mount_targets").values() if it["SubnetId"] == identifier),
        *(it for it in use(EC2, "_network_interfaces").values() if it["SubnetId"] == identifier),
        *(it for it in _gateways() if it["SubnetId"] == identifier),
        *(it for it in use(EC2, "_vpc_endpoints").values() if identifier in it["SubnetIds"]),
    ]
    return _violated(f"The subnet '{identifier}' has dependencies and cannot be deleted.") if held else None


def _security_group(identifier: str) -> Refusal | None:
    groups = use(EC2, "_security_groups")
    pointing = (name for name, it in groups.items() if name != identifier and identifier in _referred(it))
    behind = (it for it in use(EFS, "_mount_targets").values() if identifier in it["SecurityGroups"])
    if next(pointing, None) or next(behind, None):
        return _violated(f"resource {identifier} has a dependent object")
    return None


def _referred(group: Mapping[str, Any]) -> Iterator[str]:
    for rule in (*group.get("IpPermissions", ()), *group.get("IpPermissionsEgress", ())):
        yield from (pair.get("GroupId", "") for pair in rule.get("UserIdGroupPairs", ()))


def _route_table(identifier: str) -> Refusal | None:
    table = use(EC2, "_route_tables").get(identifier) or {}
    if table.get("Associations"):
        return _violated(f"The routeTable '{identifier}' has dependencies and cannot be deleted.")
    return None


def _vpc(identifier: str) -> Refusal | None:
    """What the server itself does not look at."""
    own = (table for table in use(EC2, "_route_tables").values() if table["VpcId"] == identifier and not _is_main(table))
    ends = (it for it in use(EC2, "_vpc_endpoints").values() if it["VpcId"] == identifier)
    if next(own, None) or next(ends, None):
        return _violated(f"The vpc '{identifier}' has dependencies and cannot be deleted.")
    return None


def _is_main(table: Mapping[str, Any]) -> bool:
    return any(it.get("Main") for it in table["Associations"])


def _internet_gateway(identifier: str) -> Refusal | None:
    if (use(EC2, "_internet_gateways").get(identifier) or {}).get("Attachments"):
        return _violated(f"The internetGateway '{identifier}' has dependencies and cannot be deleted.")
    return None


def _attachment(identifier: str) -> Refusal | None:
    """By the gateway's id, or by CloudFormation's name for its attachment to a VPC."""
    gateway = use(EC2, "_internet_gateways").get(identifier) or {}
    kind, _, vpc = identifier.partition("|")
    attached = {vpc} if kind == "IGW" else {it["VpcId"] for it in gateway.get("Attachments", ())}
    if mapped := next((it["VpcId"] for it in _gateways() if it["VpcId"] in attached and it.get("AllocationId")), None):
        return _violated(
            f"Network {mapped} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        )
    return None


def _address(allocation: str) -> Refusal | None:
    if any(it.get("AllocationId") == allocation for it in _gateways()):
        return "InvalidIPAddress.InUse", f"Address with allocation id '{allocation}' is in use."
    return None


def _gateways() -> Iterator[Mapping[str, Any]]:
    """The NAT gateways that still exist."""
    return (it for it in use(EC2, "_nat_gateways").values() if it["State"] != "deleted")


def _violated(why: str) -> Refusal:
    return "DependencyViolation", why


OPERATIONS: dict[str, tuple[str, Asks]] = {
    "DeleteSubnet": ("SubnetId", _subnet),
    "DeleteSecurityGroup": ("GroupId", _security_group),
    "DeleteRouteTable": ("RouteTableId", _route_table),
    "DeleteVpc": ("VpcId", _vpc),
    "DeleteInternetGateway": ("InternetGatewayId", _internet_gateway),
    "DetachInternetGateway": ("InternetGatewayId", _attachment),
    "ReleaseAddress": ("AllocationId", _address),
}
RESOURCES: dict[str, Asks] = {
    "AWS::EC2::Subnet": _subnet,
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::EC2::RouteTable": _route_table,
    "AWS::EC2::VPC": _vpc,
    "AWS::EC2::InternetGateway": _internet_gateway,
    "AWS::EC2::VPCGatewayAttachment": _attachment,
}
