"""Two runs at once, of the function and of the CLI: one works, the other adds its triggers to the
lease; a holder that is suspended loses the lease and does no harm.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from grantor.reconcile.lease import renewed_lease, run_until_drained
from grantor.reconcile.report import Report
from tests.engine.change import AFTER, THEIRS, C
from tests.engine.other_process import Process
from tests.engine.watch import Ahead, at_rest, count_enqueued, wait_until
from tests.estate import ARTICLE, EVERYTHING, Estate


def quietly(report: Report) -> None:
    """Publish nothing."""


def nothing_waits(estate: Estate) -> bool:
    """Whether the lease is free, and no trigger is pending in it."""
    world = estate.world()
    lease = world.lease_store.acquire("probe", {}, world.clock(), 60)
    return lease is not None and lease.subjects == {} and world.lease_store.release(lease)


def test_of_two_processes_one_works_and_the_other_leaves_its_triggers(
    changing: Estate, elsewhere: Callable[[], Process]
) -> None:
    """external-dns, "leader election" declined: two of them write against each other."""
    changing.forget_calls()
    two = [elsewhere(), elsewhere()]
    outcomes = {process.outcome() for process in two}

    # Whoever begins once the other is through has nothing left to do.
    assert outcomes in ({"done 3", "left to the other"}, {"done 3", "done 0"})
    assert (changing.calls()["CreateAccessGrant"], changing.calls()["DeleteAccessGrant"]) == (3, 1)
    assert nothing_waits(changing)
    at_rest(changing, AFTER, {THEIRS})


def test_many_triggers_at_once_are_all_covered_by_few_runs(estate: Estate) -> None:
    """controller-runtime's queue: many triggers, no run twice at once, none lost."""
    estate.policy("article", ARTICLE)
    names = [f"user{n:02}" for n in range(18)]
    for name in names:
        estate.profile(name)
    estate.settle(*names)
    reports: list[Report] = []
    worlds = [estate.world() for _ in range(6)]

    def hand(number: int) -> None:
        world = worlds[number]
        for name in names[number::6]:
            reports.extend(
                run_until_drained(
                    world, [estate.profile_trigger(name)], world.clock() + 600, quietly
                )
            )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(hand, range(6)))

    assert len(reports) < 12
    looked_at = [subject for report in reports for subject in report.focus]
    assert "everything" in looked_at
    assert (sum(report.created for report in reports), nothing_waits(estate)) == (40, True)
    at_rest(estate, estate.grants())


def test_a_trigger_during_a_run_is_covered_by_that_run(changing: Estate) -> None:
    world, during = changing.world(), changing.world()
    during_run: list[list[Report]] = []

    def ring(**_: object) -> None:
        if not during_run:
            changing.profile("userD")
            during_run.append(
                run_until_drained(
                    during, [changing.profile_trigger("userD")], during.clock() + 600, quietly
                )
            )

    world.clients.s3control.meta.events.register("before-call.s3-control.CreateAccessGrant", ring)
    reports = run_until_drained(world, EVERYTHING, world.clock() + 600, quietly)

    assert during_run == [[]]
    assert [report.focus for report in reports] == [
        ("everything",),
        ("profile Product-Domain/userD",),
    ]
    at_rest(changing, AFTER | {C.replace("userC", "userD")}, {THEIRS})


def test_a_run_whose_machine_slept_past_its_lease_begins_no_further_change(
    changing: Estate,
) -> None:
    world = Ahead(changing.names, changing.world().clients)

    def sleep(**_: object) -> None:
        world.ahead = 61

    world.clients.s3control.meta.events.register("after-call.s3-control.CreateAccessGrant", sleep)
    report = run_until_drained(world, EVERYTHING, world.clock() + 600, quietly)[0]

    assert (report.created, report.deleted, report.cut_short) == (1, 0, True)
    assert count_enqueued(changing) >= 1
    at_rest(changing, AFTER, {THEIRS})


def test_a_lease_is_renewed_as_long_as_somebody_works_under_it(estate: Estate) -> None:
    world = estate.world()
    lease = world.lease_store.acquire("worker", {}, world.clock(), 1)
    assert lease
    with renewed_lease(world.lease_store, lease, world.clock, seconds=1, every=0.1) as ours:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert estate.world().lease_store.acquire("other", {}, world.clock(), 60) is None
            assert ours()
    assert world.lease_store.release(lease)


def test_a_holder_that_has_lost_its_lease_learns_it_at_the_next_renewal(estate: Estate) -> None:
    world, other = estate.world(), estate.world()
    lease = world.lease_store.acquire("worker", {}, world.clock(), 60)
    assert lease
    with renewed_lease(world.lease_store, lease, world.clock, every=0.1) as ours:
        assert ours()
        assert other.lease_store.acquire("other", {}, world.clock() + 61, 60)
        wait_until(lambda: not ours())
