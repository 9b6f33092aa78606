"""grantor approve: one person writes policy and another approves a plan; nobody can do both."""

import os
import pty
import subprocess
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from tests.cli.command_process import read_environment
from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rules
from tests.conftest import ROOT
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
    answered = cli.run("approve", refused, "--yes", keys=approver)
    approval = setup.build_services().run_store.read_approval(refused, setup.reconcile().started_at)

    assert (answered.code, answered.err, len(answered.lines)) == (0, "", 27)
    assert answered.lines[0] == f"plan {refused}"
    assert (
        answered.lines[1]
        == "- READ s3://data/05/* to role/ana, no longer because policy/many.yaml#r05"
    )
    assert approval
    assert approval.by == estate_arn(cli, approver)
    assert f"approved: plan {refused} by {approval.by}; " in answered.lines[-1]
    assert len(setup.describe_grants()) == 5


def test_a_trigger_is_enqueued(cli: CommandLine, setup: GrantorSetup, refused: str):
    cli.run("approve", refused, "--yes")

    assert cli.queued_subjects() == [["everything"]]


def test_for_an_unknown_hash_the_pending_plans_are_listed(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    answered = cli.run("approve", "0123456789abcdef", "--yes", keys=cli.create_person("Approver"))

    assert (answered.code, answered.out) == (1, "")
    assert answered.err.startswith(
        "grantor approve: no plan that requires an approval has the hash 0123456789abcdef: plans that require an approval: "
    )
    assert f"{refused[:12]} (25 changes, " in answered.err
    assert (
        cli.queued_subjects(),
        list(setup.build_services().table.query_partition("approval")),
    ) == (
        [],
        [],
    )


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_the_first_digits_of_a_hash_name_the_plan_and_the_full_hash_is_approved(
    cli: CommandLine, setup: GrantorSetup, refused: str, digits: int
):
    answered = cli.run("approve", refused[:digits], "--yes")

    assert (answered.code, answered.lines[0]) == (0, f"plan {refused}")
    assert [item["sk"] for item in setup.build_services().table.query_partition("approval")] == [
        refused
    ]


def test_digits_that_match_no_plan_or_several_approve_nothing(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    store = setup.build_services().run_store
    document = store.list_pending_plans()[0].document
    twin = refused[:20] + ("0" if refused[20] != "0" else "1") * 44
    store.record_pending_plan(twin, document, datetime.now(UTC))
    answers = [
        cli.run("approve", digits, "--yes") for digits in (refused[:7], refused[:20], "f" * 8)
    ]

    assert [answered.code for answered in answers] == [2, 1, 1]
    assert "needs at least 8 of its digits" in answers[0].err
    assert f"several plans have a hash that begins with {refused[:20]}" in answers[1].err
    assert list(setup.build_services().table.query_partition("approval")) == []
    assert cli.run("approve", refused[:21], "--yes").code == 0


def test_without_a_terminal_an_approval_needs_yes(
    cli: CommandLine, setup: GrantorSetup, refused: str
):
    answered = cli.run("approve", refused)

    assert (answered.code, answered.err) == (
        2,
        "grantor approve: stdin is not a terminal; pass --yes\n",
    )
    assert list(setup.build_services().table.query_partition("approval")) == []


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
    command = [ROOT / ".venv/bin/grantor", "approve", refused]
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
    assert len(list(cli.setup.build_services().table.query_partition("approval"))) == approvals


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
    answered = cli.run("approve", refused, "--yes", keys=person)
    written = False
    with suppress(ClientError):
        cli.setup.sandbox.client("s3", person).put_object(
            Bucket=POLICIES, Key="policy/own.yaml", Body=b"version: 1\n"
        )
        written = True

    assert (answered.code == 0, written) == (approves, writes)
    assert len(list(cli.setup.build_services().table.query_partition("approval"))) == approves


def test_a_steward_sees_why_an_approval_is_denied(cli: CommandLine, refused: str):
    answered = cli.run("approve", refused, "--yes", keys=cli.create_person("Approver", "Steward"))

    assert answered.err == (
        "grantor approve: you may not dynamodb:PutItem: a policy denies it, whatever else allows it; "
        "the stack's managed policy Steward or BreakGlass does\n"
    )


def estate_arn(cli: CommandLine, keys: dict[str, str]) -> str:
    return str(cli.setup.sandbox.client("sts", keys).get_caller_identity()["Arn"])
