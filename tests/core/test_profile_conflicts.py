"""Grants for one profile that would reach another: shared roles, and overlapping folders."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.grant import Location, Permission
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.rendering import Home, describe_grant
from grantor.core.rules import IamPrincipal, Policy, ProfileSelector, Rule
from grantor.core.snapshot import Focus, Inventory, Profile, WantedGrants

HOME = Home("aws", "111122223333")
STUDIO = "arn:aws:iam::111122223333:role/studio"
NOW, EARLIER = datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
ANA = Profile("Lab", "ana", STUDIO, EARLIER, (("level", "2"), ("team", "blue")))
BEN = Profile("Lab", "ben", STUDIO, EARLIER, (("level", "2"), ("team", "red")))
EVE = Profile("Office", "eve", STUDIO, EARLIER, (("level", "2"), ("team", "blue")))
FOLDERS = {
    "s3://data/": ("Ana", "x"),
    "s3://data/Ana/": ("a", "b"),
    "s3://data/teams/": ("blue", "red"),
}
WORLD = Inventory(NOW, (Location("1", "s3://data"),), (), frozenset({"Lab", "Office"}), FOLDERS)
RULE = Rule("policy/a.yaml", "r", ProfileSelector(("Lab",)), "s3://data/p/*", Permission.READ)
EACH = ProfileSelector(("Lab",), each=True)


def wanted(rule: Rule, *profiles: Profile, focus: Focus | None = None, **facts) -> WantedGrants:
    return expand_rules(
        [Policy("policy/a.yaml", (rule,))],
        replace(WORLD, profiles=profiles, **facts),
        focus or Focus(),
    )


def outcome(found: WantedGrants) -> str:
    """The profiles that get a grant, and behind a bar those for which the rule is on hold."""
    given = {
        subject
        for reasons in found.grants.values()
        for reason in reasons
        for subject in reason.subjects
    }
    return f"{names(given)} | {names({held.subject for held in found.on_hold})}".strip(" ")


def names(subjects) -> str:
    return " ".join(
        sorted(subject.rpartition("/")[2] for subject in subjects if subject.startswith("profile"))
    )


@pytest.mark.parametrize(
    ("changed", "profiles", "given"),
    [
        pytest.param({}, [ANA, BEN], "ana ben |", id="all of the domain are meant"),
        pytest.param(
            {"to": ProfileSelector(("Lab",), ("?n?", "be*"))},
            [ANA, BEN],
            "ana ben |",
            id="names mean all sharers",
        ),
        pytest.param(
            {"to": ProfileSelector(("Lab",), ("ana",))},
            [ANA, BEN],
            "| ana",
            id="a name means one sharer",
        ),
        pytest.param(
            {"to": ProfileSelector(("Lab",), ("ana",)), "shared_role": True},
            [ANA, BEN],
            "ana |",
            id="accepted by the rule",
        ),
        pytest.param(
            {"to": ProfileSelector(("Lab",), ("ana",))},
            [ANA, replace(BEN, role=f"{STUDIO}2")],
            "ana |",
            id="roles of their own",
        ),
        pytest.param({}, [ANA, BEN, EVE], "| ana ben", id="a sharer in another domain"),
        pytest.param(
            {"to": ProfileSelector(("Lab",), (), (("level", "2"),))},
            [ANA, BEN],
            "ana ben |",
            id="a tag means all sharers",
        ),
        pytest.param(
            {"to": ProfileSelector(("Lab",), (), (("team", "blue"),))},
            [ANA, BEN],
            "| ana",
            id="a tag means one sharer",
        ),
        pytest.param(
            {
                "to": ProfileSelector(("Lab",), (), (("team", "{prefix.name}"),)),
                "on": "s3://data/{prefix.name}/*",
                "each_prefix": "s3://data/teams/",
            },
            [ANA, BEN],
            "| ana ben",
            id="each folder means another sharer",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.folder}/*"},
            [ANA, BEN],
            "| ana ben",
            id="each has a folder",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.folder}/*", "shared_role": True},
            [ANA, BEN],
            "ana ben |",
            id="each has a folder, accepted",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.tags.level}/*"},
            [ANA, BEN],
            "ana ben |",
            id="each has the same scope",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.tags.team}/*"},
            [ANA, BEN],
            "| ana ben",
            id="each has another scope",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.tags.team}/*"},
            [ANA, replace(BEN, tags=())],
            "| ana",
            id="one has no scope",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/*", "excepts": ("s3://data/{profile.folder}/*",)},
            [ANA, BEN],
            "| ana ben",
            id="each has an exception",
        ),
        pytest.param(
            {"lasts": timedelta(days=60)},
            [ANA, replace(BEN, created=NOW)],
            "ana ben |",
            id="both have time left",
        ),
        pytest.param(
            {"lasts": timedelta(days=9)},
            [ANA, replace(BEN, created=NOW)],
            "| ben",
            id="the time of one is over",
        ),
        pytest.param(
            {"lasts": timedelta(days=60)},
            [ANA, replace(BEN, created=None)],
            "| ana ben",
            id="the age of one is not known",
        ),
    ],
)
def test_a_rule_covers_all_profiles_of_a_role_alike_or_is_rejected_for_them(
    changed, profiles, given
) -> None:
    assert outcome(wanted(replace(RULE, **changed), *profiles)) == given


def test_a_rule_for_a_role_covers_every_profile_of_the_role() -> None:
    found = wanted(replace(RULE, to=IamPrincipal(STUDIO)), ANA, BEN)

    assert ([describe_grant(grant, HOME) for grant in found.grants], found.rejected) == (
        ["READ s3://data/p/* to role/studio"],
        (),
    )


def test_a_shared_role_is_one_refusal_however_many_share_it() -> None:
    many = [replace(BEN, name=f"user{number}") for number in range(9)]
    found = wanted(replace(RULE, to=ProfileSelector(("Lab",), ("ana", "user8"))), ANA, *many)

    assert [held.subject for held in found.on_hold] == ["profile Lab/ana", "profile Lab/user8"]
    assert [problem.what for problem in found.rejected] == [
        (
            f"rule r for {STUDIO}: it is also the role of Lab/user0, Lab/user1, Lab/user2 and "
            "others, which the rule does not select"
        )
    ]


@pytest.mark.parametrize(
    ("changed", "sharers", "given"),
    [
        pytest.param({}, ["profile Lab/ben"], "ana |", id="all of the domain are meant"),
        pytest.param(
            {"to": ProfileSelector(("Lab",), ("ana",))},
            ["profile Lab/ben"],
            "| ana",
            id="a name means one",
        ),
        pytest.param({}, ["profile Office/eve"], "| ana", id="one of another domain"),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.name}/*"},
            ["profile Lab/ben"],
            "| ana",
            id="each has a folder",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.name}/*"},
            ["profile Lab/ana", "prefix s3://x/"],
            "ana |",
            id="nobody",
        ),
    ],
)
def test_a_profile_known_only_as_a_sharer_of_a_role_counts_as_well(changed, sharers, given) -> None:
    sharing = {STUDIO: frozenset(sharers)}

    assert (
        outcome(
            wanted(
                replace(RULE, **changed),
                ANA,
                sharing=sharing,
                focus=Focus.build(["profile Lab/ana"]),
            )
        )
        == given
    )


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"to": ProfileSelector(("Lab",), (), (("level", "2"),))}, id="chosen by tag"),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.tags.level}/*"}, id="a scope with a tag"
        ),
        pytest.param({"lasts": timedelta(days=60)}, id="from the making of the profile"),
    ],
)
def test_a_sharer_of_whom_too_little_was_read_puts_the_rule_on_hold_without_a_rejection(
    changed,
) -> None:
    found = wanted(replace(RULE, **changed), ANA, sharing={STUDIO: frozenset({"profile Lab/ben"})})

    assert (outcome(found), found.rejected) == ("| ana", ())
    assert (
        found.on_hold[0].why == "too little is known about the other profiles of its role: Lab/ben"
    )


def test_what_was_read_of_a_profile_is_believed_more_than_what_sharing_says() -> None:
    found = wanted(
        replace(RULE, to=ProfileSelector(("Lab",), ("ana",))),
        ANA,
        replace(BEN, role=f"{STUDIO}2"),
        sharing={STUDIO: frozenset({BEN.subject})},
    )

    assert outcome(found) == "ana |"


def person(name: str, role: str = "", **more) -> Profile:
    return replace(ANA, name=name, role=f"{STUDIO}-{role or name}", **more)


@pytest.mark.parametrize(
    ("changed", "profiles", "given"),
    [
        pytest.param(
            {}, [person("ana"), person("Ana", "2")], "| Ana ana", id="ana and Ana have one folder"
        ),
        pytest.param(
            {}, [person("ana"), person("Ana", "ana")], "Ana ana |", id="they run as one role"
        ),
        pytest.param(
            {"on": "s3://data/{profile.name}/*"},
            [person("ana"), person("Ana", "2")],
            "Ana ana |",
            id="but not one name",
        ),
        pytest.param(
            {"to": ProfileSelector(("Lab",), ("ana",), each=True)},
            [person("ana"), person("Ana", "2")],
            "ana |",
            id="only one is meant",
        ),
        pytest.param(
            {"on": "s3://data/{profile.tags.team}/{profile.folder}/*"},
            [person("ana"), person("Ana", "2", tags=(("team", "red"),))],
            "Ana ana |",
            id="they are of two teams",
        ),
        pytest.param(
            {"on": "s3://data/{profile.tags.team}/{profile.folder}/*"},
            [person("ana"), person("Ana", "2", tags=())],
            "ana |",
            id="one has no team, and so no scope",
        ),
        pytest.param(
            {"lasts": timedelta(days=30)},
            [person("ana"), person("Ana", "2", created=datetime(2025, 1, 1, tzinfo=UTC))],
            "ana |",
            id="the time of one is over",
        ),
        pytest.param(
            {"on": "s3://data/{profile.folder}.csv"},
            [person("ana"), person("Ana", "2")],
            "| Ana ana",
            id="one object",
        ),
        pytest.param(
            {},
            [person("ana"), person("anabel")],
            "ana anabel |",
            id="a slash tells ana from anabel",
        ),
        pytest.param(
            {"on": "s3://data/{profile.name}*"},
            [person("ana"), person("anabel"), person("bob")],
            "bob | ana anabel",
            id="ana swallows anabel",
        ),
        pytest.param(
            {"on": "s3://data/{profile.folder}*"},
            [person("anabel"), person("Ana"), person("An")],
            "| An Ana anabel",
            id="one after the other",
        ),
        pytest.param(
            {"on": "s3://data/{profile.name}-x*"},
            [person("ana"), person("anabel")],
            "ana anabel |",
            id="a hyphen tells them apart",
        ),
        pytest.param(
            {"on": "s3://data/{profile.name}-x*"},
            [person("a"), person("a-xb")],
            "| a a-xb",
            id="but not always",
        ),
        pytest.param(
            {"on": "s3://data/{profile.tags.team}/*"},
            [person("ana"), person("anabel")],
            "ana anabel |",
            id="a team's folder is for all",
        ),
    ],
)
def test_profiles_of_two_roles_have_two_folders_or_are_both_refused(
    changed, profiles, given
) -> None:
    rule = replace(RULE, to=EACH, on="s3://data/{profile.folder}/*", raw_prefix=True)

    assert outcome(wanted(replace(rule, **changed), *profiles)) == given


def test_profiles_that_could_have_the_same_folder_must_be_read_completely() -> None:
    rule = replace(RULE, to=EACH, on="s3://data/{profile.tags.team}/{profile.folder}/*")
    found = wanted(rule, person("ana"), sharing={f"{STUDIO}2": frozenset({"profile Lab/Ana"})})

    assert (outcome(found), found.rejected) == ("| ana", ())
    assert (
        found.on_hold[0].why
        == "too little is known about profiles that may have the same folder: Lab/Ana"
    )


def test_the_remedy_for_one_folder_fits_how_it_came_about() -> None:
    twins, long = (person("ana"), person("Ana", "2")), (person("ana"), person("anabel"))
    raw = replace(RULE, to=EACH, on="s3://data/{profile.name}*")

    assert wanted(raw, *long).rejected[0].remedy == "end the scope in /*"
    assert wanted(replace(raw, on="s3://data/{profile.folder}/*"), *twins).rejected[0].remedy == (
        "rename one of them, or write {profile.name} in the scope"
    )
