"""The Lambda side of a run: SQS batches in, log lines and metrics out. Only Lambda imports this
module, and so Powertools.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError
from grantor.aws.notifications import dump_log, limit_lists
from grantor.aws.queues import parse_record, retry_sooner
from grantor.aws.services import Services
from grantor.core.planning import rendering
from grantor.core.planning.rendering import SCHEMA_VERSION, Json
from grantor.core.triggers import Trigger, parse_trigger
from grantor.reconcile.lease import Runner, record_authors, run_until_drained
from grantor.reconcile.record_history import record_writes
from grantor.reconcile.report import Report, render_problems
from grantor.reconcile.run import publish_run
from grantor.settings import MAX_LOGGED_ITEMS, RUN_MARGIN_SECONDS, RUN_SECONDS_WITHOUT_LIMIT

logger = Logger(service="reconcile-grants", json_serializer=dump_log)
metrics = Metrics(namespace="Grantor", service="reconcile-grants")


def handle(services: Services, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer an SQS batch with the messages to deliver again, and any other event with its runs
    (docs/json.md).

    Raises, for an event outside of a batch, what made the inputs unreadable.
    """
    logger.append_keys(request=getattr(context, "aws_request_id", ""))
    logger.remove_keys(["run_id"])  # of the previous invocation of this environment
    if "Records" in event:
        return _handle_batch(services, event, context)
    reports = _handle_triggers(
        services, [parse_trigger(event, services.names.policy_bucket)], context
    )
    runs = [_limit_document(services, report) for report in reports]
    return {"schema_version": SCHEMA_VERSION, "kind": "runs", "runs": runs}


def _handle_batch(services: Services, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run once for the whole batch: a run reads the state afresh, so one covers every message."""
    records = {record["messageId"]: record for record in event["Records"]}
    events = {message: parse_record(record, logger) for message, record in records.items()}
    failed = [message for message, found in events.items() if found is None]
    found = filter(None, events.values())
    triggers = [parse_trigger(one, services.names.policy_bucket) for one in found]
    try:
        if triggers:
            _handle_triggers(services, triggers, context)
    except Exception:
        logger.exception("the batch failed; SQS delivers its messages again")
        failed = list(records)
    if failed:
        retry_sooner(services.queue.retry_later, [records[message] for message in failed], logger)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _handle_triggers(services: Services, triggers: Sequence[Trigger], context: Any) -> list[Report]:
    events = [trigger.id for trigger in triggers]
    logger.info("events received", triggers=[str(trigger) for trigger in triggers], events=events)
    if not any(trigger.subjects for trigger in triggers):
        record_authors(services.run_store, triggers, services.clock())
        record_writes(services.history, triggers)
        return []
    left = getattr(context, "get_remaining_time_in_millis", None)
    seconds = left() / 1000 - RUN_MARGIN_SECONDS if left else RUN_SECONDS_WITHOUT_LIMIT
    runner = Runner(f"function {getattr(context, 'aws_request_id', '')}")
    reports = run_until_drained(
        services, triggers, services.clock() + seconds, partial(report_run, services), runner
    )
    record_writes(services.history, triggers)
    if reports:
        logger.info("runs finished", events=events, runs=[report.run_id for report in reports])
    else:
        holder = services.lease_store.last_holder
        logger.info(
            "another run holds the lease and takes over these triggers",
            events=events,
            lease_holder=holder,
        )
    return reports


def report_run(services: Services, report: Report) -> None:
    """Log, measure and publish the run."""
    _log_run(services, report)
    _measure_run(services, report)
    publish_quietly(services, report)


def publish_quietly(services: Services, report: Report) -> None:
    """Publish the run; if that fails, log why: the changes are made, and a failed report does not
    undo them.
    """
    try:
        publish_run(services, report)
    except (ClientError, RetryableError):
        logger.exception("the run is done, but its report could not be published everywhere")


def _log_run(services: Services, report: Report) -> None:
    home = services.names.home
    logger.append_keys(run_id=report.run_id)
    for change in report.done:
        logger.info(rendering.describe_change(change, home))
    for line in render_problems(report, home, services.names.stack_name):
        logger.error(line)
    for deferred in report.deferred:
        logger.warning(rendering.describe_deferred(deferred, home))
    for what, why in report.unread.items():
        logger.warning(rendering.describe_unread(what, why))
    for held in report.on_hold:
        logger.warning(rendering.describe_on_hold(held, home))
    for warning in report.warnings:
        logger.warning(str(warning))
    # Unmanaged grants are in the document only, which is limited: in a shared instance there may be
    # thousands.
    logger.info("run finished", report=_limit_document(services, report))


def _limit_document(services: Services, report: Report) -> Json:
    return limit_lists(report.to_document(services.names.stack_name), MAX_LOGGED_ITEMS)


def _measure_run(services: Services, report: Report) -> None:
    metrics.add_dimension(
        "stack", services.names.stack_name
    )  # tells the stacks of an account apart
    counts = {
        "Created": report.created,
        "Deleted": report.deleted,
        "Failed": len(report.failed),
        "Deferred": len(report.deferred) + len(report.unread),
        "OnHold": len(report.on_hold),
        "Unmanaged": len(report.unmanaged),
        "Rejected": len(report.errors),
        "ApprovalRequired": int(report.approval.is_pending),
        "SweepCompleted": int(report.sweep_completed),
    }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    for value in report.event_to_grant.values():
        metrics.add_metric("EventToGrant", MetricUnit.Milliseconds, value)
    metrics.flush_metrics()
