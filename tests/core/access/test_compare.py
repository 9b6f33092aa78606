"""The comparison of two sets of grants equals brute force over every key of a small world."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.access.compare import (
    AccessRequest,
    AccessVerdict,
    WantedAccess,
    compare_access,
)
from grantor.core.grant import Grant, Grantee, Permission, Reason, last_end

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


def allows(wanted: WantedAccess, request: AccessRequest) -> bool:
    """Whether GetDataAccess gives credentials at the time of the request."""
    at = request.at or NOW
    ends = {grant: last_end(reasons) for grant, reasons in wanted.items()}
    index = AccessIndex(grant for grant, end in ends.items() if end is None or end > at)
    asker = Principal((request.grantee,), request.application)
    return index.decide(asker, request.permission, request.target).is_yes


def list_allowed(wanted: WantedAccess) -> set[AccessRequest]:
    """Ask every question of the small world."""
    asked = product(WHO, Permission, KEYS, set(APPLICATIONS), TIMES)
    requests = [
        AccessRequest(who, may, f"s3://b/{key}", app, at) for who, may, key, app, at in asked
    ]
    return {request for request in requests if allows(wanted, request)}


@pytest.mark.parametrize("number", range(150))
def test_the_verdict_equals_brute_force_and_each_counterexample_is_real(number: int) -> None:
    random = Random(f"1 {number}")
    old, new = choose_access(random), choose_access(random)
    if random.random() < 0.5:
        new = {**old, **dict(list(new.items())[:1])}
    found = compare_access(old, new, NOW)
    before, after = list_allowed(old), list_allowed(new)

    assert bool(found.lost) == bool(before - after)
    assert bool(found.gained) == bool(after - before)
    for differences, one, other in ((found.lost, old, new), (found.gained, new, old)):
        for difference in differences:
            assert allows(one, difference.request)
            assert not allows(other, difference.request)


def give(*grants: Grant, until: datetime | None = None) -> Mapping[Grant, Iterable[Reason]]:
    return {grant: [Reason("policy/a.yaml#one", (), until)] for grant in grants}


READ_A = Grant(ANA, Permission.READ, "s3://b/a/*")
READ_ALL = Grant(ANA, Permission.READ, "s3://b/*")
ALL_OF_A = Grant(ANA, Permission.READWRITE, "s3://b/a/*")
WRITE_A = Grant(ANA, Permission.WRITE, "s3://b/a/*")


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
