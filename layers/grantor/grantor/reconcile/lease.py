"""Runs under a lease: one at a time, renewed in the background, until no trigger is pending.

If another run holds the lease, the subjects of the triggers are added to the lease item and the
invocation returns; the holder takes them over before it releases the lease.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from grantor.aws.clients import LeaseLost, RetryableError
from grantor.aws.lease import Lease, LeaseStore, Subjects
from grantor.aws.run_store import RunStore
from grantor.aws.services import Services
from grantor.core.snapshot import EVERYTHING
from grantor.core.triggers import Trigger, merge_earliest
from grantor.reconcile.report import Report
from grantor.reconcile.run import run_once
from grantor.settings import (
    LEASE_RENEWAL_SECONDS,
    LEASE_SECONDS,
    RUN_INTERVAL_FIRST_SECONDS,
    RUN_INTERVAL_MAX_SECONDS,
    RUN_RETRY_ATTEMPTS,
    SWEEP_SECONDS,
)


class Busy(RuntimeError):
    """Another run holds the lease."""


@dataclass(frozen=True)
class Runner:
    """Who runs: the name that others see in the lease, and `go_on`, which is asked before anything
    new is begun.
    """

    name: str
    go_on: Callable[[], bool] = lambda: True


UNNAMED = Runner("unnamed")


def name_holder(name: str) -> str:
    """The holder of a lease: a name that people know, and a suffix that makes it unique."""
    return f"{name} {uuid.uuid4().hex[:12]}"


@contextmanager
def exclusive_lease(services: Services, name: str) -> Iterator[Lease]:
    """Hold the lease for work on the ledger that is not a run. Raises Busy if another run holds it.

    A trigger for everything is enqueued afterwards: its run covers pending triggers and corrects
    what the work has left.
    """
    lease = services.lease_store.acquire(name_holder(name), {}, services.clock(), LEASE_SECONDS)
    if lease is None:
        raise Busy("another run is in progress")
    try:
        with renewed_lease(services.lease_store, lease, services.clock):
            yield lease
    finally:
        services.lease_store.abandon(lease)
        services.queue.enqueue_now([EVERYTHING])


@contextmanager
def renewed_lease(
    leases: LeaseStore,
    lease: Lease,
    clock: Callable[[], float],
    seconds: float = LEASE_SECONDS,
    every: float = LEASE_RENEWAL_SECONDS,
) -> Iterator[Callable[[], bool]]:
    """Renew the lease every `every` seconds for `seconds`. Yields `is_held()`, False once the lease
    has expired or is lost.

    A process that is suspended renews nothing; when it resumes, the clock shows that the lease has
    expired.
    """
    over, lost = threading.Event(), threading.Event()
    expires = lease.expires

    def renew() -> None:
        nonlocal expires
        while not over.wait(every):
            try:
                with suppress(RetryableError):  # the next attempt comes before the lease expires
                    expires = leases.renew(lease, clock(), seconds).expires
            except LeaseLost:
                lost.set()
                return

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield lambda: not lost.is_set() and clock() < expires
    finally:
        over.set()
        thread.join()


def run_until_drained(
    services: Services,
    triggers: Sequence[Trigger],
    until: float,
    publish: Callable[[Report], None],
    runner: Runner = UNNAMED,
) -> list[Report]:
    """Run until no trigger is pending; no run if another holder covers these triggers, too. Who has
    written policy files is recorded while the lease is acquired.

    `until` is when to begin nothing new, in seconds since the epoch, so that there is time left to
    publish. Raises what made the inputs unreadable; the triggers then stay in the lease item for
    the next run.
    """
    subjects, name = merge_earliest(triggers), name_holder(runner.name)
    now, store = services.clock(), services.run_store
    recorded = services.executor.submit(record_authors, store, triggers, now)
    try:
        lease = services.lease_store.acquire(name, subjects, now, LEASE_SECONDS)
    finally:
        wait([recorded])
    if lease is None:
        recorded.result()
        return []
    attempt = max((trigger.attempt for trigger in triggers), default=0)
    try:
        recorded.result()
        return _run_repeatedly(
            services, lease, lambda: runner.go_on() and services.clock() < until, attempt, publish
        )
    except LeaseLost:
        services.queue.enqueue_now(sorted(lease.subjects))
        raise
    except BaseException:  # including KeyboardInterrupt
        with suppress(RetryableError, LeaseLost):
            services.lease_store.abandon(lease)
        raise


def record_authors(store: RunStore, triggers: Iterable[Trigger], now: float) -> None:
    """Record who has written policy files, as the triggers say; a call for each."""
    for write in filter(None, (trigger.write for trigger in triggers)):
        store.record_write(write, datetime.fromtimestamp(now, UTC))


def _run_repeatedly(
    services: Services,
    lease: Lease,
    go_on: Callable[[], bool],
    attempt: int,
    publish: Callable[[Report], None],
) -> list[Report]:
    """Run until nothing is pending; ever longer intervals let triggers gather that arrive
    meanwhile.
    """
    reports: list[Report] = []
    pending, interval = lease.subjects, RUN_INTERVAL_FIRST_SECONDS
    with renewed_lease(services.lease_store, lease, services.clock) as is_held:
        while pending:
            began = services.clock()
            report = run_once(services, lease, pending, lambda: is_held() and go_on())
            try:
                _enqueue_rest(services, report, pending, attempt)
            finally:
                publish(report)  # its changes are made, even if the queue takes no message
            reports.append(report)
            pending = _take_pending(services, lease, began + interval, go_on)
            interval = min(2 * interval, RUN_INTERVAL_MAX_SECONDS)
    return reports


def _enqueue_rest(services: Services, report: Report, subjects: Subjects, attempt: int) -> None:
    """Enqueue what is left: at once if the run was cut short, later if work is deferred, and when
    the next grant ends.
    """
    new_policies = report.accepted or report.removed_files  # these may concern anyone
    rest = [EVERYTHING] if new_policies else sorted(subjects)
    if report.cut_short:
        services.queue.enqueue_now(rest)
    elif not report.is_finished and attempt < RUN_RETRY_ATTEMPTS:
        services.queue.enqueue_now(rest, attempt + 1)
    left = report.next_end.timestamp() - services.clock() if report.next_end else SWEEP_SECONDS
    if left < SWEEP_SECONDS:  # otherwise the next scheduled run comes first
        services.queue.enqueue_later(rest, left)


def _take_pending(
    services: Services, lease: Lease, earliest_start: float, go_on: Callable[[], bool]
) -> Subjects:
    """The subjects that arrived meanwhile; none once the lease is released."""
    while not services.lease_store.release(lease):
        if go_on():
            time.sleep(max(0.0, earliest_start - services.clock()))
            return services.lease_store.drain(lease)
        services.queue.enqueue_now(sorted(services.lease_store.drain(lease)))
    return {}
