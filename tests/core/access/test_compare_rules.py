"""The comparison of two sets of rules equals brute force over a small account, at every time.

CASES=10000 compares as many pairs.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.access.compare import AccessRequest, AccessVerdict
from grantor.core.access.compare_rules import (
    ComparedSide,
    SideComparison,
    assume_nothing,
    compare_sides,
)
from grantor.core.access.explain import AccessEvidence
from grantor.core.diagnostics import Fault
from grantor.core.grant import Location
from grantor.core.planning.bounds import ALL_FILES, Bounds, FileBounds
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from grantor.core.snapshot import Inventory
from tests.core.access.random_pairs import list_answers, list_times, make_pair
from tests.core.access.random_rules import ACCOUNT, NOW

CASES = int(os.environ.get("CASES", "120"))
PARTS = 4


def compare(old: AccessEvidence, new: AccessEvidence) -> SideComparison:
    return compare_sides(ComparedSide("old", old), ComparedSide("new", new), NOW)


def allows(evidence: AccessEvidence, request: AccessRequest) -> bool:
    """Whether the rules, expanded at the time of the request, give it."""
    inventory = replace(evidence.inventory, now=request.at or NOW)
    index = AccessIndex(replace(evidence, inventory=inventory).wanted.grants)
    asker = Principal((request.grantee,), request.application)
    return index.decide(asker, request.permission, request.target).is_yes


def holds_change(evidence: AccessEvidence, times: list[datetime]) -> bool:
    """Whether something is on hold at a later time that is not on hold now, or the reverse: what is
    on hold stays as it is, so nobody can say who has what then.
    """
    later = (replace(evidence, inventory=replace(evidence.inventory, now=at)) for at in times)
    return any(one.wanted.on_hold != evidence.wanted.on_hold for one in later)


@pytest.mark.parametrize("part", range(PARTS))
def test_the_verdict_equals_brute_force_and_each_counterexample_is_real(part: int) -> None:
    random, verdicts, decided, pairs = Random(f"1 {part}"), set(), 0, 0
    while decided < CASES // PARTS:
        old, new = make_pair(random)
        times, pairs = list_times(old, new), pairs + 1
        if holds_change(old, times) or holds_change(new, times):
            continue
        found = compare(old, new)
        if found.verdict is None:
            continue
        decided += 1
        verdicts.add(found.verdict)
        lost, gained = found.found.lost, found.found.gained
        before, after = set(list_answers(old, times)), set(list_answers(new, times))
        assert bool(lost) == bool(before - after)
        assert bool(gained) == bool(after - before)
        for differences, one, other in ((lost, old, new), (gained, new, old)):
            for request in (difference.request for difference in differences):
                assert allows(one, request)
                assert not allows(other, request)
    assert verdicts == set(AccessVerdict)
    assert decided > pairs / 2


ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
NAMED = f'  - {{name: audit, to: {{role: "{ROLE}auditor"}}, on: s3://data/p/*, allow: READ}}\n'
GROUP = "  - {name: group, to: {directory_group: auditors}, on: s3://data/p/*, allow: READ}\n"
TEAM = "  - {name: team, to: {profiles: {domain: Lab}}, on: s3://data/p/*, allow: READ}\n"
FOLDERS = (
    f'  - {{name: each, to: {{role: "{ROLE}auditor"}}, on: {{each_prefix: "s3://data/p/"}}, '
    "allow: READ}\n"
)
SUSPEND_ROLE = f'suspend: [{{role: "{ROLE}auditor", because: it was stolen}}]\n'
SUSPEND_ANA = "suspend: [{profile: Lab/ana, because: it was stolen}]\n"
SUSPEND_GROUP = "suspend: [{directory_group: auditors, because: it is void}]\n"
NARROW = Bounds({ALL_FILES: FileBounds(ALL_FILES, ("s3://data/p/*",), (ACCOUNT,))})
WIDE = NAMED.replace("audit,", "wide,").replace("s3://data/p/*", "s3://data/*")
WIDER = Bounds({ALL_FILES: FileBounds(ALL_FILES, ("s3://data/*",), (ACCOUNT,))})
OTHERS = Bounds({ALL_FILES: FileBounds(ALL_FILES, ("s3://data/p/*",), ("444455556666",))})
NARROWER = Bounds({ALL_FILES: FileBounds(ALL_FILES, ("s3://data/p/q/*",), (ACCOUNT,))})


def write(rules: str, more: str = "", bounds: Bounds | None = None) -> AccessEvidence:
    """Rules in one file, over an inventory in which nobody could read anything."""
    text = f"version: 1\n{f'rules:{chr(10)}{rules}' if rules else ''}{more}"
    policy = parse_policy("policy/a.yaml", text.encode(), "data")
    assert isinstance(policy, Policy), policy
    unread = {"domain Lab": "throttled", "directory DIRECTORY_GROUP auditors": "throttled"}
    return AccessEvidence(
        (policy,), Inventory(NOW, (Location("1", "s3://data/"),), unread=unread), bounds
    )


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        (write(TEAM), write(TEAM + NAMED), []),
        (write(TEAM), write(TEAM.replace("READ", "WRITE")), ["team"]),
        (write(TEAM), write(NAMED), ["team"]),
        (write(TEAM), write(TEAM, SUSPEND_ROLE), ["team"]),
        (write(TEAM), write(TEAM, bounds=NARROW), ["team"]),
        (write(NAMED), write(NAMED, SUSPEND_ANA), ["profile Lab/ana"]),
        (write(NAMED), write(NAMED, SUSPEND_GROUP), ["directory_group auditors"]),
        (write(NAMED), write(NAMED, SUSPEND_ROLE), []),
    ],
    ids=[
        "the same rule", "another permission", "on one side only", "other suspensions",
        "other bounds", "an unknown profile is suspended", "an unknown group is suspended",
        "a role is suspended",
    ],
)  # fmt: skip
def test_what_cannot_be_judged_counts_unless_it_is_the_same_on_both_sides(
    old: AccessEvidence, new: AccessEvidence, rules: list[str]
) -> None:
    found = compare(old, new)
    assert [hold.rule for hold in found.unjudged] == [f"policy/a.yaml#{one}" for one in rules]
    assert (found.verdict is None) == bool(rules)


def test_a_rule_on_hold_is_not_compared_with_the_grants_of_a_time() -> None:
    found = compare_sides(ComparedSide("@then"), ComparedSide("new", write(TEAM)), NOW)
    assert [hold.rule for hold in found.unjudged] == ["policy/a.yaml#team"]


def test_a_rule_that_ends_for_lack_of_a_review_gives_nothing_after_a_later_suspension() -> None:
    reviewed = NAMED.replace("READ}", "READ, review: 30d}")
    end = SUSPEND_ROLE.replace("}]", ", until: 2027-02-28}]")
    assert compare(write(reviewed, SUSPEND_ROLE), write(reviewed, end)).verdict == "equivalent"
    later = write(reviewed, SUSPEND_ROLE.replace("}]", ", until: 2026-12-10}]"))
    (gained,) = compare(write(reviewed, SUSPEND_ROLE), later).found.gained
    assert (gained.request.at, gained.until) == (
        datetime(2026, 12, 11, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC),
    )  # fmt: skip


def test_access_that_a_suspension_only_delays_is_a_difference_from_its_end_on() -> None:
    end = ", until: 2026-12-31}]"
    old = write(NAMED, SUSPEND_ROLE)
    (gained,) = compare(old, write(NAMED, SUSPEND_ROLE.replace("}]", end))).found.gained
    assert gained.request.at == datetime(2027, 1, 1, tzinfo=UTC)
    assert compare(write(NAMED), write(NAMED, SUSPEND_ROLE.replace("}]", end))).found.gained == ()


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (write(NAMED + TEAM), write(TEAM.replace("team,", "people,") + NAMED), "equivalent"),
        (write(NAMED), write(NAMED + GROUP), "wider"),
        (write(GROUP), write(NAMED), "different"),
        (write(NAMED), write(NAMED, SUSPEND_ROLE), "narrower"),
        (write(GROUP, SUSPEND_ANA), write("", SUSPEND_ANA), "narrower"),
        (write(NAMED + FOLDERS, bounds=NARROW), write(FOLDERS, bounds=NARROW), "narrower"),
        (write(NAMED, bounds=NARROW), write(NAMED + GROUP, bounds=WIDER), "wider"),
    ],
)
def test_rules_that_name_whom_they_are_for_compare_for_every_inventory(
    old: AccessEvidence, new: AccessEvidence, verdict: str
) -> None:
    first, second = assume_nothing(old, new)
    assert isinstance(first, AccessEvidence)
    assert isinstance(second, AccessEvidence)
    assert compare(first, second).verdict == verdict


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (write(TEAM), write(NAMED), "rule policy/a.yaml#team is not the same on both sides"),
        (write(NAMED), write(FOLDERS), "rule policy/a.yaml#each is not the same on both sides"),
        (write(TEAM), write(TEAM, SUSPEND_ROLE), "the suspensions are not the same on both sides"),
        (write(NAMED), write(NAMED, SUSPEND_ANA), "the suspensions are not the same on both sides"),
        (write(TEAM, bounds=NARROW), write(TEAM, bounds=NARROWER), "rule policy/a.yaml#team"),
        (write(NAMED, bounds=NARROW), write(WIDE, bounds=NARROW), "rule policy/a.yaml#wide may be"),
        (
            write(GROUP, bounds=NARROWER),
            write(NAMED, bounds=NARROW),
            "rule policy/a.yaml#group may",
        ),
        (write(NAMED, bounds=NARROW), write(NAMED, bounds=OTHERS), "not all of the policy files"),
    ],
)
def test_what_depends_on_profiles_folders_or_the_account_needs_an_inventory(
    old: AccessEvidence, new: AccessEvidence, what: str
) -> None:
    fault, *others = assume_nothing(old, new)
    assert isinstance(fault, Fault)
    assert fault.what.startswith(what)
    assert others == []


def test_a_random_pair_compares_for_every_inventory_as_it_does_over_a_random_one() -> None:
    """What is equivalent or narrower for every inventory is so over each."""
    random, compared = Random(1), 0
    for _ in range(CASES):
        old, new = make_pair(random)
        if old.bounds or new.bounds:
            old, new = (replace(one, bounds=one.bounds or WIDER) for one in (old, new))
        both = assume_nothing(old, new)
        if isinstance(both[0], Fault):
            continue
        first, second = both
        assert isinstance(first, AccessEvidence)
        assert isinstance(second, AccessEvidence)
        everywhere, here = compare(first, second), compare(old, new)
        compared += 1
        if here.verdict is not None:
            assert everywhere.found.gained or not here.found.gained
            assert everywhere.found.lost or not here.found.lost
    assert compared > CASES / 10
