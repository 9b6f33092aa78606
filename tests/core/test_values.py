"""What the engine's values say of themselves."""

from datetime import UTC, datetime

import pytest

from grantor.core.grant import Grant, Grantee, Location, Permission, Reason, closest, ends
from grantor.core.planning.inputs import heard
from grantor.core.planning.plan import Change, Plan
from grantor.core.rules import Principal, Profiles, Rule
from grantor.core.snapshot import MOST, Focus

ANA, BEA = (Grantee("IAM", f"arn:aws:iam::111122223333:role/{name}") for name in ("ana", "bea"))
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
def test_grants_overlap_where_one_scope_begins_with_the_other(one: str, other: str, overlap: bool) -> None:
    grants = [Grant(ANA, Permission.READ, one), Grant(ANA, Permission.WRITE, other)]

    assert grants[0].overlaps(grants[1]) is grants[1].overlaps(grants[0]) is overlap
    assert not grants[0].overlaps(Grant(BEA, Permission.READ, one))


def test_reasons_end_when_the_last_of_them_does() -> None:
    assert ends([Reason("a#r", until=SOON), Reason("a#s", until=LATER)]) == LATER
    assert ends([Reason("a#r", until=SOON), Reason("a#s")]) is None
    assert ends([]) is None


def test_a_focus_on_nothing_is_a_mistake_and_one_on_too_much_is_on_everything() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Focus.of([])
    assert Focus.of([f"profile D/{n}" for n in range(MOST)]).everything is False
    assert Focus.of([f"profile D/{n}" for n in range(MOST + 1)]).everything is True


def test_a_scope_that_lies_under_no_location_has_none() -> None:
    assert closest("s3://other/x/*", [Location("1", "s3://data/")]) is None


def test_an_empty_plan_says_so() -> None:
    assert (str(Plan()), Plan().empty) == ("nothing to change", True)
    assert str(Plan(create=(Change(Grant(ANA, Permission.READ, "s3://b/x/*"), (Reason("a#r"),)),))).startswith(
        "+ READ s3://b/x/*"
    )


TEAMS = Rule(
    "policy/a.yaml",
    "teams",
    Principal(f"{ANA.identifier}"),
    "s3://b/teams/{prefix.name}/*",
    Permission.READ,
    each_prefix="s3://b/teams/",
)
LAB = Rule("policy/a.yaml", "lab", Profiles("Lab"), "s3://b/lab/*", Permission.READ)


@pytest.mark.parametrize(
    ("bells", "focus"),
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
    ids=["everything", "a profile", "two", "of a domain that is gone", "a folder", "a folder nobody follows", "both", "unknown"],
)  # fmt: skip
def test_what_rang_becomes_what_is_looked_at(bells: list[str], focus: str) -> None:
    assert str(heard(bells, [TEAMS, LAB], lambda: {"Lab": "d-1"})) == focus


def test_domains_are_asked_for_only_when_a_profile_rang() -> None:
    def asked() -> dict[str, str]:
        raise AssertionError("nobody needs the domains")

    assert str(heard(["data s3://b/teams/blue/"], [TEAMS], asked)) == "prefix s3://b/teams/blue/"
