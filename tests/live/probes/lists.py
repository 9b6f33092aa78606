"""Lists: what they show, how much of it, and how late."""

import math
import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from tests.live.probe import Finding, StillOpen, match_answer, probe
from tests.live.waiting import SPREAD_SECONDS, poll, wait_for
from tests.live.workspace import DONE, Workspace

# Numbers of grants at which the first page is listed again, until it is shorter than their number.
CROWDS = (3, 11, 51, 101, 251, 501, 1001)


@probe()
def grant_scope_filters_exactly(workspace: Workspace) -> Finding:
    """Does `GrantScope` filter a list by equality, or by prefix?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    made = workspace.create_grant(f"{folder}x/*", who)
    wait_for(
        "the list shows the grant",
        lambda: workspace.list_grants(who, GrantScope=made["GrantScope"]),
    )
    seen = len(workspace.list_grants(who, GrantScope=f"s3://{workspace.bucket}/{folder}*"))
    return match_answer(
        str(seen),
        {"0": True, "1": False},
        "grants for s3://b/f/x/* in the list for GrantScope s3://b/f/*",
    )


@probe(costs="up to 1,001 grants, some minutes")
def default_page(workspace: Workspace) -> Finding:
    """How many results does a page have without `MaxResults`, or with 0?"""
    who, folder, count = workspace.create_person(), workspace.new_folder(), 0
    for crowd in CROWDS:
        for number in range(count, crowd):
            workspace.create_grant(f"{folder}{number}/*", who)
        count = crowd
        _measure_seconds(lambda crowd=crowd: len(_list_all_ids(workspace, who.role)) == crowd)
        if (size := len(workspace.list_grants(who))) < count:
            zero = workspace.try_call(lambda: workspace.list_grants(who, MaxResults=0))
            none = len(workspace.list_grants(who, MaxResults=0)) if zero == DONE else zero
            return Finding(
                size, f"of {count} grants, {size} without MaxResults; with MaxResults 0: {none}"
            )
    raise StillOpen(f"all of {count} grants come in one page")


@probe()
def stale_seconds(workspace: Workspace) -> Finding:
    """For how many seconds does a list not show a change?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    workspace.create_grant(f"{folder}known/*", who)  # so that S3 knows the grantee
    made = workspace.create_grant_once(f"{folder}new/*", who)
    shown = _measure_seconds(lambda: made["AccessGrantId"] in _list_ids(workspace, who.role))
    workspace.delete_grant(made)
    gone = _measure_seconds(lambda: made["AccessGrantId"] not in _list_ids(workspace, who.role))
    return Finding(
        math.floor(max(shown, gone)),
        f"a new grant listed after {shown:.1f} s, a deleted one gone after {gone:.1f} s",
    )


@probe(assumed="NoSuchAccessGrantError")
def tags_of_what_is_gone(workspace: Workspace) -> Finding:
    """Which error code does ListTagsForResource return for a deleted grant?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    made = workspace.create_grant(f"{folder}*", who)
    workspace.delete_grant(made)
    seen = workspace.try_call(
        lambda: workspace.call_control("list_tags_for_resource", ResourceArn=made["AccessGrantArn"])
    )
    return Finding(seen, "ListTagsForResource right after DeleteAccessGrant")


@probe(assumed=404)
def status_of_a_strange_key(workspace: Workspace) -> Finding:
    """Which HTTP status has GetObject for a key with an escape character that does not exist?"""
    key = f"{workspace.new_folder()}a\x1b.yaml"
    s3 = workspace.account.client("s3")
    s3.put_object(Bucket=workspace.bucket, Key=key, Body=b"")
    s3.delete_object(Bucket=workspace.bucket, Key=key)
    try:
        s3.get_object(Bucket=workspace.bucket, Key=key)
    except ClientError as refused:
        status = refused.response["ResponseMetadata"]["HTTPStatusCode"]
        code = refused.response["Error"]["Code"]
        return Finding(status, f"the owner's GetObject after DeleteObject: {status}, code {code}")
    raise StillOpen("the object is still there")


def _list_all_ids(workspace: Workspace, role: str) -> set[str]:
    """List the ids of all the role's grants, in pages of the largest size."""
    asked = {
        "AccountId": workspace.account.id,
        "GranteeType": "IAM",
        "GranteeIdentifier": role,
        "MaxResults": 1000,
    }
    found: set[str] = set()
    while True:
        page = workspace.account.client("s3control").list_access_grants(**asked)
        found |= {grant["AccessGrantId"] for grant in page.get("AccessGrantsList", [])}
        if not (token := page.get("NextToken")):
            return found
        asked["NextToken"] = token


def _list_ids(workspace: Workspace, role: str) -> set[str]:
    return {grant["AccessGrantId"] for grant in workspace.list_grants(role)}


def _measure_seconds(shows: Callable[[], bool]) -> float:
    """Measure how many seconds it takes. Raises StillOpen if it takes minutes."""
    begun = time.monotonic()
    for left in poll(SPREAD_SECONDS):
        if shows():
            return time.monotonic() - begun
        if left <= 0:
            break
    raise StillOpen(f"not within {SPREAD_SECONDS:.0f} s")
