"""grantor apply: the same run as the function's, under the same lease, from a person's cli."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from grantor.aws.lease import Lease
from grantor.aws.services import Services
from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.cli.processes import grantor, read_error_line, until
from tests.cli.rules import many
from tests.estate import ARTICLE, Estate

FOUR = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserA/* to role/role-userA",
    "READWRITE s3://data/UserB/* to role/role-userB",
}


def test_it_makes_the_grants_and_says_each_and_again_there_is_nothing_to_do(
    cli: CommandLine, estate: Estate
):
    estate.policy("article", ARTICLE)

    first = cli.grantor("apply")
    assert (first.code, first.err, estate.grants()) == (0, "", FOUR)
    assert first.lines[0].endswith(": 4 grants created, 0 grants deleted")
    assert {line.partition(", because")[0] for line in first.lines[1:5]} == {
        f"+ {grant}" for grant in FOUR
    }
    assert first.lines[5:] == ["accepted: policy/article.yaml"]
    again = cli.grantor("apply")
    assert (again.code, again.out.partition(": ")[2]) == (0, "nothing to change\n")


@pytest.mark.parametrize("rights", ["Function", "BreakGlass"])
def test_the_rights_of_the_function_or_of_an_emergency_are_enough_for_a_reader(
    cli: CommandLine, estate: Estate, rights: str
):
    estate.policy("article", ARTICLE)
    person = cli.person("Reader", rights)

    assert (cli.grantor("apply", keys=person).code, estate.grants()) == (0, FOUR)
    estate.no_policy("article")
    estate.policy("other", many(estate.role("ana"), 1))
    answered = cli.grantor("apply", keys=person)
    assert (answered.code, estate.grants()) == (0, {"READ s3://data/00/* to role/ana"})


def test_it_stands_in_the_history_and_on_the_bus_as_any_run(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    run = cli.grantor("apply", "--json").json["runs"][0]["run_id"]

    assert [past.id for past in estate.world().run_store.list_runs(9)] == [run]
    seen = [
        event["detail"]["run_id"]
        for event in call_control(estate.sandbox, "events")
        if event["source"] == "grantor"
    ]
    assert seen == [run]


def test_a_plan_that_the_guard_is_against_is_not_carried_out(cli: CommandLine, estate: Estate):
    role = estate.role("ana")
    estate.policy("many", many(role, 30))
    estate.run()
    estate.policy("many", many(role, 5))

    answered = cli.grantor("apply")
    assert (answered.code, len(estate.grants())) == (1, 30)
    assert "approval: to approve exactly this plan: grantor approve " in answered.out


def test_what_aws_cannot_do_yet_is_reported_and_deferred(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "invalid-grantee",
            "times": 1,
        }
    )

    answered = cli.grantor("apply")
    assert (answered.code, len(estate.grants())) == (1, 3)
    assert [line.partition(" ")[0] for line in answered.lines[1:]] == [
        "+",
        "+",
        "+",
        "accepted:",
        "deferred:",
    ]


def test_another_run_that_is_going_on_answers_it(cli: CommandLine, estate: Estate):
    with running(estate) as (world, lease):
        answered = cli.grantor("apply")
        assert (answered.code, answered.lines) == (
            0,
            ["another run is in progress and covers this one, too"],
        )
        assert world.lease_store.drain(lease) == {"everything": None}


def test_it_waits_until_the_other_run_has_answered(cli: CommandLine, estate: Estate):
    with running(estate) as (world, lease), waiting(estate) as process:
        until(lambda: world.lease_store.read_status(world.clock()).pending)
        assert process.poll() is None
        world.lease_store.drain(lease)
        world.lease_store.release(lease)
        out, _ = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "another run has covered this one, too\n")


def test_it_runs_in_place_of_another_run_that_has_died(cli: CommandLine, estate: Estate):
    estate.policy("article", ARTICLE)
    with running(estate, seconds=4), waiting(estate) as process:
        out, _ = process.communicate(timeout=30)

        assert (process.returncode, out.partition(": ")[2].partition("\n")[0]) == (
            0,
            "4 grants created, 0 grants deleted",
        )
        assert estate.grants() == FOUR


def test_ctrl_c_finishes_the_changes_that_are_under_way_and_leaves_the_rest_to_the_function(
    cli: CommandLine, estate: Estate
):
    estate.policy("many", many(estate.role("ana"), 40))
    fault = {
        "service": "s3control",
        "operation": "CreateAccessGrant",
        "kind": "stall",
        "after": 3,
        "times": 1,
    }
    estate.faults(fault)
    with grantor(estate, "apply") as process:
        until(lambda: call_control(estate.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in read_error_line(process))
        estate.faults()
        out, err = process.communicate(timeout=40)

    lines = out.splitlines()
    made = [line for line in lines if line.startswith("+ ")]
    assert (process.returncode, err) == (130, "")
    assert (len(made), lines[-1]) == (
        len(estate.grants()), "deferred: the rest of the plan; a trigger is enqueued, and the function applies it",
    )  # fmt: skip
    assert 3 < len(made) < 40
    assert {entry.id for entry in estate.entries().values() if entry.id} == set(
        estate.actual().values()
    )
    standing = estate.world().lease_store.read_status(time.time())
    assert (standing.holder, standing.pending, cli.queued_subjects()) == ("", {}, [["everything"]])
    assert (len(estate.run().done), len(estate.grants())) == (40 - len(made), 40)


def test_ctrl_c_twice_stops_at_once_and_the_next_run_finds_what_was_begun(
    cli: CommandLine, estate: Estate
):
    estate.policy("many", many(estate.role("ana"), 5))
    estate.faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "stall",
            "after": 2,
            "times": 1,
        }
    )
    with grantor(estate, "apply") as process:
        until(lambda: call_control(estate.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in read_error_line(process))
        process.send_signal(signal.SIGINT)
        process.wait(20)
        estate.faults()

    assert process.returncode == 130
    standing = estate.world().lease_store.read_status(time.time())
    assert (standing.holder, standing.pending) == ("", {"everything": None})
    estate.run()
    assert len(estate.grants()) == 5
    assert {entry.id for entry in estate.entries().values()} == set(estate.actual().values())


@contextmanager
def running(estate: Estate, seconds: float = 60) -> Iterator[tuple[Services, Lease]]:
    """Another run, which holds the lease and does nothing."""
    world = estate.world()
    lease = world.lease_store.acquire("another", {}, world.clock(), seconds)
    assert lease
    yield world, lease


@contextmanager
def waiting(estate: Estate) -> Iterator[subprocess.Popen[str]]:
    with grantor(estate, "apply", "--wait") as process:
        yield process
