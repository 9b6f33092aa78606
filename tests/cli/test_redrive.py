"""grantor redrive: what nobody answered rings again, and whoever is woken at night reads what it was."""

import json
import signal
from datetime import UTC, datetime

import pytest

from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.cli.processes import grantor, read_error_line, until
from tests.cli.queues import Queues
from tests.conftest import ROOT
from tests.estate import POLICIES, Estate

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
def queues(cli: CommandLine, estate: Estate) -> Queues:
    return Queues.of(estate)


def test_everything_is_resent_and_it_says_how_much_it_was_and_about_what(
    cli: CommandLine, queues: Queues
):
    queues.send("event-dlq", CLOCK, POLICY, POLICY)
    queues.send("upload-dlq", UPLOAD)
    answered = cli.grantor("redrive", keys=cli.person("Reader", "BreakGlass"))

    assert (answered.code, answered.err) == (0, "")
    heads = [line.partition(", the first of ")[0] for line in answered.lines]
    assert heads == [
        "event: 3 events re-sent", "  policy: everything, 2 times", "  schedule: everything",
        "upload: 1 event re-sent", "  s3://data/UserA/abalone.csv",
    ]  # fmt: skip
    assert sorted(queues.take("event-queue")) == sorted([CLOCK, POLICY, POLICY])
    assert (queues.take("upload-queue"), queues.take("event-dlq"), queues.take("upload-dlq")) == (
        [UPLOAD],
        [],
        [],
    )


def test_it_says_since_when_the_first_of_them_waits(cli: CommandLine, queues: Queues):
    before = datetime.now(UTC).replace(microsecond=0)
    queues.send("event-dlq", CLOCK)
    answer = cli.grantor("redrive", "--json").json["event"]

    assert before <= datetime.fromisoformat(answer["first"]) <= datetime.now(UTC)
    assert (answer["events"], answer["moved"], answer["about"], answer["not_events"]) == (
        1,
        True,
        {"schedule: everything": 1},
        {},
    )


def test_one_queue_may_be_asked_for_alone(cli: CommandLine, queues: Queues):
    queues.send("event-dlq", CLOCK)
    queues.send("upload-dlq", UPLOAD)

    assert cli.grantor("redrive", "upload").lines[-1] == "  s3://data/UserA/abalone.csv"
    assert (queues.take("upload-queue"), queues.take("event-dlq")) == ([UPLOAD], [CLOCK])


def test_where_nothing_lies_it_says_so(cli: CommandLine, queues: Queues):
    answered = cli.grantor("redrive")

    assert (answered.code, answered.lines) == (
        0,
        [
            "event: the dead-letter queue has no events",
            "upload: the dead-letter queue has no events",
        ],
    )


@pytest.mark.parametrize("name", ["event", "upload"])
def test_a_message_that_is_no_event_is_named_and_left_and_the_others_go(
    cli: CommandLine, queues: Queues, name: str
):
    queues.send(f"{name}-dlq", "hello\tana", CLOCK, "[1]")
    answered = cli.grantor("redrive", name, keys=cli.person("Reader", "BreakGlass"))

    assert (answered.code, answered.lines[0].partition(",")[0]) == (1, f"{name}: 1 event re-sent")
    said = sorted(
        line.split(" is not an event, so no run can handle it; it stays: ")
        for line in answered.lines[2:]
    )
    assert [place.partition(" message ")[0] for place, _ in said] == [f"error: {name}:"] * 2
    assert {body for _, body in said} == {"[1]", "hello\\tana"}
    assert (queues.take(f"{name}-queue"), sorted(queues.take(f"{name}-dlq"))) == (
        [CLOCK],
        ["[1]", "hello\tana"],
    )


def test_a_list_moves_nothing_and_hides_nothing(cli: CommandLine, queues: Queues):
    queues.send("event-dlq", *[POLICY] * 12, "hello")
    answered = cli.grantor("redrive", "event", "--list")

    assert (answered.code, answered.lines[0].partition(",")[0]) == (
        0,
        "event: 12 events in the dead-letter queue",
    )
    assert (queues.take("event-queue"), sorted(queues.take("event-dlq"))) == (
        [],
        sorted(["hello", *[POLICY] * 12]),
    )


def test_of_a_storm_of_uploads_the_first_are_shown(cli: CommandLine, queues: Queues):
    queues.send(
        "upload-dlq", *(UPLOAD.replace("UserA", f"team{number:02}") for number in range(25))
    )
    lines = cli.grantor("redrive", "upload").lines

    assert (len(lines), lines[-1]) == (22, "  … and 5 more; --json lists them all")
    assert len(queues.take("upload-queue")) == 25


def test_what_cannot_be_resent_stays_in_the_queue_and_the_rest_is_sent(
    cli: CommandLine, estate: Estate, queues: Queues
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
    estate.faults({"service": "sqs", "operation": "SendMessage", **refusal})
    answered = cli.grantor("redrive", "event")
    estate.faults()

    assert (answered.code, answered.lines[0].partition(",")[0]) == (1, "event: 2 events re-sent")
    assert answered.err.startswith("grantor redrive: you may not SendMessage: ")
    assert (len(queues.take("event-queue")), queues.take("event-dlq")) == (2, [CLOCK])


def test_an_event_whose_deletion_fails_is_sent_twice_rather_than_never(
    cli: CommandLine, estate: Estate, queues: Queues
):
    queues.send("event-dlq", CLOCK)
    fault = {
        "kind": "refuse",
        "code": "AccessDenied",
        "status": 400,
        "message": "said the test",
        "times": 1,
    }
    estate.faults({"service": "sqs", "operation": "DeleteMessage", **fault})
    answered = cli.grantor("redrive", "event")
    estate.faults()

    assert (answered.code, queues.take("event-queue"), queues.take("event-dlq")) == (
        1,
        [CLOCK],
        [CLOCK],
    )


def test_ctrl_c_finishes_the_ten_that_are_under_way_and_the_rest_lies_there(
    cli: CommandLine, estate: Estate, queues: Queues
):
    queues.send("event-dlq", *[CLOCK] * 15)
    estate.faults(
        {"service": "sqs", "operation": "SendMessage", "kind": "stall", "after": 3, "times": 1}
    )
    with grantor(estate, "redrive", "event") as process:
        until(lambda: call_control(estate.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in read_error_line(process))
        estate.faults()
        out, err = process.communicate(timeout=40)

    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[0].startswith("event: 10 events re-sent, ")
    assert out.splitlines()[-1].startswith("deferred: it was interrupted; ")
    assert len(queues.take("event-queue")) in (
        10,
        11,
    )  # the one whose answer did not come is sent once more
    assert len(queues.take("event-dlq")) == 5


@pytest.mark.parametrize(
    "policies", [["Reader"], ["BreakGlass"], ["Reader", "Approver", "Steward"]], ids="+".join
)
def test_who_has_not_both_policies_moves_nothing(
    cli: CommandLine, queues: Queues, policies: list[str]
):
    queues.send("event-dlq", CLOCK)
    answered = cli.grantor("redrive", keys=cli.person(*policies))

    assert answered.code == 1
    assert "needs the stack's managed policies Reader and BreakGlass" in answered.err
    assert (queues.take("event-queue"), queues.take("event-dlq")) == ([], [CLOCK])
