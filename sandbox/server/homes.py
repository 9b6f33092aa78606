"""The file system that SageMaker makes with a domain, and the two security groups through which the domain reaches it.

Names, descriptions, tags and rules of the groups are those that exports of real accounts show. The groups refer to each other and
outlive the domain; so does the file system unless DeleteDomain says otherwise. In a network that does not exist
(tests name one) there is only the file system.
"""

import json
from typing import Any

from sandbox.server.seams import use

EC2 = "ministack.services.ec2"
EFS = "ministack.services.efs"
MANAGED = "ManagedByAmazonSageMakerResource"
NFS = {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049}
Tags = list[dict[str, str]]


class Homes:
    """In the server's EFS and EC2."""

    def make(self, domain: str, arn: str, request: dict[str, Any]) -> str:
        tags = [{"Key": MANAGED, "Value": arn}]
        asked = {"CreationToken": domain, "Encrypted": True, "Tags": tags}
        files = str(_answer(use(EFS, "_create_file_system", "body")(asked))["FileSystemId"])
        if request.get("VpcId") in use(EC2, "_vpcs"):
            inbound = _groups(domain, request["VpcId"], tags)
            for subnet in request.get("SubnetIds") or ():
                target = {"FileSystemId": files, "SubnetId": subnet, "SecurityGroups": [inbound]}
                _answer(use(EFS, "_create_mount_target", "body")(target))
        return files

    def drop(self, domain: str) -> None:
        systems, targets = use(EFS, "_file_systems"), use(EFS, "_mount_targets")
        for files in [name for name, it in systems.items() if it["CreationToken"] == domain]:
            for target in [name for name, it in targets.items() if it["FileSystemId"] == files]:
                use(EFS, "_delete_mount_target", "mt_id")(target)
            _answer(use(EFS, "_delete_file_system", "fs_id")(files))


def _groups(domain: str, vpc: str, tags: Tags) -> str:
    """Make both groups; the id of the one that the file system is behind."""
    inbound, outbound = (_group(f"{way}bound", domain, vpc, tags) for way in ("in", "out"))
    groups = use(EC2, "_security_groups")
    groups[inbound] |= {"IpPermissions": [_rule(outbound)], "IpPermissionsEgress": []}
    groups[outbound] |= {"IpPermissions": [], "IpPermissionsEgress": [_rule(inbound)]}
    return inbound


def _group(way: str, domain: str, vpc: str, tags: Tags) -> str:
    identifier = str(use(EC2, "_new_sg_id", "")())
    account = use("ministack.core.responses", "get_account_id", "")()
    about = f"[DO NOT DELETE] Security Group that allows {way} NFS traffic for SageMaker Notebooks Domain [{domain}]"
    named = {"GroupId": identifier, "GroupName": f"security-group-for-{way}-nfs-{domain}", "Description": about}
    use(EC2, "_security_groups")[identifier] = named | {"VpcId": vpc, "OwnerId": account}
    use(EC2, "_tags")[identifier] = list(tags)
    return identifier


def _rule(other: str) -> dict[str, Any]:
    return NFS | {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": [{"GroupId": other}]}


def _answer(response: tuple[int, Any, bytes]) -> dict[str, Any]:
    status, _, body = response
    answer = json.loads(body or b"{}")
    if status >= 400:
        raise RuntimeError(answer.get("Message", answer))
    return dict(answer)
