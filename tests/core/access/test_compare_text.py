"""A comparison in words: the verdict first, then a counterexample, then each difference."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from grantor.core.access.compare import compare_access
from grantor.core.access.compare_rules import ComparedSide, compare_sides
from grantor.core.access.compare_text import (
    PeopleNames,
    describe_comparison,
    describe_effect,
    describe_ends,
    describe_rest,
    encode_comparison,
    group_differences,
)
from grantor.core.access.explain import AccessEvidence
from grantor.core.grant import Grant, Grantee, Location, Permission, Reason, iam_grantee
from grantor.core.planning.rendering import Home
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from grantor.core.snapshot import Inventory, Profile

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/"
APPLICATION = "arn:aws:sso::111122223333:application/ssoins-1/apl-1"
PROFILES = tuple(Profile("Lab", name, f"{ROLE}{name}", NOW) for name in ("ana", "ben"))
INVENTORY = Inventory(
    NOW,
    (Location("1", "s3://data/"),),
    PROFILES,
    frozenset({"Lab"}),
    sharing={one.role: frozenset([one.subject]) for one in PROFILES},
)
NAMES = PeopleNames(INVENTORY.sharing, Home("aws", "111122223333"))
TEAM = "  - {name: team, to: {profiles: {domain: Lab}}, on: s3://data/team/*, allow: READ}\n"
AUDIT = f'  - {{name: audit, to: {{role: "{ROLE}auditor"}}, on: s3://data/*, allow: READ}}\n'


def build_side(name: str, rules: str, inventory: Inventory = INVENTORY) -> ComparedSide:
    policy = parse_policy("policy/a.yaml", f"version: 1\nrules:\n{rules}".encode(), "data")
    assert isinstance(policy, Policy), policy
    return ComparedSide(name, AccessEvidence((policy,), inventory))


def describe(old: str, new: str, most: int = 9) -> list[str]:
    found = compare_sides(build_side("main", old), build_side("pr", new), NOW)
    return list(describe_comparison(found, NAMES, most))


def test_a_wider_side_is_shown_with_who_may_do_what_by_which_rule() -> None:
    assert describe(TEAM, TEAM + AUDIT) == [
        "wider: from main to pr, 1 grantee gains and nobody loses",
        "counterexample: only with pr, role/auditor may READ s3://data/any-name",
        "+ READ s3://data/* to role/auditor, without end, because of policy/a.yaml#audit",
    ]


def test_a_narrower_side_names_people_by_their_profiles() -> None:
    assert describe(TEAM, TEAM.replace("domain: Lab", "domain: Lab, names: [ben]")) == [
        "narrower: from main to pr, nobody gains and 1 person loses",
        "counterexample: only with main, role/ana (Lab/ana) may READ s3://data/team/any-name",
        "- READ s3://data/team/* to role/ana (Lab/ana), without end, because of policy/a.yaml#team",
    ]


def test_an_end_is_shown_with_the_time_from_which_on_it_matters() -> None:
    may, ends = "role/ana (Lab/ana) may", "without end instead of until 2027-01-01 00:00Z"
    assert describe(TEAM.replace("}\n", ", until: 2026-12-31}\n"), TEAM, most=1) == [
        "wider: from main to pr, 2 people gain and nobody loses",
        f"counterexample: only with pr, {may} READ s3://data/team/any-name, at 2027-01-01T00:00:00Z",
        f"+ READ s3://data/team/* to role/ana (Lab/ana), {ends}, because of policy/a.yaml#team",
        "+ … and 1 more; --json lists them all",
    ]


def test_a_difference_in_json_has_its_counterexample_and_its_ends() -> None:
    old = build_side("main", TEAM.replace("}\n", ", until: 2026-12-31}\n"))
    document = encode_comparison(compare_sides(old, build_side("pr", TEAM), NOW), NAMES)
    assert (document["verdict"], document["lost"]) == ("wider", [])
    gained = document["gained"][0]
    assert gained["profiles"] == ["Lab/ana"]
    assert (gained["until"], gained["other_until"]) == (None, "2027-01-01T00:00:00Z")
    assert gained["counterexample"] == {
        "permission": "READ", "target": "s3://data/team/any-name", "application": None,
        "at": "2027-01-01T00:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "first"),
    [
        (TEAM, TEAM, "equivalent: from main to pr, nobody gains and nobody loses"),
        (TEAM, AUDIT, "different: from main to pr, 1 grantee gains and 2 people lose"),
        (AUDIT, AUDIT.replace("READ", "WRITE"),
         "different: from main to pr, 1 grantee gains and 1 grantee loses"),
    ],
)  # fmt: skip
def test_the_first_line_is_the_verdict(old: str, new: str, first: str) -> None:
    assert describe(old, new)[0] == first


def test_a_rule_on_hold_leaves_it_undecided() -> None:
    unread = Inventory(NOW, INVENTORY.locations, unread={"domain Lab": "AWS did not answer"})
    old, new = build_side("main", AUDIT, unread), build_side("pr", AUDIT + TEAM, unread)
    found = compare_sides(old, new, NOW)
    assert list(describe_comparison(found, NAMES, 9)) == [
        "undecided: 1 rule is on hold, and not alike in main and pr",
        "on hold: policy/a.yaml#team: the profiles of Studio domain Lab could not be read: AWS did not answer",
    ]
    document = encode_comparison(found, NAMES)
    assert (document["verdict"], len(document["on_hold"])) == ("undecided", 1)
    assert list(describe_comparison(found, NAMES, 9, NOW))[-1] == "as of: 2026-11-30T00:00:00Z"


def give(*grants: Grant, until: datetime | None = None) -> Mapping[Grant, list[Reason]]:
    return {grant: [Reason("policy/a.yaml#one", (), until)] for grant in grants}


ANA, GROUP = iam_grantee(f"{ROLE}ana"), Grantee("DIRECTORY_GROUP", "auditors")
EVE = Grantee("DIRECTORY_USER", "eve")


def test_the_effect_of_a_plan_counts_people_and_other_grantees_apart() -> None:
    old = give(Grant(ANA, Permission.READ, "s3://data/a/*"))
    new = give(*(Grant(who, Permission.READ, "s3://data/b/*") for who in (EVE, GROUP)))
    found = compare_access(old, new, NOW)
    assert describe_effect(found, NAMES) == ("1 person and 1 other grantee gain and 1 person loses")
    assert describe_effect(compare_access({}, new, NOW), NAMES).endswith(" and nobody loses")
    assert describe_effect(compare_access(old, old, NOW), NAMES) == "nobody gains and nobody loses"


def test_differences_of_several_people_are_one_row() -> None:
    through = [
        Grant(iam_grantee(one.role), Permission.READ, "s3://data/a/*", APPLICATION)
        for one in PROFILES
    ]
    end = datetime(2027, 1, 1, tzinfo=UTC)
    lost = compare_access(give(*through), give(*through, until=end), NOW).lost
    (row,) = group_differences(lost, NAMES, describe_rest)
    assert (row.people, row.application) == (("Lab/ana", "Lab/ben"), APPLICATION)
    assert row.when == "until 2027-01-01 00:00Z instead of without end"
    assert describe_ends(lost[0]) == "without end instead of until 2027-01-01 00:00Z"
    (gone,) = group_differences(compare_access(give(*through), {}, NOW).lost, NAMES, describe_rest)
    assert gone.when == ""


def test_an_application_is_part_of_the_counterexample() -> None:
    through = ComparedSide(
        "then", grants=give(Grant(ANA, Permission.READ, "s3://data/a/*", APPLICATION))
    )
    found = compare_sides(through, ComparedSide("now"), NOW)
    lines = list(describe_comparison(found, NAMES, 9))
    who = f"role/ana (Lab/ana) through {APPLICATION}"
    assert lines[1] == f"counterexample: only with then, {who} may READ s3://data/a/any-name"
    assert f"to {who}, without end" in lines[2]
