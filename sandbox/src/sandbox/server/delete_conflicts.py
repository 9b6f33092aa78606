"""IAM deletes nothing that is in use, for CloudFormation no more than for the API.

CloudFormation takes back what its template has given: policies that the template attaches, inline
policies that it writes. What others have attached stays, and IAM refuses with DeleteConflict. The
server by itself forgets attachments of others, and has no type for groups. Source: API reference of
DeleteRole, DeletePolicy and DeleteUser.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.server.seams import use_seam

IAM = "ministack.services.iam"
Properties = Mapping[str, Any]
Finder = Callable[[str, Properties], str | None]  # physical id, properties → why it stays


def guard_resources(handlers: dict[str, Any]) -> None:
    """Make CloudFormation's deletions of IAM's resources ask first."""
    for kind, find in {
        "AWS::IAM::ManagedPolicy": _find_policy_use,
        "AWS::IAM::Role": _find_role_use,
        "AWS::IAM::User": _find_user_use,
    }.items():
        handlers[kind] |= {"delete": _guard_deletion(handlers[kind]["delete"], find)}


def _guard_deletion(delete: Callable[[str, Any], None], find: Finder) -> Callable[[str, Any], None]:
    def guarded(identifier: str, had: Properties) -> None:
        if why := find(identifier, had):
            raise ValueError(f"{why} (Service: Iam, Status Code: 409, Error Code: DeleteConflict)")
        delete(identifier, had)

    return guarded


def _find_policy_use(arn: str, had: Properties) -> str | None:
    by_template = {
        (kind, name) for kind in ("Roles", "Users", "Groups") for name in had.get(kind) or ()
    }
    attached = {(kind, name) for kind, name, it in _list_entities() if arn in _attached(it)}
    bounds = any(it.get("PermissionsBoundary") == arn for _, _, it in _list_entities())
    return (
        "Cannot delete a policy attached to entities." if attached - by_template or bounds else None
    )


def _list_entities() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for kind in ("Roles", "Users", "Groups"):
        for name, it in use_seam(IAM, f"_{kind.lower()}").items():
            yield kind, name, it


def _attached(entity: Mapping[str, Any]) -> set[str]:
    return set(entity.get("AttachedPolicies") or ())


def _find_role_use(name: str, had: Properties) -> str | None:
    role = use_seam(IAM, "_roles").get(name) or {}
    inline = {it["PolicyName"] for it in had.get("Policies") or ()}
    if _attached(role) - set(had.get("ManagedPolicyArns") or ()):
        return "Cannot delete entity, must detach all policies first."
    if (role.get("InlinePolicies") or {}).keys() - inline:
        return "Cannot delete entity, must delete policies first."
    profiles = use_seam(IAM, "_instance_profiles").values()
    if any(name in (it.get("Roles") or ()) for it in profiles):
        return "Cannot delete entity, must remove roles from instance profile first."
    return None


def _find_user_use(name: str, had: Properties) -> str | None:
    user = use_seam(IAM, "_users").get(name) or {}
    if _attached(user) - set(had.get("ManagedPolicyArns") or ()):
        return "Cannot delete entity, must detach all policies first."
    return None
