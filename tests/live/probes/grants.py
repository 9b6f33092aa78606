"""What a grant is: its key, its scope, its grantee."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.live.ground import DONE, Ground
from tests.live.probe import Finding, either, probe

EXISTS = "AccessGrantAlreadyExists"


@probe()
def location_in_key(here: Ground) -> Finding:
    """Does the location take part in what makes a grant unique?"""
    folder, who = here.folder(), here.person()
    inner = here.at(f"s3://{here.bucket}/{folder}")
    here.grant(f"{folder}x/*", who)
    seen = here.tried(lambda: here.grant("x/*", who, AccessGrantsLocationId=inner))
    return either(seen, {EXISTS: False, DONE: True}, "the same scope through a second location")


@probe()
def slash_makes_same_location(here: Ground) -> Finding:
    """Are `s3://b` and `s3://b/` the same location?"""
    seen = here.tried(lambda: here.at(f"s3://{here.bucket}"))
    return either(seen, {DONE: False, "AccessGrantsLocationAlreadyExistsError": True}, "s3://b beside s3://b/")


@probe()
def plain_prefix_is_taken(here: Ground) -> Finding:
    """Is a sub-prefix without `*` taken, though it is not said to be an object?"""
    who, folder = here.person(), here.folder()
    seen = here.tried(lambda: here.grant(f"{folder}analytics/", who))
    known = {DONE: True, "InvalidAccessGrant": False, "InvalidRequest": False}
    return either(seen, known, "analytics/ without S3PrefixType")


@probe()
def invalid_scope_code(here: Ground) -> Finding:
    """Which code refuses a scope that is wrong?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}*", who)  # so that what is refused below is not the grantee
    wrong: dict[str, dict[str, Any]] = {
        "a * in the middle": {"sub_prefix": f"{folder}a*b/*"},
        "an object that ends with *": {"sub_prefix": f"{folder}x*", "S3PrefixType": "Object"},
    }
    seen = {what: here.tried(lambda asked=asked: here.grant(who=who, **asked)) for what, asked in wrong.items()}
    refused = [code for code in seen.values() if code != DONE]
    return Finding(refused[0] if refused else DONE, "; ".join(f"{what}: {code}" for what, code in seen.items()))


@probe()
def grants_survive_their_role(here: Ground) -> Finding:
    """Does a grant work again for a role that was deleted and made again?"""
    iam, folder, name = here.account.client("iam"), here.folder(), f"{here.name}-again"
    who = here.person(name=name)
    here.grant(f"{folder}old/*", who)
    here.vended(who, f"{folder}old/*")
    iam.delete_role_policy(RoleName=name, PolicyName="own")
    iam.delete_role(RoleName=name)
    again = here.person(name=name)
    here.grant(f"{folder}new/*", again)
    here.vended(again, f"{folder}new/*")  # so the new role can have grants
    seen = here.tried(lambda: here.ask(again, f"{folder}old/*"))
    return either(seen, {DONE: True, "AccessDenied": False}, "the old grant, asked for by the new role")


@probe(assumed="s3://b//x/*")
def leading_slash(here: Ground) -> Finding:
    """What becomes of a sub-prefix with a leading slash below `s3://b/`?"""
    seen = _scope(lambda: here.grant("/x/*", here.person()))
    return Finding(seen.replace(here.bucket, "b"), "GrantScope of the sub-prefix /x/*")


@probe(assumed="s3://b/f/ax/*")
def starred_location(here: Ground) -> Finding:
    """What is the scope of the sub-prefix `x/*` below a location that ends with `*`?"""
    who, folder = here.person(), here.folder()
    place = here.at(f"s3://{here.bucket}/{folder}a*")
    seen = _scope(lambda: here.grant("x/*", who, AccessGrantsLocationId=place))
    return Finding(seen.replace(f"{here.bucket}/{folder}", "b/f/"), "GrantScope of x/* below s3://b/f/a*")


@probe(assumed="InvalidRequest: Invalid Grantee in the request")
def missing_grantee(here: Ground) -> Finding:
    """How is a role refused that does not exist, or not yet?"""
    nobody, folder = f"arn:{here.account.partition}:iam::{here.account.id}:role/{here.name}-nobody", here.folder()
    try:
        here.grant_at_once(f"{folder}*", nobody)
    except ClientError as refused:
        error = refused.response["Error"]
        return Finding(f"{error['Code']}: {error['Message']}".rstrip("."), "a grant to a role that never was")
    return Finding(DONE, "a grant to a role that never was")


@probe(assumed="location scope grantee duplicate tags")
def order_of_checks(here: Ground) -> Finding:
    """In which order is a grant checked that is wrong in several ways?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}*", who)
    wrong: dict[str, dict[str, Any]] = {
        "location": {"AccessGrantsLocationId": "00000000-0000-0000-0000-000000000000"},
        "scope": {"sub_prefix": f"{folder}a*b/*"},
        "grantee": {"who": f"{who.role}-nobody"},
        "duplicate": {"sub_prefix": f"{folder}*"},
        "tags": {"Tags": [{"Key": "aws:x", "Value": ""}]},
    }

    def code(*ways: str) -> str:
        """How a grant is refused that is wrong in these ways; of two that exclude each other, in the first."""
        asked = {"sub_prefix": f"{folder}z/*", "who": who} | {k: v for way in reversed(ways) for k, v in wrong[way].items()}
        return here.tried(lambda: here.grant_at_once(**asked))

    alone = {way: code(way) for way in wrong}
    ways, order = list(wrong), []
    for number in range(len(ways)):
        seen = code(*ways[number:])
        order.append("/".join(way for way in wrong if alone[way] == seen) or seen)
    return Finding(" ".join(order), ", ".join(f"{way}: {seen}" for way, seen in alone.items()))


def _scope(make: Callable[[], dict[str, Any]]) -> str:
    """The scope that a grant has got, or the code with which it was refused."""
    try:
        return str(make()["GrantScope"])
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
