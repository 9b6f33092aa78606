"""What somebody reviews: every grant with who holds it, why, since when and until when, and what
deserves a look.

A person is whoever holds grants: a Studio profile by its subject, else the grantee itself. The
digest of a review is that of what was shown, so that what is signed is what was seen.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from grantor.core.access.answers import AccessSnapshot, RuleSource
from grantor.core.access.grant_history import ENDS, GrantEvent
from grantor.core.grant import Grant, Reason, name_profiles, sort_reasons
from grantor.core.planning.rendering import Home, describe_holder
from grantor.core.planning.reviews import SignedReview, find_review_end
from grantor.core.rules import Rule
from grantor.limits import MAX_VENDED_TIME

NO_OWNER = "-"  # names the rules that have no owner, and the grants that no rule gives
EVERYTHING = "everything"  # what a review is about that is of all rules
DIGEST_DIGITS = 16
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)


class Mark(StrEnum):
    """What deserves a look in a grant."""

    NEW = "new"  # since the last review
    NO_OWNER = "no owner"
    NO_END = "no end"
    UNMANAGED = "unmanaged"
    ON_HOLD = "on hold"


@dataclass(frozen=True)
class ReviewedRule:
    """A rule, and when somebody has reviewed it last. `rule` is None for one that is gone."""

    id: str
    source: RuleSource
    rule: Rule | None = None
    signed: SignedReview | None = None
    end: datetime | None = None  # unless somebody reviews it

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.source.owner or NO_OWNER


@dataclass(frozen=True)
class ReviewRow:
    """One grant of one person because of one rule; `rule` is "" for an unmanaged grant."""

    person: str
    grant: Grant
    rule: str = ""
    owner: str = NO_OWNER
    place: str = ""  # as the rule writes it, so that each profile's own folder is one place
    since: str = ""  # timestamp; "" if not known
    until: datetime | None = None
    marks: tuple[Mark, ...] = ()

    def list_shown(self) -> list[str | None]:
        """What is shown of it, without what changes by itself, or by a review."""
        grant = self.grant
        grantee = [grant.grantee.kind, grant.grantee.identifier]
        held = Mark.ON_HOLD if Mark.ON_HOLD in self.marks else ""
        return [
            *(self.person, *grantee, grant.permission, grant.scope, grant.application),
            *(self.rule, self.owner, self.since, held),
        ]


@dataclass(frozen=True)
class AccessReview:
    """All that a page shows. `taken` are the grants that ended since the last review, the newest
    first, as far as the history says; `about` is the owner that it is limited to.
    """

    stack: str
    home: Home
    now: datetime
    rows: tuple[ReviewRow, ...]
    rules: Mapping[str, ReviewedRule] = field(default_factory=dict)
    taken: tuple[GrantEvent, ...] = ()
    about: str = EVERYTHING
    knows_reviews: bool = True  # else nobody could read them, and nothing is called new

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """Whose rules there are, NO_OWNER last."""
        found = {row.owner for row in self.rows} | {one.owner for one in self.rules.values()}
        return tuple(sorted(found, key=lambda owner: (owner == NO_OWNER, owner)))

    @cached_property
    def people(self) -> Mapping[str, tuple[ReviewRow, ...]]:
        """The rows of each person, by name."""
        found: dict[str, list[ReviewRow]] = {}
        for row in self.rows:
            found.setdefault(row.person, []).append(row)
        return {person: tuple(found[person]) for person in sorted(found)}

    @cached_property
    def digest(self) -> str:
        """What identifies that which is shown."""
        rules = sorted(
            [one.id, one.source.line, one.source.version, one.owner] for one in self.rules.values()
        )
        shown = {
            "about": self.about,
            "rows": sorted(row.list_shown() for row in self.rows),
            "rules": rules,
        }
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:DIGEST_DIGITS]

    def select(self, owner: str) -> "AccessReview":
        """What concerns the rules of one owner."""
        rules = {name: one for name, one in self.rules.items() if one.owner == owner}
        return self._limit(rules, owner, tuple(row for row in self.rows if row.owner == owner))

    def select_rules(self, names: Sequence[str]) -> "AccessReview":
        """What concerns some rules. Raises KeyError with the first one that does not exist."""
        rules = {name: self.rules[name] for name in sorted(set(names))}
        rows = tuple(row for row in self.rows if row.rule in rules)
        return self._limit(rules, " ".join(rules), rows)

    def _limit(
        self, rules: Mapping[str, ReviewedRule], about: str, rows: tuple[ReviewRow, ...]
    ) -> "AccessReview":
        taken = tuple(
            event for event in self.taken if any(one.rule in rules for one in event.reasons)
        )
        return replace(self, rows=rows, rules=rules, taken=taken, about=about)

    def list_unreviewed(self, days: int) -> list[ReviewedRule]:
        """The rules that nobody has reviewed for so many days, those without any review first."""
        before = self.now - timedelta(days=days)
        found = [one for one in self.rules.values() if not one.signed or one.signed.at < before]
        return sorted(
            found, key=lambda one: (one.signed.at if one.signed else FIRST_MOMENT, one.id)
        )

    def find_horizon(self, event: GrantEvent) -> datetime | None:
        """Until when credentials may live that were vended for a grant that has ended; None if
        they are over.
        """
        end = event.at + MAX_VENDED_TIME
        return end if end > self.now else None


def build_review(
    state: AccessSnapshot,
    stack: str,
    signed: Iterable[SignedReview] | None,
    events: Iterable[GrantEvent] = (),
) -> AccessReview:
    """What there is to review. `signed` are all reviews, the last one last; None if they are not
    known. `events` are what has happened to grants since the first of them.
    """
    rules = _list_rules(state, signed)
    builder = _RowBuilder(state, rules, knows_reviews=signed is not None)
    rows = [row for grant in state.snapshot.actual for row in builder.build(grant)]
    rows.sort(key=lambda row: (row.person, row.grant.sort_key(), row.rule))
    return AccessReview(
        stack,
        state.home,
        state.snapshot.inventory.now,
        tuple(rows),
        rules,
        tuple(_select_taken(events, rules)),
        knows_reviews=signed is not None,
    )


def _list_rules(
    state: AccessSnapshot, signed: Iterable[SignedReview] | None
) -> dict[str, ReviewedRule]:
    last = {rule: review for review in signed or () for rule in review.rules}
    written = {rule.id: rule for policy in state.evidence.policies for rule in policy.rules}
    given = {reason.rule for entry in state.snapshot.entries.values() for reason in entry.reasons}
    found = {}
    for name in sorted({*written, *given}):
        rule, end = written.get(name), None
        if rule and signed is not None:
            end = find_review_end(rule, state.snapshot.inventory)
        source = state.sources.get(name) or RuleSource(name, 0)
        found[name] = ReviewedRule(name, source, rule, last.get(name), end)
    return found


def _select_taken(
    events: Iterable[GrantEvent], rules: Mapping[str, ReviewedRule]
) -> list[GrantEvent]:
    """The ends of grants since the last review of one of their rules, the newest first."""

    def is_later(event: GrantEvent) -> bool:
        times = [one.signed.at for one in map(rules.get, _name_rules(event)) if one and one.signed]
        return not times or event.at > min(times)

    found = [event for event in events if event.kind in ENDS and event.grant and is_later(event)]
    return sorted(found, key=lambda event: event.at, reverse=True)


def _name_rules(event: GrantEvent) -> list[str]:
    return [reason.rule for reason in event.reasons]


@dataclass
class _RowBuilder:
    state: AccessSnapshot
    rules: Mapping[str, ReviewedRule]
    knows_reviews: bool

    def build(self, grant: Grant) -> list[ReviewRow]:
        entry = self.state.snapshot.entries.get(grant)
        if entry is None:
            marks = Mark.NO_OWNER, Mark.NO_END, Mark.UNMANAGED
            people = self._name_people(grant, ())
            return [ReviewRow(one, grant, place=grant.scope, marks=marks) for one in people]
        return [
            self._build_row(person, grant, reason, entry.since)
            for reason in sort_reasons(entry.reasons)
            for person in self._name_people(grant, reason.subjects)
        ]

    def _build_row(self, person: str, grant: Grant, reason: Reason, since: str) -> ReviewRow:
        rule = self.rules[reason.rule]
        place = rule.rule.on if rule.rule else grant.scope
        marks = tuple(self._find_marks(rule, reason, since))
        return ReviewRow(person, grant, reason.rule, rule.owner, place, since, reason.until, marks)

    def _find_marks(self, rule: ReviewedRule, reason: Reason, since: str) -> Iterable[Mark]:
        if self.knows_reviews and (not rule.signed or _is_later(since, rule.signed.at)):
            yield Mark.NEW
        if rule.owner == NO_OWNER:
            yield Mark.NO_OWNER
        if reason.until is None:
            yield Mark.NO_END
        if any(hold.covers(reason) for hold in self.state.snapshot.wanted.on_hold):
            yield Mark.ON_HOLD

    def _name_people(self, grant: Grant, subjects: Iterable[str]) -> list[str]:
        """The profiles that a reason is for; those that run as the role; else the grantee."""
        sharers = self.state.subjects.get(grant.grantee.identifier, ())
        named = name_profiles(subjects) or name_profiles(sharers)
        return named or [describe_holder(grant, self.state.home)]


def _is_later(since: str, at: datetime) -> bool:
    return not since or datetime.fromisoformat(since) > at
