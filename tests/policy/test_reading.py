"""What a policy file means: text in, values out."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from grantor.core.diagnostics import Fault
from grantor.core.grant import Permission
from grantor.core.policy import durations
from grantor.core.policy.parser import parse_policy
from grantor.core.policy.text_forms import END, SPAN
from grantor.core.policy.yaml_tree import LOADER
from grantor.core.rules import DirectoryName, IamPrincipal, Mode, Policy, ProfileSelector, Rule

ROLE = "arn:aws:iam::111122223333:role/studio/ana"
UUID = "9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"


def parse_rule(
    to: str = f"{{role: {ROLE}}}", on: str = "s3://data/Product/*", rest: str = "", top: str = ""
) -> Rule:
    """The one rule of a file; a file that is wrong fails the test with all that is said of it."""
    text = f"version: 1\n{top}\nrules:\n  - name: a\n    to: {to}\n    on: {on}\n    allow: READ\n    {rest}\n"
    found = parse_policy("policy/a.yaml", text.encode(), "company-data")
    if isinstance(found, tuple):
        pytest.fail("\n".join(map(str, found)))
    (only,) = found.rules
    return only


def test_a_file_has_its_rules_with_their_places():
    text = b"""\
# Who works in Product/
version: 1
mode: additive
rules:
  - name: product-team
    to: {profiles: {domain: Product-Domain}}
    on: s3://{data_bucket}/Product/*
    allow: READWRITE

  - allow: READ
    name: auditors
    on: s3://{data_bucket}
    to: {role: arn:aws:iam::111122223333:role/auditor}
"""
    team = Rule(
        file="policy/a.yaml",
        name="product-team",
        to=ProfileSelector(("Product-Domain",)),
        on="s3://company-data/Product/*",
        allow=Permission.READWRITE,
        line=5,
        column=5,
    )
    auditors = Rule(
        file="policy/a.yaml",
        name="auditors",
        to=IamPrincipal("arn:aws:iam::111122223333:role/auditor"),
        on="s3://company-data/*",
        allow=Permission.READ,
        line=10,
        column=5,
    )

    assert parse_policy("policy/a.yaml", text, "company-data") == Policy(
        "policy/a.yaml", (team, auditors), Mode.ADDITIVE
    )


@pytest.mark.parametrize(
    ("top", "mode"),
    [
        pytest.param("", Mode.AUTHORITATIVE, id="without a word"),
        pytest.param("mode: authoritative", Mode.AUTHORITATIVE, id="authoritative"),
        pytest.param("mode: additive", Mode.ADDITIVE, id="additive"),
        pytest.param('mode: "additive"', Mode.ADDITIVE, id="in quotes"),
    ],
)
def test_a_file_is_authoritative_unless_it_says_otherwise(top: str, mode: Mode):
    text = f"version: 1\n{top}\nrules: [{{name: a, to: {{role: {ROLE}}}, on: s3://data/*, allow: READ}}]\n"
    found = parse_policy("f", text.encode())

    assert isinstance(found, Policy)
    assert found.mode is mode


@pytest.mark.parametrize(
    ("to", "means"),
    [
        (
            "{role: arn:aws:iam::111122223333:role/a}",
            IamPrincipal("arn:aws:iam::111122223333:role/a"),
        ),
        (
            '{role: "arn:aws:iam::111122223333:role/a/b/c+=,.@-_"}',
            IamPrincipal("arn:aws:iam::111122223333:role/a/b/c+=,.@-_"),
        ),
        (
            "{role: arn:aws-cn:iam::111122223333:role/a}",
            IamPrincipal("arn:aws-cn:iam::111122223333:role/a"),
        ),
        (
            "{user: arn:aws:iam::111122223333:user/x/ana}",
            IamPrincipal("arn:aws:iam::111122223333:user/x/ana"),
        ),
        ("{profiles: {domain: D}}", ProfileSelector(("D",))),
        ("{each_profile: {domain: D}}", ProfileSelector(("D",), each=True)),
        ("{profiles: {domain: D, names: userA}}", ProfileSelector(("D",), ("userA",))),
        ('{profiles: {domain: D, names: "*"}}', ProfileSelector(("D",), ("*",))),
        (
            "{profiles: {domain: D, names: [user?, team-*]}}",
            ProfileSelector(("D",), ("user?", "team-*")),
        ),
        ('{profiles: {domain: D, names: ["12", "no"]}}', ProfileSelector(("D",), ("12", "no"))),
        (
            "{profiles: {domain: D, tags: {team: blue}}}",
            ProfileSelector(("D",), tags=(("team", "blue"),)),
        ),
        (
            "{profiles: {domain: D, tags: {z: a, b: c}}}",
            ProfileSelector(("D",), tags=(("b", "c"), ("z", "a"))),
        ),
        (
            '{profiles: {domain: D, tags: {"no": "0123", empty: "", Ünit: é}}}',
            ProfileSelector(("D",), (), (("empty", ""), ("no", "0123"), ("Ünit", "é"))),
        ),
        ("{directory_user: ana@example.com}", DirectoryName("DIRECTORY_USER", "ana@example.com")),
        (f"{{directory_user: {UUID}}}", DirectoryName("DIRECTORY_USER", UUID)),
        (
            f"{{directory_user: 9067642ac7-{UUID}}}",
            DirectoryName("DIRECTORY_USER", f"9067642ac7-{UUID}"),
        ),
        ("{directory_group: Data Science}", DirectoryName("DIRECTORY_GROUP", "Data Science")),
        (f"{{directory_group: {UUID.upper()}}}", DirectoryName("DIRECTORY_GROUP", UUID.upper())),
        (
            "\n      profiles:\n        domain: D\n        names:\n          - a\n",
            ProfileSelector(("D",), ("a",)),
        ),
    ],
)
def test_to_says_whom_a_rule_is_for(to: str, means: object):
    assert parse_rule(to=to).to == means


@pytest.mark.parametrize(
    ("on", "scope", "each_prefix", "excepts"),
    [
        ("s3://data", "s3://data/*", "", ()),
        ("s3://data/", "s3://data/*", "", ()),
        ("s3://data/*", "s3://data/*", "", ()),
        ("s3://data/a/b/*", "s3://data/a/b/*", "", ()),
        ("s3://data/a/b.csv", "s3://data/a/b.csv", "", ()),
        ("s3://data/a.b/*", "s3://data/a.b/*", "", ()),
        ("s3://data/.hidden", "s3://data/.hidden", "", ()),
        ("s3://data/päth/x y/*", "s3://data/päth/x y/*", "", ()),
        ("{object: s3://data/a/README}", "s3://data/a/README", "", ()),
        ("{object: s3://data/a/b.csv}", "s3://data/a/b.csv", "", ()),
        ("{scope: s3://data/a/*}", "s3://data/a/*", "", ()),
        ("{scope: s3://data}", "s3://data/*", "", ()),
        ("{each_prefix: s3://data/}", "s3://data/{prefix.name}/*", "s3://data/", ()),
        (
            "{each_prefix: s3://data/teams/}",
            "s3://data/teams/{prefix.name}/*",
            "s3://data/teams/",
            (),
        ),
        (
            '{each_prefix: s3://data/teams/, scope: "s3://out/{prefix.name}/done/*"}',
            "s3://out/{prefix.name}/done/*",
            "s3://data/teams/",
            (),
        ),
        (
            '{each_prefix: s3://data/teams/, scope: "s3://out/{prefix.name}.csv"}',
            "s3://out/{prefix.name}.csv",
            "s3://data/teams/",
            (),
        ),
        ("{scope: s3://data, except: [s3://data/a/*]}", "s3://data/*", "", ("s3://data/a/*",)),
        (
            "{scope: s3://data/a/*, except: [s3://data/a/b/*, s3://data/a/c.csv]}",
            "s3://data/a/*",
            "",
            ("s3://data/a/b/*", "s3://data/a/c.csv"),
        ),
        (
            '{scope: "s3://{data_bucket}/*", except: ["s3://{data_bucket}/UserA/*"]}',
            "s3://company-data/*",
            "",
            ("s3://company-data/UserA/*",),
        ),
    ],
)
def test_on_says_where_a_rule_holds(
    on: str, scope: str, each_prefix: str, excepts: tuple[str, ...]
):
    found = parse_rule(on=on)

    assert (found.on, found.each_prefix, found.excepts) == (scope, each_prefix, excepts)


def test_a_scope_can_end_inside_a_name_with_raw_prefix():
    assert parse_rule(on="s3://data/team*", rest="raw_prefix: true").on == "s3://data/team*"


def test_a_rule_says_what_it_accepts():
    plain = parse_rule(to="{profiles: {domain: D}}")
    accepting = parse_rule(
        to="{profiles: {domain: D}}", rest="shared_role: accepted\n    raw_prefix: true"
    )
    careful = parse_rule(rest="raw_prefix: false")

    assert (plain.shared_role, plain.raw_prefix) == (False, False)
    assert (accepting.shared_role, accepting.raw_prefix) == (True, True)
    assert careful.raw_prefix is False


@pytest.mark.parametrize(
    ("until", "means"),
    [
        pytest.param(
            "2027-03-31", datetime(2027, 4, 1, tzinfo=UTC), id="a date is meant through its end"
        ),
        pytest.param('"2027-12-31"', datetime(2028, 1, 1, tzinfo=UTC), id="in quotes"),
        pytest.param("2028-02-29", datetime(2028, 3, 1, tzinfo=UTC), id="a leap day"),
        pytest.param("2027-03-31T18:00Z", datetime(2027, 3, 31, 18, tzinfo=UTC), id="a time"),
        pytest.param(
            "2027-03-31T18:00:30Z",
            datetime(2027, 3, 31, 18, 0, 30, tzinfo=UTC),
            id="a time with seconds",
        ),
        pytest.param(
            "2020-01-01",
            datetime(2020, 1, 2, tzinfo=UTC),
            id="what lies in the past only the world can tell",
        ),
    ],
)
def test_until_is_the_instant_at_which_a_rule_has_ended(until: str, means: datetime):
    assert parse_rule(rest=f"until: {until}").until == means


@pytest.mark.parametrize(
    ("lasts", "means"),
    [
        ("1h", timedelta(hours=1)),
        ("30d", timedelta(days=30)),
        ('"2w"', timedelta(weeks=2)),
        ("9999w", timedelta(weeks=9999)),
    ],
)
def test_for_is_how_long_a_rule_lasts(lasts: str, means: timedelta):
    assert parse_rule(to="{each_profile: {domain: D}}", rest=f"for: {lasts}").lasts == means


def test_an_application_limits_the_grant_of_a_user_or_group_of_the_directory():
    application = (
        "arn:aws:sso::111122223333:application/ssoins-1234567890abcdef/apl-1234567890abcdef"
    )

    assert (
        parse_rule(to="{directory_user: ana}", rest=f"application: {application}").application
        == application
    )
    assert (
        parse_rule(to="{directory_group: b}", rest=f"application: {application}").application
        == application
    )


@pytest.mark.parametrize(
    ("to", "on", "means"),
    [
        (
            "{each_profile: {domain: D}}",
            "s3://{data_bucket}/{profile.name}/*",
            "s3://company-data/{profile.name}/*",
        ),
        (
            "{each_profile: {domain: D}}",
            "s3://{data_bucket}/{profile.folder}/*",
            "s3://company-data/{profile.folder}/*",
        ),
        (
            "{each_profile: {domain: D}}",
            "s3://{data_bucket}/{profile.tags.a b/c}/*",
            "s3://company-data/{profile.tags.a b/c}/*",
        ),
        ("{each_profile: {domain: D}}", "s3://{profile.name}/*", "s3://{profile.name}/*"),
        ("{each_profile: {domain: D}}", "s3://x-{data_bucket}-y/*", "s3://x-company-data-y/*"),
        (
            "{each_profile: {domain: D}}",
            '{each_prefix: s3://data/, scope: "s3://out/{prefix.name}/{profile.name}/*"}',
            "s3://out/{prefix.name}/{profile.name}/*",
        ),
    ],
)
def test_variables_of_profiles_and_folders_remain(to: str, on: str, means: str):
    assert parse_rule(to=to, on=on).on == means


@pytest.mark.parametrize(
    ("to", "means"),
    [
        (
            '{role: "arn:aws:iam::111122223333:role/{prefix.name}"}',
            IamPrincipal("arn:aws:iam::111122223333:role/{prefix.name}"),
        ),
        (
            '{user: "arn:aws:iam::111122223333:user/t/{prefix.name}"}',
            IamPrincipal("arn:aws:iam::111122223333:user/t/{prefix.name}"),
        ),
        (
            '{profiles: {domain: D, tags: {team: "{prefix.name}"}}}',
            ProfileSelector(("D",), tags=(("team", "{prefix.name}"),)),
        ),
        (
            '{directory_group: "team-{prefix.name}"}',
            DirectoryName("DIRECTORY_GROUP", "team-{prefix.name}"),
        ),
    ],
)
def test_to_can_use_the_name_of_a_folder(to: str, means: object):
    assert parse_rule(to=to, on="{each_prefix: s3://data/teams/}").to == means


def test_a_files_own_variables_are_filled_in_each_with_those_above_it():
    top = 'vars: {account: "111122223333", area: "s3://{data_bucket}/teams", deep: "{area}/deep", domain: D, glob: "user*"}'
    found = parse_rule(
        to='{role: "arn:aws:iam::{account}:role/a"}',
        on='{scope: "{deep}/x/*", except: ["{deep}/x/{account}/*"]}',
        top=top,
    )
    profiles = parse_rule(
        to='{profiles: {domain: "{domain}", names: ["{glob}"], tags: {team: "{domain}-1"}}}',
        on='"{area}/*"',
        top=top,
    )

    assert found.to == IamPrincipal("arn:aws:iam::111122223333:role/a")
    assert (found.on, found.excepts) == (
        "s3://company-data/teams/deep/x/*",
        ("s3://company-data/teams/deep/x/111122223333/*",),
    )
    assert profiles.to == ProfileSelector(("D",), ("user*",), (("team", "D-1"),))
    assert profiles.on == "s3://company-data/teams/*"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "version: 1\r\nrules:\r\n- {name: a, to: {role: ROLE}, on: s3://data/*, allow: READ}\r\n",
            id="lines ended by CR LF",
        ),
        pytest.param(
            "---\nversion: 1\nrules: [{name: a, to: {role: ROLE}, on: s3://data/*, allow: READ}]\n...\n",
            id="marks of a document",
        ),
        pytest.param(
            "rules: [{name: a, to: {role: ROLE}, on: s3://data/*, allow: READ}]\nversion: 1",
            id="any order, no last line feed",
        ),
        pytest.param(
            '{"version": 1, "rules": [{"name": "a", "to": {"role": "ROLE"}, "on": "s3://data/*", "allow": "READ"}]}',
            id="JSON",
        ),
        pytest.param(
            "version: 1\nrules:\n  - name: a\n    to:\n      role: ROLE\n    on: >-\n      s3://data/*\n    allow: READ\n",
            id="a folded text",
        ),
        pytest.param(
            "# é\nversion: 1 # one\nrules: [{name: a, to: {role: ROLE}, on: 's3://data/*', allow: 'READ'}]\n",
            id="comments, quotes",
        ),
    ],
)
def test_a_file_means_the_same_in_every_yaml_style(text: str):
    found = parse_policy("f", text.replace("ROLE", ROLE).encode())

    assert isinstance(found, Policy), "\n".join(map(str, found))
    assert [(rule.name, rule.to, rule.on, rule.allow) for rule in found.rules] == [
        ("a", IamPrincipal(ROLE), "s3://data/*", Permission.READ)
    ]


def test_a_chain_of_variables_cannot_grow_longer_than_a_scope():
    chain = "".join(f'  a{n}: "{{a{n - 1}}}{{a{n - 1}}}"\n' for n in range(1, 20))
    text = f"version: 1\nvars:\n  a0: {'x' * 100}\n{chain}rules: [{{name: a, to: {{role: {ROLE}}}, on: s3://data, allow: READ}}]\n"

    assert [str(problem) for problem in parse_policy("f", text.encode())] == [
        (
            "f:8:7: the value has 3,200 characters: "
            "with its variables filled in, it may have at most 2,000; shorten it"
        )
    ]


def test_a_report_stops_after_a_thousand_mistakes():
    text = "version: 1\nrules:\n" + "  - {}\n" * 400
    found = parse_policy("f", text.encode())

    assert isinstance(found, tuple)
    assert len(found) == 1_001
    assert (
        str(found[-1])
        == "f:252:5: there are more mistakes: a report stops after 1,000; correct these first"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2027-03-31",
        "2027-03-31T18:00Z",
        "2027-03-31T18:00:30Z",
        "9998-12-31",
        "2027-02-30",
        "2027",
        "x",
    ],
)
def test_the_form_and_the_parser_agree_on_ends(text: str):
    assert END.fits(text) or isinstance(durations.parse_until(text), Fault)


@pytest.mark.parametrize("text", ["1h", "30d", "9999w", "0d", "10000d", "1m", "d", "30"])
def test_the_form_and_the_parser_agree_on_lengths_of_time(text: str):
    assert SPAN.fits(text) is not isinstance(durations.parse_span(text), Fault)


def test_libyaml_is_used_if_it_is_installed():
    assert LOADER is (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)


def test_a_rule_with_lists_is_each_grantee_at_each_place_under_one_name():
    policy = parse_policy(
        "policy/a.yaml",
        b"""version: 1
rules:
  - name: a
    to: [{user: "arn:aws:iam::111122223333:user/a"}, {each_profile: {domain: Lab}}]
    on: [{each_prefix: s3://data/teams/}, {scope: s3://data/*, except: [s3://data/x/*]}]
    allow: READ
""",
    )

    assert isinstance(policy, Policy)
    assert [(type(rule.to).__name__, rule.on, rule.each_prefix) for rule in policy.rules] == [
        ("IamPrincipal", "s3://data/teams/{prefix.name}/*", "s3://data/teams/"),
        ("IamPrincipal", "s3://data/*", ""),
        ("ProfileSelector", "s3://data/teams/{prefix.name}/*", "s3://data/teams/"),
        ("ProfileSelector", "s3://data/*", ""),
    ]
    assert {(rule.id, rule.line) for rule in policy.rules} == {("policy/a.yaml#a", 3)}
    assert policy.count_rules() == 1


@pytest.mark.parametrize(("items", "is_valid"), [(100, True), (142, False)])
def test_a_file_has_a_limited_number_of_combinations(items: int, is_valid: bool):
    to = ", ".join(f"{{role: arn:aws:iam::111122223333:role/r{n}}}" for n in range(items))
    on = ", ".join(f"s3://data/p{n}/*" for n in range(items))
    rule = f"to: [{to}], on: [{on}], allow: READ}}"
    found = parse_policy("f", f"version: 1\nrules: [{{name: a, {rule}]".encode())

    assert isinstance(found, Policy) is is_valid
    assert is_valid or [str(one) for one in found] == [
        (
            "f:2:9: to and on make 20,164 combinations of a grantee and a place: a file may have 20,000 "
            "in all its rules, and these exceed them; write fewer items, or move rules to another file"
        )
    ]


def test_an_end_in_a_tag_is_its_key():
    text = """version: 1
rules:
  - name: a
    to: {profiles: {domain: Lab}}
    on: s3://data/x/*
    allow: READ
    until: "{profile.tags.end date}"
"""
    policy = parse_policy("f", text.encode())

    assert isinstance(policy, Policy)
    assert [(rule.until_tag, rule.until, rule.lasts) for rule in policy.rules] == [
        ("end date", None, None)
    ]
