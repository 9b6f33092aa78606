"""The lives of grants as events, how an event is written, and what was held at a moment.

An event is one line of JSON (docs/history.md has the schema). Each is written at least once: a run
that dies between its calls and the ledger leaves the next one to write the event again. Whoever
reads the events leaves out those that change nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from grantor.core.grant import Grant, Grantee, Permission, Reason, sort_reasons

HISTORY_VERSION = 1  # of the schema; a member may be added, and none changes its meaning
Json = dict[str, Any]


class EventKind(StrEnum):
    """What an event says."""

    MADE = "made"  # Grantor has created the grant
    ADOPTED = "adopted"  # an unmanaged grant is Grantor's from now on
    RESTORED = "restored"  # a rebuilt ledger has the grant again
    FOUND = "found"  # a grant that somebody else has made exists
    HELD = "held"  # a line of a checkpoint: the grant exists, and is Grantor's
    CHANGED = "changed"  # the grant stays for other reasons, or until another time
    REVOKED = "revoked"  # Grantor has deleted the grant
    GONE = "gone"  # somebody else has deleted the grant
    APPROVED = "approved"  # a person has approved the plan that the run has applied
    REJECTED = "rejected"  # a person has rejected the plan
    SIGNED = "signed"  # a person has reviewed access
    WRITTEN = "written"  # a person has written a version of a policy file, as CloudTrail reports it


BEGINS = frozenset(
    (EventKind.MADE, EventKind.ADOPTED, EventKind.RESTORED, EventKind.FOUND, EventKind.HELD)
)
ENDS = frozenset((EventKind.REVOKED, EventKind.GONE))
# Of events of one moment, a grant's begin comes first and its end last.
_RANKS = {**dict.fromkeys(BEGINS, 0), **dict.fromkeys(ENDS, 2)}


class HistoryUnreadable(ValueError):
    """A part of the history cannot be read; the text says which object and line, and why."""


@dataclass(frozen=True, slots=True)
class GrantEvent:
    """One event. `at` is when it happened (aware); if it is not `is_exact`, a run that has died did
    it: a grant was then made at this time or later, and revoked at this time or earlier.

    `versions` are those of the policy files of the reasons that were in force. `since` is that of a
    checkpoint. `file` and `version` are what was written, or what a review was about.
    """

    kind: EventKind
    at: datetime
    grant_id: str = ""
    grant: Grant | None = None
    reasons: tuple[Reason, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    who: str = ""
    run: str = ""
    is_exact: bool = True
    since: datetime | None = None
    file: str = ""
    version: str = ""

    def sort_key(self) -> tuple[datetime, int, str]:
        """Sorts events as they happened."""
        return self.at, _RANKS.get(self.kind, 1), self.grant_id


@dataclass(frozen=True, slots=True)
class PastGrant:
    """A grant that exists at a moment; `since` is None if nobody has recorded that."""

    id: str
    grant: Grant
    since: datetime | None
    reasons: tuple[Reason, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    is_managed: bool = True


def fold_events(events: Iterable[GrantEvent], time: datetime) -> dict[str, PastGrant]:
    """The grants that exist at a moment, by their ids. `events` are settled."""
    held: dict[str, PastGrant] = {}
    for event in events:
        if event.at > time:
            break
        if event.kind in ENDS:
            held.pop(event.grant_id, None)
        elif event.kind in BEGINS:
            held[event.grant_id] = _begin(event, held.get(event.grant_id))
        elif event.kind is EventKind.CHANGED and event.grant_id in held:
            known = held[event.grant_id]
            held[event.grant_id] = replace(
                known, reasons=event.reasons, versions=event.versions, run=event.run
            )
    return held


def _begin(event: GrantEvent, known: PastGrant | None) -> PastGrant:
    if event.grant is None:
        raise ValueError(f"an event of the kind {event.kind} has a grant")
    in_checkpoint = event.kind is EventKind.HELD or event.since is not None
    since = known.since if known else event.since if in_checkpoint else event.at
    is_managed = event.kind is not EventKind.FOUND
    grant_id, reasons = event.grant_id, event.reasons
    return PastGrant(
        grant_id, event.grant, since, reasons, event.versions, event.run, is_managed=is_managed
    )


def settle_events(events: Iterable[GrantEvent]) -> tuple[GrantEvent, ...]:
    """The events as they happened, without those that only repeat what is known."""
    found = sorted(events, key=GrantEvent.sort_key)
    exact = {one.grant_id for one in found if one.kind is EventKind.MADE and one.is_exact}
    state = _Settling(exact)
    return tuple(event for event in found if state.tells_more(event))


@dataclass
class _Settling:
    """What is known so far; `exact` are the grants whose creation a run itself has recorded."""

    exact: set[str]
    reasons: dict[str, tuple[Reason, ...]] = field(default_factory=dict)  # of those that exist
    unmanaged: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)  # of these, those that a run itself has deleted
    said: set[tuple[str, ...]] = field(default_factory=set)  # by people

    def tells_more(self, event: GrantEvent) -> bool:
        """Whether the event says something new. The id of a grant that a run has deleted never
        comes back; one that a run only missed in a list can turn up again.
        """
        grant_id, kind = event.grant_id, event.kind
        if kind in ENDS:
            is_new = grant_id not in self.ended
            self.ended.add(grant_id)
            if event.is_exact:
                self.deleted.add(grant_id)
            self.reasons.pop(grant_id, None)
            return is_new
        if kind in BEGINS:
            return self._begins(event)
        if kind is EventKind.CHANGED:
            is_new = self.reasons.get(grant_id) != event.reasons and grant_id not in self.ended
            if grant_id in self.reasons:
                self.reasons[grant_id] = event.reasons
            return is_new
        said = str(kind), event.who, event.why, event.run, event.file, event.version
        is_new = said not in self.said
        self.said.add(said)
        return is_new

    def _begins(self, event: GrantEvent) -> bool:
        grant_id = event.grant_id
        if event.kind is EventKind.MADE and not event.is_exact and grant_id in self.exact:
            return False
        is_adopted = event.kind is not EventKind.FOUND and grant_id in self.unmanaged
        if grant_id in self.deleted or (grant_id in self.reasons and not is_adopted):
            return False
        self.ended.discard(grant_id)
        self.reasons[grant_id] = event.reasons
        if event.kind is EventKind.FOUND:
            self.unmanaged.add(grant_id)
        else:
            self.unmanaged.discard(grant_id)
        return True


def encode_event(event: GrantEvent) -> str:
    """The event as a line of JSON without its end.

    >>> encode_event(GrantEvent(EventKind.GONE, datetime(2026, 12, 1, tzinfo=UTC), "g-1"))[:78]
    '{"schema_version":1,"kind":"gone","at":"2026-12-01T00:00:00.000000Z","grant_id'
    """
    grant = event.grant
    value = {
        "schema_version": HISTORY_VERSION,
        "kind": str(event.kind),
        "at": format_moment(event.at),
        "grant_id": event.grant_id or None,
        "grantee_type": grant.grantee.kind if grant else None,
        "grantee": grant.grantee.identifier if grant else None,
        "permission": str(grant.permission) if grant else None,
        "scope": grant.scope if grant else None,
        "application": (grant.application or None) if grant else None,
        "reasons": [_encode_reason(one, event.versions) for one in event.reasons],
        "why": event.why or None,
        "who": event.who or None,
        "run_id": event.run or None,
        "exact": event.is_exact,
        "since": format_moment(event.since) if event.since else None,
        "file": event.file or None,
        "version": event.version or None,
    }
    return json.dumps(value, separators=(",", ":"))


def _encode_reason(reason: Reason, versions: Mapping[str, str]) -> Json:
    return {
        "rule": reason.rule,
        "file": reason.file,
        "version": versions.get(reason.file) or None,
        "subjects": list(reason.subjects),
        "until": format_moment(reason.until) if reason.until else None,
        "additive": reason.additive,
    }


def format_moment(time: datetime) -> str:
    """A time in ISO 8601, UTC, to the microsecond, so that text sorts as time does.

    >>> format_moment(datetime(2026, 12, 1, 9, 30, tzinfo=UTC))
    '2026-12-01T09:30:00.000000Z'
    """
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def parse_events(name: str, body: bytes) -> list[GrantEvent]:
    """The events of one object, whose name is for messages.

    Raises HistoryUnreadable for anything that this version has not written or cannot understand.
    """
    lines = body.split(b"\n")
    if lines.pop() != b"":
        raise HistoryUnreadable(f"{name}, line {len(lines) + 1}: the line is cut off")
    return [_parse_line(f"{name}, line {number}", line) for number, line in enumerate(lines, 1)]


def _parse_line(place: str, line: bytes) -> GrantEvent:
    try:
        value = json.loads(line)
        version = value["schema_version"]
        event = _decode_event(value) if version == HISTORY_VERSION else None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise HistoryUnreadable(f"{place}: it is no event of the history ({what})") from error
    if event is None:
        raise HistoryUnreadable(
            f"{place}: it has the schema version {version}, and this version of Grantor reads "
            f"{HISTORY_VERSION}: use the version that has written it, or a newer one"
        )
    return event


def _decode_event(value: Mapping[str, Any]) -> GrantEvent:
    kind = EventKind(value["kind"])
    if kind in BEGINS and not value["scope"]:
        raise ValueError(f"an event of the kind {kind} names a grant")
    return GrantEvent(
        kind,
        _parse_moment(value["at"]),
        value["grant_id"] or "",
        _decode_grant(value) if value["scope"] else None,
        sort_reasons(map(_decode_reason, value["reasons"])),
        {one["file"]: one["version"] for one in value["reasons"] if one["version"]},
        value["why"] or "",
        value["who"] or "",
        value["run_id"] or "",
        value["exact"],
        _parse_moment(value["since"]) if value["since"] else None,
        value["file"] or "",
        value["version"] or "",
    )


def _decode_grant(value: Mapping[str, Any]) -> Grant:
    grantee = Grantee(value["grantee_type"], value["grantee"])
    permission = Permission(value["permission"])
    return Grant(grantee, permission, value["scope"], value["application"] or "")


def _decode_reason(value: Mapping[str, Any]) -> Reason:
    until = _parse_moment(value["until"]) if value["until"] else None
    return Reason(value["rule"], tuple(value["subjects"]), until, value["additive"])


def _parse_moment(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return time
