"""grantor apply: a run over everything, now. Same lease, same ledger and same guard as the function's."""

import math
import sys
from datetime import UTC, datetime
from functools import partial

from grantor.aws.lease import Standing
from grantor.aws.run_store import APPROVAL
from grantor.aws.services import World
from grantor.cli import changing, session
from grantor.cli.changing import told
from grantor.cli.output import Progress, count, format_time
from grantor.cli.session import Call, Interrupt, Misused, Trouble
from grantor.core.snapshot import EVERYTHING
from grantor.core.triggers import Bell
from grantor.reconcile.handler import Runner, answer
from grantor.reconcile.report import Report

BELL = Bell("own", (EVERYTHING,))


def run_apply(call: Call) -> int:
    """0 if all is in line, or another run is seeing to it; 1 if something is left; 130 if somebody has interrupted it."""
    with Interrupt() as stopped:
        reports = _run(call, stopped)
        if not reports and call.asked.wait:
            reports = _wait(call, stopped)
    if not reports:
        call.show.line(f"another run {'has answered' if call.asked.wait else 'is going on, and answers'} this one, too")
    call.show.value({"runs": [report.summary() for report in reports]})
    if stopped.asked:
        return session.INTERRUPTED
    return 1 if any(report.needs_a_person or not report.finished for report in reports[-1:]) else 0


def _run(call: Call, stopped: Interrupt) -> list[Report]:
    """The runs that this one becomes; none if another is going on."""
    with Progress("changing grants") as progress:

        def go_on() -> bool:
            progress.step()
            return not stopped.asked

        runner = Runner(f"grantor apply by {call.caller.arn}", go_on)
        return answer(call.world, [BELL], math.inf, partial(_told, call), runner)


def _told(call: Call, report: Report) -> None:
    changes = f"{count(report.created, 'grant')} created, {count(report.deleted, 'grant')} deleted"
    call.show.line(f"run {report.run}: {changes if report.done else 'nothing was changed'}")
    told(call, report)
    if report.cut_short:
        call.show.line("later: what is left of it is done by the function, which has been rung")


def _wait(call: Call, stopped: Interrupt) -> list[Report]:
    """Until the other run has answered; if it has died, the runs in its place."""

    def answered(standing: Standing) -> bool:
        return stopped.asked or not standing.holder or EVERYTHING not in standing.bells

    standing = changing.until(call.world, answered)
    if not standing.holder and EVERYTHING in standing.bells and not stopped.asked:
        return _run(call, stopped) or _wait(call, stopped)
    return []


def run_approve(call: Call) -> int:
    """0 when it is approved; 1 if there is no such plan, or nobody has agreed."""
    world, plan = call.world, call.asked.hash
    text = world.records.refused(plan)
    if text is None:
        raise Trouble(f"no refused plan has the hash {plan}: {_known(world)}")
    call.show.lines(text.split("\n"))
    if not (call.asked.yes or _agreed(f"approve this plan as {call.caller.arn}? [y/N] ")):
        raise Trouble("nothing was approved")
    now = datetime.fromtimestamp(world.clock(), UTC)
    world.records.approve(plan, call.caller.arn, now)
    world.queue.ring([EVERYTHING])
    hours = int(APPROVAL.total_seconds() // 3600)
    call.show.line(
        f"approved: plan {plan} by {call.caller.arn}; a run has been rung for, and for {hours} hours any run carries it out"
    )
    call.show.value({"plan": plan, "by": call.caller.arn, "at": now.isoformat(timespec="seconds")})
    return 0


def _known(world: World) -> str:
    plans = world.records.all_refused()
    known = ", ".join(f"{plan.hash} ({count(plan.text.count('\n') + 1, 'change')}, {format_time(plan.at)})" for plan in plans)
    return f"those that are known are {known}" if known else "none has been refused within the last 30 days"


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise Misused("there is nobody to ask: say --yes")
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
