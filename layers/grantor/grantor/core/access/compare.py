"""Compare what two sets of wanted grants give: who can do something only before, or only after.

The comparison is exact, for all keys that could ever exist. Scopes are prefixes or single keys, so
one scope lies in a union of others only if it lies in one of them: between any finite number of
prefixes below it there is always another name. Each difference comes with a request that proves it:
GetDataAccess answers it with yes for one side, and with no for the other. Which of several grants
GetDataAccess chooses, and so how far its credentials reach, is not compared.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain, count
from string import ascii_lowercase, digits

from grantor.core.access.access_index import list_reaches
from grantor.core.grant import Grant, Grantee, Permission, Reason, covers, last_end

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
    """A grant of one side, the request that only this side allows, and when the other side gives
    the same access for a shorter time, the end of it.
    """

    grant: Grant
    request: AccessRequest
    until: datetime | None = None  # the end on this side
    other_end: datetime | None = None  # the end on the other side; None if it gives nothing


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
    """Compare two sets of wanted grants, each with its reasons, from `now` on."""
    before, after = GivenAccess.build(old, now), GivenAccess.build(new, now)
    return AccessComparison(
        tuple(before.find_excess(after, now)), tuple(after.find_excess(before, now))
    )


@dataclass(frozen=True)
class GivenAccess:
    """The grants of one side that have not ended: by grantee and scope, each with its end."""

    ends: Mapping[Grantee, Mapping[str, tuple[tuple[Grant, datetime | None], ...]]]

    @classmethod
    def build(cls, wanted: WantedAccess, now: datetime) -> "GivenAccess":
        """Index the grants that are in force at `now`."""
        ends: dict[Grantee, dict[str, tuple[tuple[Grant, datetime | None], ...]]] = {}
        for grant in sorted(wanted, key=Grant.sort_key):
            until = last_end(wanted[grant])
            if until is None or until > now:
                held = ends.setdefault(grant.grantee, {})
                held[grant.scope] = (*held.get(grant.scope, ()), (grant, until))
        return cls(ends)

    def find_excess(self, other: "GivenAccess", now: datetime) -> Iterator[AccessDifference]:
        """Yield what this side gives and the other one does not."""
        for grantee, held in self.ends.items():
            for grant, until in (one for same in held.values() for one in same):
                their_end = other.find_end(grant, now)
                if not lasts_longer(until, their_end):
                    continue
                at = their_end if their_end and their_end > now else None
                target = choose_object(grant.scope, other.ends.get(grantee, {}))
                request = AccessRequest(grantee, grant.permission, target, grant.application, at)
                yield AccessDifference(grant, request, until, at)

    def find_end(self, grant: Grant, now: datetime) -> datetime | None:
        """Return until when this side gives all that the grant gives: `now` if it gives it not at
        all, None if without end.
        """
        ends = [
            until
            for scope in list_reaches(grant.scope)
            for held, until in self.ends.get(grant.grantee, {}).get(scope, ())
            if grant.permission in held.permission.included
            and held.application in ("", grant.application)
        ]
        return None if None in ends else max((end for end in ends if end), default=now)


def lasts_longer(one: datetime | None, other: datetime | None) -> bool:
    """Whether the first end is later than the other; None is without end."""
    return other is not None and (one is None or one > other)


def choose_object(scope: str, others: Iterable[str]) -> str:
    """Return an object of the scope that lies in no other scope, but for those that cover all of
    it.

    >>> choose_object("s3://b/a/*", ["s3://b/a/x/*", "s3://b/*"])
    's3://b/a/any-name'
    >>> choose_object("s3://b/a/*", ["s3://b/a/any*", "s3://b/a/b"])
    's3://b/a/c-any-name'
    """
    if not scope.endswith("*"):
        return scope
    bare = scope[:-1]
    inside = [other for other in others if covers(scope, other) and not covers(other, scope)]
    if not any(covers(other, bare + UNNAMED) for other in inside):
        return bare + UNNAMED
    taken = {other[len(bare) : len(bare) + 1] for other in inside}
    letters = chain(ascii_lowercase, digits, map(chr, count(ord("\u0100"))))
    return f"{bare}{next(letter for letter in letters if letter not in taken)}-{UNNAMED}"
