"""grantor approve and reject: one person writes policy and another approves a plan; nobody can do both."""

import os
import pty
import subprocess
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from grantor.core.planning.approvals import Decision
from grantor.core.planning.rendering import format_timestamp
from grantor.core.triggers import PolicyWrite
from tests.cli.command_process import read_environment
from tests.cli.conftest import Answer, CommandLine
from tests.cli.policy_texts import build_rules
from tests.conftest import ROOT
from tests.engine.helpers import AlertInbox
from tests.grantor_setup import POLICIES, GrantorSetup


@pytest.fixture
def refused(setup: GrantorSetup) -> str:
    """The hash of a plan that takes away 25 of 30 grants."""
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    return setup.reconcile().approval.hash


def test_an_approver_sees_and_approves_the_plan_and_the_next_run_applies_it(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    approver = cli.create_person("Approver")
    answered = cli.run("approve", refused, "--because", "we agreed on it", "--yes", keys=approver)
    (decision,) = list_decisions(cli, refused)
    report = setup.reconcile()
    arn, user_id = read_identity(cli, approver)

    assert (answered.code, answered.err) == (0, "")
    assert answered.lines[0] == f"plan {refused}"
    assert "approval: it deletes 25 of 30 grants: more than 20 and more than 25%" in answered.lines
    assert "it deletes 25 grants, updates 0 and creates 0" in answered.lines
    assert (
        answered.lines[-26]
        == "- READ s3://data/05/* to role/ana, no longer because policy/many.yaml#r05"
    )
    assert f"approved: plan {refused} by {arn}; " in answered.lines[-1]
    assert (decision.user, decision.claimed, decision.because) == (user_id, arn, "we agreed on it")
    assert (report.approval.approved_by, len(setup.describe_grants())) == (user_id, 5)


def test_a_trigger_is_enqueued(cli: CommandLine, setup: GrantorSetup, refused: str):
    cli.run("approve", refused, "--because", "we agreed on it", "--yes")

    assert cli.queued_subjects() == [["everything"]]


def test_for_an_unknown_hash_the_pending_plans_are_listed(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    answered = cli.run(
        "approve",
        "0123456789abcdef",
        "--because",
        "we agreed on it",
        "--yes",
        keys=cli.create_person("Approver"),
    )

    assert (answered.code, answered.out) == (1, "")
    assert answered.err.startswith(
        "grantor approve: no plan that requires an approval has the hash 0123456789abcdef: plans that require an approval: "
    )
    assert f"{refused[:12]} (25 changes, " in answered.err
    assert (cli.queued_subjects(), list_decisions(cli, refused)) == ([], ())


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_the_first_digits_of_a_hash_name_the_plan_and_the_full_hash_is_approved(
    cli: CommandLine, setup: GrantorSetup, refused: str, digits: int
):
    answered = cli.run("approve", refused[:digits], "--because", "we agreed on it", "--yes")

    assert (answered.code, answered.lines[0]) == (0, f"plan {refused}")
    assert len(list_decisions(cli, refused)) == 1


def test_digits_that_match_no_plan_or_several_approve_nothing(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    table = setup.build_services().table
    twin = refused[:20] + ("0" if refused[20] != "0" else "1") * 44
    table.put_item({**(table.get_item("plan", refused) or {}), "sk": twin})
    answers = [
        cli.run("approve", digits, "--because", "we agreed on it", "--yes")
        for digits in (refused[:7], refused[:20], "f" * 8)
    ]

    assert [answered.code for answered in answers] == [2, 1, 1]
    assert "needs at least 8 of its digits" in answers[0].err
    assert f"several plans have a hash that begins with {refused[:20]}" in answers[1].err
    assert list_decisions(cli, refused) == ()
    assert cli.run("approve", refused[:21], "--because", "we agreed on it", "--yes").code == 0


def test_without_a_terminal_an_approval_needs_yes(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    answered = cli.run("approve", refused, "--because", "we agreed on it")

    assert (answered.code, answered.err) == (
        2,
        "grantor approve: stdin is not a terminal; pass --yes\n",
    )
    assert list_decisions(cli, refused) == ()


@pytest.mark.parametrize(
    ("said", "code", "approvals"),
    [("y", 0, 1), ("n", 1, 0), ("", 1, 0)],
    ids=["yes", "no", "nothing"],
)
def test_on_a_terminal_the_approver_is_asked(
    cli: CommandLine, refused: str, said: str, code: int, approvals: int
):
    ours, theirs = pty.openpty()
    os.write(ours, f"{said}\n".encode())
    command = [ROOT / ".venv/bin/grantor", "approve", refused, "--because", "we agreed on it"]
    done = subprocess.run(
        command,
        stdin=theirs,
        env=read_environment(cli.setup),
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(theirs)
    os.close(ours)

    assert done.returncode == code
    assert done.stderr.startswith("approve this plan as arn:aws:iam::000000000000:root? [y/N] ")
    assert len(list_decisions(cli, refused)) == approvals


@pytest.mark.parametrize(
    ("policies", "approves", "writes"),
    [
        (["Approver"], True, False),
        (["Steward", "Reader"], False, True),
        (["Approver", "Steward", "Reader"], False, False),
        (["Reader"], False, False),
        (["BreakGlass", "Reader"], False, False),
        (["BreakGlass", "Approver", "Steward", "Reader"], False, False),
    ],
    ids=[
        "an approver",
        "a steward",
        "who is both",
        "a reader",
        "who breaks the glass",
        "who is all of them",
    ],
)
def test_a_steward_cannot_approve_and_an_approver_cannot_write_policy(
    cli: CommandLine, refused: str, policies: list[str], approves: bool, writes: bool
):
    person = cli.create_person(*policies)
    answered = cli.run("approve", refused, "--because", "we agreed on it", "--yes", keys=person)
    written = False
    with suppress(ClientError):
        cli.setup.sandbox.client("s3", person).put_object(
            Bucket=POLICIES, Key="policy/own.yaml", Body=b"version: 1\n"
        )
        written = True

    assert (answered.code == 0, written) == (approves, writes)
    assert len(list_decisions(cli, refused)) == approves


def test_a_steward_sees_why_an_approval_is_denied(cli: CommandLine, refused: str):
    answered = cli.run(
        "approve",
        refused,
        "--because",
        "we agreed on it",
        "--yes",
        keys=cli.create_person("Approver", "Steward"),
    )

    assert answered.err == (
        "grantor approve: you may not dynamodb:PutItem on arn:aws:dynamodb:us-east-1:000000000000:table/ledger: a policy denies it, whatever else allows it; "
        "the stack's managed policy Steward or BreakGlass does\n"
    )


def read_identity(cli: CommandLine, keys: dict[str, str]) -> tuple[str, str]:
    """The ARN of the caller, and the id that IAM compares."""
    found = cli.setup.sandbox.client("sts", keys).get_caller_identity()
    return str(found["Arn"]), str(found["UserId"])


def list_decisions(cli: CommandLine, plan_hash: str) -> tuple[Decision, ...]:
    return cli.setup.build_warm_services().run_store.read_decisions(plan_hash)


def decide(cli: CommandLine, word: str, plan_hash: str, because: str, *more: str) -> Answer:
    return cli.run(word, plan_hash, "--because", because, "--yes", *more)


def test_a_decision_needs_a_reason(cli: CommandLine, refused: str):
    without = cli.run("approve", refused, "--yes")
    answers = [decide(cli, "approve", refused, because) for because in (" ", "x" * 501)]

    assert [answer.code for answer in (without, *answers)] == [2, 2, 2]
    assert "--because" in without.err
    assert answers[0].err == (
        "grantor approve: --because needs a reason, which the history and the alert repeat\n"
    )
    assert list_decisions(cli, refused) == ()


def test_the_reason_is_in_the_history(cli: CommandLine, setup: GrantorSetup, refused: str):
    decide(cli, "approve", refused, "the team\nhas moved")
    run = setup.reconcile()

    assert f"approved: plan {refused[:12]} was approved by 000000000000 (arn:aws:iam::" in (
        text := cli.run("history", run.run_id).out
    )
    assert "because: the team has moved\n" in text
    assert cli.run("history", run.run_id, "--json").json["approval"]["because"] == (
        "the team has moved"
    )


def test_a_rejected_plan_is_not_asked_about_again_and_says_by_whom_and_why(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    alerts = AlertInbox(setup)
    answered = decide(cli, "reject", refused, "ask the owners first")
    run, again = setup.reconcile(), setup.reconcile()
    sent = alerts.read_new()

    assert answered.lines[-1].startswith(f"rejected: plan {refused} by arn:aws:iam::000000000000")
    assert (run.approval.is_rejected, run.newly_rejected, again.newly_rejected) == (
        True,
        True,
        False,
    )
    assert [subject for subject, _ in sent] == ["Grantor grantor: a plan was rejected"]
    assert "because: ask the owners first" in sent[0][1]
    for command in (("plan",), ("status",)):
        assert "because: ask the owners first" in cli.run(*command).out
    assert "because: ask the owners first" in cli.run("history", run.run_id).out


def test_a_rejected_plan_is_approved_only_explicitly(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    decide(cli, "reject", refused, "ask the owners first")
    answered = decide(cli, "approve", refused, "they have agreed")
    despite = decide(cli, "approve", refused, "they have agreed", "--despite-rejection")

    assert (answered.code, despite.code) == (1, 0)
    assert "has rejected it, because: ask the owners first" in answered.err
    assert "pass --despite-rejection" in answered.err
    assert setup.reconcile().deleted == 25


def test_the_rejection_of_another_person_holds_until_an_approval_names_it(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    waiting = setup.reconcile()
    setup.decide(waiting)
    setup.decide(waiting, approves=False, user="AROABEN:ben")

    assert setup.reconcile().approval.is_rejected
    assert decide(cli, "approve", refused, "he agrees", "--despite-rejection").code == 0
    assert setup.reconcile().deleted == 25


def test_another_version_of_the_file_is_asked_about_afresh(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    decide(cli, "reject", refused, "ask the owners first")
    text = setup.client("s3").get_object(Bucket=POLICIES, Key="policy/many.yaml")["Body"].read()
    setup.put_policy("many", text.decode())
    report = setup.reconcile()

    assert report.approval.hash == refused
    assert (report.approval.is_pending, report.approval.is_rejected) == (True, False)


def test_a_plan_that_no_run_has_computed_for_a_day_cannot_be_approved(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    table = setup.build_services().table
    table.put_item({**(table.get_item("plan", refused) or {}), "at": "2026-01-01T00:00:00Z"})
    answered = decide(cli, "approve", refused, "late")

    assert (answered.code, list_decisions(cli, refused)) == (1, ())
    assert answered.err.startswith(
        f"grantor approve: no run has computed plan {refused[:12]} since 2026-01-01 00:00:00Z: "
    )


def test_a_plan_that_is_too_large_to_be_shown_cannot_be_approved(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    table = setup.build_services().table
    table.put_item({**(table.get_item("plan", refused) or {}), "parts": 0})
    answered = decide(cli, "approve", refused, "unseen")

    assert (answered.code, list_decisions(cli, refused)) == (1, ())
    assert "too large to be kept, so nobody can see and approve it" in answered.err


def test_the_plan_and_its_approval_name_the_author(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    store = setup.build_services().run_store
    version = setup.client("s3").head_object(Bucket=POLICIES, Key="policy/many.yaml")["VersionId"]
    unknown = decide(cli, "reject", refused, "who wrote this?")
    at = format_timestamp(datetime.now(UTC))
    write = PolicyWrite("policy/many.yaml", version, at, "AROA1:ana", "arn:ana")
    store.record_write(write, datetime.now(UTC))
    known = decide(cli, "reject", refused, "now I know")

    assert any(line.startswith("author unknown: ") for line in unknown.lines)
    assert not any(line.startswith("author unknown: ") for line in known.lines)
    assert f"author: AROA1:ana (arn:ana) wrote policy/many.yaml version {version}" in known.lines
    assert "author unknown" not in cli.run("plan").out
