"""grantor rebuild: a lost ledger is written anew, from the tags of the grants."""

from collections.abc import Iterator
from datetime import UTC, datetime

from grantor.cli import interrupt
from grantor.cli.adopt import undisturbed
from grantor.cli.call import Call
from grantor.cli.interrupt import Interrupt
from grantor.cli.sentences import count
from grantor.cli.show import Progress
from grantor.cli.telling import told
from grantor.cli.trouble import Trouble
from grantor.rebuilding import TOGETHER, Rebuilding
from grantor.report import Report


def run(call: Call) -> int:
    """0 when every grant was looked at; 130 if somebody has interrupted it, and what was written until then is right."""
    _refuse_what_is_known(call)
    with undisturbed(call) as lease, Interrupt() as stopped, Progress("reading the tags of grants") as progress:
        report = Report.of_run(datetime.fromtimestamp(call.world.clock(), UTC))
        report.focus = "rebuilding"

        def go_on() -> bool:
            progress.step(TOGETHER)
            return not stopped.asked

        rebuilding = Rebuilding(call.world, lease, report, go_on)
        rebuilding.all()
        told(call, report)
    call.show.lines(_said(call, rebuilding))
    call.show.value({**report.summary(), "looked_at": rebuilding.looked, "others": rebuilding.others, "gone": rebuilding.gone})
    return interrupt.CODE if report.cut_short else 0


def _refuse_what_is_known(call: Call) -> None:
    if not call.asked.yes and next(call.world.ledger.entries(), None):
        raise Trouble(
            "the ledger is not empty: grantor plan shows what it lacks; to add the grants that it does not know, say --yes"
        )


def _said(call: Call, rebuilding: Rebuilding) -> Iterator[str]:
    known = count(len(rebuilding.report.done), "grant")
    yield f"rebuilt: {known} of stack {call.world.names.stack} known again; {rebuilding.looked:,} looked at, {rebuilding.others:,} not ours"
    for file in rebuilding.gone:
        yield f"gone: {file}, which grants name; the next run asks S3 for it, and takes them away if no other rule wants them"
    if rebuilding.report.cut_short:
        yield "later: it was interrupted; say grantor rebuild --yes to go on"
