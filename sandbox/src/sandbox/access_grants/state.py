"""What one Access Grants instance holds, its tags, and lists in pages.

Grants are indexed, so that with 100,000 grants a call costs what it touches and no more. Page
tokens are opaque. Pages may be short or empty although more follow.
"""

import base64
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.access_grants.errors import documented_error
from sandbox.access_grants.scopes import reach_of
from sandbox.switches import GrantSwitches

GranteeKey = tuple[str, ...]
REMEMBERED_CHANGES = 10_000  # changes, for lists that show an earlier state
KEPT_WHEN_EMPTY = 16  # deleted entries that a table may keep space for, whatever its size
TAG_TEXT = re.compile(r"[\w\s_.:/=+\-@]*")
MAX_TAGS = 50


@dataclass
class Location:
    """A registered location.

    `grants` counts the grants in it. `late_refusals` is how many more times a deletion says
    that it is not empty.
    """

    number: int
    id: str
    scope: str
    role: str
    created: datetime
    grants: int = 0
    late_refusals: int = 0


@dataclass(frozen=True)
class Grant:
    """One grant. Nothing in it ever changes."""

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
    identity: str | None = (
        None  # the grantee's unique id at that time; a role created again has another
    )

    @property
    def reach(self) -> str:
        """The keys that it reaches, as a scope."""
        return reach_of(self.scope, whole=not self.sub_prefix)


@dataclass(frozen=True)
class GrantChange:
    """A grant was created or deleted."""

    at: datetime
    grant: Grant
    made: bool


class GrantIndex:
    """Grants by number, and the numbers in order.

    What was deleted is removed only once it is the larger half; then the memory is given back.
    """

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
        # Page tokens hold numbers, so removing some never shifts a page that is being
        # read.
        if len(self._order) > 2 * len(self._grants) + KEPT_WHEN_EMPTY:
            self._give_memory_back()

    def _give_memory_back(self) -> None:
        """Rebuild the tables: one that only loses entries keeps the space of its largest size."""
        self._grants = dict(self._grants)
        self._order = list(self._grants)


class HeldGrants(GrantIndex):
    """The grants of one grantee, also by what they reach."""

    def __init__(self) -> None:
        super().__init__()
        self._by_reach: dict[str, tuple[Grant, ...]] = {}

    def add(self, grant: Grant) -> None:
        super().add(grant)
        self._by_reach[grant.reach] = (*self._by_reach.get(grant.reach, ()), grant)

    def drop(self, grant: Grant) -> None:
        super().drop(grant)
        left = tuple(other for other in self._by_reach.pop(grant.reach) if other != grant)
        if left:
            self._by_reach[grant.reach] = left

    def _give_memory_back(self) -> None:
        super()._give_memory_back()
        self._by_reach = dict(self._by_reach)

    def find_around(self, target: str) -> Iterator[Grant]:
        """Yield the grants that may cover the target: few, and all that do.

        Each beginning of the target is looked up once, so the cost depends on the length of the
        target and not on the number of grants.
        """
        bare = target.removesuffix("*")
        starts = (f"{bare[:end]}*" for end in range(len(bare) + 1))
        for reach in (target, f"{target}/*", *starts):
            yield from self._by_reach.get(reach, ())


@dataclass
class Instance:
    """One instance: its identity and everything in it. Numbers grow and are never reused."""

    created: datetime
    identity_center: str | None = None
    application: str | None = None
    policy: dict[str, Any] | None = None
    locations: dict[str, Location] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    keys: dict[GranteeKey, str] = field(default_factory=dict)
    everything: GrantIndex = field(default_factory=GrantIndex)
    by_grantee: dict[GranteeKey, HeldGrants] = field(default_factory=dict)
    by_scope: dict[str, GrantIndex] = field(default_factory=dict)
    changes: deque[GrantChange] = field(default_factory=lambda: deque(maxlen=REMEMBERED_CHANGES))
    last: int = 0
    deleted: int = 0  # grants since the tables were last rebuilt

    def next_number(self) -> int:
        self.last += 1
        return self.last

    def add(self, grant: Grant, key: GranteeKey) -> None:
        """Add a grant to every index."""
        self.grants[grant.id] = grant
        self.keys[key] = grant.id
        for index in self._list_indexes(grant):
            index.add(grant)
        self.locations[grant.location].grants += 1
        self.changes.append(GrantChange(grant.created, grant, made=True))

    def drop(self, grant: Grant, key: GranteeKey, now: datetime) -> None:
        """Remove a grant from every index, and an index from its table with its last grant."""
        del self.grants[grant.id], self.keys[key]
        for index in self._list_indexes(grant):
            index.drop(grant)
        grantee = (grant.grantee_type, grant.grantee)
        if not self.by_grantee[grantee]:
            del self.by_grantee[grantee]
        if not self.by_scope[grant.scope]:
            del self.by_scope[grant.scope]
        self.locations[grant.location].grants -= 1
        self.changes.append(GrantChange(now, grant, made=False))
        self.deleted += 1
        if self.deleted > len(self.grants) + KEPT_WHEN_EMPTY:
            self._give_memory_back()

    def _give_memory_back(self) -> None:
        """Rebuild the tables, as each index does its own."""
        self.grants, self.keys, self.tags = dict(self.grants), dict(self.keys), dict(self.tags)
        self.by_grantee, self.by_scope = dict(self.by_grantee), dict(self.by_scope)
        self.deleted = 0

    def list_since(self, count: int, time: datetime) -> tuple[set[int], dict[int, Grant]]:
        """Return what the last `count` changes, and all after `time`, created and deleted.

        Created grants are returned as numbers, deleted ones as grants by number.
        """
        late = sum(1 for change in self.changes if change.at > time)
        last = list(self.changes)[-max(count, late) :] if count or late else []
        made = {change.grant.number for change in last if change.made}
        gone = {change.grant.number: change.grant for change in last if not change.made}
        return made, {number: grant for number, grant in gone.items() if number not in made}

    def list_held_by(self, grantees: Sequence[GranteeKey]) -> Iterator[Grant]:
        """Yield the grants of these grantees. No other grant is looked at."""
        for grantee in grantees:
            yield from self.by_grantee.get(grantee, ())

    def find_around(self, grantees: Sequence[GranteeKey], target: str) -> Iterator[Grant]:
        """Yield the grants of these grantees that may cover the target, see HeldGrants."""
        for grantee in grantees:
            if held := self.by_grantee.get(grantee):
                yield from held.find_around(target)

    def _list_indexes(self, grant: Grant) -> tuple[GrantIndex, GrantIndex, GrantIndex]:
        grantee = (grant.grantee_type, grant.grantee)
        return (
            self.everything,
            self.by_grantee.setdefault(grantee, HeldGrants()),
            self.by_scope.setdefault(grant.scope, GrantIndex()),
        )


def merge_tags(old: dict[str, str], given: Iterable[dict[str, str]]) -> dict[str, str]:
    """Return `old` with the given tags over it. Raises InvalidTag, InvalidTags or TooManyTags."""
    new: dict[str, str] = {}
    for tag in given:
        key, value = tag.get("Key"), tag.get("Value")
        if key is None or value is None or not 0 < len(key) <= 128 or len(value) > 256:
            raise documented_error(
                "InvalidTag", why="a key has 1 to 128 characters, a value at most 256"
            )
        if not (TAG_TEXT.fullmatch(key) and TAG_TEXT.fullmatch(value)):
            raise documented_error("InvalidTag", why=f"invalid characters in {key!r}")
        if key.lower().startswith("aws:"):
            raise documented_error("InvalidTags")
        if key in new:
            raise documented_error("InvalidTag", why=f"duplicate key {key!r}")
        new[key] = value
    if len(old | new) > MAX_TAGS:
        raise documented_error("TooManyTags")
    return old | new


def list_tags(tags: dict[str, str]) -> list[dict[str, Any]]:
    """Return tags as the service lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def read_page(
    order: Sequence[int],
    find: Callable[[int], Any | None],
    request: dict[str, Any],
    switches: GrantSwitches,
) -> tuple[list[Any], str | None]:
    """Return one page, and the token of the next.

    A page holds what `find` returns for the ascending numbers in `order`. The cost is
    proportional to what is read.
    """
    size = min(int(request.get("MaxResults") or 0) or switches.default_page, switches.longest_page)
    after, turn = _decode_token(request.get("NextToken"))
    items: list[Any] = []
    at = bisect_right(order, after)
    empty = switches.empty_page_every and (turn + 1) % switches.empty_page_every == 0
    while at < len(order) and len(items) < size and not empty:
        if (item := find(order[at])) is not None:
            items.append(item)
        after, at = order[at], at + 1
    return items, _encode_token(after, turn + 1) if at < len(order) else None


def _encode_token(after: int, turn: int) -> str:
    return base64.urlsafe_b64encode(f"access-grants {after} {turn}".encode()).decode()


def _decode_token(token: str | None) -> tuple[int, int]:
    if token is None:
        return 0, 0
    try:
        _, after, turn = re.findall(
            r"\A(access-grants) (\d+) (\d+)\Z", base64.urlsafe_b64decode(token).decode()
        )[0]
        return int(after), int(turn)
    except (ValueError, IndexError) as wrong:
        raise documented_error(
            "InvalidRequest", why="The continuation token provided is incorrect"
        ) from wrong
