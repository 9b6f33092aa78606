"""Buckets that an update of the stack adds and removes: what that costs, what it asks for, and what
happens if it is refused.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

import pytest

from sandbox.testing.helpers import put_notifications
from tests.buckets.conftest import (
    EXISTING,
    KEYED,
    LATER,
    THEIR_NOTIFICATIONS,
    WIRED,
    Estate,
    list_expected,
    put_rules,
    run_grantor,
    set_up_estate,
    update,
)
from tests.conftest import ACCOUNT
from tests.teardown.empty_account import DeployedStack, EmptyAccount, wait_until

OURS = "grantor-ConnectBuckets"  # the role of the function begins so
WITH = {"DataBuckets": f"{KEYED},{WIRED},{LATER}"}
WITHOUT = {"DataBuckets": f"{KEYED},{WIRED}"}
# Every loss requires an approval; an empty bucket can leave without one.
STRICT = {"GuardDeletes": "0", "GuardShare": "0"}
# What connecting one bucket costs, whatever else the stack has.
ONE_BUCKET = Counter(
    {
        "HeadBucket": 1,
        "CreateAccessGrantsLocation": 1,
        "GetBucketNotificationConfiguration": 2,
        "PutBucketNotificationConfiguration": 1,
        "GetBucketPolicy": 2,
        "PutBucketPolicy": 1,
    }
)
SETTINGS = ("Bucket", "AccessGrantsLocation")  # in the names of operations on a bucket's settings
Settings = dict[str, str]


@dataclass
class Seen:
    """What happened, step by step, to a bucket that came and went."""

    estate: Estate
    stack: DeployedStack
    before: Settings
    others: Settings  # of a bucket that stays, while the other one came
    statuses: list[str] = field(default_factory=list)
    costs: list[Counter[str]] = field(default_factory=list)
    reason: str = ""  # why the removal was refused
    kept: Settings = field(default_factory=dict)  # of the bucket after that
    scopes_kept: set[str] = field(default_factory=set)
    withheld: bool = False  # whether a rule gave nothing new meanwhile
    revoked: set[str] = field(default_factory=set)
    after: Settings = field(default_factory=dict)
    others_after: Settings = field(default_factory=dict)
    restored: str = ""  # the notifications of a bucket that others have changed meanwhile


@pytest.fixture(scope="module")
def seen(account: EmptyAccount) -> Seen:
    estate = set_up_estate(account)
    stack = account.build_stack()
    made = stack.create(**EXISTING | STRICT)
    assert made == "CREATE_COMPLETE", stack.describe_failures()
    found = Seen(estate, stack, estate.read_settings(LATER), estate.read_settings(WIRED))

    change(found, **WITH)
    put_rules(stack, LATER)
    wait_until(lambda: estate.list_scopes() == list_expected(LATER))
    refuse_removal(found)
    approve_and_remove(found)
    change(found, **WITH)
    change_by_others(found)
    change(found, **WITHOUT)
    found.restored = estate.read_settings(LATER)["notifications"]
    return found


def change(seen: Seen, **parameters: str) -> None:
    """Update the stack, and note its status and the calls about buckets' settings."""
    seen.estate.restart_calls()
    seen.statuses.append(update(seen.stack, **parameters))
    calls = seen.estate.count_calls(OURS)
    seen.costs.append(
        Counter(
            {
                name: count
                for name, count in calls.items()
                if any(word in name for word in SETTINGS) and not name.startswith("List")
            }
        )
    )


def refuse_removal(seen: Seen) -> None:
    change(seen, **WITHOUT)
    seen.reason = seen.stack.describe_failures()
    seen.kept = seen.estate.read_settings(LATER)
    seen.scopes_kept = seen.estate.list_scopes()


def approve_and_remove(seen: Seen) -> None:
    estate = seen.estate
    found = re.search(r"grantor approve ([0-9a-f]{12})", seen.reason)
    assert found, seen.reason
    run_grantor(estate, "approve", found[1], "--because", "the bucket leaves", "--yes")
    wait_until(lambda: not estate.list_scopes())
    seen.revoked = estate.list_scopes()
    change(seen, **WITHOUT)
    seen.after, seen.others_after = estate.read_settings(LATER), estate.read_settings(WIRED)


def change_by_others(seen: Seen) -> None:
    """Others add an entry to the notifications of the bucket while it is connected."""
    s3 = seen.estate.account.client("s3")
    added = THEIR_NOTIFICATIONS.replace(
        "</NotificationConfiguration>", "<EventBridgeConfiguration/></NotificationConfiguration>"
    )
    put_notifications(s3, LATER, added)


def test_adding_a_bucket_costs_its_own_calls_and_none_for_the_others(seen: Seen):
    assert seen.statuses[0] == "UPDATE_COMPLETE", seen.stack.describe_failures()
    assert seen.costs[0] == ONE_BUCKET


def test_a_removal_that_takes_grants_away_asks_for_an_approval_and_is_undone(seen: Seen):
    assert seen.statuses[1] == "UPDATE_ROLLBACK_COMPLETE"
    assert "LeavingBuckets: " in seen.reason
    assert "2 grants in s3://later/ must be revoked first" in seen.reason
    assert "then update the stack again" in seen.reason
    assert seen.scopes_kept == list_expected(LATER)
    assert "GrantorVendedOnly" in seen.kept["policy"]


def test_after_the_approval_its_grants_are_gone_and_the_same_update_removes_it(seen: Seen):
    assert seen.revoked == set()
    assert seen.statuses[2] == "UPDATE_COMPLETE", seen.stack.describe_failures()
    assert seen.after == seen.before


def test_removing_a_bucket_touches_no_other(seen: Seen):
    changes = {name for name in seen.costs[2] if name.startswith(("Put", "Delete", "Create"))}

    assert changes == {
        "DeleteAccessGrantsLocation",
        "DeleteBucketPolicy",
        "PutBucketNotificationConfiguration",
    }
    assert all(seen.costs[2][name] == 1 for name in changes)
    assert "GrantorVendedOnly" in seen.others_after["policy"]


def test_what_others_have_changed_meanwhile_stays_without_our_part(seen: Seen):
    assert seen.statuses[3:] == ["UPDATE_COMPLETE", "UPDATE_COMPLETE"]
    assert seen.restored == THEIR_NOTIFICATIONS


def test_a_rule_gives_nothing_in_a_bucket_that_has_left(seen: Seen):
    assert seen.estate.list_scopes() == set()
    control = seen.estate.account.client("s3control")
    listed = control.list_access_grants_locations(AccountId=ACCOUNT)["AccessGrantsLocationsList"]
    assert not [it for it in listed if LATER in it["LocationScope"]]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"DataBuckets": "", "DataBuckets2": ""}, "keep at least one name in DataBuckets"),
        ({"DataBuckets": f"{KEYED},missing-bucket"}, "s3://missing-bucket/ does not exist"),
        ({"DataBuckets": f"{KEYED},{KEYED}"}, "named twice"),
    ],
    ids=["none left", "a bucket that does not exist", "twice"],
)
def test_an_update_that_makes_no_sense_is_undone_and_says_why(
    seen: Seen, parameters: dict[str, str], why: str
):
    before = {name: seen.estate.read_settings(name) for name in (KEYED, WIRED)}

    assert update(seen.stack, **parameters) == "UPDATE_ROLLBACK_COMPLETE"
    assert why in seen.stack.describe_failures()
    assert {name: seen.estate.read_settings(name) for name in (KEYED, WIRED)} == before
