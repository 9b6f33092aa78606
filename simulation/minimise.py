"""Makes a world that breaks a promise small: fewer decisions that are not the plainest.

As in Hypothesis, what is shrunk is the sequence of decisions, not what was made from them: any
sequence is a world, and 0 is always the plainest decision. Hypothesis itself is not used, see
docs/verification.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulation.world import World

MAX_WORLDS = 400  # that are tried
# The decisions that a record leads to, if it still breaks the promise; else None.
TryRecord = Callable[[Sequence[int]], list[int] | None]


@dataclass
class Minimiser:
    """Looks for a plainer record that still breaks the promise."""

    try_record: TryRecord
    best: list[int]
    tried: int = 0

    def minimise(self) -> list[int]:
        """The plainest record that was found."""
        before: list[int] = []
        while before != self.best and self.tried < MAX_WORLDS:
            before = self.best
            self._try_spans(lambda span: [0] * len(span))
            self._try_spans(lambda _: [])
            self._try_spans(lambda span: [number // 2 for number in span], largest=1)
        return self.best

    def _try_spans(
        self, change: Callable[[list[int]], list[int]], largest: int | None = None
    ) -> None:
        """Change ever shorter spans of the record."""
        size = largest or max(1, len(self.best) // 2)
        while size:
            start = 0
            while start < len(self.best):
                span = self.best[start : start + size]
                plainer = change(span)
                candidate = self.best[:start] + plainer + self.best[start + size :]
                if plainer == span or not self._accept(candidate):
                    start += size
            size //= 2

    def _accept(self, candidate: Sequence[int]) -> bool:
        if self.tried >= MAX_WORLDS:
            return False
        self.tried += 1
        found = self.try_record(candidate)
        record = None if found is None else strip_zeros(found)
        if record is None or _weigh(record) >= _weigh(self.best):
            return False
        self.best = record
        return True


def minimise(seed: int) -> list[int]:
    """The plainest record of decisions that breaks the promise that this seed breaks; the seed's
    own record if it breaks none.
    """
    record, broken = _run(World(seed))
    if not broken:
        return record

    def try_record(candidate: Sequence[int]) -> list[int] | None:
        found, also = _run(World(record=candidate))
        return found if broken[0] in also else None

    return Minimiser(try_record, strip_zeros(record)).minimise()


def _run(world: World) -> tuple[list[int], list[str]]:
    """The decisions of a world, and the promises that it breaks."""
    result = world.run()
    world.close()
    return result.record, [one.promise for one in result.broken]


def _weigh(record: Sequence[int]) -> tuple[int, int, int]:
    """A record with fewer decisions that are not the plainest is plainer, then a shorter one."""
    return sum(map(bool, record)), len(record), sum(record)


def strip_zeros(record: Sequence[int]) -> list[int]:
    """Without the zeros at the end, which follow by themselves.

    >>> strip_zeros([0, 3, 0, 0])
    [0, 3]
    """
    end = len(record)
    while end and not record[end - 1]:
        end -= 1
    return list(record[:end])
