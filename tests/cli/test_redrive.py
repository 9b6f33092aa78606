"""grantor redrive: messages of the dead-letter queues are listed with their subjects and sent
again.
"""

import json
import signal
from datetime import UTC, datetime

import pytest

from sandbox.testing.helpers import call_control
from tests.cli.command_process import read_error_line, start_grantor, wait_until
from tests.cli.conftest import CommandLine
from tests.cli.queues import Queues
from tests.conftest import ROOT
from tests.grantor_setup import POLICIES, GrantorSetup

CLOCK = (ROOT / "events/schedule_fired.json").read_text()
POLICY = json.dumps(
    {
        "source": "aws.s3",
        "detail": {"bucket": {"name": POLICIES}, "object": {"key": "policy/a.yaml"}},
    }
)
UPLOAD = json.dumps(
    {
        "source": "aws.s3",
        "detail": {"bucket": {"name": "data"}, "object": {"key": "UserA/abalone.csv"}},
    }
)


@pytest.fixture
def queues(cli: CommandLine, setup: GrantorSetup) -> Queues:
    return Queues.create(setup)


def test_every_message_is_resent_and_counted_with_its_subject(cli: CommandLine, queues: Queues):
    queues.send("event-dlq", CLOCK, POLICY, POLICY)
    queues.send("upload-dlq", UPLOAD)
    answered = cli.run("redrive", keys=cli.create_person("Reader", "BreakGlass"))

    assert (answered.code, answered.err) == (0, "")
    heads = [line.partition(", the first of ")[0] for line in answered.lines]
    assert heads == [
        "event: 3 events re-sent", "  policy: everything, 2 times", "  schedule: everything",
        "upload: 1 event re-sent", "  s3://data/UserA/abalone.csv",
    ]  # fmt: skip
    assert sorted(queues.receive("event-queue")) == sorted([CLOCK, POLICY, POLICY])
    assert (
        queues.receive("upload-queue"),
        queues.receive("event-dlq"),
        queues.receive("upload-dlq"),
    ) == (
        [UPLOAD],
        [],
        [],
    )


def test_the_age_of_the_oldest_message_is_shown(cli: CommandLine, queues: Queues):
    before = datetime.now(UTC).replace(microsecond=0)
    queues.send("event-dlq", CLOCK)
    answer = cli.run("redrive", "--json").json["event"]

    assert before <= datetime.fromisoformat(answer["first"]) <= datetime.now(UTC)
    assert (answer["events"], answer["moved"], answer["about"], answer["not_events"]) == (
        1,
        True,
        {"schedule: everything": 1},
        {},
    )


def test_one_queue_can_be_redriven_alone(cli: CommandLine, queues: Queues):
    queues.send("event-dlq", CLOCK)
    queues.send("upload-dlq", UPLOAD)

    assert cli.run("redrive", "upload").lines[-1] == "  s3://data/UserA/abalone.csv"
    assert (queues.receive("upload-queue"), queues.receive("event-dlq")) == ([UPLOAD], [CLOCK])


def test_an_empty_queue_is_reported_as_empty(cli: CommandLine, queues: Queues):
    answered = cli.run("redrive")

    assert (answered.code, answered.lines) == (
        0,
        [
            "event: the dead-letter queue has no events",
            "upload: the dead-letter queue has no events",
        ],
    )


@pytest.mark.parametrize("name", ["event", "upload"])
def test_a_message_that_is_not_an_event_is_named_and_left_and_the_others_are_resent(
    cli: CommandLine, queues: Queues, name: str
):
    queues.send(f"{name}-dlq", "hello\tana", CLOCK, "[1]")
    answered = cli.run("redrive", name, keys=cli.create_person("Reader", "BreakGlass"))

    assert (answered.code, answered.lines[0].partition(",")[0]) == (1, f"{name}: 1 event re-sent")
    said = sorted(
        line.split(" is not an event, so no run can handle it; it stays: ")
        for line in answered.lines[2:]
    )
    assert [place.partition(" message ")[0] for place, _ in said] == [f"error: {name}:"] * 2
    assert {body for _, body in said} == {"[1]", "hello\\tana"}
    assert (queues.receive(f"{name}-queue"), sorted(queues.receive(f"{name}-dlq"))) == (
        [CLOCK],
        ["[1]", "hello\tana"],
    )


def test_a_list_moves_nothing_and_hides_nothing(cli: CommandLine, queues: Queues):
    queues.send("event-dlq", *[POLICY] * 12, "hello")
    answered = cli.run("redrive", "event", "--list")

    assert (answered.code, answered.lines[0].partition(",")[0]) == (
        0,
        "event: 12 events in the dead-letter queue",
    )
    assert (queues.receive("event-queue"), sorted(queues.receive("event-dlq"))) == (
        [],
        sorted(["hello", *[POLICY] * 12]),
    )


def test_of_very_many_uploads_only_the_first_are_shown(cli: CommandLine, queues: Queues):
    queues.send(
        "upload-dlq", *(UPLOAD.replace("UserA", f"team{number:02}") for number in range(25))
    )
    lines = cli.run("redrive", "upload").lines

    assert (len(lines), lines[-1]) == (22, "  … and 5 more; --json lists them all")
    assert len(queues.receive("upload-queue")) == 25


def test_a_message_that_cannot_be_resent_stays_in_the_queue_and_the_rest_is_sent(
    cli: CommandLine, setup: GrantorSetup, queues: Queues
):
    queues.send("event-dlq", *[CLOCK] * 3)
    refusal = {
        "kind": "refuse",
        "code": "AccessDenied",
        "status": 400,
        "message": "said the test",
        "after": 1,
        "times": 1,
    }
    setup.set_faults({"service": "sqs", "operation": "SendMessage", **refusal})
    answered = cli.run("redrive", "event")
    setup.set_faults()

    assert (answered.code, answered.lines[0].partition(",")[0]) == (1, "event: 2 events re-sent")
    assert answered.err.startswith("grantor redrive: you may not SendMessage: ")
    assert (len(queues.receive("event-queue")), queues.receive("event-dlq")) == (2, [CLOCK])


def test_an_event_whose_deletion_fails_is_sent_twice_rather_than_never(
    cli: CommandLine, setup: GrantorSetup, queues: Queues
):
    queues.send("event-dlq", CLOCK)
    fault = {
        "kind": "refuse",
        "code": "AccessDenied",
        "status": 400,
        "message": "said the test",
        "times": 1,
    }
    setup.set_faults({"service": "sqs", "operation": "DeleteMessage", **fault})
    answered = cli.run("redrive", "event")
    setup.set_faults()

    assert (answered.code, queues.receive("event-queue"), queues.receive("event-dlq")) == (
        1,
        [CLOCK],
        [CLOCK],
    )


def test_ctrl_c_finishes_the_batch_in_progress_and_leaves_the_rest(
    cli: CommandLine, setup: GrantorSetup, queues: Queues
):
    queues.send("event-dlq", *[CLOCK] * 15)
    setup.set_faults(
        {"service": "sqs", "operation": "SendMessage", "kind": "stall", "after": 3, "times": 1}
    )
    with start_grantor(setup, "redrive", "event") as process:
        wait_until(lambda: call_control(setup.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping" in read_error_line(process))
        setup.set_faults()
        out, err = process.communicate(timeout=40)

    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[0].startswith("event: 10 events re-sent, ")
    assert out.splitlines()[-1].startswith("deferred: it was interrupted; ")
    assert len(queues.receive("event-queue")) in (
        10,
        11,
    )  # the one whose answer did not come is sent once more
    assert len(queues.receive("event-dlq")) == 5


@pytest.mark.parametrize(
    "policies", [["Reader"], ["BreakGlass"], ["Reader", "Approver", "Steward"]], ids="+".join
)
def test_a_person_without_both_policies_moves_nothing(
    cli: CommandLine, queues: Queues, policies: list[str]
):
    queues.send("event-dlq", CLOCK)
    answered = cli.run("redrive", keys=cli.create_person(*policies))

    assert answered.code == 1
    assert "needs the stack's managed policies Reader and BreakGlass" in answered.err
    assert (queues.receive("event-queue"), queues.receive("event-dlq")) == ([], [CLOCK])
