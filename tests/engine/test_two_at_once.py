"""Two runs at the same time: one works, and the other adds its triggers to the lease. A holder that
is suspended loses the lease and does no harm.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from grantor.reconcile.lease import renewed_lease, run_until_drained
from grantor.reconcile.report import Report
from tests.engine.helpers import ServicesAhead, assert_settled, count_enqueued, wait_until
from tests.engine.other_process import OtherProcess
from tests.engine.policy_change import AFTER, TEAM_C, UNMANAGED
from tests.grantor_setup import ARTICLE_POLICY, EVERYTHING, GrantorSetup


def publish_nothing(report: Report) -> None:
    """Publish nothing."""


def is_nothing_pending(setup: GrantorSetup) -> bool:
    """Whether the lease is free, and no trigger is pending in it."""
    services = setup.build_services()
    lease = services.lease_store.acquire("probe", {}, services.clock(), 60)
    return lease is not None and lease.subjects == {} and services.lease_store.release(lease)


def test_of_two_processes_one_runs_and_the_other_leaves_its_triggers(
    changed_setup: GrantorSetup, start_process: Callable[[], OtherProcess]
) -> None:
    """external-dns, "leader election" declined: two of them write against each other."""
    changed_setup.reset_call_counts()
    two = [start_process(), start_process()]
    outcomes = {process.read_outcome() for process in two}

    # Whoever begins once the other is through has nothing left to do.
    assert outcomes in ({"done 3", "left to the other"}, {"done 3", "done 0"})
    assert (
        changed_setup.count_calls()["CreateAccessGrant"],
        changed_setup.count_calls()["DeleteAccessGrant"],
    ) == (3, 1)
    assert is_nothing_pending(changed_setup)
    assert_settled(changed_setup, AFTER, {UNMANAGED})


def test_many_simultaneous_triggers_are_covered_by_few_runs(setup: GrantorSetup) -> None:
    """controller-runtime's queue: many triggers, no run twice at once, none lost."""
    setup.put_policy("article", ARTICLE_POLICY)
    names = [f"user{n:02}" for n in range(18)]
    for name in names:
        setup.create_profile(name)
    setup.wait_for_profiles(*names)
    reports: list[Report] = []
    all_services = [setup.build_services() for _ in range(6)]

    def hand(number: int) -> None:
        services = all_services[number]
        for name in names[number::6]:
            reports.extend(
                run_until_drained(
                    services,
                    [setup.build_profile_trigger(name)],
                    services.clock() + 600,
                    publish_nothing,
                )
            )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(hand, range(6)))

    assert len(reports) < 12
    looked_at = [subject for report in reports for subject in report.focus]
    assert "everything" in looked_at
    assert (sum(report.created for report in reports), is_nothing_pending(setup)) == (40, True)
    assert_settled(setup, setup.describe_grants())


def test_a_trigger_during_a_run_is_covered_by_that_run(changed_setup: GrantorSetup) -> None:
    services, during = changed_setup.build_services(), changed_setup.build_services()
    during_run: list[list[Report]] = []

    def ring(**_: object) -> None:
        if not during_run:
            changed_setup.create_profile("userD")
            during_run.append(
                run_until_drained(
                    during,
                    [changed_setup.build_profile_trigger("userD")],
                    during.clock() + 600,
                    publish_nothing,
                )
            )

    services.clients.s3control.meta.events.register(
        "before-call.s3-control.CreateAccessGrant", ring
    )
    reports = run_until_drained(services, EVERYTHING, services.clock() + 600, publish_nothing)

    assert during_run == [[]]
    assert [report.focus for report in reports] == [
        ("everything",),
        ("profile Product-Domain/userD",),
    ]
    assert_settled(changed_setup, AFTER | {TEAM_C.replace("userC", "userD")}, {UNMANAGED})


def test_a_run_that_was_suspended_past_its_lease_starts_no_further_change(
    changed_setup: GrantorSetup,
) -> None:
    services = ServicesAhead(changed_setup.names, changed_setup.build_services().clients)

    def sleep(**_: object) -> None:
        services.seconds_ahead = 61

    services.clients.s3control.meta.events.register(
        "after-call.s3-control.CreateAccessGrant", sleep
    )
    report = run_until_drained(services, EVERYTHING, services.clock() + 600, publish_nothing)[0]

    assert (report.created, report.deleted, report.cut_short) == (1, 0, True)
    assert count_enqueued(changed_setup) >= 1
    assert_settled(changed_setup, AFTER, {UNMANAGED})


def test_a_lease_is_renewed_while_its_run_works(setup: GrantorSetup) -> None:
    services, seconds = setup.build_services(), 3  # so long a busy machine may stop a thread
    lease = services.lease_store.acquire("worker", {}, services.clock(), seconds)
    assert lease
    with renewed_lease(
        services.lease_store, lease, services.clock, seconds=seconds, every=0.1
    ) as ours:
        end = time.monotonic() + seconds + 1
        while time.monotonic() < end:
            assert (
                setup.build_services().lease_store.acquire("other", {}, services.clock(), 60)
                is None
            )
            assert ours()
    assert services.lease_store.release(lease)


def test_a_lost_lease_is_noticed_at_the_next_renewal(setup: GrantorSetup) -> None:
    services, other = setup.build_services(), setup.build_services()
    lease = services.lease_store.acquire("worker", {}, services.clock(), 60)
    assert lease
    with renewed_lease(services.lease_store, lease, services.clock, every=0.1) as ours:
        assert ours()
        assert other.lease_store.acquire("other", {}, services.clock() + 61, 60)
        wait_until(lambda: not ours())
