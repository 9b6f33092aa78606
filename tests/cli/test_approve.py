"""grantor approve: one person writes policy, another lets a refused plan pass, and nobody does both."""

import os
import pty
import subprocess
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from tests.cli.conftest import Desk
from tests.cli.processes import environment_of
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
    return estate.run().hash


def test_an_approver_sees_the_plan_approves_it_and_the_next_run_carries_it_out(desk: Desk, estate: Estate, refused: str):
    approver = desk.person("Approver")
    answered = desk.grantor("approve", refused, "--yes", keys=approver)
    approval = estate.world().records.approval(refused, estate.run().began)

    assert (answered.code, answered.err, len(answered.lines)) == (0, "", 26)
    assert answered.lines[0] == "- READ s3://data/05/* to role/ana, no longer because policy/many.yaml#r05"
    assert approval
    assert approval.by == estate_arn(desk, approver)
    assert f"approved: plan {refused} by {approval.by}; " in answered.lines[-1]
    assert len(estate.grants()) == 5


def test_a_run_is_rung_for(desk: Desk, estate: Estate, refused: str):
    desk.grantor("approve", refused, "--yes")

    assert desk.rung() == [["everything"]]


def test_an_unknown_hash_names_the_plans_that_there_are(desk: Desk, estate: Estate, refused: str):
    answered = desk.grantor("approve", "0123456789abcdef", "--yes", keys=desk.person("Approver"))

    assert (answered.code, answered.out) == (1, "")
    assert answered.err.startswith("grantor approve: no refused plan has the hash 0123456789abcdef: those that are known are ")
    assert f"{refused} (25 changes, " in answered.err
    assert (desk.rung(), list(estate.world().table.query("approval"))) == ([], [])


def test_without_a_person_to_ask_it_wants_a_word(desk: Desk, estate: Estate, refused: str):
    answered = desk.grantor("approve", refused)

    assert (answered.code, answered.err) == (2, "grantor approve: there is nobody to ask: say --yes\n")
    assert list(estate.world().table.query("approval")) == []


@pytest.mark.parametrize(("said", "code", "approvals"), [("y", 0, 1), ("n", 1, 0), ("", 1, 0)], ids=["yes", "no", "nothing"])
def test_on_a_terminal_it_asks(desk: Desk, refused: str, said: str, code: int, approvals: int):
    ours, theirs = pty.openpty()
    os.write(ours, f"{said}\n".encode())
    command = [ROOT / ".venv/bin/grantor", "approve", refused]
    done = subprocess.run(command, stdin=theirs, env=environment_of(desk.estate), capture_output=True, text=True, check=False)
    os.close(theirs)
    os.close(ours)

    assert done.returncode == code
    assert done.stderr.startswith("approve this plan as arn:aws:iam::000000000000:root? [y/N] ")
    assert len(list(desk.estate.world().table.query("approval"))) == approvals


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
    ids=["an approver", "a steward", "who is both", "a reader", "who breaks the glass", "who is all of them"],
)
def test_who_writes_policy_approves_nothing_and_who_approves_writes_none(
    desk: Desk, refused: str, policies: list[str], approves: bool, writes: bool
):
    person = desk.person(*policies)
    answered = desk.grantor("approve", refused, "--yes", keys=person)
    written = False
    with suppress(ClientError):
        desk.estate.sandbox.client("s3", person).put_object(Bucket=POLICIES, Key="policy/own.yaml", Body=b"version: 1\n")
        written = True

    assert (answered.code == 0, written) == (approves, writes)
    assert len(list(desk.estate.world().table.query("approval"))) == approves


def test_a_steward_is_told_why(desk: Desk, refused: str):
    answered = desk.grantor("approve", refused, "--yes", keys=desk.person("Approver", "Steward"))

    assert answered.err == (
        "grantor approve: you may not dynamodb:PutItem: a policy denies it, whatever else allows it; "
        "the stack's managed policy Steward or BreakGlass does\n"
    )


def estate_arn(desk: Desk, keys: dict[str, str]) -> str:
    return str(desk.estate.sandbox.client("sts", keys).get_caller_identity()["Arn"])
