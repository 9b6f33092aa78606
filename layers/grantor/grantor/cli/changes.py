"""grantor changes: what has happened to grants, the newest first."""

from datetime import UTC, datetime, timedelta

from grantor.cli.output import Progress
from grantor.cli.questions import check_url, format_csv
from grantor.cli.session import CommandError, Session
from grantor.core.access.answers import find_principal
from grantor.core.access.grant_history import GrantEvent, format_moment, settle_events
from grantor.core.access.history_text import (
    Writers,
    build_changes_table,
    describe_event,
    encode_change,
    list_versions,
)
from grantor.core.access.past_access import PastAccess, select_events
from grantor.core.diagnostics import Fault
from grantor.core.grant import Grantee
from grantor.core.planning.rendering import SCHEMA_VERSION

DEFAULT_TIME = timedelta(days=30)


def run_changes(session: Session) -> int:
    """Exits with 0."""
    given, services = session.arguments, session.services
    now = datetime.fromtimestamp(services.clock(), UTC)
    since: datetime = given.since or now - DEFAULT_TIME
    with Progress("reading the history"):
        events = settle_events(services.history.read_events(since))
        found = _select(events, given.about or "", now)
        writers = services.history.read_writers(list_versions(found))
    _print_changes(session, found, writers)
    session.output.print_json(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "changes",
            "about": given.about,
            "since": format_moment(since),
            "changes": [encode_change(event, writers) for event in found],
        }
    )
    return 0


def _select(events: tuple[GrantEvent, ...], about: str, now: datetime) -> list[GrantEvent]:
    """The events about a place, about a principal, or all, newest first."""
    if not about:
        return select_events(events)
    if about.startswith("s3://"):
        return select_events(events, place=check_url(about))
    return select_events(events, grants_of=_find_grantees(events, about, now))


def _find_grantees(events: tuple[GrantEvent, ...], name: str, now: datetime) -> frozenset[Grantee]:
    """Whom a name means: a profile is every role that it ever held a grant as in this time."""
    subjects = {
        (subject.removeprefix("profile "), event.grant.grantee)
        for event in events
        if event.grant
        for reason in event.reasons
        for subject in reason.subjects
    }
    named = {
        grantee for profile, grantee in subjects if name in (profile, profile.partition("/")[2])
    }
    if named:
        return frozenset(named)
    found = find_principal(name, PastAccess(now, ()).build_snapshot().inventory)
    if isinstance(found, Fault):
        raise CommandError(
            f"no event of this time is about a profile {name}: write DOMAIN/NAME, the ARN of a "
            "role or user, directory_user:ID or directory_group:ID, or go further back with --since"
        )
    return frozenset(found.principal.grantees)


def _print_changes(session: Session, found: list[GrantEvent], writers: Writers) -> None:
    home, output = session.services.names.home, session.output
    if session.arguments.csv:
        output.print_lines(format_csv(build_changes_table(found, home, writers)))
        return
    output.print_lines(describe_event(event, home, writers) for event in found)
    if not found:
        output.print_line("nothing has changed in this time")
