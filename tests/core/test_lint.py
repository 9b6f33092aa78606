"""Warnings about rules that repeat, contradict or cover each other, or say too much."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantor.core.grant import Grant, Grantee, Location, Permission, Reason, covers
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.lint import (
    find_covered,
    lint_rules,
    warn_of_ignored,
    warn_of_leftovers,
)
from grantor.core.planning.plan import LeftoverGrant
from grantor.core.rules import DirectoryName, IamPrincipal, Policy, ProfileSelector, Rule
from grantor.core.snapshot import Inventory, Profile, WantedGrants
from grantor.settings import MAX_IGNORED_FILES

ROLE = "arn:aws:iam::111122223333:role/"
ID = "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"
NOW, SOON, LATER = (
    datetime(2026, 11, 24, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2028, 1, 1, tzinfo=UTC),
)
READ, WRITE, BOTH = Permission.READ, Permission.WRITE, Permission.READWRITE
ANA, BEN = (
    Profile("Lab", name, f"{ROLE}{name}", NOW - timedelta(days=1)) for name in ("ana", "ben")
)
WORLD = Inventory(
    NOW,
    (Location("1", "s3://b"),),
    (ANA, BEN),
    frozenset({"Lab"}),
    {"s3://b/teams/": ("blue", "red")},
)
ONE = Rule("policy/a.yaml", "one", IamPrincipal(f"{ROLE}ana"), "s3://b/p/*", READ, 3, 5)
TWO = replace(ONE, file="policy/b.yaml", name="two", line=7)


def lint_text(*rules: Rule) -> str:
    policies = [Policy(rule.file, (rule,)) for rule in rules]
    return "\n".join(map(str, lint_rules(expand_rules(policies, WORLD), policies)))


SAME = """
policy/b.yaml:7:5: rule two: policy/a.yaml#one grants the same: READ s3://b/p/* to arn:aws:iam::111122223333:role/ana: the two rules share one grant, which is deleted only when neither wants it; keep one of the two
"""
ENDS = """
policy/a.yaml:3:5: rule one: it grants READ s3://b/p/* to arn:aws:iam::111122223333:role/ana until 2027-01-01 00:00Z, but policy/b.yaml#two without end: a grant stays until its last rule has ended; give both the same end, or keep one of the two
"""
COVERED = """
policy/a.yaml:3:5: rule one: policy/b.yaml#two covers all that it grants, as READWRITE s3://b/teams/* to arn:aws:iam::111122223333:role/ana covers READ s3://b/teams/blue/* to arn:aws:iam::111122223333:role/ana: everybody keeps the same access without it; remove it, or narrow the other rule if it grants more than you mean
"""
HALVES = """
policy/b.yaml:7:5: rule two: it grants WRITE s3://b/p/* to arn:aws:iam::111122223333:role/ana, and policy/a.yaml#one grants READ there: a request to S3 Access Grants for READWRITE is not served by two grants, one for each; write allow: READWRITE in one of the two, and remove the other
"""
WHOLE = """
policy/a.yaml:3:5: rule one: it grants a whole bucket: READ s3://b/* to arn:aws:iam::111122223333:role/ana, and 1 more: it also covers everything that is put into the bucket later; write a prefix if you do not mean all of it
"""
JOINED = """
policy/a.yaml:3:5: rule one: {profile.tags.team}-{profile.name} is made of two variables: a-b and c make the same name as a and b-c, and two profiles one folder; put a slash between them
"""


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        pytest.param([ONE, TWO], SAME, id="two rules grant the same"),
        pytest.param([replace(ONE, until=SOON), TWO], ENDS, id="with two ends"),
        pytest.param(
            [replace(ONE, on="s3://b/teams/blue/*"), replace(TWO, on="s3://b/teams/*", allow=BOTH)],
            COVERED,
            id="one covers the other",
        ),
        pytest.param([ONE, replace(TWO, allow=WRITE)], HALVES, id="READ and WRITE apart"),
        pytest.param(
            [replace(ONE, to=ProfileSelector(("Lab",)), on="s3://b/*")], WHOLE, id="a whole bucket"
        ),
        pytest.param(
            [
                replace(
                    ONE,
                    to=ProfileSelector(("Lab",), ("nobody",), each=True),
                    on="s3://b/{profile.tags.team}-{profile.name}/*",
                )
            ],
            JOINED,
            id="joined",
        ),
    ],
)
def test_warnings_explain_the_finding_to_a_steward(rules, said) -> None:
    assert lint_text(*rules) == said.strip()


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([ONE], id="a rule alone"),
        pytest.param([ONE, replace(TWO, to=IamPrincipal(f"{ROLE}ben"))], id="another grantee"),
        pytest.param([ONE, replace(TWO, on="s3://b/q/*")], id="another scope"),
        pytest.param([ONE, replace(TWO, on="s3://b/p")], id="an object of the folder's name"),
        pytest.param(
            [replace(ONE, on="s3://b/pp/*"), replace(TWO, on="s3://b/p/*")],
            id="a name that begins so",
        ),
        pytest.param(
            [replace(ONE, on="s3://b/p/q/*"), replace(TWO, until=SOON)],
            id="wider, but not for as long",
        ),
        pytest.param([replace(ONE, on="s3://b/p/q/*", allow=WRITE), TWO], id="wider, but less"),
        pytest.param(
            [
                replace(ONE, to=ProfileSelector(("Lab",)), on="s3://b/p/q/*"),
                replace(TWO, to=IamPrincipal(ANA.role)),
            ],
            id="wider, but for one of two",
        ),
        pytest.param(
            [replace(ONE, each_prefix="s3://b/teams/", on="s3://b/teams/{prefix.name}/*")],
            id="two grants of one rule",
        ),
        pytest.param(
            [
                replace(
                    ONE,
                    to=ProfileSelector(("Lab",), each=True),
                    on="s3://b/{profile.name}/{profile.folder}/*",
                )
            ],
            id="a slash between variables",
        ),
        pytest.param(
            [
                replace(
                    ONE,
                    to=ProfileSelector(("Lab",), each=True),
                    on="s3://b/{profile.name}-{profile.folder}/*",
                )
            ],
            id="two of one profile",
        ),
    ],
)
def test_a_policy_without_findings_gets_no_warning(rules) -> None:
    assert lint_text(*rules) == ""


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        pytest.param({"on": "s3://b/p/q/*"}, {}, id="a wider prefix"),
        pytest.param({"on": "s3://b/p/q.csv"}, {}, id="an object in it"),
        pytest.param(
            {"on": "s3://b/p/*"}, {"on": "s3://b/p*", "raw_prefix": True}, id="a wider raw prefix"
        ),
        pytest.param(
            {"on": "s3://b/p"},
            {"on": "s3://b/p*", "raw_prefix": True},
            id="an object of just that name",
        ),
        pytest.param({}, {"allow": BOTH}, id="the same scope and more"),
        pytest.param({"allow": WRITE}, {"allow": BOTH}, id="the same scope and more than WRITE"),
        pytest.param(
            {"on": "s3://b/p.csv"},
            {"on": "s3://b/p.csv", "allow": BOTH},
            id="the same object and more",
        ),
        pytest.param(
            {"on": "s3://b/p/q/*", "until": SOON}, {"until": SOON}, id="wider and for as long"
        ),
        pytest.param(
            {"on": "s3://b/p/q/*", "until": SOON}, {"until": LATER}, id="wider and for longer"
        ),
        pytest.param(
            {"to": ProfileSelector(("Lab",), ("ana",)), "on": "s3://b/p/q/*"},
            {"to": ProfileSelector(("Lab",))},
            id="for more people",
        ),
        pytest.param(
            {"each_prefix": "s3://b/teams/", "on": "s3://b/teams/{prefix.name}/*"},
            {"on": "s3://b/teams/*"},
            id="for all the folders",
        ),
        pytest.param(
            {"to": DirectoryName("DIRECTORY_GROUP", ID), "on": "s3://b/p/q/*"},
            {"to": DirectoryName("DIRECTORY_GROUP", ID)},
            id="for a group",
        ),
    ],
)
def test_a_rule_that_another_covers_is_named_with_the_other(narrow, wide) -> None:
    said = lint_text(replace(ONE, **narrow), replace(TWO, **wide))

    assert said.startswith(
        "policy/a.yaml:3:5: rule one: policy/b.yaml#two covers all that it grants, as "
    )
    assert said.count("\n") == 0


def test_of_several_covering_rules_the_one_with_the_latest_end_counts() -> None:
    """Two of the covering rule's grants enclose it; the wider one ends first."""
    narrow = replace(ONE, on="s3://b/p/q/r/*", until=SOON)
    wide = [
        Grant(Grantee("IAM", f"{ROLE}ana"), READ, scope) for scope in ("s3://b/p/*", "s3://b/p/q/*")
    ]
    policies = [Policy(rule.file, (rule,)) for rule in (narrow, TWO)]
    inner = Grant(Grantee("IAM", f"{ROLE}ana"), READ, narrow.on)

    def said(first: datetime, second: datetime) -> int:
        ends = {wide[0]: first, wide[1]: second}
        reasons = {grant: frozenset({Reason(TWO.id, (), end)}) for grant, end in ends.items()}
        return len(
            lint_rules(
                WantedGrants({inner: frozenset({Reason(narrow.id, (), SOON)}), **reasons}), policies
            )
        )

    assert (said(NOW, LATER), said(LATER, NOW), said(NOW, NOW)) == (1, 1, 0)


def test_rules_for_one_grant_are_compared_with_the_one_that_lasts_longest() -> None:
    three = replace(TWO, file="policy/c.yaml", name="three", until=SOON)
    said = lint_text(replace(ONE, until=SOON), replace(TWO, until=LATER), three)

    assert [line.partition(", but ")[2].partition(":")[0] for line in said.split("\n")] == [
        "policy/b.yaml#two until 2028-01-01 00"
    ] * 2


def test_many_grants_are_one_warning() -> None:
    rules = [replace(rule, to=ProfileSelector(("Lab",))) for rule in (ONE, TWO)]

    assert "READ s3://b/p/* to arn:aws:iam::111122223333:role/ana, and 1 more" in lint_text(*rules)
    assert lint_text(*rules).count("\n") == 0


def test_profiles_of_one_rule_that_share_a_role_are_not_two_rules() -> None:
    rule = replace(ONE, to=ProfileSelector(("Lab",)), lasts=timedelta(days=9))
    policies = [Policy(rule.file, (rule,))]
    facts = replace(WORLD, profiles=(ANA, replace(BEN, role=ANA.role, created=NOW)))
    wanted = expand_rules(policies, facts)

    assert [len(reasons) for reasons in wanted.grants.values()] == [2]
    assert lint_rules(wanted, policies) == ()


scopes = st.sampled_from(
    [
        "s3://b/*",
        "s3://b/a*",
        "s3://b/a/*",
        "s3://b/a/b/*",
        "s3://b/ab/*",
        "s3://b/a",
        "s3://b/a/x.csv",
        "s3://c/*",
    ]
)
grants = st.builds(
    Grant,
    st.sampled_from([Grantee("IAM", "1"), Grantee("IAM", "2")]),
    st.sampled_from(Permission),
    scopes,
    st.just(""),
)
ends = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from([SOON, LATER]), min_size=1)


@given(st.dictionaries(grants, ends, max_size=8))
@settings(max_examples=500, deadline=None)
def test_the_fast_search_finds_what_comparing_every_pair_finds(givers) -> None:
    def more(outer: Grant, inner: Grant) -> bool:
        enough = outer.permission in (inner.permission, BOTH)
        return (
            outer != inner
            and outer.grantee == inner.grantee
            and enough
            and covers(outer.scope, inner.scope)
        )

    def shelters(other: str, grant: Grant, end: datetime) -> bool:
        return any(more(outer, grant) and by.get(other, NOW) >= end for outer, by in givers.items())

    expected = {}
    for rule in ("a", "b", "c"):
        given_by = {grant: by[rule] for grant, by in givers.items() if rule in by}
        others = [
            other
            for other in ("a", "b", "c")
            if other != rule and all(shelters(other, *each) for each in given_by.items())
        ]
        if given_by and others:
            expected[rule] = others[0]

    assert {cover.rule: cover.by for cover in find_covered(givers)} == expected


def test_what_additive_files_leave_behind_is_named_once_for_each_file() -> None:
    ana = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")
    left = [
        LeftoverGrant(
            Grant(ana, Permission.READ, f"s3://data/{name}/*"),
            tuple(Reason(f"policy/{file}.yaml#r", additive=True) for file in files),
        )
        for name, files in (("a", "x"), ("b", "xy"))
    ]

    assert [str(problem).partition(": ")[2] for problem in warn_of_leftovers(left)] == [
        (
            "leftover: READ s3://data/a/* to arn:aws:iam::111122223333:role/ana, and 1 more: this "
            "additive file gave it, and no rule gives it any more; grantor leftovers lists what stays "
            "like that, and deletes it with --revoke"
        ),
        (
            "leftover: READ s3://data/b/* to arn:aws:iam::111122223333:role/ana: this additive file "
            "gave it, and no rule gives it any more; grantor leftovers lists what stays like that, and "
            "deletes it with --revoke"
        ),
    ]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("policy/Team2.YAML", "policy/Team2.yaml"),
        ("policy/x.json", "policy/x.yaml"),
        ("policy/team.yaml.txt", "policy/team.yaml"),
        ("policy/teams/team (1).yml~", "policy/teams/team (1).yaml"),
        ("policy/team", "policy/team.yaml"),
        ("Policy/caps.yaml", "policy/caps.yaml"),
        ("policy /team.yaml", "policy/team.yaml"),
        ("polices/team.yaml", "policy/team.yaml"),
        ("root.yaml", "policy/root.yaml"),
        ("old/team.yaml", "policy/old/team.yaml"),
        ("bounds/bounds.yml", "bounds/bounds.yaml"),
        ("Bounds/all.yaml", "bounds/bounds.yaml"),
    ],
)
def test_a_file_that_nobody_reads_is_named_with_the_name_that_it_may_have_been_meant_to_have(
    key: str, meant: str
) -> None:
    (found,) = warn_of_ignored([key])

    assert (found.file, found.what) == (key, "nobody reads this file")
    assert found.remedy == f"if runs should follow it, write it as {meant}, else delete it"


@pytest.mark.parametrize(
    "key", ["policy/", "policy/README.md", "policy/.keep", "bounds/", "notes.txt", "logs/2026/11"]
)
def test_a_file_that_nobody_takes_for_a_policy_file_is_not_named(key: str) -> None:
    assert warn_of_ignored([key]) == ()


@pytest.mark.parametrize("key", ["policy/all.test.yaml", "policy/x/all.test.yml", "all.test.yaml"])
def test_a_file_of_tests_is_named_as_one(key: str) -> None:
    (found,) = warn_of_ignored([key])

    assert (found.file, found.what) == (key, "no run reads this file")
    plain = key.partition(".")[0] + ".yaml"
    assert found.remedy == f"delete it here, or write its rules, if it has any, as {plain}"


def test_of_very_many_files_that_nobody_reads_some_are_named_and_the_others_counted() -> None:
    found = warn_of_ignored(f"policy/{n:04}.YAML" for n in range(1_000))

    assert len(found) == MAX_IGNORED_FILES + 1
    assert found[-1].what == f"nobody reads {1_000 - MAX_IGNORED_FILES} more files like these"


def test_a_file_that_nobody_reads_breaks_no_line_of_a_report() -> None:
    (found,) = warn_of_ignored(["policy/x\ngranted: all.YAML"])

    assert str(found).startswith("policy/x\\ngranted: all.YAML:1:1: nobody reads this file: ")
    assert str(found).isprintable()
