"""grantor history: the runs of the last ninety days, and one of them in full."""

from itertools import islice
from typing import Any

from grantor.cli.changing import describe_run
from grantor.cli.output import MAX_LISTED_LINES
from grantor.cli.session import CommandError, Session
from grantor.core.planning.rendering import SCHEMA_VERSION
from grantor.reconcile.report import Report, render_report


def run_history(session: Session) -> int:
    """Exits with 0, or with 1 if no run has the given id."""
    wanted = session.arguments.run
    return _show_run(session, wanted) if wanted else _list_runs(session)


def _list_runs(session: Session) -> int:
    runs = tuple(islice(session.services.run_store.iterate_runs(), session.arguments.limit))
    session.output.print_lines(map(describe_run, runs))
    if not runs:
        session.output.print_line("no run of the last 90 days has changed or reported anything")
    documents = [dict(run.document) for run in runs]
    session.output.print_json({"schema_version": SCHEMA_VERSION, "kind": "runs", "runs": documents})
    return 0


def _show_run(session: Session, wanted: str) -> int:
    names, runs = session.services.names, session.services.run_store.iterate_runs()
    run = next((run for run in runs if run.id == wanted), None)
    if run is None:
        raise CommandError(
            f"the history has no run {wanted}: grantor history lists the runs of the last 90 days "
            "that changed or reported anything"
        )
    truncated: dict[str, Any] = run.document["truncated"]
    session.output.print_line(describe_run(run))
    session.output.print_lines(
        render_report(
            Report.from_document(run.document), names.home, names.stack_name, MAX_LISTED_LINES
        )
    )
    session.output.print_lines(
        f"… and {number:,} more of {name}" for name, number in truncated.items()
    )
    session.output.print_json(dict(run.document))
    return 0
