"""A run is killed after a call, and the next ordinary run makes everything good. A part of it;
`make test-crash` is all.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from grantor.core.triggers import Trigger
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from sandbox.testing.helpers import call_control
from tests.crash import changes
from tests.crash.auditor import Auditor
from tests.crash.changes import FOUR, Change
from tests.crash.kills import LEASE, NOTHING, Kills
from tests.crash.runs import PATIENCE, Runs
from tests.crash.warm import LONG, clients
from tests.engine.watch import Ahead
from tests.estate import ARTICLE, EVERYTHING, Estate

WITHIN = 30.0  # seconds after which the lease of a run that died is still held
SOME = (
    changes.a_profile_is_made_while_a_new_policy_waits_for_its_own_trigger,
    changes.read_becomes_readwrite,
    changes.a_policy_file_is_deleted,
    changes.a_rule_wants_what_somebody_else_has_made,
    changes.a_plan_of_25_deletes_that_nobody_approves,
)


@pytest.mark.parametrize("change", SOME, ids=lambda change: change.__name__)
def test_a_kill_after_any_call_that_changes_something_is_made_good(
    change: Callable[[Estate], Change], estate: Estate, runs: Runs
) -> None:
    kills = Kills(estate, change(estate), runs)

    assert kills.undisturbed == []
    assert {number: broken for number in kills.writes if (broken := kills.broken(number))} == {}


def test_a_trigger_within_the_lease_of_a_dead_run_stays_pending_and_the_first_run_after_it_covers_both(
    estate: Estate, runs: Runs
) -> None:
    estate.policy("article", ARTICLE)
    killed_after_its_first_call(estate, runs, EVERYTHING)
    upload = Trigger("data", ("data s3://data/UserA/",))

    assert reports(estate, upload, WITHIN) == 0
    waiting = Auditor(estate).table().lease
    assert (set(waiting["current"]), set(waiting["pending"])) == (
        {"everything"},
        {"data s3://data/UserA/"},
    )
    assert reports(estate, NOTHING, LEASE) == 1
    assert estate.grants() == FOUR


def killed_after_its_first_call(estate: Estate, runs: Runs, triggers: Sequence[Trigger]) -> None:
    estate.faults({"service": "*", "operation": "*", "kind": "stall", "times": 1})
    run, until = runs.begin(triggers, ahead=0), time.monotonic() + PATIENCE
    while not call_control(estate.sandbox, "faults")["rules"][0]["struck"]:
        assert time.monotonic() < until, "the run makes no call"
    runs.kill(run)
    estate.faults()


def reports(estate: Estate, trigger: Trigger, ahead: float) -> int:
    """How many runs the trigger causes so many seconds from now."""
    world = Ahead(estate.names, clients(estate.config), ahead=ahead)
    return len(
        run_until_drained(world, [trigger], world.clock() + LONG, partial(publish_quietly, world))
    )
