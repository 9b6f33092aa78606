"""A focused run reaches the same result as a run over everything, within its focus.

It needs far less of the inventory.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantor.core.grant import Location, Permission, prefix_subject
from grantor.core.planning import required_reads
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.profile_conflicts import find_neighbours, find_rivals
from grantor.core.rules import DirectoryName, IamPrincipal, Policy, ProfileSelector, Rule
from grantor.core.snapshot import Focus, Inventory, Profile, WantedGrants

ROLE = "arn:aws:iam::111122223333:role/"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EARLIER, LATER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC)
BASES = ("s3://data/", "s3://data/teams/", "s3://data/Ana/", "s3://data/Ben/")
FOLDERS = ("Ana", "Ben", "teams", "blue", "red", "*")
TAGS = st.sampled_from(["", "{prefix.name}", "blue"])

people = st.builds(
    Profile,
    st.sampled_from(["Lab", "Lab", "Office"]),
    st.sampled_from(["ana", "Ana", "anabel", "ben"]),
    st.sampled_from([f"{ROLE}{name}" for name in ("one", "two", "three", "four")]),
    st.sampled_from([EARLIER, EARLIER, NOW - timedelta(days=1), None]),
    st.sampled_from(
        [
            *((), (("team", "blue"),), (("team", "blue"),), (("team", "red"),), (("team", "a/b"),)),
            *((("end", "2027-03-31"),), (("end", "2026-03-31"),), (("end", "soon"),)),
        ]
    ),
)
chosen = st.builds(
    ProfileSelector,
    st.sampled_from(
        [
            ("Lab",),
            ("Lab",),
            ("Office",),
            ("Lap",),
            ("Lab", "Office"),
            ("*",),
            ("L*", "Lap"),
            ("X*",),
        ]
    ),
    st.sampled_from([(), (), ("ana*",), ("A*", "ben"), ("ana",)]),
    st.sampled_from([(), (), (("team", "blue"),), (("team", "{prefix.name}"),)]),
    st.booleans(),
    st.sampled_from([(), (), (), ("ben",), ("?na",)]),
    st.sampled_from([(), (), (), ((("team", "blue"),),), ((("team", "{prefix.name}"),),)]),
)
named = st.sampled_from(
    [
        IamPrincipal(f"{ROLE}auditor"),
        IamPrincipal(f"{ROLE}{{prefix.name}}"),
        DirectoryName("DIRECTORY_GROUP", "{prefix.name}"),
        DirectoryName("DIRECTORY_GROUP", "all"),
    ]
)
PLACES = st.sampled_from(
    [
        {"on": "s3://data/p/*"},
        {"on": "s3://far/p/*"},
        {"on": "s3://data/{profile.folder}/*"},
        {"on": "s3://data/{profile.name}*"},
        {"on": "s3://data/{domain.name}/{profile.name}/*"},
        {"on": "s3://data/{domain.name}-{profile.name}*"},
        {"on": "s3://data/{profile.tags.team}/{profile.folder}/*"},
        {"on": "s3://data/{prefix.name}/*", "each_prefix": "s3://data/"},
        {"on": "s3://data/teams/{prefix.name}/*", "each_prefix": "s3://data/teams/"},
        {"on": "s3://data/{prefix.name}/{profile.name}/*", "each_prefix": "s3://data/teams/"},
        {"on": "s3://data/*", "excepts": ("s3://data/Ana/*",)},
        {"on": "s3://data/*", "excepts": ("s3://data/Ana/blue/*", "s3://data/teams/*")},
        {"on": "s3://data/{profile.folder}/*", "excepts": ("s3://data/{profile.folder}/red/*",)},
    ]
)


@st.composite
def rules(draw, number: int) -> Rule:
    to, place = draw(chosen | named), draw(PLACES)
    end = draw(
        st.sampled_from(
            [
                *({}, {}, {"until": LATER}, {"until": EARLIER}, {"lasts": timedelta(days=7)}),
                {"until_tag": "end"},
            ]
        )
    )
    more = {"shared_role": draw(st.booleans())} | (end if isinstance(to, ProfileSelector) else {})
    return Rule(
        "policy/a.yaml", f"r{number}", to, allow=Permission.READ, line=number + 1, **place, **more
    )


@st.composite
def draw_policies_and_inventories(draw) -> tuple[Policy, Inventory]:
    profiles = draw(st.lists(people, max_size=5, unique_by=lambda profile: profile.subject))
    roles: dict[str, set[str]] = {}
    for profile in profiles:
        roles.setdefault(profile.role, set()).add(profile.subject)
    facts = Inventory(
        NOW,
        (Location("1", "s3://data"),),
        tuple(profiles),
        frozenset({"Lab", "Office"}),
        {
            base: tuple(draw(st.lists(st.sampled_from(FOLDERS), unique=True, max_size=4)))
            for base in BASES
        },
        {("DIRECTORY_GROUP", "blue"): "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"},
        {role: frozenset(subjects) for role, subjects in roles.items()},
        draw(
            st.sampled_from(
                [
                    {},
                    {},
                    {"domain Office": "Throttling"},
                    {"folders s3://data/Ana/": "AccessDenied"},
                ]
            )
        ),
    )
    return Policy(
        "policy/a.yaml", tuple(draw(rules(number)) for number in range(draw(st.integers(1, 3))))
    ), facts


def seen(policy: Policy, facts: Inventory, subject: str) -> WantedGrants:
    """What a run for one subject wants, having read no more than it must."""
    focus = Focus.build([subject])
    touched = required_reads.filter_rules(policy.rules, focus)
    if subject.startswith("prefix"):
        levels, at = (
            required_reads.list_levels(touched, facts.profiles),
            subject.removeprefix("prefix "),
        )
        there = {
            base: tuple(name for name in names if base in levels or f"{base}{name}/" == at)
            for base, names in facts.folders.items()
        }
        return expand_rules([replace(policy, rules=touched)], replace(facts, folders=there), focus)
    alone = replace(
        facts, profiles=tuple(profile for profile in facts.profiles if profile.subject == subject)
    )
    every = required_reads.list_queries(policy.rules)
    besides = find_neighbours(required_reads.list_queries(touched), alone)
    besides |= find_rivals(
        every,
        [one for one in facts.profiles if one.subject in {subject, *besides}],
        facts.domains,
    )
    read = tuple(profile for profile in facts.profiles if profile.subject in {subject, *besides})
    return expand_rules([policy], replace(alone, profiles=read), focus)


def subjects(facts: Inventory) -> Iterable[str]:
    yield from (profile.subject for profile in facts.profiles)
    yield from (
        prefix_subject(f"{base}{name}/") for base, names in facts.folders.items() for name in names
    )
    yield from ("profile Lab/gone", "prefix s3://data/gone/")


ANA, BEN = (
    Profile("Lab", name, f"{ROLE}{name}", EARLIER, (("team", "blue"),)) for name in ("ana", "ben")
)
LITTLE = Inventory(
    NOW,
    (Location("1", "s3://data"),),
    (ANA, BEN),
    frozenset({"Lab"}),
    {"s3://data/teams/": ("blue", "red")},
)
TEAMS = Rule(
    "policy/a.yaml",
    "teams",
    ProfileSelector(("Lab",)),
    "s3://data/teams/{prefix.name}/*",
    Permission.READ,
    each_prefix="s3://data/teams/",
)


@pytest.mark.parametrize(
    ("to", "focus", "rights"),
    [
        pytest.param(
            TEAMS.to,
            ["profile Lab/ana"],
            "ana blue, ana red",
            id="a profile: its grants in every folder",
        ),
        pytest.param(
            TEAMS.to,
            ["prefix s3://data/teams/red/"],
            "ana red, ben red",
            id="a folder: its grants for every profile",
        ),
        pytest.param(
            TEAMS.to,
            ["profile Lab/ana", "prefix s3://data/teams/red/"],
            "ana blue, ana red, ben red",
            id="either",
        ),
        pytest.param(TEAMS.to, ["profile Lab/gone"], "", id="a profile that is gone"),
        pytest.param(TEAMS.to, ["prefix s3://data/teams/gone/"], "", id="a folder that is gone"),
        pytest.param(
            IamPrincipal(f"{ROLE}cy"),
            ["prefix s3://data/teams/red/"],
            "cy red",
            id="a folder: its grant for a role",
        ),
    ],
)
def test_a_focus_sees_what_is_for_one_of_its_subjects(to, focus, rights) -> None:
    wanted = expand_rules(
        [Policy("policy/a.yaml", (replace(TEAMS, to=to),))], LITTLE, Focus.build(focus)
    )
    words = (
        f"{grant.grantee.identifier.rpartition('/')[2]} {grant.scope.split('/')[-2]}"
        for grant in wanted.grants
    )

    assert ", ".join(words) == rights


def test_a_focus_says_nothing_of_others_that_had_to_be_read() -> None:
    rule = Rule(
        "policy/a.yaml",
        "own",
        ProfileSelector(("Lab",), each=True),
        "s3://data/{profile.tags.level}/*",
        Permission.READ,
    )
    wanted = expand_rules([Policy("policy/a.yaml", (rule,))], LITTLE, Focus.build([ANA.subject]))

    assert [problem.what for problem in wanted.warnings] == [
        "rule own for profile Lab/ana: {profile.tags.level} has no value"
    ]


def test_a_focus_does_not_see_what_is_for_nobody_in_particular() -> None:
    rule = Rule(
        "policy/a.yaml", "plain", IamPrincipal(f"{ROLE}cy"), "s3://data/p/*", Permission.READ
    )

    assert (
        expand_rules([Policy("policy/a.yaml", (rule,))], LITTLE, Focus.build([ANA.subject]))
        == WantedGrants()
    )


@given(draw_policies_and_inventories())
@settings(max_examples=250, deadline=None)
def test_a_focus_sees_exactly_its_own_reasons_of_a_full_run(case) -> None:
    policy, facts = case
    whole = expand_rules([policy], facts)
    left = {(grant, reason) for grant, reasons in whole.grants.items() for reason in reasons}
    for subject in subjects(facts):
        part = seen(policy, facts, subject)
        pairs = {(grant, reason) for grant, reasons in part.grants.items() for reason in reasons}

        assert pairs == {
            (grant, reason)
            for grant, reasons in whole.grants.items()
            for reason in reasons
            if subject in reason.subjects
        }
        assert {held for held in part.on_hold if held.subject == subject} == {
            held for held in whole.on_hold if held.subject == subject
        }
        left -= pairs
    assert {reason.subjects for _, reason in left} <= {()}


@given(draw_policies_and_inventories())
@settings(max_examples=60, deadline=None)
def test_several_subjects_together_see_what_each_of_them_sees(case) -> None:
    policy, facts = case
    listed = list(subjects(facts))
    together = expand_rules([policy], facts, Focus.build(listed[::2]))
    singly = {
        pair
        for subject in listed[::2]
        for pair in expand_rules([policy], facts, Focus.build([subject])).grants
    }

    assert set(together.grants) == singly


@given(draw_policies_and_inventories(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_input_does_not_matter(case, chance) -> None:
    policy, facts = case

    def mixed[Item](items: Iterable[Item]) -> tuple[Item, ...]:
        found = list(items)
        chance.shuffle(found)
        return tuple(found)

    turned = replace(
        facts,
        profiles=mixed(facts.profiles),
        folders={base: mixed(facts.folders[base]) for base in mixed(facts.folders)},
    )
    assert repr(expand_rules([policy], facts)) == repr(
        expand_rules([replace(policy, rules=mixed(policy.rules))], turned)
    )


@given(draw_policies_and_inventories())
@settings(max_examples=100, deadline=None)
def test_whatever_is_rejected_is_on_hold(case) -> None:
    policy, facts = case
    wanted = expand_rules([policy], facts)

    assert {problem.line for problem in wanted.rejected} <= {
        int(held.rule[-1]) + 1 for held in wanted.on_hold
    }
