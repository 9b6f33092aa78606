"""grantor apply and approve: a run over everything now, under the function's lease, ledger and
guard; and its approval.
"""

import math
import sys
from functools import partial

from grantor.aws.lease import LeaseStatus
from grantor.aws.run_store import PendingPlan
from grantor.aws.services import Services
from grantor.cli import session as exit_codes
from grantor.cli.changing import read_time, report_and_publish, wait_until
from grantor.cli.output import Progress, format_count, format_time
from grantor.cli.session import CommandError, Interrupt, Session, UsageError
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    decode_change,
    describe_change,
    format_timestamp,
    shorten_hash,
)
from grantor.core.snapshot import EVERYTHING
from grantor.core.triggers import Trigger
from grantor.reconcile.lease import Runner, run_until_drained
from grantor.reconcile.report import Report

FOR_EVERYTHING = Trigger("own", (EVERYTHING,))
MIN_HASH_DIGITS = 8  # of a plan's hash that `grantor approve` accepts


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
    session.output.print_json({"schema_version": SCHEMA_VERSION, "kind": "runs", "runs": documents})
    if stopped.asked:
        return exit_codes.INTERRUPTED
    return int(any(report.needs_action or not report.is_finished for report in reports[-1:]))


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
    done = f"{created} created, {deleted} deleted" if report.done else "nothing to change"
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


def run_approve(session: Session) -> int:
    """Exits with 0 if the plan is approved, 1 if there is no such plan or the caller does not
    confirm.
    """
    services, approver = session.services, session.caller.arn
    plan = find_pending_plan(services, session.arguments.hash)
    session.output.print_lines(_describe_pending(services, plan))
    if not (session.arguments.yes or _confirm(f"approve this plan as {approver}? [y/N] ")):
        raise CommandError("nothing was approved")
    now = read_time(services)
    services.run_store.record_approval(plan.hash, approver, now)
    services.queue.enqueue_now([EVERYTHING])
    hours = int(services.run_store.approval_lifetime.total_seconds() // 3600)
    session.output.print_line(
        f"approved: plan {plan.hash} by {approver}; a trigger is enqueued, and any run within "
        f"{hours} hours applies the plan"
    )
    approval = {"hash": plan.hash, "approved_by": approver, "approved_at": format_timestamp(now)}
    session.output.print_json({"schema_version": SCHEMA_VERSION, "kind": "approval", **approval})
    return 0


def find_pending_plan(services: Services, given: str) -> PendingPlan:
    """The waiting plan with this hash, or whose hash begins so. Raises CommandError unless there is
    exactly one.
    """
    if len(given) < MIN_HASH_DIGITS:
        raise UsageError(f"the hash of a plan needs at least {MIN_HASH_DIGITS} of its digits")
    plans = services.run_store.list_pending_plans()
    found = [plan for plan in plans if plan.hash.startswith(given)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            f"several plans have a hash that begins with {given}: {_list_plans(found)}"
        )
    known = _list_plans(plans)
    known = (
        f"plans that require an approval: {known}"
        if known
        else "no plan of the last 30 days requires an approval"
    )
    raise CommandError(f"no plan that requires an approval has the hash {given}: {known}")


def _describe_pending(services: Services, plan: PendingPlan) -> list[str]:
    """The plan's changes, and how many of them are too many to be kept."""
    home = services.names.home
    changes = [describe_change(decode_change(value), home) for value in plan.document["changes"]]
    missing = plan.count_changes() - len(changes)
    omitted = [f"… and {missing:,} more; grantor plan lists them all"] if missing else []
    return [f"plan {plan.hash}", *changes, *omitted]


def _list_plans(plans: list[PendingPlan] | tuple[PendingPlan, ...]) -> str:
    return ", ".join(map(_describe_plan, plans))


def _describe_plan(plan: PendingPlan) -> str:
    changes = format_count(plan.count_changes(), "change")
    return f"{shorten_hash(plan.hash)} ({changes}, {format_time(plan.at)})"


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("stdin is not a terminal; pass --yes")
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
