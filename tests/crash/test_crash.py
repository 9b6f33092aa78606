"""A run is killed after a call, and the next run repairs everything. These are some of the
changes; `make test-crash` tests all.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from grantor.core.triggers import Trigger
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from sandbox.testing.helpers import call_control
from tests.crash import changes
from tests.crash.aws_state import AwsState, LedgerTable
from tests.crash.changes import ARTICLE_GRANTS, Change
from tests.crash.fork_server import RUN_SECONDS, build_clients
from tests.crash.forked_runs import TIMEOUT_SECONDS, ForkedRuns
from tests.crash.killed_runs import SECONDS_AFTER_LEASE, UNRELATED_TRIGGER, KilledRuns
from tests.engine.helpers import ServicesAhead
from tests.grantor_setup import ARTICLE_POLICY, EVERYTHING, GrantorSetup

SECONDS_WITHIN_LEASE = 30.0  # the lease of a dead run is still held then
CHOSEN_CHANGES = (
    changes.a_policy_file_is_deleted,
    changes.a_plan_of_25_deletes_that_nobody_approves,
)


@pytest.mark.parametrize("change", CHOSEN_CHANGES, ids=lambda change: change.__name__)
def test_the_run_after_a_kill_repairs_everything_whichever_write_was_the_last(
    change: Callable[[GrantorSetup], Change], setup: GrantorSetup, runs: ForkedRuns
) -> None:
    kills = KilledRuns(setup, change(setup), runs)

    assert kills.violations_without_kill == []
    assert {
        number: broken
        for number in kills.write_numbers
        if (broken := kills.find_violations(number))
    } == {}


def test_counts_of_the_guard_compare_alike_whichever_hour_a_run_was_in() -> None:
    def read(hours: str) -> Any:
        item = {"pk": "meta", "sk": "guard", "hours": hours}
        return LedgerTable({("meta", "guard"): item}).data_of_no_run

    assert read('{"7":{"":[0,4]},"8":{"":[1,2],"a":[1,2]}}') == read('{"9":{"":[1,6],"a":[1,2]}}')
    assert read('{"7":{"":[0,4]}}') != read('{"7":{"":[0,5]}}')


def test_a_trigger_within_the_lease_of_a_dead_run_stays_pending_and_the_next_run_covers_both(
    setup: GrantorSetup, runs: ForkedRuns
) -> None:
    setup.put_policy("article", ARTICLE_POLICY)
    kill_after_first_call(setup, runs, EVERYTHING)
    upload = Trigger("data", ("data s3://data/UserA/",))

    assert count_runs(setup, upload, SECONDS_WITHIN_LEASE) == 0
    waiting = AwsState(setup).read_table().lease
    assert (set(waiting["current"]), set(waiting["pending"])) == (
        {"everything"},
        {"data s3://data/UserA/"},
    )
    assert count_runs(setup, UNRELATED_TRIGGER, SECONDS_AFTER_LEASE) == 1
    assert setup.describe_grants() == ARTICLE_GRANTS


def kill_after_first_call(
    setup: GrantorSetup, runs: ForkedRuns, triggers: Sequence[Trigger]
) -> None:
    setup.set_faults({"service": "*", "operation": "*", "kind": "stall", "times": 1})
    run, until = runs.start(triggers, ahead=0), time.monotonic() + TIMEOUT_SECONDS
    while not call_control(setup.sandbox, "faults")["rules"][0]["struck"]:
        assert time.monotonic() < until, "the run makes no call"
    runs.kill(run)
    setup.set_faults()


def count_runs(setup: GrantorSetup, trigger: Trigger, ahead: float) -> int:
    """Count the runs that the trigger causes so many seconds from now."""
    services = ServicesAhead(
        setup.names, build_clients(setup.config, setup.sandbox.root_keys), seconds_ahead=ahead
    )
    return len(
        run_until_drained(
            services, [trigger], services.clock() + RUN_SECONDS, partial(publish_quietly, services)
        )
    )
