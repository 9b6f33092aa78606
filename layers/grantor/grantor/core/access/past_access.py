"""Access at a past moment, from the events of the history: who held what, and what came before and
after a refusal.

No rules are known for a past moment, and of profiles only those for which a grant was made.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from grantor.core.access.access_index import Principal
from grantor.core.access.answers import RuleSource
from grantor.core.access.grant_history import (
    BEGINS,
    ENDS,
    EventKind,
    GrantEvent,
    PastGrant,
    fold_events,
)
from grantor.core.grant import (
    Grant,
    LedgerEntry,
    Permission,
    State,
    covers,
    parse_profile_subject,
)
from grantor.core.planning.rendering import format_timestamp
from grantor.core.snapshot import (
    Authority,
    Focus,
    Inventory,
    Profile,
    Snapshot,
    WantedGrants,
)

MAX_NEAR_EVENTS = 10  # of a refusal, before and after it


@dataclass(frozen=True)
class PastAccess:
    """What was held at `time`, by settled events."""

    time: datetime
    events: tuple[GrantEvent, ...]

    @cached_property
    def held(self) -> Mapping[str, PastGrant]:
        """The grants that existed, by their ids."""
        return fold_events(self.events, self.time)

    def build_snapshot(self) -> Snapshot:
        """The same as what a run reads, as far as the history has it."""
        held = self.held.values()
        entries = {one.grant: _make_entry(one) for one in held if one.is_managed}
        actual = {one.grant: one.id for one in held}
        inventory = self._build_inventory(held)
        authority = Authority.build(self.time, Focus(), {})
        return Snapshot(inventory, WantedGrants(), entries, actual, frozenset(), authority)

    def find_sources(self) -> dict[str, RuleSource]:
        """The version of the file that each rule stood in when it gave its grants. Its line and its
        owner are not known.
        """
        return {
            reason.rule: RuleSource(reason.rule, 0, one.versions.get(reason.file, ""))
            for one in self.held.values()
            for reason in one.reasons
        }

    def list_near(
        self, principal: Principal, permission: Permission, target: str
    ) -> tuple[GrantEvent, ...]:
        """What happened to grants that give this: the newest events up to the moment, and then the
        first after it.
        """
        asked = frozenset(principal.grantees)
        found = [
            event
            for event in self.events
            if event.grant is not None
            and event.kind is not EventKind.CHANGED
            and event.grant.grantee in asked
            and permission in event.grant.permission.included
            and covers(event.grant.scope, target)
        ]
        before = [one for one in found if one.at <= self.time and one.kind in ENDS]
        after = [one for one in found if one.at > self.time and one.kind in BEGINS]
        return (*before[: -MAX_NEAR_EVENTS - 1 : -1], *after[:MAX_NEAR_EVENTS])

    def _build_inventory(self, held: Iterable[PastGrant]) -> Inventory:
        sharing: dict[str, set[str]] = defaultdict(set)
        for one in held:
            for subject in (subject for reason in one.reasons for subject in reason.subjects):
                if one.grant.grantee.kind == "IAM" and parse_profile_subject(subject):
                    sharing[one.grant.grantee.identifier].add(subject)
        profiles = sorted(
            (subject, role) for role, subjects in sharing.items() for subject in subjects
        )
        return Inventory(
            self.time,
            profiles=tuple(_make_profile(subject, role) for subject, role in profiles),
            domains=frozenset(_make_profile(*one).domain for one in profiles),
            sharing={role: frozenset(subjects) for role, subjects in sharing.items()},
        )


def _make_profile(subject: str, role: str) -> Profile:
    domain, name = parse_profile_subject(subject) or ("", "")
    return Profile(domain, name, role)


def _make_entry(held: PastGrant) -> LedgerEntry:
    since = format_timestamp(held.since) if held.since else ""
    reasons = frozenset(held.reasons)
    return LedgerEntry(held.grant, State.LIVE, reasons, held.id, since, held.run)


def select_events(
    events: Iterable[GrantEvent], place: str = "", grants_of: frozenset[object] = frozenset()
) -> list[GrantEvent]:
    """The events about grants that reach a part of the place, or of these grantees, newest first;
    all events if neither is given.
    """
    return [
        event
        for event in sorted(events, key=GrantEvent.sort_key, reverse=True)
        if _concerns(event.grant, place, grants_of)
    ]


def _concerns(grant: Grant | None, place: str, grants_of: frozenset[object]) -> bool:
    if grant is None:
        return not (place or grants_of)
    if grants_of and grant.grantee not in grants_of:
        return False
    return not place or covers(grant.scope, place) or covers(place, grant.scope)
