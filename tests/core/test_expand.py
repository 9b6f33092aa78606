"""From rules and inventory to grants: who, where, until when; and what is rejected or on hold.

Nothing is dropped silently.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.grant import Location, Permission, Reason, sort_reasons
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.rendering import Home, describe_grant, describe_grantee
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import DirectoryName, IamPrincipal, Mode, Policy, ProfileSelector, Rule
from grantor.core.snapshot import Focus, Hold, Inventory, Profile, WantedGrants

HOME = Home("aws", "111122223333")
ROLE = "arn:aws:iam::111122223333:role/"
ID = "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EARLIER, LATER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC)
ANA = Profile("Lab", "ana", f"{ROLE}ana", EARLIER, (("team", "blue"),))
BEN = Profile("Lab", "ben", f"{ROLE}ben", EARLIER, (("level", "2"), ("team", "red")))
CY = Profile("Office", "cy", f"{ROLE}cy", EARLIER, (("team", "blue"),))
EVERYBODY = (ANA, BEN, CY)
WORLD = Inventory(
    NOW,
    locations=(Location("1", "s3://data"), Location("2", "s3://lake/open/")),
    profiles=EVERYBODY,
    domains=frozenset({"Lab", "Office"}),
    folders={"s3://data/teams/": ("blue", "red")},
    directory={("DIRECTORY_GROUP", "auditors"): ID, ("DIRECTORY_USER", "eve"): ID},
)
LAB, EACH, AUDITOR = (
    ProfileSelector(("Lab",)),
    ProfileSelector(("Lab",), each=True),
    IamPrincipal(f"{ROLE}auditor"),
)
PLAIN = Rule("policy/a.yaml", "r", LAB, "s3://data/p/*", Permission.READ, 3, 5)


def of(
    *rules: Rule, focus: Focus | None = None, mode: Mode = Mode.AUTHORITATIVE, **facts
) -> WantedGrants:
    """What these rules of one file want in WORLD, or in what `facts` make of it."""
    return expand_rules(
        [Policy("policy/a.yaml", rules, mode)], replace(WORLD, **facts), focus or Focus()
    )


def rights(wanted: WantedGrants) -> list[str]:
    return [f"{describe_grantee(grant.grantee, HOME)} {grant.scope}" for grant in wanted.grants]


@pytest.mark.parametrize(
    ("to", "holders"),
    [
        pytest.param(AUDITOR, "role/auditor", id="role"),
        pytest.param(IamPrincipal("arn:aws:iam::111122223333:user/eve"), "user/eve", id="user"),
        pytest.param(LAB, "role/ana role/ben", id="all profiles of a domain"),
        pytest.param(ProfileSelector(("Lab",), ("ana",)), "role/ana", id="by name"),
        pytest.param(ProfileSelector(("Lab",), ("ben", "ana")), "role/ana role/ben", id="by names"),
        pytest.param(ProfileSelector(("Lab",), ("b*",)), "role/ben", id="by glob"),
        pytest.param(ProfileSelector(("Lab",), ("?n?", "be*")), "role/ana role/ben", id="by globs"),
        pytest.param(ProfileSelector(("Lab",), ("B*", "ANA")), "", id="names are of one case"),
        pytest.param(ProfileSelector(("Lab",), ("an",)), "", id="a name is no beginning"),
        pytest.param(ProfileSelector(("Lab",), (), (("team", "blue"),)), "role/ana", id="by tag"),
        pytest.param(
            ProfileSelector(("Lab",), (), (("team", "red"), ("level", "2"))),
            "role/ben",
            id="by all tags",
        ),
        pytest.param(
            ProfileSelector(("Lab",), (), (("team", "blue"), ("level", "2"))),
            "",
            id="not by one of the tags",
        ),
        pytest.param(
            ProfileSelector(("Lab",), ("ben",), (("team", "blue"),)), "", id="by name and tag"
        ),
        pytest.param(ProfileSelector(("Office",), ("*",)), "role/cy", id="of another domain"),
        pytest.param(
            DirectoryName("DIRECTORY_GROUP", "auditors"),
            f"directory_group {ID}",
            id="group by name",
        ),
        pytest.param(
            DirectoryName("DIRECTORY_GROUP", ID.upper()[11:]),
            f"directory_group {ID.upper()[11:]}",
            id="group by id",
        ),
        pytest.param(
            DirectoryName("DIRECTORY_USER", "eve"), f"directory_user {ID}", id="person by name"
        ),
    ],
)
def test_a_rule_grants_to_all_its_grantees_and_nobody_else(to, holders) -> None:
    wanted = of(replace(PLAIN, to=to))

    assert " ".join(describe_grantee(grant.grantee, HOME) for grant in wanted.grants) == holders
    assert (wanted.rejected, wanted.on_hold) == ((), ())


@pytest.mark.parametrize(
    ("changed", "scopes"),
    [
        pytest.param({}, "s3://data/p/* s3://data/p/*", id="one place for all"),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.name}/*"},
            "s3://data/ana/* s3://data/ben/*",
            id="name",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.folder}/*"},
            "s3://data/Ana/* s3://data/Ben/*",
            id="folder",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.tags.team}/x/*"},
            "s3://data/blue/x/* s3://data/red/x/*",
            id="tag",
        ),
        pytest.param(
            {"to": EACH, "on": "s3://data/{profile.name}.csv"},
            "s3://data/ana.csv s3://data/ben.csv",
            id="object",
        ),
        pytest.param(
            {
                "to": AUDITOR,
                "on": "s3://data/teams/{prefix.name}/*",
                "each_prefix": "s3://data/teams/",
            },
            "s3://data/teams/blue/* s3://data/teams/red/*",
            id="folder that there is",
        ),
        pytest.param(
            {
                "to": AUDITOR,
                "on": "s3://data/done/{prefix.name}.csv",
                "each_prefix": "s3://data/teams/",
            },
            "s3://data/done/blue.csv s3://data/done/red.csv",
            id="elsewhere by the name of a folder",
        ),
        pytest.param(
            {
                "to": EACH,
                "on": "s3://data/{prefix.name}/{profile.name}/*",
                "each_prefix": "s3://data/teams/",
            },
            "s3://data/blue/ana/* s3://data/red/ana/* s3://data/blue/ben/* s3://data/red/ben/*",
            id="folder times profile",
        ),
        pytest.param(
            {"to": AUDITOR, "on": "s3://data/new/*", "each_prefix": "s3://data/new/"},
            "",
            id="no folder yet",
        ),
    ],
)
def test_variables_are_filled_in_for_each_profile_and_each_folder(changed, scopes) -> None:
    wanted = of(replace(PLAIN, **changed))

    assert " ".join(grant.scope for grant in wanted.grants) == scopes
    assert (wanted.rejected, wanted.on_hold) == ((), ())


@pytest.mark.parametrize(
    ("to", "given"),
    [
        (
            ProfileSelector(("Lab",), (), (("team", "{prefix.name}"),)),
            ["role/ana s3://data/teams/blue/*", "role/ben s3://data/teams/red/*"],
        ),
        (
            IamPrincipal(f"{ROLE}team-{{prefix.name}}"),
            ["role/team-blue s3://data/teams/blue/*", "role/team-red s3://data/teams/red/*"],
        ),
        (
            DirectoryName("DIRECTORY_GROUP", "{prefix.name}-people"),
            [f"directory_group {ID} s3://data/teams/blue/*"],
        ),
    ],
    ids=["tag", "role", "group"],
)
def test_the_name_of_a_folder_can_select_its_grantee(to, given) -> None:
    rule = replace(
        PLAIN, to=to, on="s3://data/teams/{prefix.name}/*", each_prefix="s3://data/teams/"
    )

    assert rights(of(rule, directory={("DIRECTORY_GROUP", "blue-people"): ID})) == given


def test_reasons_name_the_rule_the_profile_and_the_folder() -> None:
    teams = replace(
        PLAIN,
        name="teams",
        to=ProfileSelector(("Lab",), ("ana",)),
        on="s3://data/teams/{prefix.name}/*",
        each_prefix="s3://data/teams/",
    )
    again = replace(teams, name="again", on="s3://data/teams/blue/*", each_prefix="")
    wanted = of(teams, again, mode=Mode.ADDITIVE)

    assert [sorted(reasons) for reasons in wanted.grants.values()] == [
        [
            Reason("policy/a.yaml#again", ("profile Lab/ana",), None, additive=True),
            Reason(
                "policy/a.yaml#teams",
                ("profile Lab/ana", "prefix s3://data/teams/blue/"),
                None,
                additive=True,
            ),
        ],
        [
            Reason(
                "policy/a.yaml#teams",
                ("profile Lab/ana", "prefix s3://data/teams/red/"),
                None,
                additive=True,
            )
        ],
    ]


@pytest.mark.parametrize(
    ("changed", "until"),
    [
        pytest.param({}, None, id="without end"),
        pytest.param({"until": LATER}, LATER, id="until"),
        pytest.param({"lasts": timedelta(days=60)}, EARLIER + timedelta(days=60), id="for"),
        pytest.param(
            {"lasts": timedelta(days=10**8)},
            datetime.max.replace(tzinfo=UTC),
            id="for longer than there are dates",
        ),
    ],
)
def test_reasons_say_until_when(changed, until) -> None:
    assert {
        reason.until
        for reasons in of(replace(PLAIN, **changed)).grants.values()
        for reason in reasons
    } == {until}


@pytest.mark.parametrize(
    ("changed", "given"),
    [
        pytest.param({"until": NOW + timedelta(seconds=1)}, True, id="a second before its end"),
        pytest.param({"until": NOW}, False, id="at its end"),
        pytest.param(
            {"lasts": NOW - EARLIER + timedelta(seconds=1)},
            True,
            id="a second before the profile's time is over",
        ),
        pytest.param({"lasts": NOW - EARLIER}, False, id="when the profile's time is over"),
    ],
)
def test_what_has_ended_is_neither_wanted_nor_on_hold(changed, given) -> None:
    wanted = of(replace(PLAIN, to=ProfileSelector(("Lab",), ("ana",)), **changed))

    assert (bool(wanted.grants), wanted.on_hold, wanted.rejected) == (given, (), ())


def test_a_grant_has_the_permission_and_the_application_of_its_rule() -> None:
    application = "arn:aws:sso::111122223333:application/ssoins-1/apl-1"
    rule = replace(
        PLAIN,
        to=DirectoryName("DIRECTORY_USER", "eve"),
        allow=Permission.READWRITE,
        application=application,
    )

    assert [describe_grant(grant, HOME) for grant in of(rule).grants] == [
        f"READWRITE s3://data/p/* to directory_user {ID} through {application}"
    ]


FILE = """
version: 1
vars: {area: "s3://{data_bucket}/teams/"}
rules:
  - name: product-team
    to: {profiles: {domain: Lab}}
    on: s3://{data_bucket}/Product/*
    allow: READWRITE
  - name: own-folder
    to: {each_profile: {domain: Lab, names: "*n*"}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
    for: 60d
  - name: team-folders
    to: {profiles: {domain: Lab, tags: {team: "{prefix.name}"}}}
    on: {each_prefix: "{area}"}
    allow: READ
  - name: auditors
    to: {directory_group: auditors}
    on: {scope: "s3://{data_bucket}/*", except: ["s3://{data_bucket}/Ana/*"]}
    allow: READ
    until: 2027-03-31
"""
GRANTS = """
READ s3://data/Product/* to directory_group 9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a, because policy/a.yaml#auditors for prefix s3://data/Product/ until 2027-04-01 00:00Z
READ s3://data/teams/* to directory_group 9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a, because policy/a.yaml#auditors for prefix s3://data/teams/ until 2027-04-01 00:00Z
READWRITE s3://data/Ana/* to role/ana, because policy/a.yaml#own-folder for profile Lab/ana until 2026-12-31 00:00Z
READWRITE s3://data/Product/* to role/ana, because policy/a.yaml#product-team for profile Lab/ana
READ s3://data/teams/blue/* to role/ana, because policy/a.yaml#team-folders for profile Lab/ana, prefix s3://data/teams/blue/
READWRITE s3://data/Ben/* to role/ben, because policy/a.yaml#own-folder for profile Lab/ben until 2026-12-31 00:00Z
READWRITE s3://data/Product/* to role/ben, because policy/a.yaml#product-team for profile Lab/ben
READ s3://data/teams/red/* to role/ben, because policy/a.yaml#team-folders for profile Lab/ben, prefix s3://data/teams/red/
"""


def test_a_policy_file_becomes_these_grants() -> None:
    policy = parse_policy("policy/a.yaml", FILE.encode(), "data")
    assert isinstance(policy, Policy)
    folders = {"s3://data/": ("Ana", "Product", "teams"), "s3://data/teams/": ("blue", "red")}
    wanted = expand_rules([policy], replace(WORLD, folders=folders))

    lines = (
        f"{describe_grant(grant, HOME)}, because {' and '.join(map(str, sort_reasons(reasons)))}"
        for grant, reasons in wanted.grants.items()
    )
    assert "\n".join(lines) == GRANTS.strip()
    assert (wanted.rejected, wanted.on_hold) == ((), ())


FORTUNE = Inventory(
    NOW,
    locations=(Location("1", "s3://data"),),
    profiles=(
        Profile("Lab", "ana", f"{ROLE}studio", EARLIER, (("team", "blue"),)),
        Profile("Lab", "ben", f"{ROLE}studio", EARLIER, (("team", "red"),)),
        Profile("Lab", "cy", f"{ROLE}cy", EARLIER, (("team", "blue"),)),
        Profile("Lab", "Cy", f"{ROLE}other-cy", EARLIER, (("team", "../x"),)),
        Profile("Lab", "cynthia", f"{ROLE}cynthia"),
    ),
    domains=frozenset({"Lab"}),
    folders={"s3://data/teams/": ("blue", "..", "a*")},
    directory={("DIRECTORY_GROUP", "auditors"): ID},
)


REFUSALS = """
policy/a.yaml:1:5: rule no-such-domain: there is no Studio domain 'Lap': that may be a typing mistake, so nothing changes for it; did you mean Lab?
policy/a.yaml:2:5: rule no-domain-like-it: there is no Studio domain 'Warehouse': that may be a typing mistake, so nothing changes for it; write its name as the list of domains shows it
policy/a.yaml:3:5: rule no-such-group: the directory has no group 'auditor': a grant names an id, which Grantor looks up by the name; did you mean auditors?
policy/a.yaml:4:5: rule nobody-like-it: the directory has no user 'bob': a grant names an id, which Grantor looks up by the name; write the name as the directory has it, or the user's id
policy/a.yaml:5:5: rule nowhere: 's3://other/p/*' is outside every location: a grant is created in a registered location, and the instance has s3://data/; write a scope below a location, or register one there
policy/a.yaml:6:5: rule one-of-two for arn:aws:iam::111122223333:role/studio: it is also the role of Lab/ben, which the rule does not select: S3 Access Grants knows roles, not profiles, so a grant for one of them is a grant for all; give each a role of its own, let the rule treat all of them alike, or write shared_role: accepted
policy/a.yaml:7:5: rule two-folders for arn:aws:iam::111122223333:role/studio: it is the role of Lab/ana and Lab/ben, and the rule gives them different scopes: S3 Access Grants knows roles, not profiles, so a grant for one of them is a grant for all; give each a role of its own, let the rule treat all of them alike, or write shared_role: accepted
policy/a.yaml:8:5: rule one-folder for profile Lab/Cy: its scope overlaps with that of Lab/cy: each would reach the other's data, although their roles differ; rename one of them, or write {profile.name} in the scope
policy/a.yaml:8:5: rule one-folder for profile Lab/cy: its scope overlaps with that of Lab/Cy: each would reach the other's data, although their roles differ; rename one of them, or write {profile.name} in the scope
"""

UNUSABLE = """
policy/a.yaml:9:5: rule no-tag for profile Lab/cynthia: {profile.tags.team} has no value: nothing can stand in its place; give the profile a tag team, or leave the variable out
policy/a.yaml:10:5: rule bad-tag for profile Lab/Cy: {profile.tags.team} is '../x': it must be one name without /, *, ?, ${ and characters that no editor shows, without $ at its end, and not . or ..; choose another name, or leave the variable out
"""

NOTICES = """
s3://data/odd/two words/: 'arn:aws:iam::111122223333:role/two words' is not the ARN of a role or user: names of roles and users contain only letters, digits and + = , . @ _ -; give the folder the role's name, or write a rule for it alone (rule policy/a.yaml#roles)
s3://data/odd/{prefix.name}/: 'arn:aws:iam::111122223333:role/{prefix.name}' is not the ARN of a role or user: names of roles and users contain only letters, digits and + = , . @ _ -; give the folder the role's name, or write a rule for it alone (rule policy/a.yaml#roles)
s3://data/teams/: nothing is granted for the folders '..' and 'a*': a folder's name cannot be used as it is: it must be one name without /, *, ?, ${ and characters that no editor shows, without $ at its end, and not . or ..; rename it (rule policy/a.yaml#folders)
"""


def test_rejections_explain_the_problem_to_a_steward() -> None:
    """One rule each; the text is what the owner of the file is sent."""
    base = replace(PLAIN, line=1)
    rules = [
        replace(base, name="no-such-domain", to=ProfileSelector(("Lap",))),
        replace(base, name="no-domain-like-it", to=ProfileSelector(("Warehouse",))),
        replace(base, name="no-such-group", to=DirectoryName("DIRECTORY_GROUP", "auditor")),
        replace(base, name="nobody-like-it", to=DirectoryName("DIRECTORY_USER", "bob")),
        replace(base, name="nowhere", to=AUDITOR, on="s3://other/p/*"),
        replace(base, name="one-of-two", to=ProfileSelector(("Lab",), ("ana",))),
        replace(
            base,
            name="two-folders",
            to=ProfileSelector(("Lab",), ("ana", "ben"), each=True),
            on="s3://data/{profile.folder}/*",
        ),
        replace(
            base,
            name="one-folder",
            to=ProfileSelector(("Lab",), ("?y",), each=True),
            on="s3://data/{profile.folder}/*",
        ),
        replace(
            base,
            name="no-tag",
            to=ProfileSelector(("Lab",), ("cynthia",), each=True),
            on="s3://data/{profile.tags.team}/x/*",
        ),
        replace(
            base,
            name="bad-tag",
            to=ProfileSelector(("Lab",), ("Cy",), each=True),
            on="s3://data/{profile.tags.team}/x/*",
        ),
        replace(
            base,
            name="folders",
            to=AUDITOR,
            on="s3://data/teams/{prefix.name}/*",
            each_prefix="s3://data/teams/",
        ),
        replace(
            base,
            name="roles",
            to=IamPrincipal(f"{ROLE}{{prefix.name}}"),
            on="s3://data/x{prefix.name}/*",
            each_prefix="s3://data/odd/",
        ),
    ]
    facts = replace(
        FORTUNE, folders={**FORTUNE.folders, "s3://data/odd/": ("two words", "{prefix.name}")}
    )
    numbered = [replace(rule, line=line) for line, rule in enumerate(rules, 1)]
    wanted = expand_rules([Policy("policy/a.yaml", tuple(numbered))], facts)

    assert "\n".join(map(str, wanted.rejected)) == REFUSALS.strip()
    assert "\n".join(map(str, wanted.warnings)) == UNUSABLE.strip()
    assert "\n".join(map(str, wanted.notices)) == NOTICES.strip()
    assert {held.rule.partition("#")[2] for held in wanted.on_hold} == {
        rule.name for rule in rules[:8]
    }


def test_a_tag_that_was_read_and_is_missing_gives_nothing_and_holds_nothing() -> None:
    rule = replace(PLAIN, to=EACH, on="s3://data/{profile.tags.level}/*")
    wanted = of(rule, PLAIN)

    assert rights(wanted) == [
        "role/ana s3://data/p/*",
        "role/ben s3://data/2/*",
        "role/ben s3://data/p/*",
    ]
    assert (wanted.rejected, wanted.on_hold) == ((), ())
    assert [problem.what for problem in wanted.warnings] == [
        "rule r for profile Lab/ana: {profile.tags.level} has no value"
    ]


@pytest.mark.parametrize(
    "value",
    [
        *("", ".", "..", "a/b", "/", "*", "a*", "a?", "?", "${aws:username}", "a$"),
        *("a\nb", "a\x00", "\x85", "\u2028", "\ud800", "a\u202eb", "\u3164", "a\ufe0f"),
    ],
)
def test_a_value_that_is_not_exactly_one_name_gives_nothing(value) -> None:
    odd = replace(ANA, tags=(("team", value),))
    wanted = of(replace(PLAIN, to=EACH, on="s3://data/{profile.tags.team}/x/*"), profiles=(odd,))

    assert (rights(wanted), wanted.rejected, wanted.on_hold) == ([], (), ())
    assert len(wanted.warnings) == 1


@pytest.mark.parametrize(
    "value",
    ["a.b", "...", ".hidden", "a b", "ä", "a$b", "[a]", "{profile.name}", "{prefix.name}", "{"],
)
def test_a_value_that_is_one_name_is_used_unchanged(value) -> None:
    odd = replace(ANA, tags=(("team", value),))
    wanted = of(
        replace(PLAIN, to=EACH, on="s3://data/{profile.tags.team}/{profile.name}/*"),
        profiles=(odd,),
    )

    assert rights(wanted) == [f"role/ana s3://data/{value}/ana/*"]


def test_a_tag_that_a_rule_uses_must_be_a_valid_name() -> None:
    rule = replace(
        PLAIN,
        to=ProfileSelector(("Lab",), (), (("team", "{prefix.name}"),)),
        on="s3://data/{prefix.name}/*",
        each_prefix="s3://data/x/",
    )
    wanted = of(rule, folders={"s3://data/x/": ("*", "blue")})

    assert rights(wanted) == ["role/ana s3://data/blue/*"]
    assert (len(wanted.notices), wanted.warnings, wanted.on_hold) == (1, (), ())


def test_a_folders_name_breaks_no_line_of_a_report() -> None:
    rule = replace(PLAIN, to=AUDITOR, on="s3://data/{prefix.name}/*", each_prefix="s3://data/")

    assert str(of(rule, folders={"s3://data/": ("x\ngranted: all",)}).notices[0]).startswith(
        "s3://data/: nothing is granted for the folder 'x\\ngranted: all': "
    )


@pytest.mark.parametrize(
    ("tag", "what", "remedy"),
    [
        (("team", "blue"), "", ""),
        (("team", "bleu"), "the tag 'team' with 'bleu'", "did you mean 'blue'?"),
        (("taem", "blue"), "the tag 'taem' with 'blue'", "did you mean the tag 'team'?"),
        (("team", "xyz"), "the tag 'team' with 'xyz'", "correct the tag, or keep it for"),
        (("zone", "x"), "the tag 'zone' with 'x'", "correct the tag, or keep it for"),
    ],
    ids=["known", "mistyped value", "mistyped key", "other value", "other key"],
)
def test_a_tag_that_no_profile_carries_is_named(
    tag: tuple[str, str], what: str, remedy: str
) -> None:
    rule = replace(PLAIN, to=ProfileSelector(("Lab",), tags=(tag,)))
    found = of(rule).warnings

    assert [it.what.removeprefix("rule r: no profile of Lab has ") for it in found] == (
        [what] if what else []
    )
    assert all(problem.remedy.startswith(remedy) for problem in found)


@pytest.mark.parametrize(
    ("base", "names", "remedies"),
    [
        ("s3://data/teams/", ("blue",), []),
        ("s3://data/teams/", ("*",), []),
        ("s3://data/taems/", (), ["did you mean s3://data/teams/?"]),
        ("s3://data/x/", (), ["correct it, or keep it for future folders"]),
    ],
    ids=["a folder", "a folder that cannot be used", "mistyped", "empty"],
)
def test_a_prefix_without_folders_is_named(
    base: str, names: tuple[str, ...], remedies: list[str]
) -> None:
    rule = replace(PLAIN, to=AUDITOR, on=f"{base}{{prefix.name}}/*", each_prefix=base)
    found = of(rule, folders={"s3://data/": ("teams",), base: names})

    assert [problem.remedy for problem in found.warnings] == remedies


@pytest.mark.parametrize(
    ("length", "refused"),
    [(2000, ""), (2001, "rule r: 's3://data/aaaaa")],
    ids=["longest scope", "one character more"],
)
def test_a_scope_has_up_to_2000_characters(length, refused) -> None:
    wanted = of(replace(PLAIN, to=AUDITOR, on=f"s3://data/{'a' * (length - 12)}/*"))

    assert (
        " ".join(problem.what[: len("rule r: 's3://data/aaaaa")] for problem in wanted.rejected)
        == refused
    )


@pytest.mark.parametrize(
    ("scope", "locations", "refused"),
    [
        pytest.param("s3://data/*", ["s3://data"], "", id="all of a location"),
        pytest.param("s3://data/*", ["s3://"], "", id="a bucket in the default location"),
        pytest.param("s3://data/a/x.csv", ["s3://other", "s3://data/a/*"], "", id="one object"),
        pytest.param(
            "s3://data/*",
            [],
            "is outside every location: …and the instance has none; write",
            id="no location",
        ),
        pytest.param(
            "s3://data2/*",
            ["s3://data"],
            "is outside every location: …and the instance has s3://data/; write",
            id="another bucket",
        ),
        pytest.param(
            "s3://data/*",
            ["s3://data/a", "s3://data/b/", "s3://c"],
            "is wider than every location: …a scope below s3://data/a/ or s3://data/b/, or",
            id="wider",
        ),
        pytest.param(
            "s3://data/a",
            ["s3://data/a/"],
            "is outside every location: …and the instance has s3://data/a/; write",
            id="an object beside",
        ),
        pytest.param(
            "s3://x/*",
            [f"s3://b{n}" for n in range(6)],
            "is outside every location: …s3://b3/, s3://b4/ or others; write",
            id="many",
        ),
    ],
)
def test_a_scope_lies_under_a_location(scope, locations, refused) -> None:
    registered = tuple(Location(str(n), location) for n, location in enumerate(locations))
    text = "\n".join(
        map(str, of(replace(PLAIN, to=AUDITOR, on=scope), locations=registered).rejected)
    )

    assert all(part in text for part in refused.split("…"))
    assert bool(text) == bool(refused)


@pytest.mark.parametrize(
    ("changed", "unread", "held"),
    [
        pytest.param(
            {},
            {"domain Lab": "Throttling"},
            "the profiles of Studio domain Lab could not be read: Throttling",
            id="domain",
        ),
        pytest.param(
            {
                "to": AUDITOR,
                "on": "s3://data/teams/{prefix.name}/*",
                "each_prefix": "s3://data/teams/",
            },
            {"folders s3://data/teams/": "AccessDenied"},
            "the folders of s3://data/teams/ could not be read: AccessDenied",
            id="folders",
        ),
        pytest.param(
            {"to": AUDITOR, "on": "s3://data/*", "excepts": ("s3://data/a/b/*",)},
            {"folders s3://data/a/": "AccessDenied", "folders s3://data/": "Throttling"},
            "the folders of s3://data/ could not be read: Throttling",
            id="folders beside an exception",
        ),
        pytest.param(
            {"to": DirectoryName("DIRECTORY_USER", "eve")},
            {"directory DIRECTORY_USER eve": "Throttling"},
            "'eve' could not be looked up in the directory: Throttling",
            id="directory",
        ),
    ],
)
def test_what_could_not_be_read_puts_the_rule_on_hold_without_a_rejection(
    changed, unread, held
) -> None:
    assert of(replace(PLAIN, **changed), unread=unread) == WantedGrants(
        on_hold=(Hold("policy/a.yaml#r", "", held),)
    )


def test_a_profile_of_unknown_age_puts_its_part_of_a_rule_with_a_duration_on_hold() -> None:
    wanted = of(
        replace(PLAIN, lasts=timedelta(days=60)), profiles=(ANA, replace(BEN, created=None))
    )

    assert (rights(wanted), wanted.rejected) == (["role/ana s3://data/p/*"], ())
    assert [held.subject for held in wanted.on_hold] == ["profile Lab/ben"]


def test_only_the_profile_without_a_role_is_rejected() -> None:
    wanted = of(PLAIN, profiles=(ANA, replace(BEN, role="")))

    assert (rights(wanted), [held.subject for held in wanted.on_hold]) == (
        ["role/ana s3://data/p/*"],
        ["profile Lab/ben"],
    )
    assert "profile ben has no execution role, and neither has its domain" in str(
        wanted.rejected[0]
    )


WARNINGS = """
policy/a.yaml:3:5: rule old: it ended at 2026-11-01 00:00Z: it grants nothing any more; remove it
policy/a.yaml:3:5: rule r: no profile of Lab matches 'ann': it may be a typing mistake, or the profile may not exist yet; correct the name, or keep it for a future profile
"""


def test_a_full_run_warns_of_rules_that_ended_and_of_names_that_match_nobody() -> None:
    ended, nobody = (
        replace(PLAIN, name="old", until=EARLIER),
        replace(PLAIN, to=ProfileSelector(("Lab",), ("ann", "a*"))),
    )
    wanted = of(ended, nobody)

    assert "\n".join(map(str, wanted.warnings)) == WARNINGS.strip()
    assert of(ended, nobody, focus=Focus.build(["profile Lab/ana"])).warnings == ()


def test_the_same_facts_in_any_order_give_the_same_text() -> None:
    rules = (
        PLAIN,
        replace(PLAIN, name="s", to=ProfileSelector(("Lap",))),
        replace(PLAIN, name="t", on="s3://x/*"),
        replace(PLAIN, name="u"),
    )
    one, other = Policy("policy/a.yaml", rules[:2]), Policy("policy/b.yaml", rules[2:])
    turned = replace(
        WORLD,
        profiles=EVERYBODY[::-1],
        folders=dict(reversed(WORLD.folders.items())),
        locations=WORLD.locations[::-1],
    )
    backwards = [replace(policy, rules=policy.rules[::-1]) for policy in (other, one)]

    assert repr(expand_rules([one, other], WORLD)) == repr(expand_rules(backwards, turned))
    assert (
        "policy/a.yaml#r', subjects=('profile Lab/ana',), until=None, additive=False), Reason(rule='policy/a.yaml#u"
        in repr(expand_rules([one, other], WORLD))
    )
