"""A run whose time is over stops between two changes, enqueues a trigger, and the next ones finish
what it began.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from grantor.aws.services import Services
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from grantor.reconcile.report import Report
from tests.engine.watch import ELSE, at_rest, count_enqueued, grants, quiet, rules
from tests.estate import EVERYTHING, Estate


@dataclass
class Watched(Services):
    """A world whose clock moves on by a second whenever somebody looks at it."""

    looks: float = 0.0

    def clock(self) -> float:
        self.looks += 1
        return super().clock() + self.looks


def run_for(estate: Estate, seconds: float) -> Report:
    """One run that may begin nothing new after so many looks at the clock."""
    world = Watched(estate.names, estate.world().clients)
    return run_until_drained(
        world, EVERYTHING, world.clock() + seconds, partial(publish_quietly, world)
    )[-1]


def test_a_run_whose_time_was_over_before_it_began_changes_nothing_and_enqueues_its_triggers(
    estate: Estate,
) -> None:
    estate.role("auditor")
    estate.policy("many", rules(3))
    world = estate.world()
    report = run_until_drained(
        world, EVERYTHING, world.clock() - 1, partial(publish_quietly, world)
    )[-1]

    assert (report.cut_short, report.done, estate.grants()) == (True, [], set())
    assert count_enqueued(estate) == 1
    at_rest(estate, grants(3))


def test_a_run_stops_between_two_changes_and_the_next_goes_on_from_there(estate: Estate) -> None:
    estate.role("auditor")
    estate.policy("many", rules(30))
    report = run_for(estate, 15)

    assert report.cut_short
    assert 0 < report.created < 30
    assert len(estate.grants()) == report.created
    assert count_enqueued(estate) == 1
    assert estate.run().created == 30 - report.created
    at_rest(estate, grants(30))


def test_an_approved_plan_that_takes_several_runs_is_asked_about_once(thirty: Estate) -> None:
    thirty.policy("many", rules(5))
    waiting = thirty.run()
    thirty.world().run_store.record_approval(waiting.approval.hash, "ana", datetime.now(UTC))
    first = run_for(thirty, 15)
    assert 0 < first.deleted < 25
    reports = [first]
    while reports[-1].cut_short:
        reports.append(run_for(thirty, 15))

    assert not any(report.approval.is_pending for report in reports)
    assert sum(report.deleted for report in reports) == 25
    at_rest(thirty, grants(5) | ELSE)


def test_what_was_agreed_to_and_is_wanted_again_before_its_turn_stays(thirty: Estate) -> None:
    thirty.policy("many", rules(5))
    thirty.world().run_store.record_approval(thirty.run().approval.hash, "ana", datetime.now(UTC))
    gone = run_for(thirty, 15).deleted
    thirty.policy("many", rules(30))
    report = thirty.run()

    assert (report.created, report.deleted) == (gone, 0)
    quiet(thirty)
