"""What a processing job's execution role needs before its container starts: image and network.

SageMaker pulls the image, and puts an interface for each instance into the subnets of VpcConfig, in
the execution role's name. Sources: SageMaker guide, "CreateProcessingJob API: Execution Role
Permissions", the nine actions for a private VPC; Service Authorization Reference, "Amazon EC2",
their resources and condition keys. That a job is accepted and fails later is what users saw with
wrong DHCP options (aws/sagemaker-python-sdk, issue 3955); the texts are not documented.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sandbox.server.seams import use_seam
from sandbox.studio.permissions import NeededPermission

EC2 = "ministack.services.ec2"
DESCRIBED = ("Subnets", "SecurityGroups", "Vpcs", "DhcpOptions", "NetworkInterfaces")
OF_INTERFACES = (
    "CreateNetworkInterfacePermission",
    "DeleteNetworkInterfacePermission",
    "DeleteNetworkInterface",
)
INTERFACE = "network-interface/eni-00000000000000000"  # the id is new with each interface
ECR_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")
PULL_ACTIONS = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
)
May = Callable[[str, str, Mapping[str, str]], bool]  # action, resource, condition keys


def explain_missing_image(image: str, may: May) -> str | None:
    """Return why the role cannot pull the image from ECR.

    It is None if it can, or if the image is not in ECR.
    """
    found = ECR_IMAGE.match(image)
    if found is None:
        return None
    repository = f"arn:aws:ecr:{found[2]}:{found[1]}:repository/{found[3]}"
    needed = [
        ("ecr:GetAuthorizationToken", "*"),
        *((action, repository) for action in PULL_ACTIONS),
    ]
    missing = [action for action, resource in needed if not may(action, resource, {})]
    return (
        f"The execution role may not pull the image {image}: it lacks {', '.join(missing)}."
        if missing
        else None
    )


def explain_network_failure(
    request: Mapping[str, Any], region: str, account: str, may: May
) -> str | None:
    """Return why the job's network interfaces cannot be created; None if they can.

    It is None for a job without a network, too. `may` says what the execution role is allowed.
    """
    network = (request.get("NetworkConfig") or {}).get("VpcConfig") or {}
    subnets, groups = network.get("Subnets") or (), network.get("SecurityGroupIds") or ()
    if not subnets:
        return None
    place = f"arn:aws:ec2:{region}:{account}:"
    described: list[NeededPermission] = [(f"ec2:Describe{what}", "*", {}) for what in DESCRIBED]
    if lacking := _list_lacking(described, may):
        return _describe_lacking(lacking)
    for known, wanted in (("_subnets", subnets), ("_security_groups", groups)):
        missing = [one for one in wanted if one not in use_seam(EC2, known)]
        if missing:
            return f"{', '.join(missing)} of VpcConfig does not exist in this account and Region."
    needed = [each for subnet in subnets for each in _list_creations(subnet, groups, place)]
    lacking = _list_lacking(needed, may)
    return _describe_lacking(lacking) if lacking else None


def _list_lacking(needed: list[NeededPermission], may: May) -> list[str]:
    return sorted({action for action, resource, keys in needed if not may(action, resource, keys)})


def _describe_lacking(actions: list[str]) -> str:
    return (
        "The execution role cannot create network interfaces in the subnets of VpcConfig: "
        f"it lacks {', '.join(actions)}."
    )


def _list_creations(subnet: str, groups: Sequence[str], place: str) -> Iterator[NeededPermission]:
    """List what an interface in a subnet needs."""
    vpc = f"{place}vpc/{use_seam(EC2, '_subnets')[subnet]['VpcId']}"
    create, of_subnet = "ec2:CreateNetworkInterface", f"{place}subnet/{subnet}"
    yield create, f"{place}{INTERFACE}", {}
    yield create, of_subnet, {"ec2:SubnetID": subnet, "ec2:Vpc": vpc}
    for group in groups:
        keys = {"ec2:SecurityGroupID": group, "ec2:Vpc": vpc}
        yield create, f"{place}security-group/{group}", keys
    for action in OF_INTERFACES:
        yield f"ec2:{action}", f"{place}{INTERFACE}", {"ec2:Subnet": of_subnet, "ec2:Vpc": vpc}
