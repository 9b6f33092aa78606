"""grantor can, who, reach: who can do what where, through which grant, why, and why not."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from grantor.cli.session import CommandError, Session, UsageError
from grantor.cli.sources import explain_unreadable, read_state
from grantor.core.access import answer_text
from grantor.core.access.answers import (
    AccessRow,
    AccessSnapshot,
    AskedPrincipal,
    CanAnswer,
    find_principal,
)
from grantor.core.access.saved_inventory import InventoryUnreadable
from grantor.core.data_access import find_url_faults
from grantor.core.diagnostics import Fault
from grantor.core.grant import Grant, Permission
from grantor.core.planning.rendering import Json, decode_grant

NO_EXIT_CODE = 3  # the answer is no, or not the expected one


def run_can(session: Session) -> int:
    """Exits with 0 for yes and with 3 for no; with --expect, with 0 if this is the answer."""
    given, target = session.arguments, check_url(session.arguments.url)
    state = read_state(session)
    who = choose_principal(given.who, state)
    try:
        answer = state.answer_can(who, Permission(given.permission), target)
        answer = _name_waiting_plan(session, state, answer)
        session.output.print_lines(answer_text.describe_can(answer, state.sources, state.home))
        session.output.print_lines(_describe_past(session, state, answer))
    except InventoryUnreadable as error:
        raise explain_unreadable(error) from error
    session.output.print_json(answer_text.encode_can(answer, state.sources, state.as_of))
    wanted = given.expect or "yes"
    return 0 if wanted == ("yes" if answer.is_yes else "no") else NO_EXIT_CODE


def _name_waiting_plan(session: Session, state: AccessSnapshot, answer: CanAnswer) -> CanAnswer:
    """The answer, with the plan that waits for an approval if that is what the grant waits for."""
    is_live = state.as_of is None and not session.arguments.policy
    if not is_live or not (answer.deferral or answer.fate):
        return answer
    grant = answer.row.grant if answer.row else answer.expected.grant
    if not (plan := _find_waiting_plan(session, grant)):
        return answer
    text = f"plan {plan} waits for an approval, and {'deletes' if answer.row else 'creates'}"
    if answer.row:
        return replace(answer, fate=f"no rule gives it now; {text} the grant")
    return replace(answer, deferral=f"{text} the grant")


def _find_waiting_plan(session: Session, grant: Grant | None) -> str:
    """The short hash of a plan that waits for an approval and changes this grant; or ""."""
    from grantor.aws.run_store import PlanAltered
    from grantor.core.planning.rendering import shorten_hash

    store = session.services.run_store
    for plan in store.list_pending_plans():
        try:
            changes = store.read_plan_document(plan)["changes"]
        except PlanAltered:
            continue
        if any(decode_grant(change) == grant for change in changes):
            return shorten_hash(plan.hash)
    return ""


def _describe_past(session: Session, state: AccessSnapshot, answer: CanAnswer) -> Iterator[str]:
    """Of which moment the answer is; for a no about the past, what was taken and given near it."""
    if state.as_of is None:
        return
    yield answer_text.describe_moment(state.as_of)
    if state.knows_rules or answer.is_yes:
        return
    from grantor.cli.past import find_near_events
    from grantor.core.access.history_text import describe_event

    who = answer.who.principal
    near = find_near_events(session, state.as_of, who, answer.permission, answer.target)
    yield from (f"near: {describe_event(event, state.home, {})}" for event in near)


def run_who(session: Session) -> int:
    """Exits with 0."""
    given, target = session.arguments, check_url(session.arguments.url)
    state = read_state(session)
    permission = Permission(given.permission) if given.permission else None
    rows = state.list_who(target, permission)
    what = f"{permission} {target}" if permission else target
    question = {"target": target, "permission": str(permission) if permission else None}
    print_listing(session, state, AccessListing("who", question, count_holders(rows, what), rows))
    return 0


def count_holders(rows: list[AccessRow], what: str) -> str:
    """Say how many grantees reach all of a place, and how many more a part of it."""
    whole = {row.grant.grantee for row in rows if row.is_whole}
    parts = {row.grant.grantee for row in rows} - whole
    all_of = "all of " if what.endswith(("*", "/")) else ""
    head = f"{len(whole):,} {'grantee reaches' if len(whole) == 1 else 'grantees reach'}"
    more = f"; {len(parts):,} more {'reaches' if len(parts) == 1 else 'reach'} a part of it"
    return f"{head} {all_of}{what}{more if parts else ''}"


@dataclass(frozen=True)
class AccessListing:
    """Rows that answer a question: its kind and members in JSON, and the answer in a sentence."""

    kind: str
    question: Json
    head: str
    rows: list[AccessRow]


def print_listing(session: Session, state: AccessSnapshot, listing: AccessListing) -> None:
    """Print a listing as a table, as CSV or as JSON."""
    given, output, sources = session.arguments, session.output, state.sources
    is_wide = given.wide and not given.json
    try:
        table = answer_text.build_table(
            listing.rows, state.subjects, state.home, sources if is_wide else None
        )
        print_table(session, listing.head, list(table))
        if state.as_of and not given.csv:
            output.print_line(answer_text.describe_moment(state.as_of))
        if given.json:
            question = listing.kind, listing.question
            output.print_json(
                answer_text.encode_rows(*question, listing.rows, sources, state.as_of)
            )
    except InventoryUnreadable as error:
        raise explain_unreadable(error) from error


def print_table(session: Session, head: str, table: list[tuple[str, ...]]) -> None:
    """Print the answer in a sentence, and its table; with --csv, the table alone."""
    if session.arguments.csv:
        session.output.print_lines(format_csv(table))
        return
    session.output.print_lines([head])
    session.output.print_lines(answer_text.align_table(table) if len(table) > 1 else [])


def format_csv(table: Iterable[tuple[str, ...]]) -> list[str]:
    """The table as CSV (RFC 4180), one line each.

    A cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in table:
        writer.writerow([f"'{cell}" if cell.startswith(tuple("=+-@")) else cell for cell in row])
    return text.getvalue().splitlines()


def choose_principal(text: str, state: AccessSnapshot) -> AskedPrincipal:
    """Choose whom the text names. Raises CommandError if that is nobody, or several."""
    found = find_principal(text, state.snapshot.inventory)
    if isinstance(found, Fault):
        raise CommandError(found.sentence)
    return found


def check_url(url: str) -> str:
    """Return the place that is asked about. Raises UsageError if it is none in S3."""
    for fault in find_url_faults(url):
        raise UsageError(fault.sentence)
    return url
