"""The comparison of two sets of grants equals brute force over every key of a small world.

CASES=10000 compares as many pairs.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.access.compare import (
    AccessDifference,
    AccessRequest,
    AccessVerdict,
    WantedAccess,
    compare_access,
    compare_plan,
)
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Permission,
    Reason,
    State,
    covers,
    last_end,
)
from grantor.core.planning.plan import Action, Change, Plan, UnmanagedGrant
from grantor.core.snapshot import Authority, Focus, Inventory, Snapshot, WantedGrants

CASES = int(os.environ.get("CASES", "200"))
PARTS = 4

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ENDS = [None, None, NOW - timedelta(days=1), NOW + timedelta(days=1), NOW + timedelta(days=2)]
TIMES = [NOW, NOW + timedelta(days=1), NOW + timedelta(days=2)]
WHO = [Grantee("IAM", f"arn:aws:iam::111122223333:role/{name}") for name in ("ana", "bea")]
APPLICATIONS = ["", "", "arn:aws:sso::111122223333:application/ssoins-1/apl-1"]
SCOPES = [
    "s3://b/*", "s3://b/a*", "s3://b/a/*", "s3://b/a", "s3://b/ab/*", "s3://b/a/x", "s3://b/a/any*",
]  # fmt: skip
KEYS = [
    "a",
    "aa",
    "a/",
    "a/x",
    "a/xx",
    "a/any",
    "a/b-any-name",
    "ab",
    "ab/",
    "ab/x",
    "b",
    "any-name",
]
ANA = WHO[0]


def choose_access(random: Random) -> dict[Grant, frozenset[Reason]]:
    count = random.randint(0, 5)
    return {
        Grant(
            random.choice(WHO), random.choice(list(Permission)), random.choice(SCOPES),
            random.choice(APPLICATIONS),
        ): frozenset([Reason("policy/a.yaml#one", (), random.choice(ENDS))])
        for _ in range(count)
    }  # fmt: skip


def index_access(wanted: WantedAccess, at: datetime) -> AccessIndex:
    """The grants that exist at a time."""
    ends = {grant: last_end(reasons) for grant, reasons in wanted.items()}
    return AccessIndex(grant for grant, end in ends.items() if end is None or end > at)


def allows(index: AccessIndex, request: AccessRequest) -> bool:
    """Whether GetDataAccess gives credentials."""
    asker = Principal((request.grantee,), request.application)
    return index.decide(asker, request.permission, request.target).is_yes


def list_allowed(wanted: WantedAccess) -> set[AccessRequest]:
    """Ask every question of the small world."""
    requests = set()
    for at in TIMES:
        index = index_access(wanted, at)
        for who, may, key, app in product(WHO, Permission, KEYS, set(APPLICATIONS)):
            request = AccessRequest(who, may, f"s3://b/{key}", app, at)
            requests |= {request} if allows(index, request) else set()
    return requests


def shows(difference: AccessDifference, request: AccessRequest) -> bool:
    """Whether the difference is about this request; without READ there is no READWRITE either."""
    at, grant, lacked = request.at or NOW, difference.grant, difference.request.permission
    return (
        grant.grantee == request.grantee
        and covers(grant.scope, request.target)
        and grant.application in ("", request.application)
        and (request.permission in lacked.included or lacked in request.permission.included)
        and (difference.other_end is None or difference.other_end <= at)
        and (difference.until is None or at < difference.until)
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_the_verdict_equals_brute_force_and_each_counterexample_is_real(part: int) -> None:
    random, verdicts = Random(f"1 {part}"), set()
    for _ in range(CASES // PARTS):
        old, new = choose_access(random), choose_access(random)
        if random.random() < 0.5:
            new = {**old, **dict(list(new.items())[:1])}
        found = compare_access(old, new, NOW)
        before, after = list_allowed(old), list_allowed(new)
        verdicts.add(found.verdict)

        assert bool(found.lost) == bool(before - after)
        assert bool(found.gained) == bool(after - before)
        assert all(any(shows(one, each) for one in found.lost) for each in before - after)
        assert all(any(shows(one, each) for one in found.gained) for each in after - before)
        for differences, one, other in ((found.lost, old, new), (found.gained, new, old)):
            for request in (difference.request for difference in differences):
                at = request.at or NOW
                assert allows(index_access(one, at), request)
                assert not allows(index_access(other, at), request)
    assert verdicts == set(AccessVerdict)


def give(*grants: Grant, until: datetime | None = None) -> Mapping[Grant, Iterable[Reason]]:
    return {grant: [Reason("policy/a.yaml#one", (), until)] for grant in grants}


READ_A = Grant(ANA, Permission.READ, "s3://b/a/*")
READ_ALL = Grant(ANA, Permission.READ, "s3://b/*")
ALL_OF_A = Grant(ANA, Permission.READWRITE, "s3://b/a/*")
WRITE_A = Grant(ANA, Permission.WRITE, "s3://b/a/*")
LATER = NOW + timedelta(days=9)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (give(READ_A), give(READ_A), AccessVerdict.EQUIVALENT),
        (give(READ_A), give(READ_ALL), AccessVerdict.WIDER),
        (give(READ_ALL), give(READ_A), AccessVerdict.NARROWER),
        (give(READ_A), give(WRITE_A), AccessVerdict.DIFFERENT),
        (give(READ_A, READ_ALL), give(READ_ALL), AccessVerdict.EQUIVALENT),
        (give(ALL_OF_A), give(READ_A, WRITE_A), AccessVerdict.NARROWER),
        (give(READ_A), give(READ_A, until=NOW + timedelta(days=9)), AccessVerdict.NARROWER),
        (give(READ_A), give(READ_A, until=NOW), AccessVerdict.NARROWER),
        (give(READ_A, until=NOW), give(), AccessVerdict.EQUIVALENT),
    ],
    ids=[
        "the same", "a wider scope", "a narrower scope", "another permission",
        "a grant within another", "READ and WRITE instead of READWRITE", "an end",
        "an end that has passed", "nothing but what has ended",
    ],
)  # fmt: skip
def test_two_sets_of_grants_compare_in_one_word(
    old: WantedAccess, new: WantedAccess, verdict: AccessVerdict
) -> None:
    assert compare_access(old, new, NOW).verdict == verdict


def test_an_earlier_end_is_shown_at_its_time() -> None:
    end = NOW + timedelta(days=9)
    (lost,) = compare_access(give(READ_A), give(READ_A, until=end), NOW).lost

    assert lost.request == AccessRequest(ANA, Permission.READ, "s3://b/a/any-name", "", end)
    assert (lost.until, lost.other_end) == (None, end)


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        (give(ALL_OF_A), give(READ_A), [Permission.WRITE]),
        (give(ALL_OF_A), give(WRITE_A), [Permission.READ]),
        (give(ALL_OF_A), give(), [Permission.READWRITE]),
        (give(ALL_OF_A), give(READ_A, WRITE_A), [Permission.READWRITE]),
        (give(ALL_OF_A, READ_A), give(), [Permission.READWRITE]),
        (give(READ_ALL, READ_A), give(), [Permission.READ]),
        (give(ALL_OF_A), {**give(READ_A), **give(WRITE_A, until=LATER)}, [Permission.READWRITE, Permission.WRITE]),
        (give(ALL_OF_A), give(READ_A, until=LATER), [Permission.READ, Permission.WRITE]),
    ],
    ids=[
        "writing", "reading", "both", "both in one request", "a grant that another includes",
        "a scope within another", "writing, from later on", "writing now and reading later",
    ],
)  # fmt: skip
def test_what_is_lost_is_said_once_and_no_wider_than_it_is(
    old: WantedAccess, new: WantedAccess, lost: list[Permission]
) -> None:
    found = compare_access(old, new, NOW).lost
    assert [difference.request.permission for difference in found] == lost


UNMANAGED = Grant(ANA, Permission.READ, "s3://b/*")
ENDED = give(READ_A, until=NOW - timedelta(days=1))


def judge_effect(plan: Plan, entries: WantedAccess, others: Iterable[Grant] = ()) -> set[str]:
    """Who gains (+) and who loses (-) by a plan over managed grants and others."""
    ledger = {
        grant: LedgerEntry(grant, State.LIVE, frozenset(reasons), "id")
        for grant, reasons in entries.items()
    }
    actual = dict.fromkeys([*entries, *others], "id")
    plan = replace(plan, unmanaged=tuple(UnmanagedGrant(one) for one in others))
    snapshot = Snapshot(
        Inventory(NOW),
        WantedGrants(),
        ledger,
        actual,
        frozenset(),
        Authority.build(NOW, Focus(), {}),
    )
    found = compare_plan(snapshot, plan, NOW)
    return {f"+{one.request.permission} {one.grant.scope}" for one in found.gained} | {
        f"-{one.request.permission} {one.grant.scope}" for one in found.lost
    }


def make(action: Action, grant: Grant, until: datetime | None = None) -> tuple[Change]:
    return (Change(action, grant, (Reason("policy/a.yaml#one", (), until),)),)


@pytest.mark.parametrize(
    ("plan", "entries", "others", "effect"),
    [
        (Plan(create=make(Action.CREATE, READ_A)), {}, [], {"+READ s3://b/a/*"}),
        (Plan(delete=make(Action.DELETE, READ_A)), give(READ_A), [], {"-READ s3://b/a/*"}),
        (Plan(delete=make(Action.DELETE, READ_A)), give(READ_A), [UNMANAGED], set()),
        (Plan(delete=make(Action.DELETE, READ_A)), give(READ_A, READ_ALL), [], set()),
        (Plan(delete=make(Action.DELETE, READ_A)), ENDED, [], {"-READ s3://b/a/*"}),
        (
            Plan(make(Action.CREATE, READ_A), make(Action.DELETE, ALL_OF_A)),
            give(ALL_OF_A), [], {"-WRITE s3://b/a/*"},
        ),
        (Plan(update=make(Action.UPDATE, READ_A, LATER)), give(READ_A), [], {"-READ s3://b/a/*"}),
        (Plan(update=make(Action.UPDATE, READ_A)), give(READ_A, until=LATER), [],
         {"+READ s3://b/a/*"}),
        (Plan(make(Action.CREATE, READ_A), make(Action.DELETE, READ_A)), give(READ_A), [], set()),
    ],
    ids=[
        "a create", "a delete", "a delete beside a grant of others", "a delete below a wider grant",
        "a delete of what has ended", "READ instead of READWRITE", "an end that comes near",
        "an end that goes", "a grant that is made again",
    ],
)  # fmt: skip
def test_the_effect_of_a_plan_is_about_access_and_not_about_grants(
    plan: Plan, entries: WantedAccess, others: list[Grant], effect: set[str]
) -> None:
    assert judge_effect(plan, entries, others) == effect
