"""Messages of a queue that carries events: what each holds, and when those come again that failed."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from grantor.aws.clients import UNANSWERED, NotYet, Overtaken
from grantor.aws.lease import Lease
from grantor.aws.services import World
from grantor.core.snapshot import EVERYTHING
from grantor.core.triggers import Bell, bell, earliest, event_in
from grantor.reconcile.lease import SECONDS, held, holder
from grantor.reconcile.notify import tell
from grantor.reconcile.report import Report
from grantor.reconcile.run import Bells, reconcile

Record = Mapping[str, Any]  # a message as Lambda hands it over


def carried(record: Record, logger: Logger) -> Mapping[str, Any] | None:
    """The event that a message carries; None, after saying so, if it is none: then the message ends among the dead ones."""
    event = event_in(record["body"])
    if event is not None:
        return event
    logger.error("a message is no event", message_id=record["messageId"], body=record["body"][:100])
    return None


def sooner(again: Callable[[Iterable[tuple[str, int]]], None], failed: Iterable[Record], logger: Logger) -> None:
    """What failed comes again long before the queue's visibility timeout is over, as far as the queue can be told.

    `again` takes each message's receipt and how often it was received.
    """
    received = [(record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"])) for record in failed]
    try:
        again(received)
    except (ClientError, *UNANSWERED):
        logger.exception("they come again when their visibility timeout is over")


logger = Logger(service="reconcile-grants")

MARGIN = 20.0  # seconds before the function's time limit at which a run begins no further change
# Seconds from the start of one run to the start of the next, doubled each time: what rings meanwhile is answered together.
APART, FARTHEST = 0.25, 4.0
FOREVER = 3600.0  # seconds, for whoever has no time limit
CLOCK = 900.0  # seconds from one bell of the clock to the next, as the template has it
ATTEMPTS = 10  # of ringing again about what can't be done yet; then the clock's next bell is soon enough


@dataclass(frozen=True)
class Runner:
    """Who runs: as whoever looks at the lease sees it, and the question that is asked before anything new is begun."""

    name: str
    go_on: Callable[[], bool] = lambda: True


SOMEBODY = Runner("somebody")


def ring(world: World, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer an SQS batch with the messages that must come again, and a bare event with what its runs did.

    Raises, for a bare event, whatever made the world unreadable.
    """
    logger.append_keys(request=getattr(context, "aws_request_id", ""))
    logger.remove_keys(["run"])  # of the last invocation of this environment
    if "Records" in event:
        return _batch(world, event, context)
    bells = [bell(event, world.names.policy_bucket)]
    return {"runs": [report.summary() for report in _answer(world, bells, context)]}


def _answer(world: World, bells: Sequence[Bell], context: Any) -> list[Report]:
    events = [one.id for one in bells]
    logger.info("rung", bells=[str(one) for one in bells], events=events)
    left = getattr(context, "get_remaining_time_in_millis", None)
    until = world.clock() + (left() / 1000 - MARGIN if left else FOREVER)
    reports = answer(world, bells, until, partial(tell, world), Runner(f"function {getattr(context, 'aws_request_id', '')}"))
    if reports:
        logger.info("answered", events=events, runs=[report.run for report in reports])
    else:
        logger.info("a run is going on, and answers these bells too", events=events, answered_by=world.leases.last_seen)
    return reports


def answer(
    world: World, bells: Sequence[Bell], until: float, told: Callable[[Report], None], runner: Runner = SOMEBODY
) -> list[Report]:
    """Runs, as many as it takes until no bell waits; none where another run is going on, which answers these bells too.

    `until` is when to begin nothing new, in seconds since 1970, so that there is time left to tell how far a run came. Raises
    whatever made the world unreadable; the bells then wait in the lease for whoever rings next.
    """
    lease = world.leases.ring(holder(runner.name), earliest(bells), world.clock(), SECONDS)
    if lease is None:
        return []
    attempt = max((one.attempt for one in bells), default=0)
    try:
        return _runs(world, lease, lambda: runner.go_on() and world.clock() < until, attempt, told)
    except Overtaken:
        world.queue.ring(sorted(lease.bells))
        raise
    except BaseException:  # also when a person interrupts it
        with suppress(NotYet, Overtaken):
            world.leases.abandon(lease)
        raise


def _runs(world: World, lease: Lease, go_on: Callable[[], bool], attempt: int, told: Callable[[Report], None]) -> list[Report]:
    reports: list[Report] = []
    waiting, apart = lease.bells, APART
    with held(world.leases, lease, world.clock) as ours:
        while waiting:
            begun = world.clock()
            report = reconcile(world, lease, waiting, lambda: ours() and go_on())
            try:
                _ring_again(world, report, waiting, attempt)
            finally:
                told(report)  # what was done was done, though nothing can ring
            reports.append(report)
            waiting = _next(world, lease, begun + apart, go_on)
            apart = min(2 * apart, FARTHEST)
    return reports


def _ring_again(world: World, report: Report, bells: Bells, attempt: int) -> None:
    """What the run's time was too short for rings at once, what can't be done yet a while later, and what ends when it ends."""
    about = [EVERYTHING] if report.adopted else sorted(bells)  # what was adopted may concern anyone
    if report.cut_short:
        world.queue.ring(about)
    elif report.later and attempt < ATTEMPTS:
        world.queue.ring(about, attempt + 1)
    left = report.next_end.timestamp() - world.clock() if report.next_end else CLOCK
    if left < CLOCK:  # else the clock rings before
        world.queue.ring_in(about, left)


def _next(world: World, lease: Lease, earliest_start: float, go_on: Callable[[], bool]) -> Bells:
    """The bells that came meanwhile; none once the lease is let go of."""
    while not world.leases.release(lease):
        if go_on():
            time.sleep(max(0.0, earliest_start - world.clock()))
            return world.leases.take(lease)
        world.queue.ring(sorted(world.leases.take(lease)))
    return {}


def _batch(world: World, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """One answer for all of the batch: each run reads everything afresh, so one serves every message."""
    records = {record["messageId"]: record for record in event["Records"]}
    events = {message: carried(record, logger) for message, record in records.items()}
    failed = [message for message, told in events.items() if told is None]
    bells = [bell(told, world.names.policy_bucket) for told in events.values() if told is not None]
    try:
        if bells:
            _answer(world, bells, context)
    except Exception:
        logger.exception("these bells will ring again")
        failed = list(records)
    if failed:
        sooner(world.queue.again, [records[message] for message in failed], logger)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
