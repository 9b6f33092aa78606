"""NAT gateways, their addresses, and rules of security groups by themselves: the server's EC2 has them, its CloudFormation does not."""

import re
from collections.abc import Callable
from typing import Any

from sandbox.server.seams import use

EC2 = "ministack.services.ec2"
Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]  # physical id, attributes


def install() -> None:
    """Have DescribeNatGateways tell the gateways' addresses."""
    actions = use(EC2, "_ACTION_MAP")
    actions["DescribeNatGateways"] = _with_addresses(actions["DescribeNatGateways"])


def create_address(_: str, wanted: Properties, __: str) -> Made:
    answer = _asked("_allocate_address", "p", {"Domain": wanted.get("Domain", "vpc")})
    _tag(_value(answer, "allocationId"), wanted)
    return _address(_value(answer, "publicIp"))


def retag_address(address: str, _: Properties, wanted: Properties, __: str) -> Made:
    _tag(_allocation(address), wanted)
    return _address(address)


def delete_address(address: str, _: Properties) -> None:
    if allocation := _allocation(address):
        _asked("_release_address", "p", {"AllocationId": allocation})


def _address(address: str) -> Made:
    return address, {"AllocationId": _allocation(address), "PublicIp": address}


def _allocation(address: str) -> str:
    """The allocation that an address belongs to; empty when it has been released."""
    return next((name for name, it in use(EC2, "_addresses").items() if it["PublicIp"] == address), "")


def create_gateway(_: str, wanted: Properties, __: str) -> Made:
    names = ("SubnetId", "AllocationId", "ConnectivityType")
    request = {name: wanted.get(name) for name in names}
    if request["AllocationId"] and request["AllocationId"] not in use(EC2, "_addresses"):
        raise ValueError(f"Elastic IP address {request['AllocationId']} could not be found.")
    gateway = _value(_asked("_create_nat_gateway", "params", request), "natGatewayId")
    _tag(gateway, wanted)
    return gateway, {"NatGatewayId": gateway}


def retag_gateway(gateway: str, _: Properties, wanted: Properties, __: str) -> Made:
    _tag(gateway, wanted)
    return gateway, {"NatGatewayId": gateway}


def delete_gateway(gateway: str, _: Properties) -> None:
    _asked("_delete_nat_gateway", "params", {"NatGatewayId": gateway})


def create_rule(_: str, wanted: Properties, __: str) -> Made:
    """A rule that is no part of its group's own template, so that a group can let itself in. Its id is the service's own."""
    group = use(EC2, "_security_groups").get(wanted.get("GroupId"))
    if group is None:
        raise ValueError(f"The security group '{wanted.get('GroupId')}' does not exist")
    [rule] = use("ministack.services.cloudformation.provisioners", "_ec2_sg_permissions", "rules")([dict(wanted)])
    rule["SecurityGroupRuleId"] = use(EC2, "_sg_rule_id", "sg_id, is_egress, rule")(group["GroupId"], False, rule)
    group["IpPermissions"].append(rule)
    return rule["SecurityGroupRuleId"], {"Id": rule["SecurityGroupRuleId"]}


def delete_rule(rule: str, had: Properties) -> None:
    group = use(EC2, "_security_groups").get(had.get("GroupId"))
    if group:
        group["IpPermissions"] = [it for it in group["IpPermissions"] if it.get("SecurityGroupRuleId") != rule]


def _with_addresses(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def describe(params: Any) -> Any:
        status, headers, body = original(params)
        text = body.decode() if isinstance(body, bytes) else body
        items = r"(<natGatewayId>([^<]+)</natGatewayId>.*?)<natGatewayAddressSet/>"
        return status, headers, re.sub(items, lambda it: it[1] + _address_set(it[2]), text, flags=re.DOTALL).encode()

    return describe


def _address_set(gateway: str) -> str:
    allocation = use(EC2, "_nat_gateways")[gateway]["AllocationId"]
    known = use(EC2, "_addresses").get(allocation)
    if known is None:
        return "<natGatewayAddressSet/>"
    told = f"<allocationId>{allocation}</allocationId><publicIp>{known['PublicIp']}</publicIp>"
    return f"<natGatewayAddressSet><item>{told}</item></natGatewayAddressSet>"


def _asked(function: str, parameters: str, request: dict[str, Any]) -> str:
    """The server's own EC2 operation; its XML, or RuntimeError with its text."""
    status, _, body = use(EC2, function, parameters)({key: [value] for key, value in request.items() if value})
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        raise RuntimeError(" ".join(re.findall(r"<Message>(.*?)</Message>", text)) or text)
    return text


def _tag(identifier: str, wanted: Properties) -> None:
    use(EC2, "_tags")[identifier] = list(wanted.get("Tags") or ())


def _value(xml: str, name: str) -> str:
    return re.findall(f"<{name}>(.*?)</{name}>", xml)[0]
