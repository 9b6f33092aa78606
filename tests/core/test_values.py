"""The properties of the core's values."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Location,
    Permission,
    Reason,
    State,
    choose_location,
    last_end,
)
from grantor.core.planning.plan import Action, Change, Plan
from grantor.core.planning.required_reads import resolve_focus
from grantor.core.rules import IamPrincipal, ProfileSelector, Rule
from grantor.core.snapshot import Authority, Focus, Inventory, Profile, Snapshot, WantedGrants
from grantor.settings import MAX_FOCUS_SUBJECTS

ANA, BEA = (Grantee("IAM", f"arn:aws:iam::111122223333:role/{name}") for name in ("ana", "bea"))
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SOON, LATER = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("s3://b/x/*", "s3://b/x/*", True),
        ("s3://b/*", "s3://b/x/*", True),
        ("s3://b/x/y/*", "s3://b/x/*", True),
        ("s3://b/x/*", "s3://b/y/*", False),
        ("s3://b/x/key", "s3://b/x/*", True),
    ],
)
def test_grants_overlap_where_one_scope_begins_with_the_other(
    one: str, other: str, overlap: bool
) -> None:
    grants = [Grant(ANA, Permission.READ, one), Grant(ANA, Permission.WRITE, other)]

    assert grants[0].overlaps(grants[1]) is grants[1].overlaps(grants[0]) is overlap
    assert not grants[0].overlaps(Grant(BEA, Permission.READ, one))


def test_a_grant_that_exists_was_not_tried_in_vain() -> None:
    tried = {"tried": "2026-11-24T00:00:00Z", "refusal": "UnknownGrantee: no such role"}
    intended = LedgerEntry(Grant(ANA, Permission.READ, "s3://b/x/*"), State.INTENDED, frozenset())
    entry = replace(intended, **tried)

    assert entry.with_state(State.INTENDED) == entry
    assert entry.with_state(State.LIVE, "1") == replace(intended, state=State.LIVE, id="1")


def test_reasons_end_when_the_last_of_them_does() -> None:
    assert last_end([Reason("a#r", until=SOON), Reason("a#s", until=LATER)]) == LATER
    assert last_end([Reason("a#r", until=SOON), Reason("a#s")]) is None
    assert last_end([]) is None


def test_a_focus_on_nothing_is_an_error_and_one_on_too_much_is_on_everything() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Focus.build([])
    assert Focus.build([f"profile D/{n}" for n in range(MAX_FOCUS_SUBJECTS)]).everything is False
    assert Focus.build([f"profile D/{n}" for n in range(MAX_FOCUS_SUBJECTS + 1)]).everything is True


def test_a_scope_that_lies_under_no_location_has_none() -> None:
    assert choose_location("s3://other/x/*", [Location("1", "s3://data/")]) is None


def test_an_empty_plan_says_so() -> None:
    assert (Plan().changes, Plan().is_empty) == ((), True)
    change = Change(Action.CREATE, Grant(ANA, Permission.READ, "s3://b/x/*"), (Reason("a#r"),))
    assert (Plan(create=(change,)).changes, Plan(create=(change,)).is_empty) == ((change,), False)


TEAMS = Rule(
    "policy/a.yaml",
    "teams",
    IamPrincipal(f"{ANA.identifier}"),
    "s3://b/teams/{prefix.name}/*",
    Permission.READ,
    each_prefix="s3://b/teams/",
)
LAB = Rule("policy/a.yaml", "lab", ProfileSelector(("Lab",)), "s3://b/lab/*", Permission.READ)


@pytest.mark.parametrize(
    ("subjects", "focus"),
    [
        (["everything"], "everything"),
        (["profile d-1/ana"], "profile Lab/ana"),
        (["profile d-1/ana", "profile d-1/bea"], "profile Lab/ana, profile Lab/bea"),
        (["profile d-9/ana"], "everything"),
        (["data s3://b/teams/blue/deep/"], "prefix s3://b/teams/blue/"),
        (["data s3://b/elsewhere/"], "None"),
        (["data s3://b/elsewhere/", "profile d-1/ana"], "profile Lab/ana"),
        (["something new"], "everything"),
    ],
    ids=[
        "everything",
        "a profile",
        "two",
        "of a domain that is gone",
        "a folder",
        "a folder nobody follows",
        "both",
        "unknown",
    ],
)
def test_subjects_of_triggers_become_a_focus(subjects: list[str], focus: str) -> None:
    assert str(resolve_focus(subjects, [TEAMS, LAB], lambda: {"Lab": "d-1"})) == focus


def test_domains_are_read_only_for_a_profile() -> None:
    def asked() -> dict[str, str]:
        raise AssertionError("nobody needs the domains")

    assert (
        str(resolve_focus(["data s3://b/teams/blue/"], [TEAMS], asked))
        == "prefix s3://b/teams/blue/"
    )


def test_profiles_are_counted_in_domains_that_were_read_completely() -> None:
    lab = [Profile("Lab", name, "role") for name in ("ana", "ben")]
    domains, unread = frozenset({"Lab", "Office", "Attic"}), {"domain Attic": "Throttling"}
    inventory = Inventory(NOW, profiles=tuple(lab), domains=domains, unread=unread)

    def count(focus: Focus) -> dict[str, int]:
        authority = Authority(NOW, focus, {})
        return Snapshot(inventory, WantedGrants(), {}, {}, frozenset(), authority).count_profiles()

    assert count(Focus()) == {"Lab": 2, "Office": 0}
    assert count(Focus(("profile Lab/ana",))) == {}
