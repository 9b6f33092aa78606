"""Grants: their key, scope and grantee."""

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tests.live.probe import Finding, match_answer, probe
from tests.live.workspace import DONE, Workspace

EXISTS = "AccessGrantAlreadyExists"


@probe()
def location_in_key(workspace: Workspace) -> Finding:
    """Is the location part of what makes a grant unique?"""
    folder, who = workspace.new_folder(), workspace.create_person()
    inner = workspace.register_location(f"s3://{workspace.bucket}/{folder}")
    workspace.create_grant(f"{folder}x/*", who)
    seen = workspace.try_call(
        lambda: workspace.create_grant("x/*", who, AccessGrantsLocationId=inner)
    )
    return match_answer(
        seen, {EXISTS: False, DONE: True}, "the same scope through a second location"
    )


@probe()
def slash_makes_same_location(workspace: Workspace) -> Finding:
    """Are `s3://b` and `s3://b/` the same location?"""
    seen = workspace.try_call(lambda: workspace.register_location(f"s3://{workspace.bucket}"))
    return match_answer(
        seen, {DONE: False, "AccessGrantsLocationAlreadyExistsError": True}, "s3://b beside s3://b/"
    )


@probe()
def plain_prefix_is_taken(workspace: Workspace) -> Finding:
    """Is a sub-prefix without `*` accepted without S3PrefixType?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    seen = workspace.try_call(lambda: workspace.create_grant(f"{folder}analytics/", who))
    known = {DONE: True, "InvalidAccessGrant": False, "InvalidRequest": False}
    return match_answer(seen, known, "analytics/ without S3PrefixType")


@probe()
def invalid_scope_code(workspace: Workspace) -> Finding:
    """Which error code does an invalid scope get?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}*", who)  # so that what is refused below is not the grantee
    wrong: dict[str, dict[str, Any]] = {
        "a * in the middle": {"sub_prefix": f"{folder}a*b/*"},
        "an object that ends with *": {"sub_prefix": f"{folder}x*", "S3PrefixType": "Object"},
    }
    seen = {
        what: workspace.try_call(partial(workspace.create_grant, who=who, **asked))
        for what, asked in wrong.items()
    }
    refused = [code for code in seen.values() if code != DONE]
    return Finding(
        refused[0] if refused else DONE, "; ".join(f"{what}: {code}" for what, code in seen.items())
    )


@probe()
def grants_survive_their_role(workspace: Workspace) -> Finding:
    """Does a grant work again after its role was deleted and created again?"""
    iam, folder, name = (
        workspace.account.client("iam"),
        workspace.new_folder(),
        f"{workspace.name}-again",
    )
    who = workspace.create_person(name=name)
    workspace.create_grant(f"{folder}old/*", who)
    workspace.request_when_granted(who, f"{folder}old/*")
    iam.delete_role_policy(RoleName=name, PolicyName="own")
    iam.delete_role(RoleName=name)
    again = workspace.create_person(name=name)
    workspace.create_grant(f"{folder}new/*", again)
    workspace.request_when_granted(again, f"{folder}new/*")  # so the new role can have grants
    seen = workspace.try_call(lambda: workspace.request_access(again, f"{folder}old/*"))
    return match_answer(
        seen, {DONE: True, "AccessDenied": False}, "the old grant, asked for by the new role"
    )


@probe(assumed="s3://b//x/*")
def leading_slash(workspace: Workspace) -> Finding:
    """What does a sub-prefix with a leading slash below `s3://b/` become?"""
    seen = _created_scope(lambda: workspace.create_grant("/x/*", workspace.create_person()))
    return Finding(seen.replace(workspace.bucket, "b"), "GrantScope of the sub-prefix /x/*")


@probe(assumed="s3://b/f/ax/*")
def starred_location(workspace: Workspace) -> Finding:
    """What is the scope of the sub-prefix `x/*` below a location that ends with `*`?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    place = workspace.register_location(f"s3://{workspace.bucket}/{folder}a*")
    seen = _created_scope(lambda: workspace.create_grant("x/*", who, AccessGrantsLocationId=place))
    return Finding(
        seen.replace(f"{workspace.bucket}/{folder}", "b/f/"), "GrantScope of x/* below s3://b/f/a*"
    )


@probe(assumed="InvalidRequest: Invalid Grantee in the request")
def missing_grantee(workspace: Workspace) -> Finding:
    """How is a grant refused to a role that does not exist (yet)?"""
    nobody, folder = (
        f"arn:{workspace.account.partition}:iam::{workspace.account.id}:role/{workspace.name}-nobody",
        workspace.new_folder(),
    )
    try:
        workspace.create_grant_once(f"{folder}*", nobody)
    except ClientError as refused:
        error = refused.response["Error"]
        return Finding(
            f"{error['Code']}: {error['Message']}".rstrip("."), "a grant to a role that never was"
        )
    return Finding(DONE, "a grant to a role that never was")


@probe(assumed="location scope grantee duplicate tags")
def order_of_checks(workspace: Workspace) -> Finding:
    """In which order are the errors of a grant with several errors checked?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}*", who)
    wrong: dict[str, dict[str, Any]] = {
        "location": {"AccessGrantsLocationId": "00000000-0000-0000-0000-000000000000"},
        "scope": {"sub_prefix": f"{folder}a*b/*"},
        "grantee": {"who": f"{who.role}-nobody"},
        "duplicate": {"sub_prefix": f"{folder}*"},
        "tags": {"Tags": [{"Key": "aws:x", "Value": ""}]},
    }

    def code(*ways: str) -> str:
        """The code for a grant with these errors; of two that exclude each other, with
        the first.
        """
        asked: dict[str, Any] = {"sub_prefix": f"{folder}z/*", "who": who} | {
            k: v for way in reversed(ways) for k, v in wrong[way].items()
        }
        return workspace.try_call(lambda: workspace.create_grant_once(**asked))

    alone = {way: code(way) for way in wrong}
    ways, order = list(wrong), []
    for number in range(len(ways)):
        seen = code(*ways[number:])
        order.append("/".join(way for way in wrong if alone[way] == seen) or seen)
    return Finding(" ".join(order), ", ".join(f"{way}: {seen}" for way, seen in alone.items()))


def _created_scope(make: Callable[[], dict[str, Any]]) -> str:
    """The scope of the created grant, or the code with which it was refused."""
    try:
        return str(make()["GrantScope"])
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
