"""SageMaker Studio in the server: requests, authorization, CloudTrail events, domain storage.

SageMaker creates a file system with a domain, and two security groups through which the domain
reaches it. Their names, descriptions, tags and rules are those that exports of real accounts show.
The groups refer to each other and outlive the domain; so does the file system unless DeleteDomain
says otherwise. In a network that does not exist (tests name one) there is only the file system.

Changes take seconds instead of the twenty minutes that an app may need on AWS, or as long as
requested.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.access_grants import Caller
from sandbox.server import processing_adapter
from sandbox.server.account import (
    ServerAccount,
    find_caller,
    find_session_keys,
    request_scope,
    trusts_service,
)
from sandbox.server.cloudtrail import describe_identity, record_api_call
from sandbox.server.control import ANSWERS, current_switches
from sandbox.server.seams import run_before_reset, use_seam
from sandbox.studio import STUDIO_OPERATIONS, SageMakerError, Studio
from sandbox.studio.permissions import (
    NeededPermission,
    StudioVisit,
    add_studio_tags,
    list_studio_permissions,
)
from sandbox.switches import StudioSwitches

EC2 = "ministack.services.ec2"
EFS = "ministack.services.efs"
MANAGED_TAG = "ManagedByAmazonSageMakerResource"
NFS_PORTS = {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049}
TagList = list[dict[str, str]]
# How long a domain or profile takes to settle, in seconds. On AWS it takes minutes.
SETTLE_SECONDS = float(os.environ.get("SANDBOX_SETTLE", "0.3"))
STUDIO_SERVICES: dict[tuple[str, str], Studio] = {}
# What happens after an app was deleted
AFTER_DELETED_APPS: list[Callable[[], None]] = []
SETTLE_BY_KIND: dict[str, float] = {}  # by kind of resource, where another time was set
SAGEMAKER_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1"
}  # copied for each answer, because the server adds to it
STUDIO_ACCOUNT = ServerAccount()


class DomainStorage:
    """A domain's storage in the server's EFS and EC2."""

    def create_home(self, domain: str, arn: str, request: dict[str, Any]) -> str:
        """Create the file system, and its mount targets and groups if the network exists.

        Return its id.
        """
        tags = [{"Key": MANAGED_TAG, "Value": arn}]
        asked = {"CreationToken": domain, "Encrypted": True, "Tags": tags}
        files = str(
            _read_efs_answer(use_seam(EFS, "_create_file_system", "body")(asked))["FileSystemId"]
        )
        if request.get("VpcId") in use_seam(EC2, "_vpcs"):
            inbound = _make_security_groups(domain, request["VpcId"], tags)
            for subnet in request.get("SubnetIds") or ():
                target = {"FileSystemId": files, "SubnetId": subnet, "SecurityGroups": [inbound]}
                _read_efs_answer(use_seam(EFS, "_create_mount_target", "body")(target))
        return files

    def delete_home(self, domain: str) -> None:
        """Delete the file system and its mount targets."""
        systems, targets = use_seam(EFS, "_file_systems"), use_seam(EFS, "_mount_targets")
        for files in [name for name, it in systems.items() if it["CreationToken"] == domain]:
            for target in [name for name, it in targets.items() if it["FileSystemId"] == files]:
                use_seam(EFS, "_delete_mount_target", "mt_id")(target)
            _read_efs_answer(use_seam(EFS, "_delete_file_system", "fs_id")(files))


def _make_security_groups(domain: str, vpc: str, tags: TagList) -> str:
    """Create both groups. Return the id of the one that protects the file system."""
    inbound, outbound = (
        _make_security_group(f"{way}bound", domain, vpc, tags) for way in ("in", "out")
    )
    groups = use_seam(EC2, "_security_groups")
    groups[inbound] |= {"IpPermissions": [_nfs_rule(outbound)], "IpPermissionsEgress": []}
    groups[outbound] |= {"IpPermissions": [], "IpPermissionsEgress": [_nfs_rule(inbound)]}
    return inbound


def _make_security_group(way: str, domain: str, vpc: str, tags: TagList) -> str:
    identifier = str(use_seam(EC2, "_new_sg_id", "")())
    account = use_seam("ministack.core.responses", "get_account_id", "")()
    about = (
        f"[DO NOT DELETE] Security Group that allows {way} NFS traffic for SageMaker Notebooks "
        f"Domain [{domain}]"
    )
    named = {
        "GroupId": identifier,
        "GroupName": f"security-group-for-{way}-nfs-{domain}",
        "Description": about,
    }
    use_seam(EC2, "_security_groups")[identifier] = named | {"VpcId": vpc, "OwnerId": account}
    use_seam(EC2, "_tags")[identifier] = list(tags)
    return identifier


def _nfs_rule(other: str) -> dict[str, Any]:
    return NFS_PORTS | {
        "IpRanges": [],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [{"GroupId": other}],
    }


def _read_efs_answer(response: tuple[int, Any, bytes]) -> dict[str, Any]:
    status, _, body = response
    answer = json.loads(body or b"{}")
    if status >= 400:
        raise RuntimeError(answer.get("Message", answer))
    return dict(answer)


def find_studio() -> Studio:
    """Return Studio of the current request's account and Region."""
    where = request_scope()
    if where not in STUDIO_SERVICES:
        STUDIO_SERVICES[where] = Studio(
            *where,
            clock=time.time,
            settle=SETTLE_SECONDS,
            can_assume=can_assume,
            homes=DomainStorage(),
            settles=SETTLE_BY_KIND,
        )
    return STUDIO_SERVICES[where]


def call_studio(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out one operation as the account itself, for CloudFormation.

    It leaves its event like any other. Raises SageMakerError.
    """
    account, _ = request_scope()
    root = f"arn:aws:iam::{account}:root"
    return _call_operation(
        operation, dict(request), Caller(root, account), describe_identity(root, root)
    )


def can_assume(arn: str, of: str) -> bool:
    """Return whether SageMaker can assume the role for its domain or profile `of`."""
    return trusts_service(
        arn,
        "sagemaker.amazonaws.com",
        {"aws:SourceAccount": request_scope()[0], "aws:SourceArn": of},
    )


def install() -> None:
    """Make `sagemaker` a service of the server."""
    handlers = use_seam("ministack.app", "SERVICE_HANDLERS")
    patterns = use_seam("ministack.core.router", "SERVICE_PATTERNS")
    handlers["sagemaker"] = handle_request
    patterns["sagemaker"] = {
        "host_patterns": [r"api\.sagemaker\."],
        "target_prefixes": ["SageMaker"],
    }
    run_before_reset(_forget_studios)
    ANSWERS["settle"] = answer_settle


async def handle_request(
    _: str, __: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    """Answer one request on the wire."""
    lower = {key.lower(): value for key, value in headers.items()}
    operation = lower.get("x-amz-target", "").rpartition(".")[2]
    caller = find_caller(headers, query)
    who = describe_identity(_find_session_arn(headers, query, caller.account), caller.arn)
    try:
        answer = _call_operation(operation, json.loads(body or b"{}"), caller, who)
    except SageMakerError as refusal:
        error_body = {"__type": refusal.code, "message": refusal.message}
        return refusal.status, dict(SAGEMAKER_HEADERS), json.dumps(error_body).encode()
    return 200, dict(SAGEMAKER_HEADERS), json.dumps(answer).encode()


def _find_session_arn(headers: Mapping[str, str], query: Mapping[str, Any], account: str) -> str:
    """Return the caller's own ARN; for a session of a role, the session's."""
    key = use_seam("ministack.core.router", "extract_access_key_id", "headers, query_params=None")(
        headers, query
    )
    resolve = use_seam(
        "ministack.core.iam_evaluator",
        "resolve_principal",
        "access_key_id, account_id, credential=None",
    )
    return str(resolve(key, account).arn)


def _call_operation(
    operation: str, request: dict[str, Any], caller: Caller, who: dict[str, Any]
) -> dict[str, Any]:
    jobs = processing_adapter.serves_jobs(operation, request)
    if not jobs:
        visit = StudioVisit.from_keys(find_session_keys(caller.account))
        request = add_studio_tags(find_studio(), operation, request, visit)
    try:
        _authorise_call(operation, request, caller)
        if operation == "CreateProcessingJob":
            processing_adapter.check_job_network(request)
        answer = (processing_adapter.find_jobs_service() if jobs else find_studio()).call(
            operation, request
        )
    except SageMakerError as refusal:
        _record_call(
            operation, who, request, {"errorCode": refusal.code, "errorMessage": refusal.message}
        )
        raise
    if operation == "DeleteApp":
        for end in AFTER_DELETED_APPS:
            end()
    _record_call(operation, who, request, {"responseElements": answer or None})
    return answer


def _record_call(
    operation: str, who: dict[str, Any], request: dict[str, Any], outcome: dict[str, Any]
) -> None:
    """Publish the event of a call that changes something, or would have."""
    known = operation in STUDIO_OPERATIONS or processing_adapter.serves_jobs(operation, request)
    if known and not operation.startswith(("Describe", "List")):
        record_api_call("sagemaker", operation, who, request, outcome)


def _authorise_call(operation: str, request: dict[str, Any], caller: Caller) -> None:
    for action, resource, context in _list_permissions(operation, request):
        if not STUDIO_ACCOUNT.is_allowed(caller, action, resource, context):
            why = (
                f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
            )
            raise SageMakerError("AccessDeniedException", why)


def _list_permissions(operation: str, request: dict[str, Any]) -> list[NeededPermission]:
    if processing_adapter.serves_jobs(operation, request):
        return processing_adapter.list_job_permissions(operation, request)
    spelling = current_switches(StudioSwitches).profile_names_in_policies
    return list_studio_permissions(find_studio(), operation, request, spelling)


def _forget_studios() -> None:
    STUDIO_SERVICES.clear()
    SETTLE_BY_KIND.clear()


def answer_settle(method: str, _: dict[str, str], sent: bytes) -> tuple[int, Any]:
    """Set how long changes take: POST {"App": 40} makes each change of an app take 40 s.

    Kinds are Domain, UserProfile, Space and App. A reset forgets it.
    """
    if method == "POST":
        SETTLE_BY_KIND.update(
            {str(kind): float(seconds) for kind, seconds in json.loads(sent).items()}
        )
    return 200, {"settle": SETTLE_SECONDS} | SETTLE_BY_KIND
