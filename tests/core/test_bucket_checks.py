"""What `grantor doctor` says of existing buckets, before they are connected and after it."""

from dataclasses import replace
from typing import Any

import pytest

from grantor.core.bucket_checks import (
    ExistingBucket,
    check_connected_buckets,
    check_named_buckets,
    list_bucket_names,
)
from grantor.core.data_buckets import build_vended_only
from grantor.core.findings import Severity, Unread
from grantor.core.stack_checks import BucketFact, LocationFact

INSTANCE = "arn:aws:s3:us-east-1:111122223333:access-grants/default"
UNREAD = Unread("service:Action", "AccessDenied: not yours")
TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "access-grants.s3.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
}
CLOSED = {"Statement": [build_vended_only("lake", "grantor", INSTANCE, ())]}
WELL = ExistingBucket(BucketFact("lake", True, CLOSED), LocationFact("arn:role", TRUST))


def judge(bucket: ExistingBucket) -> dict[str, Severity]:
    """The findings that are not ok, by their ids."""
    found = check_connected_buckets([bucket])
    return {one.id: one.severity for one in found if one.severity is not Severity.OK}


def test_nothing_is_said_of_a_connected_bucket():
    assert judge(WELL) == {}
    assert [one.id for one in check_connected_buckets([WELL])] == [
        "data-location",
        "location-role",
        "bucket-events",
        "data-bucket",
    ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"location": None}, {"data-location": Severity.FAILURE}),
        ({"location": UNREAD}, {"data-location": Severity.UNKNOWN}),
        ({"location": LocationFact("arn:role", {})}, {"location-role": Severity.FAILURE}),
        ({"settings": BucketFact("lake", False, CLOSED)}, {"bucket-events": Severity.FAILURE}),
        ({"settings": BucketFact("lake", True, {})}, {"data-bucket": Severity.WARNING}),
        (
            {"settings": BucketFact("lake", UNREAD, UNREAD)},
            {"bucket-events": Severity.UNKNOWN, "data-bucket": Severity.UNKNOWN},
        ),
    ],
)
def test_what_is_wrong_with_a_connected_bucket_is_named(change: dict[str, Any], found):
    assert judge(replace(WELL, **change)) == found


def test_buckets_are_checked_before_they_are_connected():
    named = {"lake": "", "gone": "s3://gone/ does not exist", "closed": UNREAD}
    found = list(check_named_buckets(named))

    assert [one.severity for one in found] == [Severity.OK, Severity.FAILURE, Severity.UNKNOWN]
    assert {one.id for one in found} == {"existing-bucket"}


def test_the_names_of_all_parameters_are_listed_in_order():
    assert list_bucket_names({"DataBuckets3": "c", "DataBuckets": "b,a"}) == ("b", "a", "c")
    assert list_bucket_names({}) == ()
