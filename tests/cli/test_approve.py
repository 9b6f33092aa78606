"""grantor approve: one person writes policy, another lets a refused plan pass, and nobody does
both.
"""

import os
import pty
import subprocess
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from tests.cli.conftest import CommandLine
from tests.cli.processes import read_environment
from tests.cli.rules import many
from tests.conftest import ROOT
from tests.estate import POLICIES, Estate


@pytest.fixture
def refused(estate: Estate) -> str:
    """The hash of a plan that takes away 25 of 30 grants."""
    role = estate.role("ana")
    estate.policy("many", many(role, 30))
    estate.run()
    estate.policy("many", many(role, 5))
    return estate.run().approval.hash


def test_an_approver_sees_the_plan_approves_it_and_the_next_run_carries_it_out(
    cli: CommandLine, estate: Estate, refused: str
):
    approver = cli.person("Approver")
    answered = cli.grantor("approve", refused, "--yes", keys=approver)
    approval = estate.world().run_store.read_approval(refused, estate.run().started_at)

    assert (answered.code, answered.err, len(answered.lines)) == (0, "", 27)
    assert answered.lines[0] == f"plan {refused}"
    assert (
        answered.lines[1]
        == "- READ s3://data/05/* to role/ana, no longer because policy/many.yaml#r05"
    )
    assert approval
    assert approval.by == estate_arn(cli, approver)
    assert f"approved: plan {refused} by {approval.by}; " in answered.lines[-1]
    assert len(estate.grants()) == 5


def test_a_trigger_is_enqueued(cli: CommandLine, estate: Estate, refused: str):
    cli.grantor("approve", refused, "--yes")

    assert cli.queued_subjects() == [["everything"]]


def test_an_unknown_hash_names_the_plans_that_there_are(
    cli: CommandLine, estate: Estate, refused: str
):
    answered = cli.grantor("approve", "0123456789abcdef", "--yes", keys=cli.person("Approver"))

    assert (answered.code, answered.out) == (1, "")
    assert answered.err.startswith(
        "grantor approve: no plan that requires an approval has the hash 0123456789abcdef: plans that require an approval: "
    )
    assert f"{refused[:12]} (25 changes, " in answered.err
    assert (cli.queued_subjects(), list(estate.world().table.query_partition("approval"))) == (
        [],
        [],
    )


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_the_first_digits_of_a_hash_name_the_plan_and_the_full_hash_is_approved(
    cli: CommandLine, estate: Estate, refused: str, digits: int
):
    answered = cli.grantor("approve", refused[:digits], "--yes")

    assert (answered.code, answered.lines[0]) == (0, f"plan {refused}")
    assert [item["sk"] for item in estate.world().table.query_partition("approval")] == [refused]


def test_digits_that_name_no_plan_or_several_approve_nothing(
    cli: CommandLine, estate: Estate, refused: str
):
    store = estate.world().run_store
    document = store.list_pending_plans()[0].document
    twin = refused[:20] + ("0" if refused[20] != "0" else "1") * 44
    store.record_pending_plan(twin, document, datetime.now(UTC))
    answers = [
        cli.grantor("approve", digits, "--yes") for digits in (refused[:7], refused[:20], "f" * 8)
    ]

    assert [answered.code for answered in answers] == [2, 1, 1]
    assert "needs at least 8 of its digits" in answers[0].err
    assert f"several plans have a hash that begins with {refused[:20]}" in answers[1].err
    assert list(estate.world().table.query_partition("approval")) == []
    assert cli.grantor("approve", refused[:21], "--yes").code == 0


def test_without_a_person_to_ask_it_wants_a_word(cli: CommandLine, estate: Estate, refused: str):
    answered = cli.grantor("approve", refused)

    assert (answered.code, answered.err) == (
        2,
        "grantor approve: stdin is not a terminal; pass --yes\n",
    )
    assert list(estate.world().table.query_partition("approval")) == []


@pytest.mark.parametrize(
    ("said", "code", "approvals"),
    [("y", 0, 1), ("n", 1, 0), ("", 1, 0)],
    ids=["yes", "no", "nothing"],
)
def test_on_a_terminal_it_asks(
    cli: CommandLine, refused: str, said: str, code: int, approvals: int
):
    ours, theirs = pty.openpty()
    os.write(ours, f"{said}\n".encode())
    command = [ROOT / ".venv/bin/grantor", "approve", refused]
    done = subprocess.run(
        command,
        stdin=theirs,
        env=read_environment(cli.estate),
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(theirs)
    os.close(ours)

    assert done.returncode == code
    assert done.stderr.startswith("approve this plan as arn:aws:iam::000000000000:root? [y/N] ")
    assert len(list(cli.estate.world().table.query_partition("approval"))) == approvals


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
def test_who_writes_policy_approves_nothing_and_who_approves_writes_none(
    cli: CommandLine, refused: str, policies: list[str], approves: bool, writes: bool
):
    person = cli.person(*policies)
    answered = cli.grantor("approve", refused, "--yes", keys=person)
    written = False
    with suppress(ClientError):
        cli.estate.sandbox.client("s3", person).put_object(
            Bucket=POLICIES, Key="policy/own.yaml", Body=b"version: 1\n"
        )
        written = True

    assert (answered.code == 0, written) == (approves, writes)
    assert len(list(cli.estate.world().table.query_partition("approval"))) == approves


def test_a_steward_learns_why(cli: CommandLine, refused: str):
    answered = cli.grantor("approve", refused, "--yes", keys=cli.person("Approver", "Steward"))

    assert answered.err == (
        "grantor approve: you may not dynamodb:PutItem: a policy denies it, whatever else allows it; "
        "the stack's managed policy Steward or BreakGlass does\n"
    )


def estate_arn(cli: CommandLine, keys: dict[str, str]) -> str:
    return str(cli.estate.sandbox.client("sts", keys).get_caller_identity()["Arn"])
