"""Publishes what a run did: as an event on the bus, in the history, and as an alert if a person
must act.
"""

from collections.abc import Callable
from functools import partial

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError
from grantor.aws.notifications import DetailType
from grantor.aws.run_store import RunRecord
from grantor.aws.services import Services
from grantor.core.planning.rendering import Json
from grantor.reconcile.report import Report, list_conditions, render_problems


def publish_run(services: Services, report: Report) -> None:
    """Publish a run that has news, or a problem that no alert of the last day was about.

    Raises ClientError or RetryableError, after it has tried everything.
    """
    alerts = report.needs_action and not services.run_store.was_alerted(
        report.alert_keys(), report.started_at
    )
    if not (report.has_news or alerts):
        return
    document = report.to_document(services.names.stack_name)
    steps: list[Callable[[], None]] = [
        partial(services.notifications.put_event, choose_detail_type(report), document),
        partial(_record_run, services, report, document),
    ]
    if alerts:
        steps.append(partial(_send_alert, services, report, document))
    errors = list(filter(None, map(_try_step, steps)))
    if errors:
        raise errors[0]


def choose_detail_type(report: Report) -> DetailType:
    """The detail-type of the run's event."""
    if report.approval.is_pending:
        return DetailType.APPROVAL_REQUIRED
    if report.errors:
        return DetailType.POLICY_REJECTED
    return DetailType.RECONCILED if report.is_finished else DetailType.RUN_DEFERRED


def _try_step(step: Callable[[], None]) -> Exception | None:
    try:
        step()
    except (ClientError, RetryableError) as error:
        return error
    return None


def _record_run(services: Services, report: Report, document: Json) -> None:
    services.run_store.record_run(
        RunRecord(report.timestamp, report.run_id, document), report.started_at
    )


def _send_alert(services: Services, report: Report, document: Json) -> None:
    names = services.names
    subject = f"Grantor {names.stack_name}: {list_conditions(document)[0]}"
    services.notifications.send_alert(
        subject, "\n".join(render_problems(report, names.home, names.stack_name))
    )
    # Last: after a crash the alert is sent twice rather than never.
    services.run_store.record_alert(report.alert_keys(), report.started_at)
