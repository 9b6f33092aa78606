"""Bounds: what of the rules, jobs and suspensions of a file lies outside of them, and who can widen
them.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.data_buckets import ConnectedBuckets
from grantor.core.grant import Location
from grantor.core.planning.bounds import BOUNDS_FILE, Bounds, parse_bounds
from grantor.core.planning.expand import expand_rules
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    Instances,
    Job,
    Policy,
    ProfileName,
    Suspension,
)
from grantor.core.snapshot import Focus, Inventory, WantedGrants

OWN, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{OWN}:role/ana"
WORLD = Inventory(
    datetime(2026, 11, 24, 12, tzinfo=UTC),
    locations=(Location("1", "s3://data"), Location("2", "s3://lake")),
    folders={"s3://data/teams/": ("blue", "red")},
    directory={("DIRECTORY_GROUP", "auditors"): "g"},
)


def read_bounds(folders: str) -> Bounds:
    """The bounds of a valid file."""
    found = parse_bounds(BOUNDS_FILE, f"version: 1\nfolders:\n{folders}".encode(), OWN, "data")
    assert isinstance(found, Bounds), found
    return found


def want(*rules: str, bounds: Bounds | None = None, file: str = "policy/a.yaml") -> WantedGrants:
    """What these rules want, each given as its `to`, `on` and `allow` and named after its number."""
    return expand_rules([parse_rules(*rules, file=file)], WORLD, Focus(), bounds or DEFAULT)


def parse_rules(*rules: str, file: str = "policy/a.yaml") -> Policy:
    lines = [f"  - {{name: r{number}, {rule}}}" for number, rule in enumerate(rules)]
    text = "\n".join(["version: 1", "rules:", *lines])
    found = parse_policy(file, text.encode(), "data")
    assert isinstance(found, Policy), found
    return found


def give(scope: str, allow: str = "READ", role: str = ROLE) -> str:
    return f'to: {{role: "{role}"}}, on: "{scope}", allow: {allow}'


DEFAULT = Bounds.build_default(OWN, "data")
OTHERS_ROLE = ROLE.replace(OWN, OTHER)
WIDER = "  policy/: {scopes: [s3://lake/in/*, s3://lake/x.csv], permissions: [READ, WRITE]}\n"


@pytest.mark.parametrize(
    ("rule", "bounds", "granted"),
    [
        pytest.param(give("s3://data/a/*"), DEFAULT, True, id="the data bucket, by default"),
        pytest.param(give("s3://data/*", "READWRITE"), DEFAULT, True, id="all of it"),
        pytest.param(give("s3://lake/in/*"), DEFAULT, False, id="another bucket"),
        pytest.param(give("s3://data/a/*", role=OTHERS_ROLE), DEFAULT, False, id="another account"),
        pytest.param(
            "to: {directory_group: auditors}, on: s3://data/*, allow: READ",
            DEFAULT,
            True,
            id="the directory, which belongs to no account",
        ),
        pytest.param(give("s3://lake/in/a/*"), read_bounds(WIDER), True, id="below a bound"),
        pytest.param(give("s3://lake/x.csv"), read_bounds(WIDER), True, id="the object of a bound"),
        pytest.param(give("s3://lake/inner/*"), read_bounds(WIDER), False, id="beside a bound"),
        pytest.param(give("s3://lake/*"), read_bounds(WIDER), False, id="around a bound"),
        pytest.param(
            give("s3://data/*"), read_bounds(WIDER), False, id="no longer the data bucket"
        ),
        pytest.param(
            give("s3://lake/in/*", "READWRITE"),
            read_bounds(WIDER),
            True,
            id="READ and WRITE are READWRITE",
        ),
        pytest.param(
            give("s3://data/*", "READWRITE"),
            read_bounds("  policy/: {permissions: [READ]}\n"),
            False,
            id="more than READ",
        ),
        pytest.param(
            give("s3://data/*", role=OTHERS_ROLE),
            read_bounds(f'  policy/: {{accounts: ["{OTHER}"]}}\n'),
            True,
            id="an account that is named",
        ),
        pytest.param(
            give("s3://data/*"),
            read_bounds(f'  policy/: {{accounts: ["{OTHER}"]}}\n'),
            False,
            id="the own account, if it is not named",
        ),
        pytest.param(
            give("s3://data/*"),
            read_bounds(f'  policy/: {{accounts: [own, "{OTHER}"]}}\n'),
            True,
            id="the own account by its word",
        ),
    ],
)
def test_a_grant_outside_of_the_bounds_is_not_wanted(rule: str, bounds: Bounds, granted: bool):
    wanted = want(rule, bounds=bounds)

    assert (len(wanted.grants), len(wanted.rejected)) == ((1, 0) if granted else (0, 1))
    assert wanted.on_hold == ()


def test_nothing_is_given_in_a_bucket_that_leaves_whatever_the_bounds_file_says():
    buckets = ConnectedBuckets(("data", "lake"), ("lake",))
    wider = f"version: 1\nfolders:\n{WIDER}".encode()
    bounds = parse_bounds(BOUNDS_FILE, wider, OWN, "data", buckets)
    assert isinstance(bounds, Bounds)

    wanted = want(give("s3://lake/in/*"), bounds=bounds)

    assert wanted.grants == {}
    assert "s3://lake/in/* is in a bucket that leaves" in str(wanted.rejected[0])
    assert "it is being removed from the stack: s3://lake/*" in str(wanted.rejected[0])


def test_a_refusal_says_what_bound_and_who_can_widen_it():
    bounds = read_bounds("  policy/: {scopes: [s3://data/in/*], permissions: [READ]}\n")
    wanted = want(give("s3://data/*", "WRITE", OTHERS_ROLE), bounds=bounds)

    assert [str(problem) for problem in wanted.rejected] == [
        (
            "policy/a.yaml:3:5: rule r0: WRITE is outside of the bounds: the bounds of the files in "
            "policy/ allow READ; stay within that, or ask an approver to widen permissions of policy/ "
            "in bounds/bounds.yaml"
        ),
        (
            f"policy/a.yaml:3:5: rule r0: account {OTHER} is outside of the bounds: the bounds of the "
            f"files in policy/ allow {OWN}; stay within that, or ask an approver to widen accounts of "
            "policy/ in bounds/bounds.yaml"
        ),
        (
            "policy/a.yaml:3:5: rule r0: s3://data/* is outside of the bounds: the bounds of the files "
            "in policy/ allow s3://data/in/*; stay within that, or ask an approver to widen scopes of "
            "policy/ in bounds/bounds.yaml"
        ),
    ]


def test_a_rule_keeps_what_lies_inside():
    rule = f'to: {{role: "{ROLE}"}}, on: {{each_prefix: "s3://data/teams/"}}, allow: READ'
    bounds = read_bounds("  policy/: {scopes: [s3://data/teams/blue/*]}\n")
    wanted = want(rule, bounds=bounds)

    assert [grant.scope for grant in wanted.grants] == ["s3://data/teams/blue/*"]
    assert len(wanted.rejected) == 1


def test_the_longest_folder_decides_and_has_the_rest_from_the_one_above():
    bounds = read_bounds(
        "  policy/: {permissions: [READ], jobs: {hours: 2}}\n"
        "  policy/blue/: {scopes: [s3://data/blue/*], jobs: {count: 3, machines: [ml.m5.large]}}\n"
        "  policy/blue/old/: {grants: 5, at_most: 7, suspend: [Lab/*], jobs: {volume: 9}}\n"
    )
    old = bounds.find("policy/blue/old/a.yaml")

    assert bounds.find("policy/blue.yaml").folder == "policy/"
    assert bounds.find("anywhere/a.yaml").folder == "policy/"
    assert bounds.find("policy/blue/a.yaml").scopes == ("s3://data/blue/*",)
    assert (old.scopes, old.permissions) == (("s3://data/blue/*",), ("READ",))
    assert (old.grants, old.at_most, old.suspend) == (5, 7, ("Lab/*",))
    assert (old.jobs.machines, old.jobs.count) == (("ml.m5.large",), 3)
    assert (old.jobs.hours, old.jobs.volume) == (2, 9)


def test_a_file_with_more_grants_than_it_may_have_changes_nothing():
    rules = [give(f"s3://data/{number}/*") for number in range(3)]
    wanted = want(*rules, bounds=read_bounds("  policy/: {grants: 2}\n"))

    assert (wanted.grants, len(wanted.rejected)) == ({}, 1)
    assert [held.rule for held in wanted.on_hold] == [f"policy/a.yaml#r{n}" for n in range(3)]
    assert want(*rules[:2], bounds=read_bounds("  policy/: {grants: 2}\n")).rejected == ()


def test_the_number_of_grants_concerns_a_file_and_not_its_neighbours():
    big, small = (
        parse_rules(
            *(give(f"s3://data/{file}/{n}/*") for n in range(size)), file=f"policy/{file}.yaml"
        )
        for file, size in (("big", 3), ("small", 1))
    )
    wanted = expand_rules([big, small], WORLD, Focus(), read_bounds("  policy/: {grants: 2}\n"))

    assert [grant.scope for grant in wanted.grants] == ["s3://data/small/0/*"]


@pytest.mark.parametrize(
    ("at_most", "bounds", "says"),
    [
        ("", "", ""),
        (", at_most: 1", "", "s3://data/teams/ has more than 1 folders"),
        (", at_most: 2", "", ""),
        ("", "at_most: 1", "s3://data/teams/ has more than 1 folders"),
        (", at_most: 2", "at_most: 1", "at_most: 2 is outside of the bounds"),
    ],
)
def test_a_rule_follows_no_more_folders_than_it_says_and_may(at_most: str, bounds: str, says: str):
    rule = f'to: {{role: "{ROLE}"}}, on: {{each_prefix: "s3://data/teams/"{at_most}}}, allow: READ'
    found = read_bounds(f"  policy/: {{{bounds or 'at_most: 200'}}}\n")
    wanted = want(rule, bounds=found)

    assert [says in problem.what for problem in wanted.rejected] == ([True] if says else [])
    assert len(wanted.grants) == (0 if says else 2)
    assert len(wanted.on_hold) == (1 if says else 0)


def test_without_bounds_nothing_is_outside_of_them():
    assert len(expand_rules([parse_rules(give("s3://lake/*"))], WORLD).grants) == 1


JOB = Job("policy/a.yaml", "j", "abalone", IamPrincipal(ROLE), "s3://data/a.csv", "s3://data/out/")


@pytest.mark.parametrize(
    ("job", "outside"),
    [
        pytest.param(JOB, [], id="the defaults of a job"),
        pytest.param(
            replace(JOB, instances=Instances("ml.p5.48xlarge", 100, 16_384)),
            ["ml.p5.48xlarge", "100 machines", "16,384 GB"],
            id="the most that SageMaker has",
        ),
        pytest.param(replace(JOB, time_limit=timedelta(days=5)), ["120 hours"], id="five days"),
        pytest.param(replace(JOB, instances=Instances("ml.r5.4xlarge")), [], id="a larger one"),
    ],
)
def test_machines_outside_of_the_bounds_are_named(job: Job, outside: list[str]):
    found = DEFAULT.find_job_faults(job)

    assert [fault.what for fault in found] == [f"{it} is outside of the bounds" for it in outside]
    assert all("widen jobs: " in fault.remedy for fault in found)


def test_many_names_are_cut_in_a_message():
    globs = ", ".join(f"ml.a{number}.*" for number in range(9))
    bounds = read_bounds(f"  policy/: {{jobs: {{machines: [{globs}]}}}}\n")
    (fault,) = bounds.find_job_faults(JOB)

    assert fault.why.endswith("ml.a0.*, ml.a1.*, ml.a2.*, ml.a3.*, ml.a4.* and others")


def test_a_file_suspends_only_whom_its_bounds_name():
    named = [
        Suspension("policy/a.yaml", who, "why")
        for who in (
            ProfileName("Lab", "ana"),
            ProfileName("Office", "ana"),
            IamPrincipal(ROLE),
            DirectoryName("DIRECTORY_GROUP", "auditors"),
        )
    ]
    bounds = read_bounds("  policy/: {suspend: [Lab/*, audit*]}\n")

    assert bounds.find_suspensions_outside(named) == (named[1], named[2])
    assert DEFAULT.find_suspensions_outside(named) == ()


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["1:1: the file is empty: an empty file has no effect; delete it, or write version: 1 and folders:"]),
        ("version: 1\n", ["1:1: missing key 'folders'"]),
        ("version: 1\nfolders: {}\n", ["2:10: folders is empty: expected a mapping from a folder of policy files to a set of bounds"]),
        ("version: 1\nfolders: {policy: {grants: 1}}\n", ["2:11: 'policy' is not a folder of policy files"]),
        ("version: 1\nfolders: {policy/: {scope: [s3://a-b/*]}}\n", ["2:21: unknown key 'scope': a set of bounds accepts scopes,"]),
        ("version: 1\nfolders: {policy/: {scopes: [data]}}\n", ["2:30: 'data' is not a scope"]),
        ("version: 1\nfolders: {policy/: {scopes: ['s3://{data_bucket}/a?/*']}}\n", ["2:30: 's3://{data_bucket}/a?/*' has ? in it"]),
        ("version: 1\nfolders: {policy/: {scopes: ['s3://{bucket}/*']}}\n", ["2:30: {bucket} in the bounds: bounds are the same for every profile"]),
        ("version: 1\nfolders: {policy/: {permissions: [ALL]}}\n", ["2:35: 'ALL' is not a permission: it is READ, WRITE or READWRITE"]),
        ("version: 1\nfolders: {policy/: {accounts: [111122223333]}}\n", ["2:32: '111122223333' is not quoted"]),
        ("version: 1\nfolders: {policy/: {accounts: ['1']}}\n", ["2:32: '1' is not an account: it is own, or the 12 digits"]),
        ("version: 1\nfolders: {policy/: {grants: 0}}\n", ["2:29: grants is '0': grants must be a whole number"]),
        ("version: 1\nfolders: {policy/: {jobs: {machines: [m5.large]}}}\n", ["2:39: 'm5.large' is not an instance type or a glob"]),
        ("version: 1\nfolders: {policy/: {jobs: {hours: 500}}}\n", ["2:35: hours is '500': hours must be a whole number from 1 to 120"]),
        ("version: 1\nfolders: {policy/: {suspend: ['[a]']}}\n", ["2:31: '[a]' is not whom a file may suspend"]),
        ("version: 1 # \u202e\n", ["1:14: the character U+202E: no editor shows it"]),
    ],
)  # fmt: skip
def test_a_wrong_bounds_file_is_explained(text: str, messages: list[str]):
    found = parse_bounds(BOUNDS_FILE, text.encode(), OWN, "data")

    assert isinstance(found, tuple)
    assert [str(problem).startswith(f"{BOUNDS_FILE}:{start}") for problem, start in zip(found, messages, strict=True)] == [True] * len(messages), found  # fmt: skip
