"""What keeps a part of a network from being deleted, and network types that CloudFormation lacks.

The server by itself deletes most parts of a network while they are used. The sentences are EC2's,
as its users report them; CloudFormation is refused like everybody else. The server's EC2 has NAT
gateways, their addresses and separate rules of security groups; its CloudFormation does not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.server.seams import use_seam

EC2 = "ministack.services.ec2"
EFS = "ministack.services.efs"
CLOUD = "ministack.services.cloudformation.provisioners"
DependencyRefusal = tuple[str, str]  # code, message
DependencyCheck = Callable[[str], DependencyRefusal | None]
Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # physical id, attributes


def _install_dependencies() -> None:
    """Check dependencies before the operations that delete parts of networks."""
    actions = use_seam(EC2, "_ACTION_MAP")
    for name, (member, ask) in GUARDED_OPERATIONS.items():
        actions[name] = _refuse_operation(actions[name], member, ask)


def guard_resources(handlers: dict[str, Any]) -> None:
    """Make CloudFormation's deletions check the same dependencies."""
    for name, ask in GUARDED_RESOURCES.items():
        handlers[name] |= {"delete": _guard_deletion(handlers[name]["delete"], ask)}


def _refuse_operation(
    original: Callable[[Any], Any], member: str, ask: DependencyCheck
) -> Callable[[Any], Any]:
    error = use_seam(EC2, "_error", "code, message, status")
    value = use_seam(EC2, "_p", "params, key, default=''")

    def act(params: Any) -> Any:
        refusal = ask(value(params, member))
        return error(*refusal, 400) if refusal else original(params)

    return act


def _guard_deletion(
    delete: Callable[[str, Any], None], ask: DependencyCheck
) -> Callable[[str, Any], None]:
    def guarded(identifier: str, had: Mapping[str, Any]) -> None:
        if refusal := ask(identifier):
            raise ValueError(
                f"{refusal[1]} (Service: Ec2, Status Code: 400, Error Code: {refusal[0]})"
            )
        delete(identifier, had)

    return guarded


def _check_subnet(identifier: str) -> DependencyRefusal | None:
    held = [
        *(it for it in use_seam(EFS, "_mount_targets").values() if it["SubnetId"] == identifier),
        *(
            it
            for it in use_seam(EC2, "_network_interfaces").values()
            if it["SubnetId"] == identifier
        ),
        *(it for it in _list_gateways() if it["SubnetId"] == identifier),
        *(it for it in use_seam(EC2, "_vpc_endpoints").values() if identifier in it["SubnetIds"]),
    ]
    return (
        _dependency_violation(f"The subnet '{identifier}' has dependencies and cannot be deleted.")
        if held
        else None
    )


def _check_security_group(identifier: str) -> DependencyRefusal | None:
    groups = use_seam(EC2, "_security_groups")
    pointing = (
        name
        for name, it in groups.items()
        if name != identifier and identifier in _list_referred_groups(it)
    )
    behind = (
        it for it in use_seam(EFS, "_mount_targets").values() if identifier in it["SecurityGroups"]
    )
    if next(pointing, None) or next(behind, None):
        return _dependency_violation(f"resource {identifier} has a dependent object")
    return None


def _list_referred_groups(group: Mapping[str, Any]) -> Iterator[str]:
    for rule in (*group.get("IpPermissions", ()), *group.get("IpPermissionsEgress", ())):
        yield from (pair.get("GroupId", "") for pair in rule.get("UserIdGroupPairs", ()))


def _check_route_table(identifier: str) -> DependencyRefusal | None:
    table = use_seam(EC2, "_route_tables").get(identifier) or {}
    if table.get("Associations"):
        return _dependency_violation(
            f"The routeTable '{identifier}' has dependencies and cannot be deleted."
        )
    return None


def _check_vpc(identifier: str) -> DependencyRefusal | None:
    """Check what the server itself does not."""
    own = (
        table
        for table in use_seam(EC2, "_route_tables").values()
        if table["VpcId"] == identifier and not _is_main_table(table)
    )
    ends = (it for it in use_seam(EC2, "_vpc_endpoints").values() if it["VpcId"] == identifier)
    if next(own, None) or next(ends, None):
        return _dependency_violation(
            f"The vpc '{identifier}' has dependencies and cannot be deleted."
        )
    return None


def _is_main_table(table: Mapping[str, Any]) -> bool:
    return any(it.get("Main") for it in table["Associations"])


def _check_internet_gateway(identifier: str) -> DependencyRefusal | None:
    if (use_seam(EC2, "_internet_gateways").get(identifier) or {}).get("Attachments"):
        return _dependency_violation(
            f"The internetGateway '{identifier}' has dependencies and cannot be deleted."
        )
    return None


def _check_attachment(identifier: str) -> DependencyRefusal | None:
    """Check by the gateway's id, or by CloudFormation's name for its attachment to a VPC."""
    gateway = use_seam(EC2, "_internet_gateways").get(identifier) or {}
    kind, _, vpc = identifier.partition("|")
    attached = {vpc} if kind == "IGW" else {it["VpcId"] for it in gateway.get("Attachments", ())}
    if mapped := next(
        (
            it["VpcId"]
            for it in _list_gateways()
            if it["VpcId"] in attached and it.get("AllocationId")
        ),
        None,
    ):
        return _dependency_violation(
            f"Network {mapped} has some mapped public address(es). Please unmap those public "
            "address(es) before detaching the gateway."
        )
    return None


def _check_address(allocation: str) -> DependencyRefusal | None:
    if any(it.get("AllocationId") == allocation for it in _list_gateways()):
        return "InvalidIPAddress.InUse", f"Address with allocation id '{allocation}' is in use."
    return None


def _list_gateways() -> Iterator[Mapping[str, Any]]:
    """Return the NAT gateways that still exist."""
    return (it for it in use_seam(EC2, "_nat_gateways").values() if it["State"] != "deleted")


def _dependency_violation(why: str) -> DependencyRefusal:
    return "DependencyViolation", why


GUARDED_OPERATIONS: dict[str, tuple[str, DependencyCheck]] = {
    "DeleteSubnet": ("SubnetId", _check_subnet),
    "DeleteSecurityGroup": ("GroupId", _check_security_group),
    "DeleteRouteTable": ("RouteTableId", _check_route_table),
    "DeleteVpc": ("VpcId", _check_vpc),
    "DeleteInternetGateway": ("InternetGatewayId", _check_internet_gateway),
    "DetachInternetGateway": ("InternetGatewayId", _check_attachment),
    "ReleaseAddress": ("AllocationId", _check_address),
}
GUARDED_RESOURCES: dict[str, DependencyCheck] = {
    "AWS::EC2::Subnet": _check_subnet,
    "AWS::EC2::SecurityGroup": _check_security_group,
    "AWS::EC2::RouteTable": _check_route_table,
    "AWS::EC2::VPC": _check_vpc,
    "AWS::EC2::InternetGateway": _check_internet_gateway,
    "AWS::EC2::VPCGatewayAttachment": _check_attachment,
}


def _install_addresses() -> None:
    """Have DescribeNatGateways return the gateways' addresses."""
    actions = use_seam(EC2, "_ACTION_MAP")
    actions["DescribeNatGateways"] = _add_addresses(actions["DescribeNatGateways"])


def create_address(_: str, wanted: Properties, __: str) -> Made:
    answer = _call_ec2("_allocate_address", "p", {"Domain": wanted.get("Domain", "vpc")})
    _set_tags(_read_value(answer, "allocationId"), wanted)
    return _describe_address(_read_value(answer, "publicIp"))


def retag_address(address: str, _: Properties, wanted: Properties, __: str) -> Made:
    _set_tags(_find_allocation(address), wanted)
    return _describe_address(address)


def delete_address(address: str, _: Properties) -> None:
    if allocation := _find_allocation(address):
        _call_ec2("_release_address", "p", {"AllocationId": allocation})


def _describe_address(address: str) -> Made:
    return address, {"AllocationId": _find_allocation(address), "PublicIp": address}


def _find_allocation(address: str) -> str:
    """Return the allocation that an address belongs to; empty after its release."""
    return next(
        (name for name, it in use_seam(EC2, "_addresses").items() if it["PublicIp"] == address), ""
    )


def create_gateway(_: str, wanted: Properties, __: str) -> Made:
    names = ("SubnetId", "AllocationId", "ConnectivityType")
    request = {name: wanted.get(name) for name in names}
    if request["AllocationId"] and request["AllocationId"] not in use_seam(EC2, "_addresses"):
        raise ValueError(f"Elastic IP address {request['AllocationId']} could not be found.")
    gateway = _read_value(_call_ec2("_create_nat_gateway", "params", request), "natGatewayId")
    _set_tags(gateway, wanted)
    return gateway, {"NatGatewayId": gateway}


def retag_gateway(gateway: str, _: Properties, wanted: Properties, __: str) -> Made:
    _set_tags(gateway, wanted)
    return gateway, {"NatGatewayId": gateway}


def delete_gateway(gateway: str, _: Properties) -> None:
    _call_ec2("_delete_nat_gateway", "params", {"NatGatewayId": gateway})


def create_ingress_rule(_: str, wanted: Properties, __: str) -> Made:
    """Create a rule apart from its group's template, so that a group can admit itself.

    Its id is the service's own.
    """
    group = use_seam(EC2, "_security_groups").get(wanted.get("GroupId"))
    if group is None:
        raise ValueError(f"The security group '{wanted.get('GroupId')}' does not exist")
    [rule] = use_seam(
        "ministack.services.cloudformation.provisioners", "_ec2_sg_permissions", "rules"
    )([dict(wanted)])
    rule["SecurityGroupRuleId"] = use_seam(EC2, "_sg_rule_id", "sg_id, is_egress, rule")(
        group["GroupId"], False, rule
    )
    group["IpPermissions"].append(rule)
    return rule["SecurityGroupRuleId"], {"Id": rule["SecurityGroupRuleId"]}


def delete_ingress_rule(rule: str, had: Properties) -> None:
    group = use_seam(EC2, "_security_groups").get(had.get("GroupId"))
    if group:
        group["IpPermissions"] = [
            it for it in group["IpPermissions"] if it.get("SecurityGroupRuleId") != rule
        ]


def _add_addresses(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def describe(params: Any) -> Any:
        status, headers, body = original(params)
        text = body.decode() if isinstance(body, bytes) else body
        items = r"(<natGatewayId>([^<]+)</natGatewayId>.*?)<natGatewayAddressSet/>"
        return (
            status,
            headers,
            re.sub(
                items, lambda it: it[1] + _format_address_set(it[2]), text, flags=re.DOTALL
            ).encode(),
        )

    return describe


def _format_address_set(gateway: str) -> str:
    allocation = use_seam(EC2, "_nat_gateways")[gateway]["AllocationId"]
    known = use_seam(EC2, "_addresses").get(allocation)
    if known is None:
        return "<natGatewayAddressSet/>"
    elements = f"<allocationId>{allocation}</allocationId><publicIp>{known['PublicIp']}</publicIp>"
    return f"<natGatewayAddressSet><item>{elements}</item></natGatewayAddressSet>"


def _call_ec2(function: str, parameters: str, request: dict[str, Any]) -> str:
    """Call the server's own EC2 operation.

    Return its XML; raises RuntimeError with the error's text.
    """
    status, _, body = use_seam(EC2, function, parameters)(
        {key: [value] for key, value in request.items() if value}
    )
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        raise RuntimeError(" ".join(re.findall(r"<Message>(.*?)</Message>", text)) or text)
    return text


def _set_tags(identifier: str, wanted: Properties) -> None:
    use_seam(EC2, "_tags")[identifier] = list(wanted.get("Tags") or ())


def _read_value(xml: str, name: str) -> str:
    return str(re.findall(f"<{name}>(.*?)</{name}>", xml)[0])


def install() -> None:
    """Make EC2 refuse what AWS refuses, and describe gateways as AWS does."""
    _install_dependencies()
    _install_addresses()
