"""Where jobs look, read and write, and how that lies to each other: a job must start neither itself nor, by way of others, ever again."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from grantor.core.rules import Job


@dataclass(frozen=True)
class Place:
    """A job's places as one profile or a role has them. `name` says whose, and no two have the same.

    Without `filled` they are as they are written, and what it writes counts for the jobs of the same profiles alone.
    """

    name: str
    job: Job = field(compare=False)
    on: str = field(compare=False)
    input: str = field(compare=False)
    output: str = field(compare=False)
    filled: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return self.name

    def feeds(self, other: "Place") -> bool:
        """Whether what this one writes may be what the other waits for or reads."""
        return other.on.startswith(self.output) or other.input.startswith(self.output)

    def meets(self, other: "Place") -> bool:
        """Whether the outputs of the two lie over each other."""
        return self.output.startswith(other.output) or other.output.startswith(self.output)


class Places:
    """Places by what they write."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._writing: dict[tuple[str, Hashable], list[Place]] = defaultdict(list)
        for place in places:
            self._writing[place.output, None if place.filled else place.job.runs_as].append(place)

    def over(self, uri: str, place: Place) -> Iterator[list[Place]]:
        """Those whose output lies over `uri`, which is something of `place`: a list for each folder, in the order that they came."""
        for slash in list(re.finditer("/", uri))[2:]:  # below s3:// and the bucket
            for whose in (None, place.job.runs_as):
                if found := self._writing.get((uri[: slash.end()], whose)):
                    yield found

    def feeding(self, place: Place) -> list[Place]:
        """The others whose output lies over what this one waits for or reads."""
        both = dict.fromkeys((place.on, place.input))
        found = dict.fromkeys(one for uri in both for over in self.over(uri, place) for one in over)
        return [one for one in found if one != place]

    def circle(self, place: Place) -> tuple[Place, ...]:
        """The shortest way on which what this one writes leads back to it, itself first; nothing if there is none."""
        ways: list[tuple[Place, ...]] = [(place,)]
        seen = {place}
        for way in ways:
            for before in self.feeding(way[0]):
                if before == place:
                    return (place, *way[:-1])
                if before not in seen:
                    seen.add(before)
                    ways.append((before, *way))
        return ()

    def circles(self) -> list[list[Place]]:
        """Circles in which places feed each other, each in that order; every place is looked at once."""
        found: list[list[Place]] = []
        done: set[Place] = set()
        for places in self._writing.values():
            for start in places:
                found += self._from(start, done)
        return found

    def _from(self, start: Place, done: set[Place]) -> Iterator[list[Place]]:
        """The circles that lead to `start`; what has been looked at is `done`."""
        way = {} if start in done else {start: iter(self.feeding(start))}
        while way:
            last, left = next(reversed(way.items()))
            before = next(left, None)
            if before is None:
                done.add(last)
                del way[last]
            elif before in way:
                circle = list(way)[list(way).index(before) :]
                yield [before, *reversed(circle[1:])]
            elif before not in done:
                way[before] = iter(self.feeding(before))
