"""From the raw event to a report: what rang, one run for all of it, what was done about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from grantor.core.doorbell import Bell, bell
from grantor.reconcile import Report, reconcile
from grantor.world import World

logger = Logger(service="reconcile-grants")
metrics = Metrics(namespace="Grantor", service="reconcile-grants")


class Unfinished(RuntimeError):
    """Something is left that ringing again will mend; the text names it."""


def ring(world: World, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """One run for the whole event. An SQS batch is answered with the messages that must ring again.

    Raises Unfinished for a bare event that must ring again, and whatever made the world unreadable.
    """
    logger.append_keys(request=getattr(context, "aws_request_id", ""))
    if "Records" in event:
        return _batch(world, event)
    return vars(_run(world, [bell(event, world.policy_bucket)]))


def _batch(world: World, event: Mapping[str, Any]) -> dict[str, Any]:
    """The first message's run answers for all of them: each run reads everything afresh, so one serves the whole batch."""
    bells = [bell(SQSRecord(record).json_body, world.policy_bucket) for record in event["Records"] if _readable(record)]
    ran: list[Exception | None] = []

    def record_handler(record: SQSRecord) -> None:  # Powertools calls it by this parameter's name
        if not _readable(record.raw_event):
            raise ValueError(f"message {record.message_id} is not an event: {record.body[:100]!r}")
        if not ran:
            ran.append(_tried(world, bells))
        if ran[0]:
            raise ran[0]

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(dict(event), record_handler, processor))


def _readable(record: Mapping[str, Any]) -> bool:
    try:
        return isinstance(SQSRecord(dict(record)).json_body, dict)
    except ValueError:
        return False


def _tried(world: World, bells: Sequence[Bell]) -> Exception | None:
    try:
        _run(world, bells)
    except Exception as error:
        logger.exception("the bell will ring again")
        return error
    return None


@metrics.log_metrics
def _measured(report: Report, milliseconds: Sequence[float]) -> None:
    metrics.add_metric("Created", MetricUnit.Count, sum(line.startswith("+") for line in report.done))
    metrics.add_metric("Deleted", MetricUnit.Count, sum(line.startswith("-") for line in report.done))
    metrics.add_metric("Refused", MetricUnit.Count, len(report.refused))
    metrics.add_metric("Later", MetricUnit.Count, len(report.later))
    for value in milliseconds:
        metrics.add_metric("EventToGrant", MetricUnit.Milliseconds, value)


def _run(world: World, bells: Sequence[Bell]) -> Report:
    logger.info("rung", bells=[str(b) for b in bells], events=[b.id for b in bells])
    report = reconcile(world)
    waited = [(world.clock() - b.at) * 1000 for b in bells if b.at is not None] if report.done else []
    for sentence in report.done:
        logger.info(sentence)
    for sentence in report.refused:
        logger.error(sentence)
    for sentence in report.later + report.foreign:
        logger.warning(sentence)
    logger.info("done", changes=len(report.done), refused=len(report.refused), later=len(report.later), event_to_grant_ms=waited)
    _measured(report, waited)
    if not report.finished:
        raise Unfinished("; ".join(report.later))
    return report
