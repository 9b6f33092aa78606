"""Compare what two sets of grants give: who can do something only before, or only after.

The comparison is exact, for all keys that could ever exist. Scopes are prefixes or single keys, so
one scope lies in a union of others only if it lies in one of them: between any finite number of
prefixes below it there is always another name. Each difference comes with a request that proves it:
GetDataAccess answers it with yes for one side, and with no for the other. Which of several grants
GetDataAccess chooses, and so how far its credentials reach, is not compared.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain, count
from string import ascii_lowercase, digits

from grantor.core.access.access_index import list_reaches
from grantor.core.grant import Grant, Grantee, Permission, Reason, last_end, sort_reasons
from grantor.core.planning.plan import Plan
from grantor.core.snapshot import Snapshot

UNNAMED = "any-name"  # an object that no scope names


class AccessVerdict(StrEnum):
    """How the new access compares with the old."""

    EQUIVALENT = "equivalent"
    NARROWER = "narrower"
    WIDER = "wider"
    DIFFERENT = "different"


@dataclass(frozen=True)
class AccessRequest:
    """A request that one side answers with yes and the other with no.

    `at` is when it has this answer: a time just before an end, or None for now.
    """

    grantee: Grantee
    permission: Permission
    target: str  # s3://bucket/key
    application: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class AccessDifference:
    """A grant of one side, and the counterexample: a request that only this side allows. When the
    other side gives the same access for a shorter time, `other_end` is the end of it.

    The permission of the request is what only this side gives: of a READWRITE grant that the other
    side has as READ, it is WRITE.
    """

    grant: Grant
    request: AccessRequest
    until: datetime | None = None  # the end on this side
    other_end: datetime | None = None  # the end on the other side; None if it gives nothing
    reasons: tuple[Reason, ...] = ()  # of the grant on this side

    def implies(self, other: "AccessDifference") -> bool:
        """Whether the other one, on the same side, for the same grantee and for a scope in this
        one's, says nothing more.
        """
        return (
            other.request.permission in self.request.permission.included
            and self.request.application in ("", other.request.application)
            and self.other_end == other.other_end
            and not lasts_longer(other.until, self.until)
        )


@dataclass(frozen=True)
class AccessComparison:
    """What only the old grants give (`lost`) and what only the new ones give (`gained`)."""

    lost: tuple[AccessDifference, ...] = ()
    gained: tuple[AccessDifference, ...] = ()

    @property
    def verdict(self) -> AccessVerdict:
        """The comparison in one word."""
        if self.lost:
            return AccessVerdict.DIFFERENT if self.gained else AccessVerdict.NARROWER
        return AccessVerdict.WIDER if self.gained else AccessVerdict.EQUIVALENT


WantedAccess = Mapping[Grant, Iterable[Reason]]


def compare_access(old: WantedAccess, new: WantedAccess, now: datetime) -> AccessComparison:
    """Compare two sets of grants, each with its reasons, from `now` on.

    A grant without reasons has no end. What another difference implies is left out.
    """
    before, after = GivenAccess.build(old, now), GivenAccess.build(new, now)
    return AccessComparison(
        drop_implied(before.find_excess(after, now)), drop_implied(after.find_excess(before, now))
    )


def compare_plan(snapshot: Snapshot, plan: Plan, now: datetime) -> AccessComparison:
    """Compare the grants that exist with those that exist after the plan: who keeps access through
    another grant, whoever has made it, loses nothing.
    """
    concerned = {change.grant.grantee for change in plan.changes}
    theirs = {one.grant for one in plan.unmanaged}
    before: dict[Grant, Iterable[Reason]] = {
        grant: () if grant in theirs else _drop_past(snapshot.entries[grant].reasons, now)
        for grant in snapshot.actual
        if grant.grantee in concerned
    }
    gone = {change.grant for change in plan.delete}
    after = {grant: reasons for grant, reasons in before.items() if grant not in gone}
    after |= {change.grant: change.reasons for change in (*plan.create, *plan.update)}
    return compare_access(before, after, now)


def _drop_past(reasons: Iterable[Reason], now: datetime) -> Iterable[Reason]:
    """The reasons; none if all have ended: a grant gives access as long as it exists."""
    until = last_end(reasons)
    return reasons if until is None or until > now else ()


@dataclass(frozen=True)
class GivenAccess:
    """The grants of one side that have not ended: by grantee and scope, each with its end."""

    ends: Mapping[Grantee, Mapping[str, tuple[tuple[Grant, datetime | None], ...]]]
    wanted: WantedAccess

    @classmethod
    def build(cls, wanted: WantedAccess, now: datetime) -> "GivenAccess":
        """Index the grants that are in force at `now`."""
        ends: dict[Grantee, dict[str, tuple[tuple[Grant, datetime | None], ...]]] = {}
        for grant, reasons in wanted.items():
            until = last_end(reasons)
            if until is None or until > now:
                held = ends.setdefault(grant.grantee, {})
                held[grant.scope] = (*held.get(grant.scope, ()), (grant, until))
        return cls(ends, wanted)

    def find_excess(self, other: "GivenAccess", now: datetime) -> Iterator[AccessDifference]:
        """Yield what this side gives and the other one does not."""
        for grantee, held in self.ends.items():
            scopes = other.ends.get(grantee, {})
            for grant, until in (one for same in held.values() for one in same):
                ends = other.find_ends(grant, now)
                for permission in choose_permissions(grant.permission, until, ends):
                    target, end = choose_object(grant.scope, scopes), ends[permission]
                    at = end if end and end > now else None
                    request = AccessRequest(grantee, permission, target, grant.application, at)
                    reasons = sort_reasons(self.wanted[grant])
                    yield AccessDifference(grant, request, until, at, reasons)

    def find_ends(self, grant: Grant, now: datetime) -> dict[Permission, datetime | None]:
        """Return until when this side gives each permission of the grant: `now` if it gives it not
        at all, None if without end.
        """
        by_scope = self.ends.get(grant.grantee, {})
        held = [
            (one.permission.included, until)
            for scope in list_reaches(grant.scope)
            for one, until in by_scope.get(scope, ())
            if one.application in ("", grant.application)
        ]
        found: dict[Permission, datetime | None] = {}
        for permission in grant.permission.included:
            ends = [until for given, until in held if permission in given]
            found[permission] = None if None in ends else max(filter(None, ends), default=now)
        return found


def choose_permissions(
    permission: Permission, until: datetime | None, ends: Mapping[Permission, datetime | None]
) -> tuple[Permission, ...]:
    """Choose how to say what a grant gives longer than the other side, which gives each permission
    until its end: the whole permission if all parts of it end there together, else the parts.

    The other side may give the parts longer than both together; then it lacks the whole besides.
    """
    longer = [one for one in permission.included if lasts_longer(until, ends[one])]
    parts = tuple(one for one in longer if one != permission)
    if len({ends[one] for one in permission.included}) == 1:
        return tuple(longer[:1])
    if any(ends[one] == ends[permission] for one in parts):
        return parts
    return tuple(longer)


def lasts_longer(one: datetime | None, other: datetime | None) -> bool:
    """Whether the first end is later than the other; None is without end."""
    return other is not None and (one is None or one > other)


def drop_implied(found: Iterable[AccessDifference]) -> tuple[AccessDifference, ...]:
    """Leave out what another difference of the same side implies; sort the rest by grantee and
    scope.
    """
    by_scope: dict[tuple[Grantee, str], list[AccessDifference]] = {}
    for one in sorted(found, key=_sort_key):
        same = by_scope.setdefault((one.grant.grantee, one.grant.scope), [])
        if not any(other.implies(one) for other in same):
            same[:] = [other for other in same if not one.implies(other)] + [one]
    return tuple(
        one for same in by_scope.values() for one in same if not _is_implied(one, by_scope)
    )


def _is_implied(
    one: AccessDifference, by_scope: Mapping[tuple[Grantee, str], list[AccessDifference]]
) -> bool:
    """Whether a difference of a wider scope implies this one."""
    grantee, own = one.grant.grantee, one.grant.scope
    wider = (scope for scope in list_reaches(own) if scope != own)
    return any(
        other.implies(one) for scope in wider for other in by_scope.get((grantee, scope), ())
    )


def _sort_key(one: AccessDifference) -> tuple[tuple[str, ...], str]:
    return one.grant.sort_key(), str(one.request.permission)


def choose_object(scope: str, others: Collection[str]) -> str:
    """Return an object of the scope that lies in no other scope, but for those that cover all of
    it.

    >>> choose_object("s3://b/a/*", {"s3://b/a/x/*", "s3://b/*"})
    's3://b/a/any-name'
    >>> choose_object("s3://b/a/*", {"s3://b/a/any*", "s3://b/a/b"})
    's3://b/a/c-any-name'
    """
    if not scope.endswith("*"):
        return scope
    bare = scope[:-1]
    inside = (reach for reach in list_reaches(bare + UNNAMED) if len(reach) > len(scope))
    if not any(reach in others for reach in inside):
        return bare + UNNAMED
    taken = {other[len(bare) : len(bare) + 1] for other in others if other.startswith(bare)}
    letters = chain(ascii_lowercase, digits, map(chr, count(ord("\u0100"))))
    return f"{bare}{next(letter for letter in letters if letter not in taken)}-{UNNAMED}"
