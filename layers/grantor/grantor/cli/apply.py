"""grantor apply: a run over everything, now. Same lease, same ledger and same guard as the function's."""

import math
from functools import partial

from grantor.aws.lease import Standing
from grantor.cli import interrupt, waiting
from grantor.cli.call import Call
from grantor.cli.interrupt import Interrupt
from grantor.cli.sentences import count
from grantor.cli.show import Progress
from grantor.cli.telling import told
from grantor.core.doorbell import Bell
from grantor.core.focus import EVERYTHING
from grantor.report import Report
from grantor.ring import Runner, answer

BELL = Bell("own", (EVERYTHING,))


def run(call: Call) -> int:
    """0 if all is in line, or another run is seeing to it; 1 if something is left; 130 if somebody has interrupted it."""
    with Interrupt() as stopped:
        reports = _run(call, stopped)
        if not reports and call.asked.wait:
            reports = _wait(call, stopped)
    if not reports:
        call.show.line(f"another run {'has answered' if call.asked.wait else 'is going on, and answers'} this one, too")
    call.show.value({"runs": [report.summary() for report in reports]})
    if stopped.asked:
        return interrupt.CODE
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

    standing = waiting.until(call.world, answered)
    if not standing.holder and EVERYTHING in standing.bells and not stopped.asked:
        return _run(call, stopped) or _wait(call, stopped)
    return []
