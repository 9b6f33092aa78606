"""Where jobs look, read and write, and how that lies to each other: a job must start neither itself nor, by way of others, ever again."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from grantor.core.job import Job


@dataclass(frozen=True)
class Place:
    """A job's places, as one profile (Domain/name) or, with "", a role of its own has them; or as they are written."""

    job: Job
    profile: str
    on: str
    input: str
    output: str

    def __str__(self) -> str:
        return f"job {self.job.id}{f' for profile {self.profile}' if self.profile else ''}"

    def feeds(self, other: "Place") -> bool:
        """Whether what this one writes may be what the other waits for or reads."""
        return other.on.startswith(self.output) or other.input.startswith(self.output)


Surely = Callable[[Place, Place], bool]


class Places:
    """Places by what they write. `surely` says of two, of which the first's output lies over something of the second's, whether that counts."""

    def __init__(self, places: Iterable[Place], surely: Surely = lambda outer, inner: True) -> None:  # noqa: ARG005
        self._surely = surely
        self._writing: dict[str, list[Place]] = defaultdict(list)
        self._below: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            self._writing[place.output].append(place)
            for folder in _above(place.output):
                self._below[folder].append(place)

    def feeding(self, place: Place) -> list[Place]:
        """The others whose output lies over what this one waits for or reads."""
        above = dict.fromkeys((*_above(place.on), *_above(place.input)))
        return self._others(place, (other for folder in above for other in self._writing.get(folder, ())))

    def meeting(self, place: Place) -> list[Place]:
        """The others whose output lies over this one's, or below it."""
        over = self._others(place, (other for folder in _above(place.output) for other in self._writing.get(folder, ())))
        below = [other for other in self._below.get(place.output, ()) if other != place and self._surely(place, other)]
        return list(dict.fromkeys((*over, *below)))

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

    def _others(self, place: Place, found: Iterable[Place]) -> list[Place]:
        return [other for other in found if other != place and self._surely(other, place)]


def _above(uri: str) -> Iterator[str]:
    """The folders that something lies in, itself if it is one, from the bucket down."""
    return (uri[: slash.end()] for slash in list(re.finditer("/", uri))[2:])
