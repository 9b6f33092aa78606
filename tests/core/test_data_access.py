"""What a caller asks S3 Access Grants for, the forms of the answer, and what a refusal says."""

import configparser
import json
import shlex
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from grantor.core.data_access import (
    CallerGrant,
    DataRequest,
    Refusal,
    VendedCredentials,
    build_target,
    find_duration_faults,
    find_owners,
    find_profile_faults,
    find_url_faults,
    format_credential_process,
    format_exports,
    format_profile,
    name_profile,
)
from grantor.core.grant import Permission, split_uri
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy

READ, WRITE, READWRITE = Permission
VENDED = VendedCredentials(
    "ASIA1",
    "se/cr+et",
    "to'ken=",
    datetime(2026, 11, 30, 22, 5, tzinfo=UTC),
    READ,
    "s3://data/UserA/*",
)
CALLER = "arn:aws:sts::111122223333:assumed-role/ana/SageMaker"
OWN = CallerGrant(READWRITE, "s3://data/UserA/*")
ASK = "ask your data steward for a rule with on: {} and allow: {}"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("data/UserA/", "'data/UserA/' is not a scope"),
        ("s3:///UserA/", "'s3:///*' does not name a bucket"),
        ("s3://My_Bucket/UserA/", "'s3://My_Bucket/*' has an invalid bucket name"),
        ("s3://data/" + "a" * 2_000, "the URL has 2,010 characters"),
    ],
    ids=["no scheme", "no bucket", "no bucket's name", "too long"],
)
def test_a_url_that_names_nothing_in_s3_is_a_fault(url, what):
    (fault,) = find_url_faults(url)

    assert fault.what == what
    assert fault.remedy


@pytest.mark.parametrize(
    "url", ["s3://data", "s3://data/a b/ü?.csv", "s3://data//x", "s3://data/a*"]
)
def test_any_key_can_be_asked_for(url):
    assert find_url_faults(url) == []


@pytest.mark.parametrize(("seconds", "nearest"), [(899, 900), (0, 900), (43_201, 43_200)])
def test_a_duration_outside_of_awss_limits_is_a_fault(seconds, nearest):
    (fault,) = find_duration_faults(seconds)

    assert fault.remedy == f"write --duration {nearest}"


@pytest.mark.parametrize("seconds", [None, 900, 43_200])
def test_a_duration_within_awss_limits_is_not(seconds):
    assert find_duration_faults(seconds) == []


def test_a_folder_is_all_that_is_in_it_and_a_key_is_an_object():
    assert not DataRequest(build_target("s3://data/UserA/"), READ).is_object
    assert not DataRequest(build_target("s3://data/UserA/2026*"), READ).is_object
    assert DataRequest(build_target("s3://data/UserA/a.csv"), READ).is_object


def test_a_secret_is_not_in_the_text_of_the_credentials():
    assert "se/cr" not in f"{VENDED!r}{VENDED}"
    assert "ken=" not in f"{VENDED!r}{VENDED}"
    assert VENDED.describe() == "READ on s3://data/UserA/* until 2026-11-30T22:05:00Z"


def test_credential_process_gets_what_awss_guide_lists():
    assert json.loads(format_credential_process(VENDED)) == {
        "Version": 1,
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "se/cr+et",
        "SessionToken": "to'ken=",
        "Expiration": "2026-11-30T22:05:00Z",
    }


def test_a_shell_gets_exactly_the_values():
    script = "\n".join([*format_exports(VENDED), "env"])
    done = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())

    assert seen["AWS_SECRET_ACCESS_KEY"] == "se/cr+et"
    assert seen["AWS_SESSION_TOKEN"] == "to'ken="
    assert seen["AWS_CREDENTIAL_EXPIRATION"] == "2026-11-30T22:05:00Z"


def test_a_profile_says_what_it_gives_and_runs_the_command():
    command = ["grantor", "credentials", "s3://data/User A/*", "--format", "process"]

    assert format_profile("data-UserA", "eu-west-1", command, "READ on s3://data/User A/*") == [
        "[profile data-UserA]",
        "# READ on s3://data/User A/*",
        "region = eu-west-1",
        'credential_process = grantor credentials "s3://data/User A/*" --format process',
    ]


@given(some.lists(some.text("ab ü./:=*+,@()[]{}?&~^|<>'$`\"\\!%#;\n\x1b", min_size=1), min_size=1))
def test_a_profile_that_is_written_means_the_same_command_to_a_parser_and_a_shell(words):
    if find_profile_faults("name", words):
        return
    parser = configparser.RawConfigParser()
    parser.read_string("\n".join(format_profile("name", "eu-west-1", words, "READ")))
    written = parser["profile name"]["credential_process"]
    shown = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {written}"], capture_output=True, text=True, check=True
    )

    assert shlex.split(written) == words
    assert shown.stdout == "".join(f"{word}\n" for word in words)


@pytest.mark.parametrize("key", ['a"b', "a$b", "a`b", "a\\b", "a!b", "a%b", "a #b", "a;b", "a\nb"])
def test_a_key_that_a_shell_or_a_parser_would_change_does_not_fit_into_a_profile(key):
    (fault,) = find_profile_faults("data", ["grantor", "credentials", f"s3://data/{key}/"])

    assert fault.what.endswith("does not fit into a profile")


@pytest.mark.parametrize("name", ["a]", "a b", "", "a\nb"])
def test_a_profile_has_a_name_that_all_tools_accept(name):
    (fault,) = find_profile_faults(name, ["grantor"])

    assert fault.what.endswith("does not name a profile")


@given(some.text())
def test_a_profile_is_named_for_what_it_reaches(key):
    name = name_profile(build_target(f"s3://data/{key}"))

    assert name.startswith("data")
    assert find_profile_faults(name, []) == []


def explain(target: str, permission: Permission, grants, **more) -> str:
    request = DataRequest(target, permission)
    said = Refusal(request, CALLER, "eu-west-1 of account 111122223333", grants, **more).explain()
    start = f"{CALLER} gets no {permission} on {target} in eu-west-1 of account 111122223333: "
    assert said.startswith(start)
    return said.removeprefix(start)


@pytest.mark.parametrize(
    ("target", "permission", "grants", "said"),
    [
        (
            "s3://data/UserB/*", READ, None,
            "none of your grants covers it; " + ASK.format("s3://data/UserB/*", "READ"),
        ),
        (
            "s3://data/UserB/*", READ, [],
            "you have no grant in this bucket; " + ASK.format("s3://data/UserB/*", "READ"),
        ),
        (
            "s3://data/UserB/*", READ, [OWN],
            "you have READWRITE s3://data/UserA/* in this bucket; "
            + ASK.format("s3://data/UserB/*", "READ"),
        ),
        (
            "s3://data/UserB/*", READ, [CallerGrant(READ, f"s3://data/{n}/*") for n in range(5)],
            "you have READ s3://data/0/*, READ s3://data/1/*, READ s3://data/2/* and 2 more in "
            "this bucket; " + ASK.format("s3://data/UserB/*", "READ"),
        ),
        (
            "s3://data/in/*", WRITE, [CallerGrant(READ, "s3://data/in/*")],
            "you have only READ s3://data/in/*; use --permission READ, or "
            + ASK.format("s3://data/in/*", "WRITE"),
        ),
        (
            "s3://data/in/*", READWRITE,
            [CallerGrant(READ, "s3://data/in/*"), CallerGrant(WRITE, "s3://data/*")],
            ("your grants READ s3://data/in/* and WRITE s3://data/* do not add up in one request; "
             "ask for one permission at a time"),
        ),
        (
            "s3://data/UserA", READ, [OWN],
            ("s3://data/UserA is a single object to S3, and you have READWRITE s3://data/UserA/*; "
             "write s3://data/UserA/ for the folder"),
        ),
        (
            "s3://data/*", READ, [OWN],
            "you have less, READWRITE s3://data/UserA/*; ask for a folder of yours, or "
            + ASK.format("s3://data/*", "READ"),
        ),
        (
            "s3://data/UserA/*", READ, [OWN],
            "your grant READWRITE s3://data/UserA/* may be a moment old; try again in a minute",
        ),
        (
            "s3://data/UserA/*", READ, [CallerGrant(READ, "s3://data/UserA/*", "arn:app")],
            "your grant READ s3://data/UserA/* is for the application arn:app alone; use that "
            "application, or " + ASK.format("s3://data/UserA/*", "READ"),
        ),
    ],
    ids=[
        "unknown", "none", "elsewhere", "many elsewhere", "less", "two halves", "a folder without a slash",
        "below", "new", "another application",
    ],
)  # fmt: skip
def test_a_refusal_says_why_and_what_to_do(target, permission, grants, said):
    assert explain(target, permission, grants) == said


def test_a_refusal_names_the_owners_that_are_known():
    said = explain("s3://data/in/*", READ, [], owners=["Ana <ana@example.com>", "ben@example.com"])

    assert said.endswith(
        "ask Ana <ana@example.com> or ben@example.com for a rule with on: s3://data/in/* and allow: READ"
    )


OWNED = b"""\
version: 1
owner: platform@example.com
rules:
  - {name: all, to: {role: "arn:aws:iam::111122223333:role/ana"}, on: "s3://{data_bucket}/*", allow: READ}
  - name: lab
    to: {role: "arn:aws:iam::111122223333:role/ana"}
    on: s3://data/lab/*
    allow: READ
    owner: lab@example.com
  - name: notes
    to: {role: "arn:aws:iam::111122223333:role/ana"}
    on: {object: s3://data/lab/notes}
    allow: READ
    owner: notes@example.com
"""


@pytest.mark.parametrize(
    ("target", "owners"),
    [
        ("s3://data/lab/in/*", ["lab@example.com", "platform@example.com"]),
        ("s3://data/lab/notes", ["notes@example.com", "lab@example.com", "platform@example.com"]),
        ("s3://data/laboratory/*", ["platform@example.com"]),
        ("s3://other/x.csv", ["platform@example.com"]),
    ],
)
def test_the_owners_of_a_target_are_those_of_the_rules_that_could_cover_it(target, owners):
    policy = parse_policy("policy/a.yaml", OWNED, split_uri(target)[0])
    assert isinstance(policy, Policy), policy

    assert find_owners([policy], target) == owners


def test_who_says_no_owner_is_not_to_be_asked():
    policy = parse_policy(
        "policy/a.yaml", OWNED.replace(b"owner: platform@example.com\n", b""), "other"
    )
    assert isinstance(policy, Policy), policy

    assert find_owners([policy], "s3://other/x.csv") == []
