"""How IAM authorizes the calls of Grantor's roles.

Their policies in template.yaml depend on these answers.
"""

from collections.abc import Callable
from typing import Any

from tests.live.probe import Finding, match_answer, probe
from tests.live.workspace import DONE, Person, Workspace

OTHERS = [{"Key": "grantor:live", "Value": "somebody else"}]
BOUND = {
    f"{DONE} AccessDenied": "binds",
    f"{DONE} {DONE}": "binds nothing",
    "AccessDenied AccessDenied": "refuses everything",
}


def _resource_arn(workspace: Workspace, kind: str) -> str:
    return f"{workspace.account.instance}/{kind}/*"


def _both_arns(workspace: Workspace) -> list[str]:
    return [_resource_arn(workspace, "location"), _resource_arn(workspace, "grant")]


@probe(assumed="location")
def create_is_judged_on(workspace: Workspace) -> Finding:
    """Which resource is CreateAccessGrant authorized on: the location, the grant, or both?"""
    grantee, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}known/*", grantee)
    seen = []
    for kind in ("location", "grant"):
        tagging = {"Action": "s3:TagResource", "Resource": _both_arns(workspace)}
        maker = workspace.create_person(
            {"Action": "s3:CreateAccessGrant", "Resource": _resource_arn(workspace, kind)}, tagging
        )
        seen.append(
            workspace.try_when_spread(
                _call_as(
                    workspace,
                    maker,
                    "create_access_grant",
                    **_grant_request(workspace, grantee, f"{folder}{kind}/*"),
                )
            )
        )
    known = {
        f"{DONE} AccessDenied": "location",
        f"AccessDenied {DONE}": "grant",
        "AccessDenied AccessDenied": "both",
    }
    return match_answer(" ".join(seen), known, "allowed on location/* alone, and on grant/* alone")


@probe(assumed="binds")
def scope_binds_create(workspace: Workspace) -> Finding:
    """Does the condition key s3:AccessGrantScope restrict CreateAccessGrant to scopes?"""
    grantee, inside, outside = (
        workspace.create_person(),
        workspace.new_folder(),
        workspace.new_folder(),
    )
    workspace.create_grant(f"{inside}known/*", grantee)
    bound = {"StringLike": {"s3:AccessGrantScope": f"s3://{workspace.bucket}/{inside}*"}}
    making = {
        "Action": "s3:CreateAccessGrant",
        "Resource": _both_arns(workspace),
        "Condition": bound,
    }
    maker = workspace.create_person(
        making, {"Action": "s3:TagResource", "Resource": _both_arns(workspace)}
    )
    inner, outer = (
        _call_as(
            workspace,
            maker,
            "create_access_grant",
            **_grant_request(workspace, grantee, f"{place}x/*"),
        )
        for place in (inside, outside)
    )
    seen = [workspace.try_when_spread(inner), workspace.try_call(outer)]
    return match_answer(" ".join(seen), BOUND, "a scope inside of the condition, and one outside")


@probe(assumed="binds")
def request_tag_binds_create(workspace: Workspace) -> Finding:
    """Does the condition key aws:RequestTag restrict CreateAccessGrant to grants that get a certain
    tag?
    """
    grantee, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}known/*", grantee)
    signed = {"StringEquals": {"aws:RequestTag/grantor:live": workspace.name}}
    making = {
        "Action": "s3:CreateAccessGrant",
        "Resource": _both_arns(workspace),
        "Condition": signed,
    }
    maker = workspace.create_person(
        making, {"Action": "s3:TagResource", "Resource": _both_arns(workspace)}
    )
    asked = (
        _grant_request(workspace, grantee, f"{folder}x/*"),
        _grant_request(workspace, grantee, f"{folder}y/*") | {"Tags": OTHERS},
    )
    ours, others = (_call_as(workspace, maker, "create_access_grant", **each) for each in asked)
    seen = [workspace.try_when_spread(ours), workspace.try_call(others)]
    return match_answer(
        " ".join(seen), BOUND, "a grant that gets the tag, and one that gets another"
    )


@probe(assumed=False)
def tagging_needs_its_right(workspace: Workspace) -> Finding:
    """Does CreateAccessGrant with tags also need s3:TagResource?"""
    grantee, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}known/*", grantee)
    maker = workspace.create_person(
        {"Action": "s3:CreateAccessGrant", "Resource": _both_arns(workspace)}
    )
    seen = workspace.try_when_spread(
        _call_as(
            workspace,
            maker,
            "create_access_grant",
            **_grant_request(workspace, grantee, f"{folder}x/*"),
        )
    )
    return match_answer(
        seen, {DONE: False, "AccessDenied": True}, "with tags and without the right to tag"
    )


@probe(assumed="binds")
def tag_binds_delete(workspace: Workspace) -> Finding:
    """Does the condition key aws:ResourceTag restrict DeleteAccessGrant to grants that carry the
    tag?
    """
    grantee, folder, remover = (
        workspace.create_person(),
        workspace.new_folder(),
        _create_remover(workspace),
    )
    ours = workspace.create_grant(f"{folder}ours/*", grantee)
    others = workspace.create_grant(f"{folder}others/*", grantee, Tags=OTHERS)
    seen = [
        workspace.try_when_spread(_delete_call(workspace, remover, ours)),
        workspace.try_call(_delete_call(workspace, remover, others)),
    ]
    return match_answer(" ".join(seen), BOUND, "a grant that carries the tag, and one with another")


@probe(assumed="AccessDenied")
def delete_of_what_is_gone(workspace: Workspace) -> Finding:
    """Which error code does DeleteAccessGrant return for a deleted grant if the permission depends
    on the grant's tag?
    """
    grantee, folder, remover = (
        workspace.create_person(),
        workspace.new_folder(),
        _create_remover(workspace),
    )
    gone = workspace.create_grant(f"{folder}*", grantee)
    workspace.delete_grant(gone)
    return Finding(
        workspace.try_call(_delete_call(workspace, remover, gone)),
        "DeleteAccessGrant once more, by a role that may delete what is tagged",
    )


def _create_remover(workspace: Workspace) -> Person:
    tagged = {"StringEquals": {"aws:ResourceTag/grantor:live": workspace.name}}
    return workspace.create_person(
        {
            "Action": "s3:DeleteAccessGrant",
            "Resource": _resource_arn(workspace, "grant"),
            "Condition": tagged,
        }
    )


def _delete_call(workspace: Workspace, who: Person, grant: dict[str, Any]) -> Callable[[], Any]:
    return _call_as(workspace, who, "delete_access_grant", AccessGrantId=grant["AccessGrantId"])


def _grant_request(workspace: Workspace, grantee: Person, sub_prefix: str) -> dict[str, Any]:
    return {
        "AccessGrantsLocationId": workspace.location,
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix},
        "Grantee": {"GranteeType": "IAM", "GranteeIdentifier": grantee.role},
        "Permission": "READ",
        "Tags": workspace.tags,
    }


def _call_as(workspace: Workspace, who: Person, operation: str, **asked: Any) -> Callable[[], None]:
    """A call as this person. A grant that it creates is recorded for removal."""

    def call() -> None:
        answer = getattr(workspace.account.client("s3control", who.keys), operation)(
            AccountId=workspace.account.id, **asked
        )
        if "AccessGrantId" in answer:
            workspace.cleanup.add(
                "s3control",
                "delete_access_grant",
                AccountId=workspace.account.id,
                AccessGrantId=answer["AccessGrantId"],
            )

    return call
