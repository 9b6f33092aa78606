"""With many grants a call costs what it touches, and what is deleted takes no memory."""

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.access_grants import AccessGrants, AccessGrantsError, Caller, GrantsModel, Role
from sandbox.access_grants.scopes import covers_target
from sandbox.access_grants.state import Instance

ACCOUNT = "123456789012"
ANA = f"arn:aws:iam::{ACCOUNT}:role/ana"
ROOT = Caller(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
MODEL = GrantsModel.read()


class OpenAccount:
    """An account where everything exists and everybody may do anything."""

    def is_allowed(self, *_: Any) -> bool:
        return True

    def find_principal_id(self, principal: str) -> str:
        return f"id of {principal}"

    def find_role(self, arn: str) -> Role:
        return Role(arn, 43_200)

    def is_trusted_by(self, *_: Any) -> bool:
        return True

    def has_bucket(self, _: str) -> bool:
        return True

    def has_grantee(self, *_: str) -> bool:
        return True

    def has_identity_center(self, _: str) -> bool:
        return True

    def find_identity_store(self) -> str:
        return "arn:aws:identitystore::123456789012:identitystore/d-1234567890"

    def start_vended_session(self, *_: Any) -> dict[str, str]:
        return {"AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T"}


class ManyGrants:
    """A service, and short forms of its calls."""

    def __init__(self) -> None:
        def clock() -> datetime:
            return datetime(2026, 11, 30, tzinfo=UTC)

        self.service = AccessGrants(ACCOUNT, "us-east-1", OpenAccount(), clock, MODEL)
        self.call("CreateAccessGrantsInstance")
        self.location = self.call(
            "CreateAccessGrantsLocation",
            LocationScope="s3://data/",
            IAMRoleArn=f"arn:aws:iam::{ACCOUNT}:role/location",
        )["AccessGrantsLocationId"]

    def call(self, operation: str, who: str = ROOT.arn, **request: Any) -> dict[str, Any]:
        whole = {"AccountId": ACCOUNT, **request}
        return self.service.call(operation, whole, Caller(who, ACCOUNT))

    def grant(self, sub_prefix: str, who: str = ANA, permission: str = "READ") -> str:
        place = {"S3SubPrefix": sub_prefix} if sub_prefix else {}
        made = self.call(
            "CreateAccessGrant",
            AccessGrantsLocationId=self.location,
            AccessGrantsLocationConfiguration=place,
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": who},
            Permission=permission,
        )
        return str(made["AccessGrantId"])

    def ask(self, target: str, permission: str = "READ", who: str = ANA) -> str:
        asked = {"Target": target, "Permission": permission}
        try:
            return str(self.call("GetDataAccess", who, **asked)["MatchedGrantTarget"])
        except AccessGrantsError as refused:
            return refused.code


@contextmanager
def counted_lines() -> Iterator[list[int]]:
    """Count the lines of Python that run inside: work, whatever the machine's speed."""
    lines = [0]

    def note(_: FrameType, event: str, __: object) -> Any:
        lines[0] += event == "line"
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield lines
    finally:
        sys.settrace(before)


def count_work(grants: ManyGrants, target: str) -> int:
    grants.ask(target)  # the first call also imports and compiles
    with counted_lines() as lines:
        grants.ask(target)
    return lines[0]


@pytest.mark.parametrize("target", ["s3://data/f00007/x", "s3://data/nothing/x", "s3://data"])
def test_a_hundred_times_as_many_grants_of_one_role_are_no_more_work(target: str):
    grants, work = ManyGrants(), []
    for end in (50, 5_000):
        for number in range(len(work) * 50, end):
            grants.grant(f"f{number:05}/*")
        work.append(count_work(grants, target))

    assert work[0] == work[1]


SEGMENTS = st.sampled_from(["a", "b", "ab", "/", "a/", "*"])
TEXTS = st.lists(SEGMENTS, max_size=5).map("".join)


@given(st.lists(TEXTS.filter(lambda text: "*" not in text[:-1]), max_size=6), TEXTS, st.booleans())
def test_the_index_finds_exactly_the_grants_that_cover_a_target(
    sub_prefixes: list[str], key: str, is_bare: bool
):
    grants, target = ManyGrants(), "s3://data" if is_bare else f"s3://data/{key}"
    for sub_prefix in dict.fromkeys(sub_prefixes):
        grants.grant(sub_prefix)
    instance = grants.service.require_instance()

    def covering(found: Any) -> set[str]:
        return {one.id for one in found if covers_target(one.reach, target, bare_bucket=True)}

    assert covering(instance.find_around([("IAM", ANA)], target)) == covering(instance.everything)


def measure_size(instance: Instance) -> int:
    """The bytes that are in use now, while the instance lives."""
    gc.collect()
    assert instance.created
    return tracemalloc.get_traced_memory()[0]


def test_memory_falls_when_grants_are_deleted_and_a_page_that_is_being_read_stays_whole():
    grants = ManyGrants()
    instance = grants.service.require_instance()
    tracemalloc.start()
    try:
        empty = measure_size(instance)
        ids = [grants.grant(f"f{number}/*", f"{ANA}{number % 100}") for number in range(2_000)]
        kept = ids[::100]
        full = measure_size(instance)
        page = grants.call("ListAccessGrants", MaxResults=10)
        for grant_id in set(ids) - set(kept):
            grants.call("DeleteAccessGrant", AccessGrantId=grant_id)
        del ids
        instance.changes.clear()  # what lists of an earlier state need, at most 10,000 changes
        left = measure_size(instance)
    finally:
        tracemalloc.stop()

    rest = grants.call("ListAccessGrants", NextToken=page["NextToken"])["AccessGrantsList"]
    assert {grant["AccessGrantId"] for grant in rest} == set(kept[1:])
    assert left - empty < (full - empty) / 20
    assert (len(instance.by_grantee), len(instance.by_scope)) == (1, 20)
