"""What commands about runs share: judging, waiting for another run, reporting."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, error_message
from grantor.aws.cloudformation import read_outputs
from grantor.aws.lease import LeaseStatus
from grantor.aws.run_store import RunRecord
from grantor.aws.services import Services
from grantor.aws.vended_sessions import StackSessions
from grantor.cli.output import MAX_LISTED_LINES, POLL_SECONDS, Progress, format_time, print_error
from grantor.cli.session import Session
from grantor.core.planning import rendering
from grantor.core.planning.rendering import Home, describe_focus
from grantor.core.snapshot import EVERYTHING
from grantor.reconcile.judged_plan import JudgedPlan
from grantor.reconcile.report import Report, SessionsEnd, describe_sessions, list_conditions
from grantor.reconcile.run import judge_run, publish_run


def judge_everything(services: Services) -> JudgedPlan:
    """What a run over everything would do now; reads only, raises as judge_run does."""
    judged = judge_run(services, {EVERYTHING: None})
    if judged is None:
        raise RuntimeError("a trigger for everything concerns every rule")
    return judged


def wait_until(services: Services, is_reached: Callable[[LeaseStatus], bool]) -> LeaseStatus:
    """Wait for a state of the lease: a run lasts seconds, and its lease expires a minute after it
    has died.
    """
    with Progress("waiting for the run in progress"):
        while not is_reached(status := services.lease_store.read_status(services.clock())):
            time.sleep(POLL_SECONDS)
    return status


def wait_until_free(services: Services) -> LeaseStatus:
    """Wait until the lease is free."""
    return wait_until(services, lambda status: not status.holder)


def report_and_publish(session: Session, report: Report) -> None:
    """Print and publish the report. If publishing fails, say so: the changes are made anyway."""
    names = session.services.names
    session.output.print_lines(
        render_report(report, names.home, names.stack_name, MAX_LISTED_LINES)
    )
    try:
        publish_run(session.services, report)
    except ClientError as error:
        _print_unpublished(session, f"{error_code(error)}: {error_message(error)}")
    except RetryableError as error:
        _print_unpublished(session, str(error))


def read_time(services: Services) -> datetime:
    """The time now, aware, UTC."""
    return datetime.fromtimestamp(services.clock(), UTC)


def _print_unpublished(session: Session, why: str) -> None:
    command = session.arguments.command
    print_error(
        f"grantor {command}: it is done, but its report could not be published everywhere: {why}"
    )


def read_sessions_end(session: Session) -> SessionsEnd | None:
    """The end of sessions that is in force: its time as IAM has it, who and why as recorded."""
    outputs = read_outputs(session.clients.cloudformation, session.stack)
    before = StackSessions.of_stack(session.clients.iam, outputs).read_end()
    if before is None:
        return None
    written = session.services.run_store.read_sessions_end() or {}
    by, because = written.get("by", "somebody"), written.get("because", "no reason is recorded")
    return SessionsEnd(by, because, before)


def describe_run(run: RunRecord) -> str:
    """One run in a line."""
    counts, policy = run.document["counts"], run.document["policy"]
    files = [one["file"] for one in policy["accepted"]] + [
        f"{file} was deleted" for file in policy["deleted"]
    ]
    activity = run.document["activity"]
    about = describe_focus(run.document["focus"]) if activity == "reconcile" else activity
    drifted = counts.get("drifted", 0)
    again = "grant that somebody deleted is there" if drifted == 1 else "deleted grants are there"
    parts = [
        about,
        *([f"{drifted:,} {again} again"] if drifted else []),
        *list_conditions(run.document),
        *([f"accepted {', '.join(files)}"] if files else []),
    ]
    updated = counts.get("updated", 0)  # a run of version 0.2.0 does not say
    changes = f"+{counts['created']} -{counts['deleted']}{f' ~{updated}' if updated else ''}"
    return f"{format_time(run.at)}  {run.id}  {changes}  {'; '.join(parts)}"


def render_report(
    report: Report, home: Home, stack: str, max_unmanaged: int | None = None
) -> Iterator[str]:
    """The run as lines that can be searched: each begins with the sign of a change, or with a label
    and a colon.
    """
    approval = report.approval
    yield from (rendering.describe_change(change, home) for change in report.done)
    if report.sessions:
        yield f"sessions: {describe_sessions(report.sessions)}"
    if report.credentials_until:
        yield f"horizon: {rendering.describe_horizon(report.credentials_until, stack)}"
    yield from (f"accepted: {file}" for file in sorted(report.accepted))
    yield from (f"accepted: {file} was deleted" for file in report.removed_files)
    yield from (f"error: {problem}" for problem in report.errors)
    yield from (f"failed: {rendering.describe_failed(one, home)}" for one in report.failed)
    if approval.is_pending:
        needed = rendering.describe_approval_needed(approval, stack)
        yield from (f"approval: {line}" for line in needed)
    elif approval.approved_by:
        yield f"approved: {rendering.describe_approval_given(approval)}"
    yield from (f"deferred: {rendering.describe_deferred(one, home)}" for one in report.deferred)
    yield from (
        f"deferred: {rendering.describe_unread(what, why)}" for what, why in report.unread.items()
    )
    yield from (rendering.describe_on_hold(held, home) for held in report.on_hold)
    yield from (f"warning: {problem}" for problem in report.warnings)
    yield from (f"notice: {notice}" for notice in report.notices)
    shown = report.unmanaged[:max_unmanaged]
    yield from (f"unmanaged: {rendering.describe_unmanaged(one, home)}" for one in shown)
    if len(shown) < len(report.unmanaged):
        yield f"unmanaged: {rendering.describe_omitted(len(report.unmanaged) - len(shown))}"
