"""grantor can, who, reach: who can do what where, through which grant, why, and why not."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from grantor.cli.changing import judge_everything
from grantor.cli.output import Progress
from grantor.cli.session import CommandError, Session, UsageError
from grantor.core.access import answer_text
from grantor.core.access.answers import (
    AccessRow,
    AccessSnapshot,
    AskedPrincipal,
    find_principal,
    find_sources,
)
from grantor.core.access.explain import AccessEvidence
from grantor.core.diagnostics import Fault
from grantor.core.grant import Permission, split_uri
from grantor.core.planning.rendering import Json

NO_EXIT_CODE = 3  # the answer is no, or not the expected one


def run_can(session: Session) -> int:
    """Exits with 0 for yes and with 3 for no; with --expect, with 0 if this is the answer."""
    given, state = session.arguments, read_state(session)
    who = choose_principal(given.who, state)
    answer = state.answer_can(who, Permission(given.permission), check_url(given.url))
    home = session.services.names.home
    session.output.print_lines(answer_text.describe_can(answer, state.sources, home))
    session.output.print_json(answer_text.encode_can(answer, state.sources))
    wanted = given.expect or "yes"
    return 0 if wanted == ("yes" if answer.is_yes else "no") else NO_EXIT_CODE


def run_who(session: Session) -> int:
    """Exits with 0."""
    given, state = session.arguments, read_state(session)
    permission = Permission(given.permission) if given.permission else None
    target = check_url(given.url)
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


def run_reach(session: Session) -> int:
    """Exits with 0."""
    state = read_state(session)
    who = choose_principal(session.arguments.who, state)
    rows = state.list_reach(who)
    name = answer_text.describe_principal(who, session.services.names.home)
    head = f"{name} reaches {len({row.grant.scope for row in rows}):,} scopes"
    question = {"who": answer_text.encode_principal(who)}
    print_listing(session, state, AccessListing("reach", question, head, rows))
    return 0


@dataclass(frozen=True)
class AccessListing:
    """Rows that answer a question: its kind and members in JSON, and the answer in a sentence."""

    kind: str
    question: Json
    head: str
    rows: list[AccessRow]


def print_listing(session: Session, state: AccessSnapshot, listing: AccessListing) -> None:
    """Print a listing as a table, as CSV or as JSON."""
    home, output = session.services.names.home, session.output
    table = answer_text.build_table(listing.rows, state.subjects, home)
    if session.arguments.csv:
        output.print_lines(format_csv(table))
    else:
        output.print_lines([listing.head])
        output.print_lines(answer_text.align_table(table) if listing.rows else [])
    output.print_json(
        answer_text.encode_rows(listing.kind, listing.question, listing.rows, state.sources)
    )


def format_csv(table: Iterable[tuple[str, ...]]) -> list[str]:
    """The table as CSV (RFC 4180), one line each.

    A cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in table:
        writer.writerow([f"'{cell}" if cell.startswith(tuple("=+-@")) else cell for cell in row])
    return text.getvalue().splitlines()


def read_state(session: Session) -> AccessSnapshot:
    """Read what questions are answered from: everything that a run over everything reads."""
    with Progress("reading policy files, profiles and grants"):
        judged = judge_everything(session.services)
    policies = judged.policies
    evidence = AccessEvidence(policies.in_force, judged.snapshot.inventory, policies.bounds)
    sources = find_sources(policies.rules, policies.versions)
    return AccessSnapshot(judged.snapshot, evidence, sources)


def choose_principal(text: str, state: AccessSnapshot) -> AskedPrincipal:
    """Choose whom the text names. Raises CommandError if that is nobody, or several."""
    found = find_principal(text, state.snapshot.inventory)
    if isinstance(found, Fault):
        raise CommandError(found.sentence)
    return found


def check_url(url: str) -> str:
    """Return the place that is asked about. Raises UsageError if it is none in S3."""
    if not url.startswith("s3://") or not split_uri(url)[0]:
        raise UsageError(f"{url} is no place in S3: write s3://BUCKET/KEY, or s3://BUCKET/PREFIX/*")
    return url
