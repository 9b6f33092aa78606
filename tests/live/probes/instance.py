"""The instance and its locations: what they need, and what prevents their deletion."""

import time

from botocore.exceptions import ClientError

from tests.live.probe import Finding, NotApplicable, match_answer, probe
from tests.live.waiting import SPREAD_SECONDS, poll
from tests.live.workspace import DONE, Workspace

MISSING, NOT_EMPTY = "AccessGrantsInstanceNotExistsError", "AccessGrantsLocationNotEmptyError"


@probe(bare=True)
def association_keeps_instance(workspace: Workspace) -> Finding:
    """Does an associated IAM Identity Center keep the instance from being deleted?"""
    if not workspace.ours:
        raise NotApplicable(
            "the account's instance existed before, so it is not put at risk: "
            "use a Region without one"
        )
    centers = workspace.account.client("sso-admin").list_instances()["Instances"]
    if not centers:
        raise NotApplicable("there is no IAM Identity Center in this Region to associate")
    workspace.cleanup.add(
        "s3control", "dissociate_access_grants_identity_center", AccountId=workspace.account.id
    )
    workspace.call_control(
        "associate_access_grants_identity_center", IdentityCenterArn=centers[0]["InstanceArn"]
    )
    seen = workspace.try_call(lambda: workspace.call_control("delete_access_grants_instance"))
    if seen == DONE:
        workspace.create_instance()
    return Finding(seen != DONE, f"DeleteAccessGrantsInstance: {seen}")


@probe(bare=True)
def prefix_needs_location(workspace: Workspace) -> Finding:
    """Does GetAccessGrantsInstanceForPrefix need a location that covers the prefix?"""
    prefix = f"s3://{workspace.bucket}/{workspace.new_folder()}"
    listed = workspace.call_control("list_access_grants_locations", MaxResults=1000).get(
        "AccessGrantsLocationsList", []
    )
    if over := [
        place["LocationScope"]
        for place in listed
        if prefix.startswith(place["LocationScope"].removesuffix("*"))
    ]:
        raise NotApplicable(f"the location {over[0]} lies over every bucket of this account")
    seen = workspace.try_call(
        lambda: workspace.call_control("get_access_grants_instance_for_prefix", S3Prefix=prefix)
    )
    return match_answer(seen, {DONE: False, MISSING: True}, "a bucket that no location lies over")


@probe()
def late_deletes(workspace: Workspace) -> Finding:
    """How often is the deletion of a location refused as not empty after its last grant is gone?"""
    who, folder = workspace.create_person(), workspace.new_folder()
    place = workspace.register_location(f"s3://{workspace.bucket}/{folder}")
    workspace.delete_grant(workspace.create_grant("*", who, AccessGrantsLocationId=place))
    begun, count = time.monotonic(), 0
    for left in poll(SPREAD_SECONDS):
        try:
            workspace.call_control("delete_access_grants_location", AccessGrantsLocationId=place)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != NOT_EMPTY or left <= 0:
                raise
            count += 1
            continue
        return Finding(
            count, f"refused {count} times, deleted after {time.monotonic() - begun:.1f} s"
        )
    raise AssertionError
