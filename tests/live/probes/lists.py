"""What lists show, how much of it, and how late."""

import math
import time

from tests.live.ground import DONE, Ground
from tests.live.probe import Finding, Open, either, probe
from tests.live.waiting import SPREAD, looks, until

# How many grants there are when the first page is looked at again: no more are made once it is shorter than they are.
CROWDS = (3, 11, 51, 101, 251, 501, 1001)


@probe()
def grant_scope_filters_exactly(here: Ground) -> Finding:
    """Does `GrantScope` filter a list by equality, or by prefix?"""
    who, folder = here.person(), here.folder()
    made = here.grant(f"{folder}x/*", who)
    until("the list shows the grant", lambda: here.listed(who, GrantScope=made["GrantScope"]))
    seen = len(here.listed(who, GrantScope=f"s3://{here.bucket}/{folder}*"))
    return either(str(seen), {"0": True, "1": False}, "grants for s3://b/f/x/* in the list for GrantScope s3://b/f/*")


@probe(costs="up to 1,001 grants, some minutes")
def default_page(here: Ground) -> Finding:
    """How many results has a page without `MaxResults`, or with 0?"""
    who, folder, count = here.person(), here.folder(), 0
    for crowd in CROWDS:
        for number in range(count, crowd):
            here.grant(f"{folder}{number}/*", who)
        count = crowd
        _until(lambda crowd=crowd: len(_all(here, who.role)) == crowd)
        if (size := len(here.listed(who))) < count:
            zero = here.tried(lambda: here.listed(who, MaxResults=0))
            none = len(here.listed(who, MaxResults=0)) if zero == DONE else zero
            return Finding(size, f"of {count} grants, {size} without MaxResults; with MaxResults 0: {none}")
    raise Open(f"all of {count} grants come in one page")


@probe()
def stale_seconds(here: Ground) -> Finding:
    """For how many seconds does a list not show what has just changed?"""
    who, folder = here.person(), here.folder()
    here.grant(f"{folder}known/*", who)  # so that S3 knows the grantee
    made = here.grant_at_once(f"{folder}new/*", who)
    shown = _until(lambda: made["AccessGrantId"] in _ids(here, who.role))
    here.revoke(made)
    gone = _until(lambda: made["AccessGrantId"] not in _ids(here, who.role))
    return Finding(math.floor(max(shown, gone)), f"a new grant listed after {shown:.1f} s, a deleted one gone after {gone:.1f} s")


@probe(assumed="NoSuchAccessGrantError")
def tags_of_what_is_gone(here: Ground) -> Finding:
    """How does ListTagsForResource refuse for a grant that is gone?"""
    who, folder = here.person(), here.folder()
    made = here.grant(f"{folder}*", who)
    here.revoke(made)
    seen = here.tried(lambda: here.control("list_tags_for_resource", ResourceArn=made["AccessGrantArn"]))
    return Finding(seen, "ListTagsForResource right after DeleteAccessGrant")


def _all(here: Ground, role: str) -> set[str]:
    """The ids of the role's grants, by pages of the largest size."""
    asked = {"AccountId": here.account.id, "GranteeType": "IAM", "GranteeIdentifier": role, "MaxResults": 1000}
    found: set[str] = set()
    while True:
        page = here.account.client("s3control").list_access_grants(**asked)
        found |= {grant["AccessGrantId"] for grant in page.get("AccessGrantsList", [])}
        if not (token := page.get("NextToken")):
            return found
        asked["NextToken"] = token


def _ids(here: Ground, role: str) -> set[str]:
    return {grant["AccessGrantId"] for grant in here.listed(role)}


def _until(shows) -> float:
    """How many seconds it took; Open if it takes minutes."""
    begun = time.monotonic()
    for left in looks(SPREAD):
        if shows():
            return time.monotonic() - begun
        if left <= 0:
            break
    raise Open(f"not within {SPREAD:.0f} s")
