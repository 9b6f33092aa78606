"""Events of the history as lines, as cells of a table, and as members of docs/json.md."""

import json
from collections.abc import Iterable, Iterator, Mapping

from grantor.core.access.grant_history import ENDS, EventKind, GrantEvent, encode_event
from grantor.core.planning.rendering import (
    Home,
    Json,
    describe_grant,
    describe_holder,
    format_timestamp,
)

CHANGES_HEAD = ("time", "what", "permission", "scope", "to", "because", "why", "by", "run")
SIGNS = {
    EventKind.MADE: "+",
    EventKind.ADOPTED: "+",
    EventKind.RESTORED: "+",
    EventKind.FOUND: "+",
    EventKind.HELD: "+",
    EventKind.REVOKED: "-",
    EventKind.GONE: "-",
    EventKind.CHANGED: "~",
}
MEANINGS = {
    EventKind.MADE: "made",
    EventKind.ADOPTED: "adopted: it was unmanaged until then",
    EventKind.RESTORED: "entered again in a rebuilt ledger",
    EventKind.FOUND: "unmanaged: somebody else has made it",
    EventKind.HELD: "held already when the history began",
    EventKind.CHANGED: "kept for other reasons",
    EventKind.REVOKED: "revoked",
    EventKind.GONE: "deleted by somebody else",
    EventKind.APPROVED: "a plan was approved",
    EventKind.REJECTED: "a plan was rejected",
    EventKind.SIGNED: "access was reviewed",
    EventKind.WRITTEN: "a policy file was written",
}
Writers = Mapping[tuple[str, str], str]  # who has written a version of a policy file


def describe_event(event: GrantEvent, home: Home, writers: Writers) -> str:
    """An event in a line."""
    time = format_timestamp(event.at)
    about = "" if event.is_exact else " (about)"
    meaning = MEANINGS[event.kind]
    rules = _list_rules(event, writers)
    held = ", held" if event.kind in ENDS else ""
    because = f"{held} because of {' and '.join(rules)}" if rules else ""
    why = f": {event.why}" if event.why else ""
    by = f" by {event.who}" if event.who else ""
    if event.grant is None:
        return f"{time}  {meaning}{by}{why}"
    grant = describe_grant(event.grant, home)
    what = f"{meaning}{why}{because}" if event.kind in ENDS else f"{meaning}{because}{by}{why}"
    return f"{time}{about}  {SIGNS[event.kind]} {grant}, {what}"


def build_changes_table(
    events: Iterable[GrantEvent], home: Home, writers: Writers
) -> Iterator[tuple[str, ...]]:
    """The events as cells, the head first."""
    yield CHANGES_HEAD
    for event in events:
        grant = event.grant
        yield (
            format_timestamp(event.at),
            str(event.kind),
            str(grant.permission) if grant else "",
            grant.scope if grant else "",
            describe_holder(grant, home) if grant else "",
            " and ".join(_list_rules(event, writers)),
            event.why,
            event.who,
            event.run,
        )


def encode_change(event: GrantEvent, writers: Writers) -> Json:
    """An event as in the history, each reason with who has written its version of the file."""
    value: Json = json.loads(encode_event(event))
    for reason in value["reasons"]:
        reason["written_by"] = writers.get((reason["file"], reason["version"] or ""))
    return value


def list_versions(events: Iterable[GrantEvent]) -> set[tuple[str, str]]:
    """The versions of policy files because of which the grants of these events were made."""
    return {version for event in events for version in event.versions.items()}


def _list_rules(event: GrantEvent, writers: Writers) -> list[str]:
    return sorted({_describe_rule(reason.rule, event, writers) for reason in event.reasons})


def _describe_rule(rule: str, event: GrantEvent, writers: Writers) -> str:
    file = rule.partition("#")[0]
    version = event.versions.get(file)
    if not version:
        return rule
    writer = writers.get((file, version))
    return f"{rule} (version {version}{f', written by {writer}' if writer else ''})"
