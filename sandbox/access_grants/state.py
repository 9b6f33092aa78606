"""What one Access Grants instance holds, indexed so that 100,000 grants cost each call what it touches and no more."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Key = tuple[str, ...]
REMEMBERED = 10_000  # changes, for lists that show what was


@dataclass
class Location:
    """A registered location; `grants` counts those that lie in it, `echoes` how often it will yet be taken for not empty."""

    number: int
    id: str
    scope: str
    role: str
    created: datetime
    grants: int = 0
    echoes: int = 0


@dataclass(frozen=True)
class Grant:
    """One grant; nothing in it ever changes."""

    number: int
    id: str
    grantee_type: str
    grantee: str
    permission: str
    scope: str
    location: str
    sub_prefix: str
    application: str
    prefix_type: str
    created: datetime
    identity: str | None = None  # the grantee's unique id when the grant was made; a role made again has another


@dataclass(frozen=True)
class Change:
    """A grant was made, or it went."""

    at: datetime
    grant: Grant
    made: bool


class Index:
    """Grants by number, and the numbers in order. Deleted numbers are swept out only when they are the larger half."""

    def __init__(self) -> None:
        self._grants: dict[int, Grant] = {}
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._grants)

    def __iter__(self) -> Iterator[Grant]:
        return iter(self._grants.values())

    @property
    def order(self) -> Sequence[int]:
        return self._order

    def get(self, number: int) -> Grant | None:
        return self._grants.get(number)

    def add(self, grant: Grant) -> None:
        self._grants[grant.number] = grant
        self._order.append(grant.number)

    def drop(self, grant: Grant) -> None:
        del self._grants[grant.number]
        # Numbers are a page's places, so sweeping never moves a page that is being read.
        if self._order and self._order[-1] == grant.number:
            self._order.pop()
        elif len(self._order) > 2 * len(self._grants) + 16:
            self._order = list(self._grants)


@dataclass
class Instance:
    """One instance: its identity and everything in it. Numbers grow and are never used twice."""

    created: datetime
    identity_center: str | None = None
    application: str | None = None
    policy: dict[str, Any] | None = None
    locations: dict[str, Location] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    keys: dict[Key, str] = field(default_factory=dict)
    everything: Index = field(default_factory=Index)
    by_grantee: dict[Key, Index] = field(default_factory=dict)
    by_scope: dict[str, Index] = field(default_factory=dict)
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    last: int = 0

    def number(self) -> int:
        self.last += 1
        return self.last

    def add(self, grant: Grant, key: Key) -> None:
        """Put a grant into every index."""
        self.grants[grant.id] = grant
        self.keys[key] = grant.id
        for index in self._indexes(grant):
            index.add(grant)
        self.locations[grant.location].grants += 1
        self.changes.append(Change(grant.created, grant, made=True))

    def drop(self, grant: Grant, key: Key, now: datetime) -> None:
        """Take a grant out of every index."""
        del self.grants[grant.id], self.keys[key]
        for index in self._indexes(grant):
            index.drop(grant)
        self.locations[grant.location].grants -= 1
        self.changes.append(Change(now, grant, made=False))

    def since(self, count: int, time: datetime) -> tuple[set[int], dict[int, Grant]]:
        """What the last `count` changes, and all after `time`, have made and taken away: the numbers, and the grants by number."""
        late = sum(1 for change in self.changes if change.at > time)
        last = list(self.changes)[-max(count, late) :] if count or late else []
        made = {change.grant.number for change in last if change.made}
        gone = {change.grant.number: change.grant for change in last if not change.made}
        return made, {number: grant for number, grant in gone.items() if number not in made}

    def held_by(self, grantees: Sequence[Key]) -> Iterator[Grant]:
        """The grants of these grantees, and no others are looked at."""
        for grantee in grantees:
            yield from self.by_grantee.get(grantee, ())

    def _indexes(self, grant: Grant) -> tuple[Index, Index, Index]:
        grantee = (grant.grantee_type, grant.grantee)
        return (
            self.everything,
            self.by_grantee.setdefault(grantee, Index()),
            self.by_scope.setdefault(grant.scope, Index()),
        )
