"""grantor adopt, rebuild and redrive: recovery by a person, under the lease of a run."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from grantor.aws.lease import Lease
from grantor.aws.queues import DeadLetterQueue
from grantor.cli import session as exit_codes
from grantor.cli.changing import (
    judge_everything,
    read_time,
    report_and_publish,
    wait_until_free,
)
from grantor.cli.output import (
    MAX_EXCERPT_CHARACTERS,
    MAX_LISTED_LINES,
    Progress,
    format_count,
    format_seconds,
    format_time,
)
from grantor.cli.session import CommandError, Interrupt, Session, UsageError, read_queue_urls
from grantor.core.planning.plan import UnmanagedGrant
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    describe_grant,
    describe_grantee,
    describe_omitted,
    describe_reasons,
    encode_unmanaged,
)
from grantor.core.triggers import parse_trigger, parse_upload_trigger
from grantor.reconcile.judged_plan import JudgedPlan
from grantor.reconcile.lease import Busy, exclusive_lease
from grantor.reconcile.record_history import HistoryRecorder
from grantor.reconcile.recovery import GrantAdoption, LedgerRebuild, QueueRedrive
from grantor.reconcile.report import Activity, Report


def run_adopt(session: Session) -> int:
    """Exits with 0, or with 1 if one of the grants could not be adopted."""
    given = session.arguments
    if not (given.ids or given.all_wanted or given.scope or given.grantee or given.permission):
        return _list_unmanaged(session)
    if given.unwanted and not given.ids:
        raise UsageError("--unwanted needs the ids of the grants: grantor adopt lists them")
    with hold_lease(session) as lease:
        judged = judge_everything(session.services)
        chosen = _choose_grants(judged, given, session.services.names.home)
        report = _adopt_grants(session, lease, judged, chosen)
    session.output.print_json(report.to_document(session.stack))
    return 0 if report.is_finished and not report.needs_action else 1


@contextmanager
def hold_lease(session: Session) -> Iterator[Lease]:
    """Hold the lease once the run in progress is over. Raises CommandError if another run is
    faster.
    """
    wait_until_free(session.services)
    name = f"grantor {session.arguments.command} by {session.caller.arn}"
    try:
        with exclusive_lease(session.services, name) as lease:
            yield lease
    except Busy as busy:
        raise CommandError(f"{busy} and has begun just now: try again") from busy


def _list_unmanaged(session: Session) -> int:
    """List what can be adopted; changes nothing."""
    services = session.services
    with Progress("reading policy files, profiles and grants"):
        unmanaged = judge_everything(services).plan.unmanaged
    session.output.print_lines(_describe_candidate(one, services.names.home) for one in unmanaged)
    if not unmanaged:
        session.output.print_line("there are no unmanaged grants")
    grants = list(map(encode_unmanaged, unmanaged))
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "unmanaged",
        "stack": session.stack,
        "unmanaged": grants,
    }
    session.output.print_json(document)
    return 0


def _describe_candidate(unmanaged: UnmanagedGrant, home: Home) -> str:
    reasons = describe_reasons(unmanaged.reasons)
    wanted = f"wanted because {reasons}" if reasons else "wanted by no rule"
    return f"{unmanaged.grant_id}  {describe_grant(unmanaged.grant, home)}, {wanted}"


def _choose_grants(judged: JudgedPlan, given: Namespace, home: Home) -> list[UnmanagedGrant]:
    """The grants that are asked for. Raises CommandError if one cannot be adopted, or needs a
    confirmation.
    """
    if judged.policies.is_new:
        raise CommandError(
            "some policy files have versions that no run has accepted yet, so what rules want may "
            "change: run grantor apply first"
        )
    unmanaged = judged.plan.unmanaged
    _check_ids([one.grant_id for one in unmanaged], given.ids)
    chosen = [one for one in unmanaged if _matches(one, given, home)]
    if unwanted := [one for one in chosen if not one.reasons]:
        _check_unwanted(unwanted, given, home)
    if not chosen:
        raise CommandError(
            "no unmanaged grant that a rule wants matches: grantor adopt lists what there is"
        )
    return chosen


def _check_ids(known: Sequence[str], ids: Sequence[str]) -> None:
    if unknown := [one for one in ids if one not in known]:
        raise CommandError(
            f"no unmanaged grant has the id {unknown[0]}: it is managed or deleted; "
            "grantor adopt lists what there is"
        )


def _matches(unmanaged: UnmanagedGrant, given: Namespace, home: Home) -> bool:
    grant = unmanaged.grant
    by_id = unmanaged.grant_id in given.ids if given.ids else bool(unmanaged.reasons)
    names = (
        None,
        describe_grantee(grant.grantee, home),
        str(grant.grantee),
        grant.grantee.identifier,
    )
    by_value = given.scope in (None, grant.scope) and given.permission in (
        None,
        str(grant.permission),
    )
    return by_id and given.grantee in names and by_value


def _check_unwanted(unwanted: Sequence[UnmanagedGrant], given: Namespace, home: Home) -> None:
    grants = "; ".join(describe_grant(one.grant, home) for one in unwanted)
    if not given.unwanted:
        raise CommandError(
            f"no rule wants {grants}: write one, or pass --unwanted --yes to have the next run "
            "delete it"
        )
    if not given.yes:
        raise CommandError(
            f"no rule wants {grants}: once it is managed, the next run deletes it; pass --yes to "
            "confirm"
        )


def _adopt_grants(
    session: Session, lease: Lease, judged: JudgedPlan, chosen: Sequence[UnmanagedGrant]
) -> Report:
    services = session.services
    report = Report.begin(read_time(services), Activity.ADOPT)
    history = HistoryRecorder(
        services.history, services.clock, report.run_id, judged.policies.versions
    )
    ledger = services.ledger.with_lease(lease)
    GrantAdoption(services.grants, ledger, history, report).adopt(chosen)
    report_and_publish(session, report)
    return report


def run_rebuild(session: Session) -> int:
    """Exits with 0 if every grant was inspected, 130 after Ctrl-C; what was written until then is
    right.
    """
    _check_empty_ledger(session)
    with (
        hold_lease(session) as lease,
        Interrupt() as stopped,
        Progress("reading the tags of grants") as progress,
    ):
        report = Report.begin(read_time(session.services), Activity.REBUILD)

        def go_on() -> bool:
            progress.step(LedgerRebuild.batch_entries)
            return not stopped.asked

        rebuild = LedgerRebuild(session.services, lease, report, go_on)
        rebuild.rebuild()
        report_and_publish(session, report)
    session.output.print_lines(_describe_rebuild(session, rebuild))
    inspected = {
        "inspected": rebuild.inspected,
        "not_ours": rebuild.others,
        "missing_files": rebuild.missing_files,
    }
    session.output.print_json({**report.to_document(session.stack), "rebuild": inspected})
    return exit_codes.INTERRUPTED if report.cut_short else 0


def _check_empty_ledger(session: Session) -> None:
    if not session.arguments.yes and next(session.services.ledger.iterate_entries(), None):
        raise CommandError(
            "the ledger is not empty: grantor plan shows what it lacks; pass --yes to add the "
            "grants that it does not have"
        )


def _describe_rebuild(session: Session, rebuild: LedgerRebuild) -> Iterator[str]:
    restored = format_count(len(rebuild.report.done), "grant")
    inspected = f"{rebuild.inspected:,} inspected, {rebuild.others:,} not ours"
    yield f"rebuilt: {restored} of stack {session.stack} restored; {inspected}"
    for file in rebuild.missing_files:
        yield (
            f"missing: {file}, which grants name; the next run asks S3 for it, and deletes these "
            "grants unless another rule wants them"
        )
    if rebuild.report.cut_short:
        yield "deferred: it was interrupted; grantor rebuild --yes continues"


def run_redrive(session: Session) -> int:
    """Exits with 0 if everything is re-sent or listed, 1 if a message is not an event and stays,
    130 after Ctrl-C.
    """
    with Interrupt() as stopped, Progress("reading dead letters") as progress:

        def go_on() -> bool:
            progress.step()
            return not stopped.asked

        queues = _choose_queues(session, go_on)
        for name, redrive in queues.items():
            _redrive_queue(session, name, redrive)
    session.output.print_json({name: _encode_redrive(redrive) for name, redrive in queues.items()})
    if stopped.asked:
        session.output.print_line(
            "deferred: it was interrupted; the rest stays in the queue, and grantor redrive "
            "continues"
        )
        return exit_codes.INTERRUPTED
    return int(
        not session.arguments.list and any(redrive.not_events for redrive in queues.values())
    )


def _choose_queues(session: Session, go_on: Callable[[], bool]) -> dict[str, QueueRedrive]:
    """The queue that is asked for, or both."""
    urls, sqs, given = read_queue_urls(session), session.clients.sqs, session.arguments
    describe: dict[str, Callable[[Any], str]] = {
        "event": lambda event: str(parse_trigger(event, urls["policy_bucket"])),
        "upload": lambda event: str(parse_upload_trigger(event)),
    }
    queues = {
        name: DeadLetterQueue(sqs, urls[f"{name}_dlq"], urls[f"{name}_queue"]) for name in describe
    }
    names = [given.queue] if given.queue else list(describe)
    return {
        name: QueueRedrive(queues[name], describe[name], go_on, not given.list) for name in names
    }


def _redrive_queue(session: Session, name: str, redrive: QueueRedrive) -> None:
    """Re-send one queue; what was sent is reported even if an error ends it."""
    try:
        redrive.redrive()
    except Exception:
        if redrive.resent:
            session.output.print_lines(_describe_redrive(name, redrive))
        raise
    session.output.print_lines(_describe_redrive(name, redrive))


def _describe_redrive(name: str, redrive: QueueRedrive) -> Iterator[str]:
    """What became of one queue's messages, grouped by what they are about, the most frequent
    first.
    """
    yield f"{name}: {_describe_count(redrive)}"
    for about, times in redrive.resent.most_common(MAX_LISTED_LINES):
        yield f"  {about}{f', {times:,} times' if times > 1 else ''}"
    if len(redrive.resent) > MAX_LISTED_LINES:
        yield f"  {describe_omitted(len(redrive.resent) - MAX_LISTED_LINES)}"
    for letter in redrive.not_events.values():
        excerpt = letter.body[:MAX_EXCERPT_CHARACTERS]
        yield (
            f"error: {name}: message {letter.id} is not an event, so no run can handle it; "
            f"it stays: {excerpt}"
        )


def _describe_count(redrive: QueueRedrive) -> str:
    if not redrive.oldest:
        return "the dead-letter queue has no events"
    events = format_count(redrive.resent.total(), "event")
    done = "re-sent" if redrive.move else "in the dead-letter queue"
    return f"{events} {done}, the first of {format_time(format_seconds(redrive.oldest))}"


def _encode_redrive(redrive: QueueRedrive) -> dict[str, Any]:
    return {
        "events": redrive.resent.total(),
        "moved": redrive.move,
        "first": format_seconds(redrive.oldest) if redrive.oldest else None,
        "about": dict(redrive.resent.most_common()),
        "not_events": {letter.id: letter.body for letter in redrive.not_events.values()},
    }
