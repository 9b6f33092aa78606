"""grantor redrive: bells that nobody answered ring again, once what kept them from it has been put right."""

from collections.abc import Callable, Iterator
from typing import Any

from grantor.aws.dead_letters import DeadLetters
from grantor.cli import interrupt
from grantor.cli.call import Call
from grantor.cli.interrupt import Interrupt
from grantor.cli.sentences import MOST, count, moment, more, time, visible
from grantor.cli.show import Progress
from grantor.cli.stack import queues
from grantor.core.doorbell import bell
from grantor.core.jobs.doorbells import job_bell
from grantor.redriving import Redriving

SHOWN = 60  # characters of a message that is no event


def run(call: Call) -> int:
    """0 when all of it rings again, or is listed; 1 if something is no event and stays; 130 if somebody has interrupted it."""
    with Interrupt() as stopped, Progress("reading dead letters") as progress:

        def go_on() -> bool:
            progress.step()
            return not stopped.asked

        chosen = _chosen(call, go_on)
        for name, redriving in chosen.items():
            _redrive(call, name, redriving)
    call.show.value({name: _value(redriving) for name, redriving in chosen.items()})
    if stopped.asked:
        call.show.line("later: it was interrupted; what has not rung lies where it was, and grantor redrive goes on from there")
        return interrupt.CODE
    return int(not call.asked.list and any(redriving.strange for redriving in chosen.values()))


def _chosen(call: Call, go_on: Callable[[], bool]) -> dict[str, Redriving]:
    """The queue that was asked for, or both."""
    told = queues(call.clients, call.stack, call.caller.account)
    about: dict[str, Callable[[Any], str]] = {
        "bells": lambda event: str(bell(event, told["policy_bucket"])),
        "uploads": lambda event: str(job_bell(event)),
    }
    return {
        name: Redriving(DeadLetters(call.clients.sqs, told[f"dead_{name}"], told[name]), about[name], go_on, not call.asked.list)
        for name in ([call.asked.queue] if call.asked.queue else about)
    }


def _redrive(call: Call, name: str, redriving: Redriving) -> None:
    """What has become of it is told even if it ends half-way."""
    try:
        redriving.all()
    except Exception:
        if redriving.rung:
            call.show.lines(_said(name, redriving))
        raise
    call.show.lines(_said(name, redriving))


def _said(name: str, redriving: Redriving) -> Iterator[str]:
    """What became of one queue's messages, those about the same thing together and the most frequent first."""
    yield f"{name}: {_heading(redriving)}"
    for about, times in redriving.rung.most_common(MOST):
        yield f"  {visible(about)}{f', {times:,} times' if times > 1 else ''}"
    if len(redriving.rung) > MOST:
        yield f"  {more(len(redriving.rung) - MOST)}"
    for letter in redriving.strange.values():
        yield f"wrong: {name}: message {letter.id} is no event, so nobody can answer it; it stays: {visible(letter.body[:SHOWN])}"


def _heading(redriving: Redriving) -> str:
    number = redriving.rung.total()
    if not redriving.oldest:
        return "no event lies there"
    verb = ("rings again" if number == 1 else "ring again") if redriving.move else ("lies there" if number == 1 else "lie there")
    return f"{count(number, 'event')} {verb}, the first of {time(moment(redriving.oldest))}"


def _value(redriving: Redriving) -> dict[str, Any]:
    return {
        "events": redriving.rung.total(),
        "moved": redriving.move,
        "first": moment(redriving.oldest) if redriving.oldest else None,
        "about": dict(redriving.rung.most_common()),
        "no_event": {letter.id: letter.body for letter in redriving.strange.values()},
    }
