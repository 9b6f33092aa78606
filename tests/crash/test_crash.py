"""A run is killed after a call, and the next ordinary run makes everything good. A part of it; `make crashes` is all."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from grantor.core.triggers import Bell
from grantor.reconcile.handler import answer
from grantor.reconcile.notify import announce
from tests.crash import changes
from tests.crash.auditor import Auditor
from tests.crash.changes import FOUR, Change
from tests.crash.kills import LEASE, NOTHING, Kills
from tests.crash.runs import PATIENCE, Runs
from tests.crash.warm import LONG, clients
from tests.engine.watch import Ahead
from tests.estate import ARTICLE, EVERYTHING, Estate
from tests.sandbox.desk import ask

WITHIN = 30.0  # seconds after which the lease of a run that died is still held
SOME = (
    changes.a_profile_is_made_while_a_new_policy_waits_for_its_own_bell,
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


def test_a_bell_within_the_lease_of_a_run_that_died_waits_there_and_the_first_after_it_answers_both(
    estate: Estate, runs: Runs
) -> None:
    estate.policy("article", ARTICLE)
    killed_after_its_first_call(estate, runs, EVERYTHING)
    upload = Bell("data", ("data s3://data/UserA/",))

    assert reports(estate, upload, WITHIN) == 0
    waiting = Auditor(estate).table().lease
    assert (set(waiting["taken"]), set(waiting["bells"])) == ({"everything"}, {"data s3://data/UserA/"})
    assert reports(estate, NOTHING, LEASE) == 1
    assert estate.grants() == FOUR


def killed_after_its_first_call(estate: Estate, runs: Runs, bells: Sequence[Bell]) -> None:
    estate.faults({"service": "*", "operation": "*", "kind": "stall", "times": 1})
    run, until = runs.begin(bells, ahead=0), time.monotonic() + PATIENCE
    while not ask(estate.sandbox, "faults")["rules"][0]["struck"]:
        assert time.monotonic() < until, "the run makes no call"
    runs.kill(run)
    estate.faults()


def reports(estate: Estate, bell: Bell, ahead: float) -> int:
    """How many runs the bell causes so many seconds from now."""
    world = Ahead(estate.names, clients(estate.config), ahead=ahead)
    return len(answer(world, [bell], world.clock() + LONG, partial(announce, world)))
