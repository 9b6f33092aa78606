"""What is true in a world, and which grants follow from it: the judge of the promises.

It knows nothing of the product's planning. A snapshot is what was true from one moment to the next;
a window is all snapshots from a run's first read until now. What a run may give follows from any of
them, and what it must not take follows from all of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from simulation.estate import (
    BOUNDS,
    DATA,
    NO_BOUNDS,
    BoundsDraft,
    FileDraft,
    RuleDraft,
    find_draft,
)

CLOCK_TOLERANCE = 120.0  # seconds: clocks of processes differ
ACTIONS = {"READ": ("READ",), "WRITE": ("WRITE",), "READWRITE": ("READ", "WRITE")}


class GrantKey(NamedTuple):
    """A grant as a value."""

    grantee: str
    permission: str
    scope: str

    def __str__(self) -> str:
        return f"{self.permission} {self.scope} to {self.grantee.rpartition('/')[2]}"


class Right(NamedTuple):
    """One action of one grantee on one scope."""

    grantee: str
    action: str
    scope: str

    def __str__(self) -> str:
        return f"{self.action} {self.scope} of {self.grantee.rpartition('/')[2]}"


class Derivation(NamedTuple):
    """A grant, and the rule and subject that give it. `held`: it stays as it is."""

    grant: GrantKey
    file: str
    rule: str
    subject: str
    until: float | None
    additive: bool
    held: bool


Source = tuple[Right, str, str, str]  # a right, and the file, rule and subject that give it


def list_rights(grant: GrantKey) -> Iterator[Right]:
    """The rights that a grant gives."""
    for action in ACTIONS[grant.permission]:
        yield Right(grant.grantee, action, grant.scope)


def covers(grant: GrantKey, right: Right) -> bool:
    """Whether the grant gives this right."""
    return (
        grant.grantee == right.grantee
        and right.action in ACTIONS[grant.permission]
        and right.scope.startswith(grant.scope.removesuffix("*"))
    )


@dataclass(frozen=True)
class Snapshot:
    """What is true from a moment on. `files` are bodies of current versions, `accepted` those of
    the versions that a run has accepted, both by key.
    """

    at: float
    files: Mapping[str, bytes]
    accepted: Mapping[str, bytes]
    profiles: Mapping[str, str]  # name: role
    folders: frozenset[str]

    @cached_property
    def bounds(self) -> tuple[BoundsDraft, ...]:
        """The bounds that a run may go by: the current ones; those accepted if they are broken."""
        current = self._find_bounds(self.files.get(BOUNDS))
        if current is None:
            return (NO_BOUNDS,)
        accepted = self._find_bounds(self.accepted.get(BOUNDS)) or NO_BOUNDS
        return (accepted,) if current.broken else (current,)

    @cached_property
    def current(self) -> dict[str, FileDraft]:
        """The policy files as they say now; a broken one as it was accepted."""
        found: dict[str, FileDraft] = {}
        for key, body in self.files.items():
            draft = find_draft(body)
            if isinstance(draft, FileDraft):
                good = draft if not draft.broken else self.agreed.get(key)
                found |= {key: good} if good else {}
        return found

    @cached_property
    def agreed(self) -> dict[str, FileDraft]:
        """The policy files as runs have accepted them."""
        drafts = {key: find_draft(body) for key, body in self.accepted.items()}
        return {key: one for key, one in drafts.items() if isinstance(one, FileDraft)}

    @cached_property
    def derived(self) -> tuple[Derivation, ...]:
        """What the current files give."""
        return tuple(self.derive(self.current))

    @cached_property
    def derived_accepted(self) -> tuple[Derivation, ...]:
        """What the accepted files give."""
        return tuple(self.derive(self.agreed))

    @cached_property
    def suspended(self) -> frozenset[str]:
        """Who is suspended for certain: by a file as it says now. Roles, and roles of profiles."""
        return self._list_suspended([self.current])

    @cached_property
    def perhaps_suspended(self) -> frozenset[str]:
        """Who may be suspended: also by an accepted version."""
        return self._list_suspended([self.current, self.agreed])

    @cached_property
    def sure(self) -> frozenset[Source]:
        """The rights that a run must not take: current and accepted files both give them."""
        now = self.at + CLOCK_TOLERANCE

        def select(found: Iterable[Derivation]) -> frozenset[Source]:
            return frozenset(
                (right, one.file, one.rule, one.subject)
                for one in found
                if one.grant.grantee not in self.perhaps_suspended
                and (one.until is None or one.until > now)
                for right in list_rights(one.grant)
            )

        return select(self.derived) & select(self.derived_accepted)

    def derive(
        self, drafts: Mapping[str, FileDraft], *, bounded: bool = True
    ) -> Iterator[Derivation]:
        """What these files give, within the bounds, whoever is suspended."""
        for file, draft in drafts.items():
            for rule in draft.rules:
                for grantee, scope, subject, held in self._expand(rule):
                    if not bounded or self.allows(file, grantee, scope):
                        grant = GrantKey(grantee, rule.allow, scope)
                        yield Derivation(
                            grant, file, rule.name, subject, rule.until, draft.additive, held
                        )

    def allows(self, file: str, grantee: str, scope: str) -> bool:
        """Whether the bounds allow a grant."""
        return all(one.allow(file, grantee, scope) for one in self.bounds)

    def _expand(self, rule: RuleDraft) -> Iterator[tuple[str, str, str, bool]]:
        """Grantee, scope, subject and whether it is on hold."""
        if rule.each_prefix:
            for name in sorted(self.folders):
                yield rule.to, f"{rule.each_prefix}{name}/*", name, False
        elif rule.to == "each":
            roles = list(self.profiles.values())
            for name, role in self.profiles.items():
                scope = f"s3://{DATA}/{name[:1].upper()}{name[1:]}/*"
                yield role, scope, name, roles.count(role) > 1
        elif rule.to == "profiles":
            for name, role in self.profiles.items():
                yield from ((role, place, name, False) for place in rule.places)
        else:
            yield from ((rule.to, place, "", False) for place in rule.places)

    def _list_suspended(self, several: Iterable[Mapping[str, FileDraft]]) -> frozenset[str]:
        names = {who for one in several for draft in one.values() for who in draft.suspended}
        return frozenset(who if ":" in who else self.profiles.get(who, who) for who in names)

    def _find_bounds(self, body: bytes | None) -> BoundsDraft | None:
        found = find_draft(body) if body is not None else None
        return found if isinstance(found, BoundsDraft) else None


@dataclass
class Reality:
    """The snapshots of a world."""

    snapshots: list[Snapshot] = field(default_factory=list)

    @property
    def now(self) -> Snapshot:
        """What is true now."""
        return self.snapshots[-1]

    def add(self, snapshot: Snapshot) -> None:
        """Something has changed."""
        self.snapshots.append(snapshot)

    @property
    def position(self) -> int:
        """Where a window begins that begins now."""
        return len(self.snapshots) - 1

    def list_since(self, position: int) -> list[Snapshot]:
        """The snapshots of a window."""
        return self.snapshots[position:]

    def find_sure(self, position: int, now: float) -> frozenset[Source]:
        """The rights that everything in the window gives, by the same rule and subject."""
        window = self.list_since(position)
        sure = frozenset.intersection(*(one.sure for one in window))
        ends = {
            (one.file, one.rule): one.until
            for one in (*self.now.derived, *self.now.derived_accepted)
            if one.until is not None and one.until <= now + CLOCK_TOLERANCE
        }
        return frozenset(one for one in sure if one[1:3] not in ends) if ends else sure

    def may_give(self, grant: GrantKey, position: int) -> bool:
        """Whether the window can make a run give the grant: any version of any file, any profile,
        any folder, any bounds of it.
        """
        window = self.list_since(position)
        return any(self._gives(grant, files, window) for files in window)

    def _gives(self, grant: GrantKey, files: Snapshot, window: list[Snapshot]) -> bool:
        drafts = [(key, one) for each in (files.current, files.agreed) for key, one in each.items()]
        return any(
            one.grant == grant
            for file, draft in dict.fromkeys(drafts)
            for other in window
            for bounds in window
            for one in _derive_mixed(file, draft, other, bounds)
        )

    def is_suspended_throughout(self, grantee: str, position: int) -> bool:
        """Whether the grantee was suspended in the whole window."""
        return all(grantee in one.suspended for one in self.list_since(position))


def _derive_mixed(
    file: str, draft: FileDraft, people: Snapshot, bounds: Snapshot
) -> Iterator[Derivation]:
    """What a file gives with the people of one snapshot and the bounds of another."""
    files = {BOUNDS: bounds.files[BOUNDS]} if BOUNDS in bounds.files else {}
    mixed = Snapshot(people.at, files, bounds.accepted, people.profiles, people.folders)
    return mixed.derive({file: draft})
