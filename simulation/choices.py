"""The decisions of one world: drawn from a seed and recorded, or played again from a record.

A decision is a number below a limit, and 0 is always the plainest one: go on, no fault, nothing
happens. So a record is made smaller by removing numbers and by halving them.
"""

import random
from collections.abc import Sequence


class Choices:
    """Draws numbers and records them. After the end of a record, every decision is 0."""

    def __init__(self, seed: int | None = None, record: Sequence[int] = ()) -> None:
        self._random = None if seed is None else random.Random(seed)  # noqa: S311  -- no secrets
        self._given = iter(record)
        self.record: list[int] = []

    def draw(self, limit: int) -> int:
        """A number from 0 to `limit` - 1."""
        if limit < 2:
            return 0
        if self._random is not None:
            number = int(self._random.random() * limit)
        else:
            number = min(next(self._given, 0), limit - 1)
        self.record.append(number)
        return number

    def happens(self, one_in: int) -> bool:
        """Whether something happens that happens once in so many times; never if that is 0."""
        return one_in > 0 and self.draw(one_in) == one_in - 1

    def pick[T](self, items: Sequence[T]) -> T:
        """One of the items; the first is the plainest."""
        return items[self.draw(len(items))]
