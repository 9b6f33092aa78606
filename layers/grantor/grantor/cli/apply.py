"""grantor apply: a run over everything now, under the function's lease, ledger and guard."""

import math
from functools import partial

from grantor.aws.lease import LeaseStatus
from grantor.aws.services import Services
from grantor.cli import session as exit_codes
from grantor.cli.approve import encode_pending_plan
from grantor.cli.changing import read_time, report_and_publish, wait_until
from grantor.cli.output import Progress, format_count
from grantor.cli.session import Interrupt, Session
from grantor.core.planning.rendering import SCHEMA_VERSION, Json, describe_approval_needed
from grantor.core.snapshot import EVERYTHING
from grantor.core.triggers import Trigger
from grantor.reconcile.lease import Runner, run_until_drained
from grantor.reconcile.report import Report, list_conditions
from grantor.reconcile.run import read_pending_plans

FOR_EVERYTHING = Trigger("own", (EVERYTHING,))


def run_apply(session: Session) -> int:
    """Exits with 0 if nothing is left or another run covers this one, 1 if something is left, 130
    after Ctrl-C.
    """
    with Interrupt() as stopped:
        reports = _run_now(session, stopped)
        if not reports and session.arguments.wait:
            reports = _wait_for_other(session, stopped)
    if not reports:
        covers = "has covered" if session.arguments.wait else "is in progress and covers"
        session.output.print_line(f"another run {covers} this one, too")
    documents = [report.to_document(session.stack) for report in reports]
    answer: Json = {"schema_version": SCHEMA_VERSION, "kind": "runs", "runs": documents}
    is_left = any(report.needs_action or not report.is_finished for report in reports[-1:])
    if not reports and session.arguments.wait and not stopped.asked:
        waiting = _list_waiting_plans(session)
        answer |= {"runs": _find_covering_run(session.services), "pending_plans": waiting}
        is_left = bool(waiting) or any(list_conditions(run) for run in answer["runs"])
    session.output.print_json(answer)
    return exit_codes.INTERRUPTED if stopped.asked else int(is_left)


def _list_waiting_plans(session: Session) -> list[Json]:
    """Print and encode the plans that wait for an approval."""
    found = read_pending_plans(session.services, read_time(session.services))
    waiting = [(plan, approval) for plan, approval in found if approval.is_pending]
    for _, approval in waiting:
        lines = describe_approval_needed(approval, session.stack)
        session.output.print_lines(f"approval: {line}" for line in lines)
    return [encode_pending_plan(plan, approval) for plan, approval in waiting]


def _find_covering_run(services: Services) -> list[Json]:
    """The last sweep, as the history has it; nothing if it had nothing to report."""
    sweep = services.run_store.read_last_sweep()
    return [dict(run.document) for run in services.run_store.list_runs(1) if run.at >= sweep.at]


def _run_now(session: Session, stopped: Interrupt) -> list[Report]:
    """The runs that this one becomes; none if another is in progress."""
    with Progress("changing grants") as progress:

        def go_on() -> bool:
            progress.step()
            return not stopped.asked

        runner = Runner(f"grantor apply by {session.caller.arn}", go_on)
        report_run = partial(_report_run, session)
        return run_until_drained(session.services, [FOR_EVERYTHING], math.inf, report_run, runner)


def _report_run(session: Session, report: Report) -> None:
    created, deleted = format_count(report.created, "grant"), format_count(report.deleted, "grant")
    updated = f", {format_count(report.updated, 'grant')} updated" if report.updated else ""
    done = f"{created} created, {deleted} deleted{updated}" if report.done else "nothing to change"
    session.output.print_line(f"run {report.run_id}: {done}")
    report_and_publish(session, report)
    if report.cut_short:
        session.output.print_line(
            "deferred: the rest of the plan; a trigger is enqueued, and the function applies it"
        )


def _wait_for_other(session: Session, stopped: Interrupt) -> list[Report]:
    """Wait until the other run has covered this one; if it has died, run in its place."""

    def is_covered(status: LeaseStatus) -> bool:
        return stopped.asked or not status.holder or EVERYTHING not in status.pending

    status = wait_until(session.services, is_covered)
    if not status.holder and EVERYTHING in status.pending and not stopped.asked:
        return _run_now(session, stopped) or _wait_for_other(session, stopped)
    return []
