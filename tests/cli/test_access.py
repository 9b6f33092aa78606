"""grantor suspend, end-sessions and leftovers: what they write, refuse, say and undo."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from grantor.aws.vended_sessions import POLICY_NAME
from tests.cli.conftest import CommandLine
from tests.engine.helpers import AlertInbox
from tests.grantor_setup import ARTICLE_POLICY, POLICIES, GrantorSetup

USER_B, FILE = "Product-Domain/userB", "policy/suspensions/Product-Domain_userB.yaml"
SUSPEND = ("suspend", USER_B, "--because", "laptop stolen, ticket 4711")
END = ("end-sessions", "--because", "laptop stolen", "--yes")


@pytest.fixture
def granted(cli: CommandLine, setup: GrantorSetup) -> CommandLine:
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    return cli


def read_file(setup: GrantorSetup, key: str) -> str:
    return str(setup.client("s3").get_object(Bucket=POLICIES, Key=key)["Body"].read().decode())


def test_suspend_writes_one_file_and_says_what_goes_and_until_when_credentials_live(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    keys = granted.create_person("Reader", "Steward")
    answered = granted.run(*SUSPEND, keys=keys)

    assert (answered.code, answered.err) == (0, "")
    assert answered.lines[0] == (
        f"suspended: profile {USER_B} (role/role-userB) until the suspension is lifted, by {FILE}"
    )
    assert answered.lines[1:4] == [
        "the run that the file has triggered deletes 2 grants without asking:",
        "- READWRITE s3://data/Product/* to role/role-userB",
        "- READWRITE s3://data/UserB/* to role/role-userB",
    ]
    assert answered.lines[4].startswith("horizon: credentials that were vended")
    assert 'because: "laptop stolen, ticket 4711"' in read_file(setup, FILE)
    assert setup.reconcile().deleted == 2
    assert granted.run(*SUSPEND, keys=keys).lines[0].startswith("already suspended: ")


def test_suspend_is_validated_before_anything_is_written(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    session_arn = "arn:aws:sts::000000000000:assumed-role/role-userB/SageMaker"
    for words, message in (
        (("Product-Domain/nobody", "--because", "x"), "there is no profile nobody"),
        (("userB", "--because", "x"), "is not a profile as DOMAIN/NAME"),
        ((session_arn, "--because", "x"), "is a session, not a role"),
        ((USER_B, "--because", "x", "--until", "2027-13-01"), "does not exist"),
        ((USER_B, "--because", "x\u202e"), "the character U+202E"),
        ((USER_B,), "--because TEXT is required"),
    ):
        answered = granted.run("suspend", *words)
        assert answered.code in (1, 2), words
        assert message in answered.err, words
    assert setup.reconcile().done == []


def test_suspend_overwrites_nothing_else(granted: CommandLine, setup: GrantorSetup) -> None:
    granted.run(*SUSPEND)
    answered = granted.run(*SUSPEND, "--until", "2027-01-01")
    assert answered.code == 1
    assert "says something else, so nothing was written" in answered.err
    assert "until" not in read_file(setup, FILE).partition("version:")[2]


def test_suspend_waits_until_the_last_grant_is_gone_and_prints_the_seconds(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(reconcile_once_written, setup)
        answered = granted.run(*SUSPEND, "--wait", "--json")
        run.result()
    document = answered.json
    assert (answered.code, document["kind"], document["who"]) == (
        0,
        "suspension",
        f"profile {USER_B}",
    )
    assert 0 < document["seconds"] < 30
    assert document["grants"] == []


def reconcile_once_written(setup: GrantorSetup) -> None:
    client = setup.client("s3")
    while not client.list_objects_v2(Bucket=POLICIES, Prefix=FILE).get("Contents"):
        pass
    setup.reconcile(services=setup.build_services())


def test_undo_lifts_the_suspension_and_names_other_files_that_suspend(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    granted.run(*SUSPEND)
    setup.reconcile()
    assert granted.run("suspend", USER_B, "--undo").code == 0
    assert setup.reconcile().created == 2

    entry = {"profile": USER_B, "because": "x"}
    setup.put_policy("own", json.dumps({"version": 1, "suspend": [entry]}))
    answered = granted.run("suspend", USER_B, "--undo")
    assert answered.code == 1
    assert "policy/own.yaml suspends it; edit that file" in answered.err
    assert granted.run(*SUSPEND).lines[0].startswith("suspended: ")


def test_an_arn_of_a_role_or_user_is_suspended_too(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    role = "arn:aws:iam::000000000000:role/role-userB"
    answered = granted.run("suspend", role, "--because", "x", "--json")
    assert [one["scope"] for one in answered.json["grants"]] == [
        "s3://data/Product/*",
        "s3://data/UserB/*",
    ]
    user = "arn:aws:iam::000000000000:user/eve"
    assert granted.run("suspend", user, "--because", "x", "--json").json["grants"] == []
    assert setup.reconcile().deleted == 2


def test_a_reader_may_not_suspend(granted: CommandLine) -> None:
    answered = granted.run(*SUSPEND, keys=granted.create_person("Reader"))
    assert answered.code == 1
    assert "Reader and Steward" in answered.err


def test_end_sessions_puts_aws_own_policy_on_the_role_and_undo_removes_it(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    inbox, begun = AlertInbox(setup), datetime.now(UTC)
    keys = granted.create_person("Reader", "BreakGlass")
    answered = granted.run(*END, keys=keys)

    assert (answered.code, answered.err) == (0, "")
    assert answered.lines[:3] == [
        "this interrupts 2 grantees until they get new credentials:",
        "  role/role-userA",
        "  role/role-userB",
    ]
    iam, role = setup.client("iam"), granted.outputs["LocationRole"]
    found = iam.get_role_policy(RoleName=role, PolicyName=POLICY_NAME)["PolicyDocument"]
    statement = found["Statement"][0]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
    before = datetime.fromisoformat(statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"])
    assert begun < before < datetime.now(UTC) + timedelta(seconds=2)
    assert "vended credentials were ended" in inbox.read_new()[0][0]
    assert "end-sessions" in granted.run("history").out
    shown = granted.run("status", keys=granted.create_person("Reader"))
    assert "laptop stolen" in next(line for line in shown.lines if line.startswith("sessions"))

    undone = granted.run("end-sessions", "--undo", "--because", "found it", keys=keys)
    assert undone.code == 0
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    again = granted.run("end-sessions", "--undo", "--because", "found it", keys=keys)
    assert (again.code, "no session is refused" in again.err) == (1, True)


def test_end_sessions_asks_and_is_not_for_stewards(granted: CommandLine) -> None:
    unconfirmed = granted.run(*END[:-1])
    assert (unconfirmed.code, "pass --yes" in unconfirmed.err) == (2, True)
    refused = granted.run(*END, keys=granted.create_person("Reader", "Steward"))
    assert refused.code == 1
    assert "Reader and BreakGlass" in refused.err


def test_leftovers_are_listed_and_taken_away(granted: CommandLine, setup: GrantorSetup) -> None:
    assert granted.run("leftovers").lines == ["additive files have left nothing behind"]
    setup.put_policy("b", ARTICLE_POLICY.replace("version: 1\n", "version: 1\nmode: additive\n"))
    setup.delete_policy("a")
    setup.reconcile()
    setup.delete_policy("b")
    setup.reconcile()
    listed = granted.run("leftovers", keys=granted.create_person("Reader"))
    assert len([line for line in listed.lines if "left by policy/b.yaml#" in line]) == 4

    taken = granted.run("leftovers", "--revoke", keys=granted.create_person("Reader", "BreakGlass"))
    assert (taken.code, taken.err, setup.describe_grants()) == (0, "", set())
    assert setup.reconcile().done == []
