"""A run that is out of time stops between two changes and enqueues a trigger; the next runs
complete its changes.
"""

from dataclasses import dataclass
from functools import partial

from grantor.aws.services import Services
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from grantor.reconcile.report import Report
from tests.engine.helpers import (
    OTHER_FILE_GRANTS,
    assert_run_changes_nothing,
    assert_settled,
    build_rules,
    count_enqueued,
    expected_grants,
)
from tests.grantor_setup import EVERYTHING, GrantorSetup


@dataclass
class TrackedServices(Services):
    """A world whose clock moves on by a second whenever somebody looks at it."""

    looks: float = 0.0

    def clock(self) -> float:
        self.looks += 1
        return super().clock() + self.looks


def reconcile_for(setup: GrantorSetup, seconds: float) -> Report:
    """One run that may begin nothing new after so many looks at the clock."""
    services = TrackedServices(setup.names, setup.build_services().clients)
    return run_until_drained(
        services, EVERYTHING, services.clock() + seconds, partial(publish_quietly, services)
    )[-1]


def test_a_run_without_time_left_changes_nothing_and_enqueues_its_triggers(
    setup: GrantorSetup,
) -> None:
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(3))
    services = setup.build_services()
    report = run_until_drained(
        services, EVERYTHING, services.clock() - 1, partial(publish_quietly, services)
    )[-1]

    assert (report.cut_short, report.done, setup.describe_grants()) == (True, [], set())
    assert count_enqueued(setup) == 1
    assert_settled(setup, expected_grants(3))


def test_a_run_that_runs_out_of_time_stops_between_two_changes_and_the_next_continues(
    setup: GrantorSetup,
) -> None:
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(30))
    report = reconcile_for(setup, 15)

    assert report.cut_short
    assert 0 < report.created < 30
    assert len(setup.describe_grants()) == report.created
    assert count_enqueued(setup) == 1
    assert setup.reconcile().created == 30 - report.created
    assert_settled(setup, expected_grants(30))


def test_an_approved_plan_that_takes_several_runs_needs_one_approval(
    thirty_grants: GrantorSetup,
) -> None:
    thirty_grants.put_policy("many", build_rules(5))
    waiting = thirty_grants.reconcile()
    thirty_grants.decide(waiting)
    first = reconcile_for(thirty_grants, 15)
    assert 0 < first.deleted < 25
    reports = [first]
    while reports[-1].cut_short:
        reports.append(reconcile_for(thirty_grants, 15))

    assert not any(report.approval.is_pending for report in reports)
    assert sum(report.deleted for report in reports) == 25
    assert_settled(thirty_grants, expected_grants(5) | OTHER_FILE_GRANTS)


def test_an_approved_delete_is_dropped_if_the_grant_is_wanted_again(
    thirty_grants: GrantorSetup,
) -> None:
    thirty_grants.put_policy("many", build_rules(5))
    thirty_grants.decide(thirty_grants.reconcile())
    gone = reconcile_for(thirty_grants, 15).deleted
    thirty_grants.put_policy("many", build_rules(30))
    report = thirty_grants.reconcile()

    assert (report.created, report.deleted) == (gone, 0)
    assert_run_changes_nothing(thirty_grants)
