"""Decide as GetDataAccess does: which grant lets a principal reach a place, and with what scope.

The same index answers who reaches a place, and what a principal reaches. A lookup costs what the
length of the place and the number of answers cost, not what the number of grants costs.

Where AWS's documents are silent, the answers are those of the sandbox's switches as they are by
default (sandbox/switches.py): a READ and a WRITE grant do not add up to READWRITE, a closer grant
of too little permission hides no wider one, and `s3://b` is inside `s3://b/*`. Of equally close
grants the one with the least permission counts, then the oldest.
"""

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from grantor.core.grant import Grant, Grantee, Permission, covers, split_uri


@dataclass(frozen=True)
class Principal:
    """Whoever asks S3 Access Grants for credentials: a role or user of IAM, then the user and
    groups of the directory for whom its session acts, and the application that they signed in to.
    """

    grantees: tuple[Grantee, ...]
    application: str = ""


@dataclass(frozen=True)
class AccessAnswer:
    """What GetDataAccess would answer: `grant` is the one that it matches, None for a refusal.

    `scope` is what it says that the credentials are for: the scope of the grant, or with minimal
    privilege the target. `reach` are the keys that they open: the same, but for a bucket or a
    location that is granted as a whole, all below it. `others` are further grants that serve the
    request, closest first.
    """

    grant: Grant | None = None
    scope: str = ""
    reach: str = ""
    others: tuple[Grant, ...] = ()

    @property
    def is_yes(self) -> bool:
        """Whether credentials would be given."""
        return self.grant is not None


@dataclass(frozen=True)
class HeldGrant:
    """A grant as the service lists it, with its place in the list, which is the order of creation.

    `reach` is its scope, or for a location that is granted as a whole every key below it.
    """

    position: int
    grant: Grant
    reach: str

    @property
    def closeness(self) -> tuple[int, int, int]:
        """Sorts grants as the service prefers them."""
        grant = self.grant
        return -len(grant.scope.removesuffix("*")), len(grant.permission), self.position


class AccessIndex:
    """The grants of an instance, by grantee and by what they reach.

    The grants come in the order in which the service lists them. `whole` are those that were made
    for a location without a sub-prefix: they reach all keys below it, also without a `*`.
    """

    def __init__(self, grants: Iterable[Grant], whole: Container[Grant] = ()) -> None:
        self._held: dict[Grantee, dict[str, list[HeldGrant]]] = {}
        self._reaching: dict[str, list[HeldGrant]] = {}
        for position, grant in enumerate(grants):
            is_whole = not grant.scope.endswith("*") and grant in whole
            reach = f"{grant.scope.removesuffix('/')}/*" if is_whole else grant.scope
            held = HeldGrant(position, grant, reach)
            self._held.setdefault(grant.grantee, {}).setdefault(reach, []).append(held)
            self._reaching.setdefault(reach, []).append(held)

    def decide(
        self, principal: Principal, permission: Permission, target: str, *, minimal: bool = False
    ) -> AccessAnswer:
        """Answer as GetDataAccess would for this target: an object, a prefix with a `*` at its end,
        or a bucket. `minimal` is Privilege=Minimal.
        """
        serving = sorted(
            self._find_serving(principal, permission, target), key=lambda held: held.closeness
        )
        if not serving:
            return AccessAnswer()
        closest, *others = serving
        scope, reach = closest.grant.scope, closest.reach
        if minimal:
            scope, reach = target, spell_bucket(target)
        return AccessAnswer(closest.grant, scope, reach, tuple(held.grant for held in others))

    def list_held(self, grantees: Iterable[Grantee]) -> list[Grant]:
        """List the grants of these grantees, oldest first for each."""
        return [
            held.grant
            for grantee in grantees
            for held in sorted(
                (one for same in self._held.get(grantee, {}).values() for one in same),
                key=lambda held: held.position,
            )
        ]

    def list_covering(self, target: str) -> list[Grant]:
        """List the grants, whosever, that reach everything in the target, closest first."""
        found = (held for reach in list_reaches(target) for held in self._reaching.get(reach, ()))
        return [held.grant for held in sorted(found, key=lambda held: held.closeness)]

    def list_within(self, target: str) -> list[Grant]:
        """List the grants that reach a part of the target and not all of it, in order of scope."""
        if not (target := spell_bucket(target)).endswith("*"):
            return []
        start = target[:-1]
        reaches = self._sorted_reaches[bisect_left(self._sorted_reaches, start) :]
        found = []
        for reach in reaches:
            if not reach.startswith(start):
                break
            if not covers(reach, target):
                found += [held.grant for held in self._reaching[reach]]
        return found

    def _find_serving(
        self, principal: Principal, permission: Permission, target: str
    ) -> Iterator[HeldGrant]:
        reaches = list_reaches(target)
        for grantee in dict.fromkeys(principal.grantees):
            by_reach = self._held.get(grantee, {})
            for held in (one for reach in reaches for one in by_reach.get(reach, ())):
                serves = permission in held.grant.permission.included
                if serves and held.grant.application in ("", principal.application):
                    yield held

    @cached_property
    def _sorted_reaches(self) -> list[str]:
        return sorted(self._reaching)


def list_reaches(target: str) -> list[str]:
    """List every reach that covers the target: few enough to look each up.

    >>> list_reaches("s3://b/a")[-3:], list_reaches("s3://b")[0]
    (['s3://b/*', 's3://b/a*', 's3://b/a'], 's3://b/*')
    """
    bare = target.removesuffix("*")
    found = [f"{bare[:end]}*" for end in range(len("s3://"), len(bare) + 1)]
    if not split_uri(target)[1] and not target.endswith(("/", "*")):
        found.insert(0, f"{target}/*")
    return found if target.endswith("*") else [*found, target]


def spell_bucket(target: str) -> str:
    """Return the target with a bucket written as the prefix that holds all of its keys.

    >>> spell_bucket("s3://b"), spell_bucket("s3://b/"), spell_bucket("s3://b/a/")
    ('s3://b/*', 's3://b/*', 's3://b/a/')
    """
    bucket, key = split_uri(target)
    return target if key or "*" in bucket else f"s3://{bucket}/*"
