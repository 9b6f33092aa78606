"""grantor history: past runs, or one in full."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from grantor.aws.records import Run
from grantor.cli.call import Call
from grantor.cli.sentences import count, lines, time
from grantor.cli.trouble import Misused, Trouble

PRESSING = {
    "approval": "a plan waits for approval",
    "rejected": "a policy file is wrong",
    "refused": "AWS refuses a change",
    "later": "not all could be done",
}


def run(call: Call) -> int:
    """0; 1 if no run has that id."""
    return _one(call, call.asked.run) if call.asked.run else _several(call)


def line(past: Run) -> str:
    """One run in a line."""
    return f"{time(past.at)}  {past.id}  +{past.summary['created']} -{past.summary['deleted']}  {'; '.join(_said(past.summary))}"


def _said(summary: Mapping[str, Any]) -> Iterator[str]:
    yield str(summary["focus"])
    yield from (said for kind, said in PRESSING.items() if summary.get(kind))
    if adopted := summary.get("adopted"):
        yield f"accepted {', '.join(adopted)}"


def _several(call: Call) -> int:
    if call.asked.most < 1:
        raise Misused("-n wants a number from 1")
    runs = tuple(islice(call.world.records.history(), call.asked.most))
    call.show.lines(map(line, runs))
    if not runs:
        call.show.line("no run has done or said anything within the last 90 days")
    call.show.value([dict(past.summary) for past in runs])
    return 0


def _one(call: Call, wanted: str) -> int:
    past = next((past for past in call.world.records.history() if past.id == wanted), None)
    if past is None:
        raise Trouble(f"no run {wanted} is remembered: grantor history lists those of the last 90 days that did or said anything")
    call.show.line(line(past))
    call.show.lines(lines(past.summary))
    call.show.lines(f"… and {count(more, 'line')} more of {kind}" for kind, more in past.summary.get("left_out", {}).items())
    call.show.value(dict(past.summary))
    return 0
