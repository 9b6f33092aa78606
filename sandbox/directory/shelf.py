"""Things of one kind in the order in which they were made, found by their id and by what is unique in each."""

import uuid
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class Taken(Exception):
    """Another thing has this unique attribute: its path."""


@dataclass
class Thing:
    """A user, a group or a membership: what was asked for it, and when (seconds of the clock)."""

    number: int
    id: str
    asked: dict[str, Any]
    created: float
    unique: dict[str, str]


@dataclass
class Shelf:
    """All things of one kind; numbers grow and are never used twice, so that a page's place stays what it was."""

    things: dict[str, Thing] = field(default_factory=dict)
    last: int = 0
    by_attribute: dict[tuple[str, str], str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Thing]:
        return iter(self.things.values())

    def add(self, asked: dict[str, Any], unique: Mapping[str, str], now: float) -> Thing:
        """A new thing; Taken if another has one of its unique attributes, by path."""
        for path in unique:
            if (path, unique[path]) in self.by_attribute:
                raise Taken(path)
        self.last += 1
        made = Thing(self.last, str(uuid.uuid4()), asked, now, dict(unique))
        self.things[made.id] = made
        self.by_attribute |= dict.fromkeys(made.unique.items(), made.id)
        return made

    def find(self, path: str, value: str) -> Thing | None:
        """The thing that has this unique attribute."""
        return self.things.get(self.by_attribute.get((path, value), ""))

    def drop(self, thing: Thing) -> None:
        del self.things[thing.id]
        for pair in thing.unique.items():
            del self.by_attribute[pair]


def after(things: Iterator[Thing], number: int, size: int) -> tuple[list[Thing], int | None]:
    """The next `size` things that come after a number, and the number that the page ends with, None on the last."""
    listed = list(things)
    start = bisect_right(listed, number, key=lambda thing: thing.number)
    page = listed[start : start + size]
    return page, page[-1].number if start + size < len(listed) else None
