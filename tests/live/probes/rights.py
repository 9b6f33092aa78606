"""On what IAM judges the calls that Grantor's roles make: their policies in template.yaml stand on these answers."""

from collections.abc import Callable
from typing import Any

from tests.live.ground import DONE, Ground, Person
from tests.live.probe import Finding, either, probe

OTHERS = [{"Key": "grantor:live", "Value": "somebody else"}]
BOUND = {f"{DONE} AccessDenied": "binds", f"{DONE} {DONE}": "binds nothing", "AccessDenied AccessDenied": "refuses everything"}


def _kind(here: Ground, kind: str) -> str:
    return f"{here.account.instance}/{kind}/*"


def _both(here: Ground) -> list[str]:
    return [_kind(here, "location"), _kind(here, "grant")]


@probe(assumed="location")
def create_is_judged_on(here: Ground) -> Finding:
    """On which resource is CreateAccessGrant judged: the location, the grant, or both?"""
    grantee, folder = here.person(), here.folder()
    here.grant(f"{folder}known/*", grantee)
    seen = []
    for kind in ("location", "grant"):
        tagging = {"Action": "s3:TagResource", "Resource": _both(here)}
        maker = here.person({"Action": "s3:CreateAccessGrant", "Resource": _kind(here, kind)}, tagging)
        seen.append(here.surely(_as(here, maker, "create_access_grant", **_grant(here, grantee, f"{folder}{kind}/*"))))
    known = {f"{DONE} AccessDenied": "location", f"AccessDenied {DONE}": "grant", "AccessDenied AccessDenied": "both"}
    return either(" ".join(seen), known, "allowed on location/* alone, and on grant/* alone")


@probe(assumed="binds")
def scope_binds_create(here: Ground) -> Finding:
    """Does the condition key s3:AccessGrantScope bind CreateAccessGrant to scopes?"""
    grantee, inside, outside = here.person(), here.folder(), here.folder()
    here.grant(f"{inside}known/*", grantee)
    bound = {"StringLike": {"s3:AccessGrantScope": f"s3://{here.bucket}/{inside}*"}}
    making = {"Action": "s3:CreateAccessGrant", "Resource": _both(here), "Condition": bound}
    maker = here.person(making, {"Action": "s3:TagResource", "Resource": _both(here)})
    inner, outer = (
        _as(here, maker, "create_access_grant", **_grant(here, grantee, f"{place}x/*")) for place in (inside, outside)
    )
    seen = [here.surely(inner), here.tried(outer)]
    return either(" ".join(seen), BOUND, "a scope inside of the condition, and one outside")


@probe(assumed="binds")
def request_tag_binds_create(here: Ground) -> Finding:
    """Does the condition key aws:RequestTag bind CreateAccessGrant to grants that get a certain tag?"""
    grantee, folder = here.person(), here.folder()
    here.grant(f"{folder}known/*", grantee)
    signed = {"StringEquals": {"aws:RequestTag/grantor:live": here.name}}
    making = {"Action": "s3:CreateAccessGrant", "Resource": _both(here), "Condition": signed}
    maker = here.person(making, {"Action": "s3:TagResource", "Resource": _both(here)})
    asked = _grant(here, grantee, f"{folder}x/*"), _grant(here, grantee, f"{folder}y/*") | {"Tags": OTHERS}
    ours, others = (_as(here, maker, "create_access_grant", **each) for each in asked)
    seen = [here.surely(ours), here.tried(others)]
    return either(" ".join(seen), BOUND, "a grant that gets the tag, and one that gets another")


@probe(assumed=False)
def tagging_needs_its_right(here: Ground) -> Finding:
    """Does CreateAccessGrant with tags need s3:TagResource besides?"""
    grantee, folder = here.person(), here.folder()
    here.grant(f"{folder}known/*", grantee)
    maker = here.person({"Action": "s3:CreateAccessGrant", "Resource": _both(here)})
    seen = here.surely(_as(here, maker, "create_access_grant", **_grant(here, grantee, f"{folder}x/*")))
    return either(seen, {DONE: False, "AccessDenied": True}, "with tags and without the right to tag")


@probe(assumed="binds")
def tag_binds_delete(here: Ground) -> Finding:
    """Does the condition key aws:ResourceTag bind DeleteAccessGrant to grants that carry the tag?"""
    grantee, folder, remover = here.person(), here.folder(), _remover(here)
    ours = here.grant(f"{folder}ours/*", grantee)
    others = here.grant(f"{folder}others/*", grantee, Tags=OTHERS)
    seen = [here.surely(_delete(here, remover, ours)), here.tried(_delete(here, remover, others))]
    return either(" ".join(seen), BOUND, "a grant that carries the tag, and one with another")


@probe(assumed="AccessDenied")
def delete_of_what_is_gone(here: Ground) -> Finding:
    """How is DeleteAccessGrant refused for a grant that is gone, if the right to it hangs on the grant's tag?"""
    grantee, folder, remover = here.person(), here.folder(), _remover(here)
    gone = here.grant(f"{folder}*", grantee)
    here.revoke(gone)
    return Finding(
        here.tried(_delete(here, remover, gone)), "DeleteAccessGrant once more, by a role that may delete what is tagged"
    )


def _remover(here: Ground) -> Person:
    tagged = {"StringEquals": {"aws:ResourceTag/grantor:live": here.name}}
    return here.person({"Action": "s3:DeleteAccessGrant", "Resource": _kind(here, "grant"), "Condition": tagged})


def _delete(here: Ground, who: Person, grant: dict[str, Any]) -> Callable[[], Any]:
    return _as(here, who, "delete_access_grant", AccessGrantId=grant["AccessGrantId"])


def _grant(here: Ground, grantee: Person, sub_prefix: str) -> dict[str, Any]:
    return {
        "AccessGrantsLocationId": here.location,
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix},
        "Grantee": {"GranteeType": "IAM", "GranteeIdentifier": grantee.role},
        "Permission": "READ",
        "Tags": here.tags,
    }


def _as(here: Ground, who: Person, operation: str, **asked: Any) -> Callable[[], None]:
    """The call as this person; what it makes is ours."""

    def call() -> None:
        told = getattr(here.account.client("s3control", who.keys), operation)(AccountId=here.account.id, **asked)
        if "AccessGrantId" in told:
            here.made.add("s3control", "delete_access_grant", AccountId=here.account.id, AccessGrantId=told["AccessGrantId"])

    return call
