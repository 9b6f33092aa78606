"""grantor apply: a person starts the same run as the function's, under the same lease."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from grantor.aws.lease import Lease
from grantor.aws.services import Services
from sandbox.testing.helpers import call_control
from tests.cli.command_process import read_error_line, start_grantor, wait_until
from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rules
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

FOUR = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserA/* to role/role-userA",
    "READWRITE s3://data/UserB/* to role/role-userB",
}


def test_grants_are_created_and_printed_and_a_second_apply_has_nothing_to_do(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)

    first = cli.run("apply")
    assert (first.code, first.err, setup.describe_grants()) == (0, "", FOUR)
    assert first.lines[0].endswith(": 4 grants created, 0 grants deleted")
    assert {line.partition(", because")[0] for line in first.lines[1:5]} == {
        f"+ {grant}" for grant in FOUR
    }
    assert first.lines[5:] == ["accepted: policy/article.yaml"]
    again = cli.run("apply")
    assert (again.code, again.out.partition(": ")[2]) == (0, "nothing to change\n")


@pytest.mark.parametrize("rights", ["Function", "BreakGlass"])
def test_a_reader_with_the_functions_policy_or_break_glass_can_apply(
    cli: CommandLine, setup: GrantorSetup, rights: str
):
    setup.put_policy("article", ARTICLE_POLICY)
    person = cli.create_person("Reader", rights)

    assert (cli.run("apply", keys=person).code, setup.describe_grants()) == (0, FOUR)
    setup.delete_policy("article")
    setup.put_policy("other", build_rules(setup.create_role("ana"), 1))
    answered = cli.run("apply", keys=person)
    assert (answered.code, setup.describe_grants()) == (0, {"READ s3://data/00/* to role/ana"})


def test_an_apply_is_in_the_history_and_on_the_event_bus_like_any_run(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    run = cli.run("apply", "--json").json["runs"][0]["run_id"]

    assert [past.id for past in setup.build_services().run_store.list_runs(9)] == [run]
    seen = [
        event["detail"]["run_id"]
        for event in call_control(setup.sandbox, "events")
        if event["source"] == "grantor"
    ]
    assert seen == [run]


def test_a_plan_that_the_guard_stops_is_not_applied(cli: CommandLine, setup: GrantorSetup):
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))

    answered = cli.run("apply")
    assert (answered.code, len(setup.describe_grants())) == (1, 30)
    assert "approval: to approve exactly this plan: grantor approve " in answered.out


def test_a_change_that_aws_cannot_make_yet_is_reported_and_deferred(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.set_faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "invalid-grantee",
            "times": 1,
        }
    )

    answered = cli.run("apply")
    assert (answered.code, len(setup.describe_grants())) == (1, 3)
    assert [line.partition(" ")[0] for line in answered.lines[1:]] == [
        "+",
        "+",
        "+",
        "accepted:",
        "deferred:",
    ]


def test_a_run_in_progress_takes_over_the_apply(cli: CommandLine, setup: GrantorSetup):
    with other_run(setup) as (services, lease):
        answered = cli.run("apply")
        assert (answered.code, answered.lines) == (
            0,
            ["another run is in progress and covers this one, too"],
        )
        assert services.lease_store.drain(lease) == {"everything": None}


def test_with_wait_the_command_returns_after_the_other_run(cli: CommandLine, setup: GrantorSetup):
    with other_run(setup) as (services, lease), waiting_apply(setup) as process:
        wait_until(lambda: services.lease_store.read_status(services.clock()).pending)
        assert process.poll() is None
        services.lease_store.drain(lease)
        services.lease_store.release(lease)
        out, _ = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "another run has covered this one, too\n")


def test_with_wait_the_command_reports_a_plan_that_waits_for_an_approval(
    cli: CommandLine, setup: GrantorSetup
):
    """It once answered {"runs": []} with exit 0."""
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    waiting = setup.reconcile()
    with other_run(setup) as (services, lease), waiting_apply(setup, "--json") as process:
        wait_until(lambda: services.lease_store.read_status(services.clock()).pending)
        services.lease_store.drain(lease)
        services.lease_store.release(lease)
        answer = json.loads(process.communicate(timeout=20)[0])

    assert process.returncode == 1
    assert [one["hash"] for one in answer["pending_plans"]] == [waiting.approval.hash]
    assert [one["run_id"] for one in answer["runs"]] == [waiting.run_id]


def test_an_apply_runs_in_place_of_a_run_that_has_died(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    with other_run(setup, seconds=4), waiting_apply(setup) as process:
        out, _ = process.communicate(timeout=30)

        assert (process.returncode, out.partition(": ")[2].partition("\n")[0]) == (
            0,
            "4 grants created, 0 grants deleted",
        )
        assert setup.describe_grants() == FOUR


def test_ctrl_c_finishes_the_changes_in_progress_and_leaves_the_rest_to_the_function(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("many", build_rules(setup.create_role("ana"), 40))
    fault = {
        "service": "s3control",
        "operation": "CreateAccessGrant",
        "kind": "stall",
        "after": 3,
        "times": 1,
    }
    setup.set_faults(fault)
    with start_grantor(setup, "apply") as process:
        wait_until(lambda: call_control(setup.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping" in read_error_line(process))
        setup.set_faults()
        out, err = process.communicate(timeout=40)

    lines = out.splitlines()
    made = [line for line in lines if line.startswith("+ ")]
    assert (process.returncode, err) == (130, "")
    assert (len(made), lines[-1]) == (
        len(setup.describe_grants()),
        "deferred: the rest of the plan; a trigger is enqueued, and the function applies it",
    )
    assert 3 < len(made) < 40
    assert {entry.id for entry in setup.read_ledger().values() if entry.id} == set(
        setup.list_grants().values()
    )
    standing = setup.build_services().lease_store.read_status(time.time())
    assert (standing.holder, standing.pending, cli.queued_subjects()) == ("", {}, [["everything"]])
    assert (len(setup.reconcile().done), len(setup.describe_grants())) == (40 - len(made), 40)


def test_ctrl_c_twice_stops_at_once_and_the_next_run_completes_what_was_begun(
    cli: CommandLine, setup: GrantorSetup
):
    setup.put_policy("many", build_rules(setup.create_role("ana"), 5))
    setup.set_faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "stall",
            "after": 2,
            "times": 1,
        }
    )
    with start_grantor(setup, "apply") as process:
        wait_until(lambda: call_control(setup.sandbox, "faults")["rules"][0]["struck"])
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping" in read_error_line(process))
        process.send_signal(signal.SIGINT)
        process.wait(20)
        setup.set_faults()

    assert process.returncode == 130
    standing = setup.build_services().lease_store.read_status(time.time())
    assert (standing.holder, standing.pending) == ("", {"everything": None})
    setup.reconcile()
    assert len(setup.describe_grants()) == 5
    assert {entry.id for entry in setup.read_ledger().values()} == set(setup.list_grants().values())


@contextmanager
def other_run(setup: GrantorSetup, seconds: float = 60) -> Iterator[tuple[Services, Lease]]:
    """Another run, which holds the lease and does nothing."""
    services = setup.build_services()
    lease = services.lease_store.acquire("another", {}, services.clock(), seconds)
    assert lease
    yield services, lease


@contextmanager
def waiting_apply(setup: GrantorSetup, *more: str) -> Iterator[subprocess.Popen[str]]:
    with start_grantor(setup, "apply", "--wait", *more) as process:
        yield process
