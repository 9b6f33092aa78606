"""grantor redrive: what nobody answered rings again, and whoever is woken at night reads what it was."""

import json
import signal
from datetime import UTC, datetime

import pytest

from tests.cli.conftest import Desk
from tests.cli.processes import grantor, line_of, until
from tests.cli.queues import Queues
from tests.conftest import ROOT
from tests.estate import POLICIES, Estate
from tests.sandbox.desk import ask

CLOCK = (ROOT / "events/clock_ticked.json").read_text()
POLICY = json.dumps({"source": "aws.s3", "detail": {"bucket": {"name": POLICIES}, "object": {"key": "policy/a.yaml"}}})
UPLOAD = json.dumps({"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": {"key": "UserA/abalone.csv"}}})


@pytest.fixture
def queues(desk: Desk, estate: Estate) -> Queues:
    return Queues.of(estate)


def test_all_of_it_rings_again_and_it_says_how_much_it_was_and_about_what(desk: Desk, queues: Queues):
    queues.send("dead-bells", CLOCK, POLICY, POLICY)
    queues.send("dead-uploads", UPLOAD)
    answered = desk.grantor("redrive", keys=desk.person("Reader", "BreakGlass"))

    assert (answered.code, answered.err) == (0, "")
    heads = [line.partition(", the first of ")[0] for line in answered.lines]
    assert heads == [
        "bells: 3 events ring again", "  policy: everything, 2 times", "  clock: everything",
        "uploads: 1 event rings again", "  s3://data/UserA/abalone.csv",
    ]  # fmt: skip
    assert sorted(queues.take("bells")) == sorted([CLOCK, POLICY, POLICY])
    assert (queues.take("uploads"), queues.take("dead-bells"), queues.take("dead-uploads")) == ([UPLOAD], [], [])


def test_it_says_since_when_the_first_of_them_waits(desk: Desk, queues: Queues):
    before = datetime.now(UTC).replace(microsecond=0)
    queues.send("dead-bells", CLOCK)
    told = desk.grantor("redrive", "--json").json["bells"]

    assert before <= datetime.fromisoformat(told["first"]) <= datetime.now(UTC)
    assert (told["events"], told["moved"], told["about"], told["no_event"]) == (1, True, {"clock: everything": 1}, {})


def test_one_queue_may_be_asked_for_alone(desk: Desk, queues: Queues):
    queues.send("dead-bells", CLOCK)
    queues.send("dead-uploads", UPLOAD)

    assert desk.grantor("redrive", "uploads").lines[-1] == "  s3://data/UserA/abalone.csv"
    assert (queues.take("uploads"), queues.take("dead-bells")) == ([UPLOAD], [CLOCK])


def test_where_nothing_lies_it_says_so(desk: Desk, queues: Queues):
    answered = desk.grantor("redrive")

    assert (answered.code, answered.lines) == (0, ["bells: no event lies there", "uploads: no event lies there"])


@pytest.mark.parametrize("name", ["bells", "uploads"])
def test_a_message_that_is_no_event_is_named_and_left_and_the_others_go(desk: Desk, queues: Queues, name: str):
    queues.send(f"dead-{name}", "hello\tana", CLOCK, "[1]")
    answered = desk.grantor("redrive", name, keys=desk.person("Reader", "BreakGlass"))

    assert (answered.code, answered.lines[0].partition(",")[0]) == (1, f"{name}: 1 event rings again")
    said = sorted(line.split(" is no event, so nobody can answer it; it stays: ") for line in answered.lines[2:])
    assert [place.partition(" message ")[0] for place, _ in said] == [f"wrong: {name}:"] * 2
    assert {body for _, body in said} == {"[1]", "hello\\tana"}
    assert (queues.take(name), sorted(queues.take(f"dead-{name}"))) == ([CLOCK], ["[1]", "hello\tana"])


def test_a_list_moves_nothing_and_hides_nothing(desk: Desk, queues: Queues):
    queues.send("dead-bells", *[POLICY] * 12, "hello")
    answered = desk.grantor("redrive", "bells", "--list")

    assert (answered.code, answered.lines[0].partition(",")[0]) == (0, "bells: 12 events lie there")
    assert (queues.take("bells"), sorted(queues.take("dead-bells"))) == ([], sorted(["hello", *[POLICY] * 12]))


def test_of_a_storm_of_uploads_the_first_are_shown(desk: Desk, queues: Queues):
    queues.send("dead-uploads", *(UPLOAD.replace("UserA", f"team{number:02}") for number in range(25)))
    lines = desk.grantor("redrive", "uploads").lines

    assert (len(lines), lines[-1]) == (22, "  … and 5 more; --json names them all")
    assert len(queues.take("uploads")) == 25


def test_what_can_not_be_sent_back_lies_there_as_before_and_the_rest_has_gone(desk: Desk, estate: Estate, queues: Queues):
    queues.send("dead-bells", *[CLOCK] * 3)
    refusal = {"kind": "refuse", "code": "AccessDenied", "status": 400, "message": "said the test", "after": 1, "times": 1}
    estate.faults({"service": "sqs", "operation": "SendMessage", **refusal})
    answered = desk.grantor("redrive", "bells")
    estate.faults()

    assert (answered.code, answered.lines[0].partition(",")[0]) == (1, "bells: 2 events ring again")
    assert answered.err.startswith("grantor redrive: you may not SendMessage: ")
    assert (len(queues.take("bells")), queues.take("dead-bells")) == (2, [CLOCK])


def test_an_event_whose_deletion_fails_rings_twice_rather_than_never(desk: Desk, estate: Estate, queues: Queues):
    queues.send("dead-bells", CLOCK)
    fault = {"kind": "refuse", "code": "AccessDenied", "status": 400, "message": "said the test", "times": 1}
    estate.faults({"service": "sqs", "operation": "DeleteMessage", **fault})
    answered = desk.grantor("redrive", "bells")
    estate.faults()

    assert (answered.code, queues.take("bells"), queues.take("dead-bells")) == (1, [CLOCK], [CLOCK])


def test_ctrl_c_finishes_the_ten_that_are_under_way_and_the_rest_lies_there(desk: Desk, estate: Estate, queues: Queues):
    queues.send("dead-bells", *[CLOCK] * 15)
    estate.faults({"service": "sqs", "operation": "SendMessage", "kind": "stall", "after": 3, "times": 1})
    with grantor(estate, "redrive", "bells") as process:
        until(lambda: ask(estate.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in line_of(process))
        estate.faults()
        out, err = process.communicate(timeout=40)

    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[0].startswith("bells: 10 events ring again, ")
    assert out.splitlines()[-1].startswith("later: it was interrupted; ")
    assert len(queues.take("bells")) in (10, 11)  # the one whose answer did not come is sent once more
    assert len(queues.take("dead-bells")) == 5


@pytest.mark.parametrize("policies", [["Reader"], ["BreakGlass"], ["Reader", "Approver", "Steward"]], ids="+".join)
def test_who_has_not_both_policies_moves_nothing(desk: Desk, queues: Queues, policies: list[str]):
    queues.send("dead-bells", CLOCK)
    answered = desk.grantor("redrive", keys=desk.person(*policies))

    assert answered.code == 1
    assert "needs the stack's managed policies Reader and BreakGlass" in answered.err
    assert (queues.take("bells"), queues.take("dead-bells")) == ([], [CLOCK])
