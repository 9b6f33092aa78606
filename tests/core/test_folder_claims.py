"""One folder has one owner, whichever rules of whichever files and domains give it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.grant import Location, Permission
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.profile_conflicts import find_rivals
from grantor.core.planning.required_reads import list_queries
from grantor.core.rules import Policy, ProfileName, ProfileSelector, Rule, Suspension
from grantor.core.snapshot import Focus, Inventory, Profile, WantedGrants

ROLE = "arn:aws:iam::111122223333:role/"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)


def person(domain: str, name: str, role: str = "", **tags: str) -> Profile:
    return Profile(
        domain, name, f"{ROLE}{role or f'{domain}-{name}'}", EARLIER, tuple(sorted(tags.items()))
    )


def rule_for(domain: str, on: str = "s3://data/{profile.folder}/*", **changes: object) -> Rule:
    to = ProfileSelector((domain,), each=True)
    rule = Rule(f"policy/{domain}.yaml", "own", to, on, Permission.READ)
    return replace(rule, **changes)


def want(
    *rules: Rule,
    people: tuple[Profile, ...],
    focus: Focus | None = None,
    **facts: object,
) -> WantedGrants:
    sharing: dict[str, set[str]] = {}
    for one in people:
        sharing.setdefault(one.role, set()).add(one.subject)
    inventory = Inventory(
        NOW,
        (Location("1", "s3://data"),),
        people,
        frozenset({"Lab", "Office"}),
        {"s3://data/teams/": ("blue",)},
        sharing={role: frozenset(subjects) for role, subjects in sharing.items()},
    )
    policies = [Policy(rule.file, (rule,)) for rule in rules]
    return expand_rules(policies, replace(inventory, **facts), focus or Focus())


def describe(wanted: WantedGrants) -> str:
    """The roles that get grants | the subjects on hold."""
    roles = sorted({grant.grantee.identifier.removeprefix(ROLE) for grant in wanted.grants})
    held = sorted({one.subject.removeprefix("profile ") for one in wanted.on_hold})
    return f"{' '.join(roles)} | {' '.join(held)}"


DOMAINS = ("Lab", "Office")
ANA, OTHER_ANA, BEN = person("Lab", "ana"), person("Office", "ana"), person("Office", "ben")
LAB, OFFICE = rule_for("Lab"), rule_for("Office")


@pytest.mark.parametrize(
    ("rules", "people", "given"),
    [
        pytest.param([LAB, OFFICE], (ANA, OTHER_ANA), " | Lab/ana Office/ana", id="one name"),
        pytest.param(
            [LAB, OFFICE], (ANA, person("Office", "Ana")), " | Lab/ana Office/Ana", id="one folder"
        ),
        pytest.param([LAB, OFFICE], (ANA, BEN), "Lab-ana Office-ben | ", id="two folders"),
        pytest.param(
            [replace(LAB, shared_role=True), replace(OFFICE, shared_role=True)],
            (ANA, person("Office", "ana", "Lab-ana")),
            "Lab-ana | ",
            id="one role",
        ),
        pytest.param(
            [LAB, rule_for("Office", "s3://data/office/{profile.folder}/*")],
            (ANA, OTHER_ANA),
            "Lab-ana Office-ana | ",
            id="two places",
        ),
        pytest.param(
            [LAB, rule_for("Office", "s3://data/{profile.folder}/office/*")],
            (ANA, OTHER_ANA),
            " | Lab/ana Office/ana",
            id="one inside the other",
        ),
        pytest.param(
            [LAB, rule_for("Office", "s3://data/A{profile.name}/*")],
            (ANA, person("Office", "na")),
            " | Lab/ana Office/na",
            id="two names that make one folder",
        ),
        pytest.param(
            [LAB, rule_for("Office", "s3://data/{profile.folder}/a.csv")],
            (ANA, OTHER_ANA),
            " | Lab/ana Office/ana",
            id="one object of the other's folder",
        ),
        pytest.param(
            [LAB, rule_for("Office", until=EARLIER)], (ANA, OTHER_ANA), "Lab-ana | ", id="ended"
        ),
        pytest.param(
            [LAB, rule_for("Office", lasts=timedelta(days=1))],
            (ANA, OTHER_ANA),
            "Lab-ana | ",
            id="its time is over",
        ),
        pytest.param(
            [
                LAB,
                rule_for(
                    "Office", to=ProfileSelector(("Office",), (), (("team", "x"),), each=True)
                ),
            ],
            (ANA, OTHER_ANA),
            "Lab-ana | ",
            id="without the tag",
        ),
        pytest.param(
            [LAB, rule_for("Office", "s3://data/{profile.tags.team}/*")],
            (ANA, person("Office", "ben", team="Ana")),
            "Lab-ana Office-ben | ",
            id="a tag is no name of its own",
        ),
        pytest.param(
            [LAB, replace(LAB, name="again")], (ANA,), "Lab-ana | ", id="two rules for one profile"
        ),
        pytest.param(
            [
                replace(LAB, to=ProfileSelector(("Lab",), ("ana",), each=True)),
                replace(LAB, name="2", to=ProfileSelector(("Lab",), ("Ana",), each=True)),
            ],
            (ANA, person("Lab", "Ana")),
            " | Lab/Ana Lab/ana",
            id="two rules for one folder in one domain",
        ),
    ],
)
def test_a_folder_that_rules_give_to_two_roles_is_given_to_neither(rules, people, given):
    assert describe(want(*rules, people=people)) == given


@pytest.mark.parametrize("focus", [Focus(), Focus.build([ANA.subject])])
def test_a_refusal_names_both_profiles_and_what_to_write(focus: Focus):
    wanted = want(LAB, OFFICE, people=(ANA, OTHER_ANA), focus=focus)

    assert str(next(iter(wanted.rejected))) == (
        "policy/Lab.yaml:1:1: rule own for profile Lab/ana: its scope overlaps with that of profile "
        "Office/ana, which policy/Office.yaml#own gives: each would reach the other's data, "
        "although their roles differ; write {domain.name} in the scope, or rename one of the profiles"
    )
    assert len(wanted.rejected) == (2 if focus.everything else 1)


def test_a_suspended_profile_keeps_its_folder_from_others():
    suspension = Suspension("policy/s.yaml", ProfileName("Lab", "ana"), "lost laptop")
    policies = [
        Policy("policy/s.yaml", (), suspensions=(suspension,)),
        Policy("policy/Lab.yaml", (LAB,)),
        Policy("policy/Office.yaml", (OFFICE,)),
    ]
    facts = Inventory(
        NOW, (Location("1", "s3://data"),), (ANA, OTHER_ANA), frozenset({"Lab", "Office"})
    )

    assert expand_rules(policies, facts).grants == {}


def test_a_domain_that_cannot_be_read_keeps_what_is_known_of_it():
    wanted = want(
        LAB,
        OFFICE,
        people=(ANA,),
        sharing={ANA.role: frozenset({ANA.subject}), f"{ROLE}x": frozenset({OTHER_ANA.subject})},
        unread={"domain Office": "Throttling"},
    )

    assert describe(wanted) == " |  Lab/ana"
    assert wanted.rejected == ()


def test_a_profile_whose_age_is_unknown_counts():
    unknown = replace(OTHER_ANA, created=None)
    office = replace(OFFICE, lasts=timedelta(days=1))
    wanted = want(LAB, office, people=(ANA, unknown), focus=Focus.build([ANA.subject]))

    assert describe(wanted) == " | Lab/ana"


def test_a_rule_that_follows_folders_is_compared_in_each_of_them():
    each = {"each_prefix": "s3://data/teams/", "on": "s3://data/{prefix.name}/{profile.folder}/*"}
    people = (person("Lab", "ana"), person("Office", "ana"))
    focus = Focus.build([ANA.subject])

    assert describe(want(replace(LAB, **each), replace(OFFICE, **each), people=people, focus=focus)) == " | Lab/ana"  # fmt: skip


@pytest.mark.parametrize(
    ("on", "rivals"),
    [
        ("s3://data/{profile.folder}/*", "Office/Ana Office/ana"),
        ("s3://data/{profile.name}/x/*", "Office/Ana Office/ana"),
        ("s3://data/A{profile.name}/*", "Office/Na Office/na"),
        ("s3://data/{profile.folder}*", "Office/Ana Office/ana"),
        ("s3://data/{profile.tags.t}-{profile.name}/*", ""),
        ("s3://data/x/{profile.name}/*", ""),
        ("s3://data/team/*", ""),
    ],
)
def test_who_may_have_the_folder_of_a_profile_is_known_without_reading(on: str, rivals: str):
    found = find_rivals(list_queries([LAB, rule_for("Office", on)]), [ANA], DOMAINS)

    assert sorted(found - {"profile Lab/ana", "profile Lab/Ana"}) == [
        f"profile {rival}" for rival in rivals.split()
    ]


def test_names_that_a_rule_does_not_select_are_not_read():
    office = replace(OFFICE, to=ProfileSelector(("Office",), ("b*",), each=True))

    assert find_rivals(list_queries([LAB, office]), [ANA], DOMAINS) == {
        "profile Lab/ana",
        "profile Lab/Ana",
    }
