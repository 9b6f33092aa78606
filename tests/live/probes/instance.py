"""The instance and its locations: what must be there, and what keeps them from going."""

import time

from botocore.exceptions import ClientError

from tests.live.ground import DONE, Ground
from tests.live.probe import Finding, NotHere, either, probe
from tests.live.waiting import SPREAD, looks

MISSING, NOT_EMPTY = "AccessGrantsInstanceNotExistsError", "AccessGrantsLocationNotEmptyError"


@probe(bare=True)
def association_keeps_instance(here: Ground) -> Finding:
    """Does an associated IAM Identity Center keep the instance from being deleted?"""
    if not here.ours:
        raise NotHere("the account's instance was there before: it is not put at risk. Ask in a Region that has none")
    centers = here.account.client("sso-admin").list_instances()["Instances"]
    if not centers:
        raise NotHere("there is no IAM Identity Center in this Region to associate")
    here.made.add("s3control", "dissociate_access_grants_identity_center", AccountId=here.account.id)
    here.control("associate_access_grants_identity_center", IdentityCenterArn=centers[0]["InstanceArn"])
    seen = here.tried(lambda: here.control("delete_access_grants_instance"))
    if seen == DONE:
        here.instance()
    return Finding(seen != DONE, f"DeleteAccessGrantsInstance: {seen}")


@probe(bare=True)
def prefix_needs_location(here: Ground) -> Finding:
    """Does GetAccessGrantsInstanceForPrefix need a location over the prefix?"""
    prefix = f"s3://{here.bucket}/{here.folder()}"
    listed = here.control("list_access_grants_locations", MaxResults=1000).get("AccessGrantsLocationsList", [])
    if over := [place["LocationScope"] for place in listed if prefix.startswith(place["LocationScope"].removesuffix("*"))]:
        raise NotHere(f"the location {over[0]} lies over every bucket of this account")
    seen = here.tried(lambda: here.control("get_access_grants_instance_for_prefix", S3Prefix=prefix))
    return either(seen, {DONE: False, MISSING: True}, "a bucket that no location lies over")


@probe()
def late_deletes(here: Ground) -> Finding:
    """How often is a location said to be not empty, after its last grant has gone?"""
    who, folder = here.person(), here.folder()
    place = here.at(f"s3://{here.bucket}/{folder}")
    here.revoke(here.grant("*", who, AccessGrantsLocationId=place))
    begun, count = time.monotonic(), 0
    for left in looks(SPREAD):
        try:
            here.control("delete_access_grants_location", AccessGrantsLocationId=place)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != NOT_EMPTY or left <= 0:
                raise
            count += 1
            continue
        return Finding(count, f"refused {count} times, deleted after {time.monotonic() - begun:.1f} s")
    raise AssertionError
