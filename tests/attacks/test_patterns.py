"""Names that data writers, profiles and tags supply are letters, never patterns; and no letter of a
policy file is invisible.

The folder `User?` beside an exception for `UserA` opened `UserA` to an auditor.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from tests.conftest import Sandbox
from tests.grantor_setup import DOMAIN, POLICIES, GrantorSetup, set_up_grantor

AUDITOR = "arn:aws:iam::000000000000:role/auditor"
NAMES = ["User?", "U*", "${aws:username}", "a$", "An\u202ea", "\u3164", "a\x1b[2J", "a\u200bb"]
BESIDE = f"""\
version: 1
rules:
  - name: all-but-one
    to: {{role: "{AUDITOR}"}}
    on: {{scope: "s3://{{data_bucket}}/*", except: ["s3://{{data_bucket}}/UserA/*"]}}
    allow: READ
"""
EACH = f"""\
version: 1
rules:
  - name: teams
    to: {{role: "{AUDITOR}"}}
    on: {{each_prefix: "s3://{{data_bucket}}/teams/"}}
    allow: READ
"""
FOR_TEAM = f"""\
version: 1
rules:
  - name: team
    to: {{each_profile: {{domain: {DOMAIN}}}}}
    on: s3://{{data_bucket}}/teams/{{profile.tags.team}}/*
    allow: READ
"""
NAMED = f"""\
version: 1
rules:
  - name: named
    to: {{role: "{AUDITOR}"}}
    on: "s3://{{data_bucket}}/a/*" # …
    allow: READ
"""


@pytest.fixture(scope="module")
def pattern_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def setup(pattern_sandbox: Sandbox, tmp_path: Path) -> GrantorSetup:
    made = set_up_grantor(pattern_sandbox, tmp_path)
    made.create_role("auditor")
    return made


@pytest.mark.parametrize("policy", [BESIDE, EACH], ids=["except", "each_prefix"])
def test_a_folder_named_with_a_pattern_opens_nothing_and_stops_nobody(
    setup: GrantorSetup, policy: str
):
    setup.upload("UserA/secret.csv")
    setup.put_policy("a", policy)
    for name in NAMES:
        setup.upload(f"{name}/x")
        setup.upload(f"teams/{name}/x")
    setup.upload("good/x")
    setup.upload("teams/good/x")
    report = setup.reconcile()

    assert {grant.scope.removeprefix("s3://data/") for grant in setup.list_grants()} <= {
        *("good/*", "teams/*", "teams/good/*"),
    }
    assert any("good/*" in grant.scope for grant in setup.list_grants())
    assert (report.errors, report.on_hold) == ([], [])
    assert len([one for one in report.notices if "nothing is granted for the folders" in one.what]) == 1  # fmt: skip


def test_an_upload_into_a_folder_named_with_a_question_mark_opens_nothing(setup: GrantorSetup):
    setup.put_policy("a", BESIDE)
    setup.upload("UserA/secret.csv")
    setup.reconcile()
    report = setup.reconcile(setup.upload("User?/x"))

    assert (report.done, report.errors) == ([], [])
    assert setup.list_grants() == {}


@pytest.mark.parametrize("value", ["?", "*", "${aws:PrincipalTag/x}", "blue?"])
def test_a_tag_that_holds_a_pattern_opens_nothing(setup: GrantorSetup, value: str):
    setup.put_policy("a", FOR_TEAM)
    setup.create_profile("ana", team="blue")
    setup.create_profile("ben", team=value)
    setup.wait_for_profiles("ana", "ben")
    report = setup.reconcile()

    assert {grant.scope for grant in setup.list_grants()} == {"s3://data/teams/blue/*"}
    assert (report.errors, report.on_hold) == ([], [])


@pytest.mark.parametrize(
    "on",
    [
        '"s3://data/User?/*"',
        '{scope: "s3://data/*", except: ["s3://data/User?/*"]}',
        '{each_prefix: "s3://data/x?/"}',
        '{object: "s3://data/a?"}',
        '"s3://data/${aws:username}/*"',
        '{each_prefix: "s3://data/x/", scope: "s3://data/{dollar}{prefix.name}/*"}',
    ],
)
def test_a_steward_writes_no_pattern_by_mistake(on: str):
    text = f"""\
version: 1
vars: {{dollar: a$}}
rules:
  - {{name: a, to: {{role: "{AUDITOR}"}}, on: {on}, allow: READ}}
"""

    assert not isinstance(parse_policy("policy/a.yaml", text.encode(), "data"), Policy)


@pytest.mark.parametrize(
    "sign",
    [*"\u202e\u2066\u200b\u00ad\ufeff\u034f\u115f\u1160\u17b4\u17b5\u180b\u180e\u2800\u3164\ufe0f\uffa0\U000e0100\U000e0041\ue000"],
    ids=lambda sign: f"U+{ord(sign):04X}",
)  # fmt: skip
def test_no_letter_of_a_policy_file_is_invisible_in_comments_either(sign: str):
    found = parse_policy("policy/a.yaml", NAMED.replace("…", f"a{sign}b").encode())
    escaped = NAMED.replace("/a/*", f"/a\\U{ord(sign):08x}/*")

    assert isinstance(parse_policy("policy/a.yaml", NAMED.encode()), Policy)
    assert isinstance(found, tuple)
    assert [(one.line, one.column) for one in found] == [(5, 37)]
    assert isinstance(parse_policy("policy/a.yaml", escaped.encode()), tuple)


def test_a_policy_file_that_nobody_can_name_is_not_followed(setup: GrantorSetup):
    body = NAMED.encode()
    setup.client("s3").put_object(Bucket=POLICIES, Key="policy/a\u202eb.yaml", Body=body)
    report = setup.reconcile()

    assert setup.list_grants() == {}
    (error,) = report.errors
    assert error.file == "policy/a\\u202eb.yaml"
    assert setup.reconcile().removed_files == ()
