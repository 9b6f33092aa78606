"""Coverage of policy files by tests: a part of a rule counts if a test fails without it."""

from grantor.core.access.policy_coverage import Coverage, PartKind, list_parts, measure_coverage
from grantor.core.access.policy_test_text import describe_part, encode_coverage
from grantor.core.expectations import PolicyTests
from grantor.core.policy.parser import parse_policy, parse_test_file
from grantor.core.rules import Policy

EVERY_PART = """\
version: 1
rules:
  - name: people
    to:
      - {each_profile: {domain: [D, E], names: ["a*"], tags: {team: blue, kind: x}, except: [abe, {tags: {k: v}}]}}
      - {each_profile: {domain: F}}
    on: ["s3://data/p/{profile.folder}/*", {object: s3://data/README}]
    allow: READWRITE
    for: 30d
  - name: group
    to: {directory_group: G}
    on: {scope: s3://data/*, except: [s3://data/p/*]}
    allow: READ
    until: 2027-03-31
    application: arn:aws:sso::111122223333:application/ssoins-1/apl-1
  - name: roles
    to: [{role: "arn:aws:iam::111122223333:role/a"}, {directory_user: ana}]
    on: s3://data/w/*
    allow: WRITE
suspend:
  - {role: "arn:aws:iam::111122223333:role/b", because: lost}
"""
TESTED = """\
version: 1
rules:
  - {name: own, to: {each_profile: {domain: D, except: [guest]}}, on: "s3://data/{profile.folder}/*", allow: READWRITE}
  - {name: brief, to: {profiles: {domain: D}}, on: s3://data/x/all/*, allow: READ, until: 2027-03-31}
given: {profiles: {D/ana: {}, D/guest: {}}}
tests:
"""
ALL = """\
  - {reach: guest, exactly: [READ s3://data/x/all/*]}
  - {reach: ana, exactly: [READ s3://data/x/all/*, READWRITE s3://data/Ana/*]}
  - {reach: guest, exactly: [], at: 2027-04-01}
"""


def parse(text: str, file: str = "policy/a.yaml") -> Policy:
    found = parse_policy(file, text.encode(), "data")
    assert isinstance(found, Policy), found
    return found


def list_uncovered(coverage: Coverage) -> list[tuple[str, str]]:
    return [(part.rule.rpartition("#")[2], part.kind.name) for part in coverage.uncovered]


def test_a_rule_has_a_part_for_all_that_it_says_about_who_where_what_and_until_when():
    parts = [
        (part.rule.partition("#")[2], part.kind.name, part.detail)
        for part, _ in list_parts(parse(EVERY_PART))
    ]

    assert parts == [
        ("people", "RULE", ""),
        ("people", "GRANTEE", "profiles of D and E"),
        ("people", "NAMES", "a*"),
        ("people", "TAG", "kind: x"),
        ("people", "TAG", "team: blue"),
        ("people", "PROFILE_EXCEPTION", "abe"),
        ("people", "PROFILE_EXCEPTION", "k: v"),
        ("people", "GRANTEE", "profiles of F"),
        ("people", "PLACE", "s3://data/p/{profile.folder}/*"),
        ("people", "SCOPE", "s3://data/p/{profile.folder}/*"),
        ("people", "PLACE", "s3://data/README"),
        ("people", "SCOPE", "s3://data/README"),
        ("people", "PERMISSION", "READWRITE"),
        ("people", "END", ""),
        ("group", "RULE", ""),
        ("group", "SCOPE_EXCEPTION", "s3://data/p/*"),
        ("group", "PERMISSION", "READ"),
        ("group", "END", ""),
        ("group", "APPLICATION", ""),
        ("roles", "RULE", ""),
        ("roles", "GRANTEE", "arn:aws:iam::111122223333:role/a"),
        ("roles", "GRANTEE", "directory_user:ana"),
        ("roles", "SCOPE", "s3://data/w/*"),
        ("roles", "PERMISSION", "WRITE"),
        ("arn:aws:iam::111122223333:role/b", "SUSPENSION", ""),
    ]
    assert {kind for _, kind, _ in parts} == {kind.name for kind in PartKind}


def test_no_change_leaves_the_policy_as_it_is():
    policy = parse(EVERY_PART)
    changed = [other for _, other in list_parts(policy)]

    assert policy not in changed
    assert len(set(changed)) == len(changed)


def test_three_exact_lists_cover_two_rules():
    assert measure_coverage([parse(TESTED + ALL)]).percent == 100


def test_a_test_that_passes_covers_only_what_it_protects():
    coverage = measure_coverage([parse(f"{TESTED}  - can: ana READ s3://data/Ana/x\n")])

    assert list_uncovered(coverage) == [
        ("own", "PROFILE_EXCEPTION"),
        ("own", "SCOPE"),
        ("own", "PERMISSION"),
        ("brief", "RULE"),
        ("brief", "SCOPE"),
        ("brief", "PERMISSION"),
        ("brief", "END"),
    ]
    assert coverage.percent == 12
    assert describe_part(coverage.uncovered[0]) == (
        "policy/a.yaml:3:5: not covered: rule own: no test fails when one exception of to is removed (guest)"
    )
    assert encode_coverage(coverage)["uncovered"][0] == {
        "rule": "policy/a.yaml#own",
        "file": "policy/a.yaml",
        "line": 3,
        "change": "one exception of to is removed",
        "detail": "guest",
    }


def test_a_test_file_covers_the_rules_of_all_files():
    first = parse(TESTED.partition("given")[0])
    second = parse(EVERY_PART.partition("  - name: group")[0], "policy/b.yaml")
    tests = parse_test_file("t.test.yaml", f"{TESTED.partition('given')[1]}{TESTED.partition('given')[2]}{ALL}".replace("given", "version: 1\ngiven", 1).encode(), "data")  # fmt: skip
    assert isinstance(tests, PolicyTests)

    both = measure_coverage([first, second], [tests])
    assert {part.file for part in both.uncovered} == {"policy/b.yaml"}


def test_files_without_rules_are_covered():
    assert measure_coverage([]).percent == 100


def test_a_suspension_is_covered_by_a_test_that_somebody_gets_nothing():
    suspended = TESTED.replace("given", "suspend: [{profile: D/guest, because: lost}]\ngiven", 1)
    coverage = measure_coverage([parse(f"{suspended}  - {{reach: guest, exactly: []}}\n")])

    assert "SUSPENSION" not in {part.kind.name for part in coverage.uncovered}
