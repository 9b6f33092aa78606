"""grantor adopt: grants that somebody else made become ours, as they are."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from grantor.aws.lease import Lease
from grantor.aws.queues import DeadLetters
from grantor.cli import changing, session
from grantor.cli.changing import told
from grantor.cli.output import MOST, Progress, count, format_time, moment, more, visible
from grantor.cli.plan import everything
from grantor.cli.session import Call, Interrupt, Misused, Trouble, queues
from grantor.core.jobs.upload_triggers import job_bell
from grantor.core.planning.plan import Change
from grantor.core.triggers import bell
from grantor.reconcile.lease import Busy, alone
from grantor.reconcile.recovery import REBUILT_TOGETHER, Adoption, Rebuilding, Redriving, foreign
from grantor.reconcile.report import Report
from grantor.reconcile.run import Judged


def run_adopt(call: Call) -> int:
    """0; 1 if one of the grants could not be adopted."""
    asked = call.asked
    if not (asked.ids or asked.all_wanted or asked.scope or asked.grantee or asked.permission):
        return _list(call)
    if asked.unwanted and not asked.ids:
        raise Misused("--unwanted wants the ids of the grants: grantor adopt lists them")
    with undisturbed(call) as lease:
        found = everything(call.world)
        report = _adopted(call, lease, found, _chosen_to_adopt(found, asked))
    call.show.value(report.summary())
    return 0 if report.finished and not report.needs_a_person else 1


@contextmanager
def undisturbed(call: Call) -> Iterator[Lease]:
    """The lease, once the run that is going on is over. Trouble if another has been faster."""
    changing.until_free(call.world)
    try:
        with alone(call.world, f"grantor {call.asked.verb} by {call.caller.arn}") as lease:
            yield lease
    except Busy as busy:
        raise Trouble(f"{busy}, which has begun just now: say it again") from busy


def _list(call: Call) -> int:
    """What could be adopted, each grant with its id; nothing is changed."""
    with Progress("reading policy files, profiles and grants"):
        found = foreign(everything(call.world))
    call.show.lines(f"{change.id}  {change.grant}, {_because(change)}" for change in found)
    if not found:
        call.show.line("every grant is ours")
    call.show.value([{"id": one.id, "grant": str(one.grant), "because": list(map(str, one.reasons))} for one in found])
    return 0


def _because(change: Change) -> str:
    return f"wanted because {' and '.join(map(str, change.reasons))}" if change.reasons else "wanted by no rule"


def _chosen_to_adopt(found: Judged, asked: Namespace) -> list[Change]:
    """Those that are asked for. Trouble if one of them can not be adopted, or should not be without another word."""
    if found.policies.new:
        raise Trouble(
            "there are policy files that no run has accepted yet, so who wants what may change: grantor apply comes first"
        )
    there = foreign(found)
    _know([change.id for change in there], asked.ids)
    chosen = [change for change in there if _fits(change, asked)]
    if unwanted := [change for change in chosen if not change.reasons]:
        _agree(unwanted, asked)
    if not chosen:
        raise Trouble("no foreign grant is so, and wanted by a rule: grantor adopt lists those that there are")
    return chosen


def _know(there: Sequence[str], ids: Sequence[str]) -> None:
    if strangers := [one for one in ids if one not in there]:
        raise Trouble(
            f"no foreign grant has the id {strangers[0]}: it is ours, or gone; grantor adopt lists those that there are"
        )


def _fits(change: Change, asked: Namespace) -> bool:
    grant = change.grant
    by_id = change.id in asked.ids if asked.ids else bool(change.reasons)
    by_grantee = asked.grantee in (None, str(grant.grantee), grant.grantee.identifier)
    return by_id and by_grantee and asked.scope in (None, grant.scope) and asked.permission in (None, str(grant.permission))


def _agree(unwanted: Sequence[Change], asked: Namespace) -> None:
    grants = "; ".join(str(change.grant) for change in unwanted)
    if not asked.unwanted:
        raise Trouble(f"no rule wants {grants}: write one, or say --unwanted --yes to have it taken away by the next run")
    if not asked.yes:
        raise Trouble(f"no rule wants {grants}: once it is ours, the next run takes it away; if that is meant, say --yes, too")


def _adopted(call: Call, lease: Lease, found: Judged, chosen: Sequence[Change]) -> Report:
    world = call.world
    report = Report.of_run(datetime.fromtimestamp(world.clock(), UTC))
    report.focus = "adoption"
    Adoption(world.grants, world.ledger.under(lease), found.policies.versions, report).all(chosen)
    told(call, report)
    return report


def run_rebuild(call: Call) -> int:
    """0 when every grant was looked at; 130 if somebody has interrupted it, and what was written until then is right."""
    _refuse_what_is_known(call)
    with undisturbed(call) as lease, Interrupt() as stopped, Progress("reading the tags of grants") as progress:
        report = Report.of_run(datetime.fromtimestamp(call.world.clock(), UTC))
        report.focus = "rebuilding"

        def go_on() -> bool:
            progress.step(REBUILT_TOGETHER)
            return not stopped.asked

        rebuilding = Rebuilding(call.world, lease, report, go_on)
        rebuilding.all()
        told(call, report)
    call.show.lines(_rebuild_lines(call, rebuilding))
    call.show.value({**report.summary(), "looked_at": rebuilding.looked, "others": rebuilding.others, "gone": rebuilding.gone})
    return session.INTERRUPTED if report.cut_short else 0


def _refuse_what_is_known(call: Call) -> None:
    if not call.asked.yes and next(call.world.ledger.entries(), None):
        raise Trouble(
            "the ledger is not empty: grantor plan shows what it lacks; to add the grants that it does not know, say --yes"
        )


def _rebuild_lines(call: Call, rebuilding: Rebuilding) -> Iterator[str]:
    known = count(len(rebuilding.report.done), "grant")
    yield f"rebuilt: {known} of stack {call.world.names.stack} known again; {rebuilding.looked:,} looked at, {rebuilding.others:,} not ours"
    for file in rebuilding.gone:
        yield f"gone: {file}, which grants name; the next run asks S3 for it, and takes them away if no other rule wants them"
    if rebuilding.report.cut_short:
        yield "later: it was interrupted; say grantor rebuild --yes to go on"


SHOWN = 60  # characters of a message that is no event


def run_redrive(call: Call) -> int:
    """0 when all of it rings again, or is listed; 1 if something is no event and stays; 130 if somebody has interrupted it."""
    with Interrupt() as stopped, Progress("reading dead letters") as progress:

        def go_on() -> bool:
            progress.step()
            return not stopped.asked

        chosen = _chosen_to_redrive(call, go_on)
        for name, redriving in chosen.items():
            _redrive(call, name, redriving)
    call.show.value({name: _value(redriving) for name, redriving in chosen.items()})
    if stopped.asked:
        call.show.line("later: it was interrupted; what has not rung lies where it was, and grantor redrive goes on from there")
        return session.INTERRUPTED
    return int(not call.asked.list and any(redriving.strange for redriving in chosen.values()))


def _chosen_to_redrive(call: Call, go_on: Callable[[], bool]) -> dict[str, Redriving]:
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
            call.show.lines(_redrive_lines(name, redriving))
        raise
    call.show.lines(_redrive_lines(name, redriving))


def _redrive_lines(name: str, redriving: Redriving) -> Iterator[str]:
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
    return f"{count(number, 'event')} {verb}, the first of {format_time(moment(redriving.oldest))}"


def _value(redriving: Redriving) -> dict[str, Any]:
    return {
        "events": redriving.rung.total(),
        "moved": redriving.move,
        "first": moment(redriving.oldest) if redriving.oldest else None,
        "about": dict(redriving.rung.most_common()),
        "no_event": {letter.id: letter.body for letter in redriving.strange.values()},
    }
