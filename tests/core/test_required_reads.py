"""What a run reads for some rules, and which rules a focus concerns: no more than needed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.grant import Permission
from grantor.core.planning import required_reads
from grantor.core.planning.profile_conflicts import find_neighbours, needs_tags
from grantor.core.rules import DirectoryName, IamPrincipal, ProfileSelector, Rule
from grantor.core.snapshot import Focus, Inventory, Profile

ROLE = "arn:aws:iam::111122223333:role/"
ID = "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RULE = Rule("policy/a.yaml", "r", IamPrincipal(f"{ROLE}auditor"), "s3://b/p/*", Permission.READ)
LAB = replace(RULE, name="lab", to=ProfileSelector(("Lab",)))
TEAMS = replace(RULE, name="teams", on="s3://b/teams/{prefix.name}/*", each_prefix="s3://b/teams/")
BUT = replace(RULE, name="but", on="s3://b/*", excepts=("s3://b/UserA/private/*", "s3://b/x.csv"))
OWN = replace(
    RULE,
    name="own",
    to=ProfileSelector(("Lab",), ("a*", "b*"), each=True),
    on="s3://own/{profile.folder}/*",
    excepts=("s3://own/{profile.folder}/{profile.tags.not}/x/*",),
)
ANA = Profile("Lab", "ana", f"{ROLE}ana", NOW, (("not", "keep"),))


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        pytest.param(RULE, False, id="a role"),
        pytest.param(LAB, False, id="profiles"),
        pytest.param(
            replace(LAB, to=ProfileSelector(("Lab",), (), (("team", "blue"),))),
            True,
            id="chosen by tag",
        ),
        pytest.param(
            replace(LAB, to=ProfileSelector(("Lab",), each=True), on="s3://b/{profile.name}/*"),
            False,
            id="a scope by name",
        ),
        pytest.param(
            replace(
                LAB, to=ProfileSelector(("Lab",), each=True), on="s3://b/{profile.tags.team}/*"
            ),
            True,
            id="a scope by tag",
        ),
        pytest.param(OWN, True, id="an exception by tag"),
    ],
)
def test_tags_are_needed_where_a_rule_asks_for_one(rule, needed) -> None:
    assert needs_tags(required_reads.list_queries([RULE, rule])) is needed


def test_folders_are_listed_for_each_prefix_and_down_to_each_exception() -> None:
    blank, cy = replace(ANA, name="ben", tags=()), replace(ANA, name="cy")
    rules = [RULE, TEAMS, BUT, OWN]

    assert required_reads.count_needed_folders(rules) == {"s3://b/teams/": 201}
    assert required_reads.count_needed_folders(
        [*rules, *(replace(rule, at_most=500) for rule in rules)]
    ) == {"s3://b/teams/": 501}
    assert required_reads.list_levels(rules, [ANA, blank, cy]) == {
        "s3://b/",
        "s3://b/UserA/",
        "s3://own/Ana/",
        "s3://own/Ana/keep/",
    }
    assert required_reads.list_levels([BUT], []) == {"s3://b/", "s3://b/UserA/"}


def test_the_directory_is_asked_for_names_and_not_for_ids() -> None:
    named, known = (
        replace(RULE, to=DirectoryName("DIRECTORY_GROUP", who)) for who in ("auditors", ID)
    )
    teams = replace(TEAMS, to=DirectoryName("DIRECTORY_USER", "{prefix.name}@example.com"))

    assert required_reads.list_directory_names(
        [RULE, named, known, teams], {"s3://b/teams/": ("blue", "*", "red")}
    ) == {
        ("DIRECTORY_GROUP", "auditors"),
        ("DIRECTORY_USER", "blue@example.com"),
        ("DIRECTORY_USER", "red@example.com"),
    }
    assert required_reads.list_directory_names([teams], {}) == frozenset()


TAGGED = replace(LAB, to=ProfileSelector(("Lab",), (), (("team", "blue"),)))
FOLDER = replace(
    LAB, to=ProfileSelector(("Lab",), each=True), on="s3://b/{profile.tags.team}/{profile.folder}/*"
)


@pytest.mark.parametrize(
    ("rule", "besides"),
    [
        pytest.param(RULE, "", id="a role"),
        pytest.param(LAB, "", id="all profiles"),
        pytest.param(
            replace(LAB, to=ProfileSelector(("Lab",), each=True), on="s3://b/{profile.name}/*"),
            "",
            id="names say enough",
        ),
        pytest.param(TAGGED, "Lab/ben", id="by tag, those who share the role"),
        pytest.param(replace(TAGGED, shared_role=True), "", id="by tag, but sharing is accepted"),
        pytest.param(
            replace(TAGGED, to=ProfileSelector(("Lab",), ("ana",), (("team", "blue"),))),
            "",
            id="by tag, but no other name is meant",
        ),
        pytest.param(
            replace(TAGGED, to=ProfileSelector(("Lab",), ("ben",), (("team", "blue"),))),
            "",
            id="by tag, but this one is not meant",
        ),
        pytest.param(
            replace(LAB, lasts=timedelta(days=1)), "Lab/ben", id="from the making of each"
        ),
        pytest.param(FOLDER, "Lab/Ana Lab/ben", id="also those of one folder"),
        pytest.param(
            replace(FOLDER, on="s3://b/{profile.tags.team}/{profile.name}*"),
            "Lab/Ana Lab/anabel Lab/ben",
            id="or of one that begins so",
        ),
    ],
)
def test_neighbours_are_read_where_their_names_do_not_say_enough(rule, besides) -> None:
    sharing = {
        f"{ROLE}ana": frozenset({"profile Lab/ben", "profile Office/eve"}),
        f"{ROLE}2": frozenset({"profile Lab/Ana", "profile Lab/anabel", "profile Lab/bob"}),
    }
    found = find_neighbours(
        required_reads.list_queries([rule]), Inventory(NOW, profiles=(ANA,), sharing=sharing)
    )

    assert " ".join(sorted(subject.removeprefix("profile ") for subject in found)) == besides


RULES = (RULE, LAB, TEAMS, BUT, OWN)


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        pytest.param("everything", "r lab teams but own", id="everything"),
        pytest.param("profile Lab/ana", "lab own", id="a profile"),
        pytest.param("profile Lab/cy", "lab", id="a profile of another name"),
        pytest.param("profile Office/ana", "", id="a profile of another domain"),
        pytest.param("prefix s3://b/teams/blue/", "teams", id="a folder right below a base"),
        pytest.param("prefix s3://b/teams/blue/deeper/", "", id="deeper: that is another subject"),
        pytest.param("prefix s3://b/teams/", "but", id="the base itself, beside an exception"),
        pytest.param("prefix s3://b/UserA/raw/", "but", id="beside the exception"),
        pytest.param("prefix s3://b/UserA/", "", id="on the way to the exception"),
        pytest.param("prefix s3://b/UserA/private/", "", id="the exception"),
        pytest.param(
            "prefix s3://own/Ana/keep/", "own", id="in the folder of somebody, whoever that is"
        ),
        pytest.param("prefix s3://own/Ana/keep/y/", "own", id="beside an exception of somebody"),
        pytest.param("prefix s3://own/Ana/", "", id="the folder of somebody itself"),
        pytest.param("prefix s3://own/Ana/keep/x/y/", "", id="too deep"),
        pytest.param("prefix s3://c/teams/blue/", "", id="another bucket"),
    ],
)
def test_a_focus_concerns_the_rules_that_can_have_such_a_reason(subject, names) -> None:
    assert (
        " ".join(rule.name for rule in required_reads.filter_rules(RULES, Focus.build([subject])))
        == names
    )


def test_a_focus_on_several_concerns_the_rules_of_each() -> None:
    focus = Focus.build(["profile Lab/cy", "prefix s3://b/teams/blue/"])

    assert [rule.name for rule in required_reads.filter_rules(RULES, focus)] == ["lab", "teams"]


@pytest.mark.parametrize(
    ("key", "folders"),
    [
        pytest.param(
            "s3://b/teams/blue/x/y.csv",
            "s3://b/teams/ s3://b/teams/blue/",
            id="in a folder that rules follow",
        ),
        pytest.param("s3://b/teams/blue/", "s3://b/teams/ s3://b/teams/blue/", id="a folder"),
        pytest.param("s3://b/teams/notes.csv", "s3://b/teams/", id="right in the base"),
        pytest.param("s3://b/UserA/raw/x/y.csv", "s3://b/UserA/raw/", id="beside an exception"),
        pytest.param("s3://b/UserA/private/x/y.csv", "", id="in an exception"),
        pytest.param(
            "s3://own/Ana/keep/y/z.csv",
            "s3://own/Ana/keep/ s3://own/Ana/keep/y/",
            id="in somebody's folder",
        ),
        pytest.param("s3://b/UserA/notes.csv", "", id="on the way to an exception"),
        pytest.param("s3://b/notes.csv", "", id="right in the bucket"),
        pytest.param("s3://c/teams/blue/x.csv", "", id="another bucket"),
    ],
)
def test_an_upload_touches_the_folders_that_rules_follow(key, folders) -> None:
    subjects = required_reads.find_upload_subjects(RULES, key)

    assert " ".join(subject.removeprefix("prefix ") for subject in subjects) == folders


def test_an_upload_that_no_rule_follows_concerns_nobody() -> None:
    assert required_reads.find_upload_subjects([RULE, LAB], "s3://b/p/x/y.csv") == ()
