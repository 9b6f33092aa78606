"""A run is told of: as log lines and metrics, as an event of our own on the bus, and to a person where one must act."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet
from grantor.aws.notifications import Kind
from grantor.aws.run_store import Run
from grantor.aws.services import World
from grantor.reconcile.report import Report

logger = Logger(service="reconcile-grants")
metrics = Metrics(namespace="Grantor", service="reconcile-grants")


def tell(world: World, report: Report) -> None:
    """Log and measure the run, and announce it."""
    _log(report)
    _measure(world, report)
    announce(world, report)


def announce(world: World, report: Report) -> None:
    """Publish the run. It is not undone by its report: what can't be told is logged instead."""
    try:
        publish(world, report)
    except (ClientError, NotYet):
        logger.exception("the run is done, but could not be told of everywhere")


def publish(world: World, report: Report) -> None:
    """Put a run that says anything new on the bus, into the history and before a person.

    Raises ClientError or NotYet, after it has tried each of them.
    """
    calls = report.needs_a_person and not world.records.called(report.person, report.began)
    if report.quiet and not calls:
        return
    failed: list[Exception] = []
    for told in (_event, _history, _person) if calls else (_event, _history):
        try:
            told(world, report)
        except (ClientError, NotYet) as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _event(world: World, report: Report) -> None:
    world.notices.tell(_kind(report), {"stack": world.names.stack, **report.summary()})


def _history(world: World, report: Report) -> None:
    world.records.ran(Run(report.at, report.run, report.summary()), report.began)


def _person(world: World, report: Report) -> None:
    world.notices.call(f"Grantor {world.names.stack}: {report.headline}", "\n".join(report.person))
    # Last: after a crash a person is rather called twice than not at all.
    world.records.has_called(report.person, report.began)


def _kind(report: Report) -> Kind:
    if report.approval:
        return Kind.PLAN_REFUSED
    if report.rejected:
        return Kind.POLICY_REJECTED
    return Kind.RECONCILED if report.finished else Kind.UNFINISHED


def _log(report: Report) -> None:
    logger.append_keys(run=report.run)
    for sentence in report.done:
        logger.info(sentence)
    for sentence in report.rejected + report.refused + report.approval:
        logger.error(sentence)
    for sentence in report.later + report.waits + report.warnings:
        logger.warning(sentence)
    # Foreign grants stand in the summary alone, which is cut: of somebody who shares the instance there may be thousands.
    logger.info("done", report=report.summary())


def _measure(world: World, report: Report) -> None:
    metrics.add_dimension("stack", world.names.stack)  # the stacks of an account are told apart by it
    counts = {
        "Created": report.created, "Deleted": report.deleted, "Refused": len(report.refused), "Later": len(report.later),
        "Waiting": len(report.waits), "Foreign": len(report.foreign), "Rejected": len(report.rejected),
        "NeedsApproval": int(bool(report.approval)), "Swept": int(report.swept),
    }  # fmt: skip
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    for value in report.event_to_grant.values():
        metrics.add_metric("EventToGrant", MetricUnit.Milliseconds, value)
    metrics.flush_metrics()
