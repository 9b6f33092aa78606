"""Where jobs read and write: which of them feed each other, overlap, or start each other without
end.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from grantor.core.key_pattern import KeyPattern, folders_overlap, is_open, segments_meet
from grantor.core.rules import Job


@dataclass(frozen=True)
class JobPlace:
    """The places of a job for one profile or role; `name` says whose they are and is unique.

    `on` and `input` are patterns, and all three may have captures. If `filled` is False, variables
    of profiles remain in the texts. Then the output only concerns jobs with the same `runs_as`.
    """

    name: str
    job: Job = field(compare=False)
    on: str = field(compare=False)
    input: str = field(compare=False)
    output: str = field(compare=False)
    filled: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return self.name

    def feeds(self, other: "JobPlace") -> bool:
        """Whether this job may write what the other one waits for or reads."""
        return any(KeyPattern(text).may_be_below(self.output) for text in (other.on, other.input))

    def overlaps(self, other: "JobPlace") -> bool:
        """Whether one of the two outputs can contain the other."""
        return folders_overlap(self.output, other.output)


@dataclass
class _Folder:
    """A folder that jobs write to, or that has such folders in it, by their names."""

    places: list[JobPlace] = field(default_factory=list)
    inside: dict[str, "_Folder"] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)  # names in `inside` with a capture

    def add(self, segments: Sequence[str], place: JobPlace) -> None:
        """Add a place that writes to the folder of these segments in this one."""
        folder = self
        for segment in segments:
            if segment not in folder.inside and is_open(segment):
                folder.open.add(segment)
            folder = folder.inside.setdefault(segment, _Folder())
        folder.places.append(place)

    def walk(self, segments: Sequence[str]) -> Iterator[tuple[int, "_Folder"]]:
        """Yield this folder and those in it that the segments can lead through, with their depth.

        Costs a look-up for each segment, but a look at each name where a segment is open.
        """
        todo = [(0, self)]
        for depth, folder in todo:
            yield depth, folder
            if depth < len(segments):
                todo += ((depth + 1, inner) for inner in folder.select(segments[depth]))

    def select(self, segment: str) -> Iterator["_Folder"]:
        """Yield the folders in this one whose name a segment can match."""
        own = {segment} & self.inside.keys()
        names = self.inside if is_open(segment) else own | self.open
        return (self.inside[name] for name in names if segments_meet(segment, name))

    def list_all(self) -> Iterator[JobPlace]:
        """Yield the places in this folder and below."""
        todo = [self]
        for folder in todo:
            yield from folder.places
            todo += folder.inside.values()


class JobPlaces:
    """Places of jobs, as a tree of the folders that they write to."""

    def __init__(self, places: Iterable[JobPlace]) -> None:
        self._writing: dict[Hashable, _Folder] = defaultdict(_Folder)
        for place in places:
            whose = None if place.filled else place.job.runs_as
            self._writing[whose].add(_split_folder(place.output), place)

    def find_overlapping(self, place: JobPlace) -> Iterator[JobPlace]:
        """Yield places whose output can contain that of `place`: of each folder, the first."""
        for tree in self._list_trees(place):
            for _, folder in tree.walk(_split_folder(place.output)):
                yield from folder.places[:1]

    def find_feeders(self, place: JobPlace) -> list[JobPlace]:
        """Return the other places whose output may hold what this one waits for or reads."""
        found: dict[JobPlace, None] = {}
        for text in dict.fromkeys((place.on, place.input)):
            for tree in self._list_trees(place):
                found |= dict.fromkeys(_find_writers(tree, KeyPattern(text)))
        return [one for one in found if one != place]

    def _list_trees(self, place: JobPlace) -> list[_Folder]:
        owners = dict.fromkeys((None, place.job.runs_as))
        return [self._writing[whose] for whose in owners if whose in self._writing]

    def find_cycle(self, place: JobPlace) -> tuple[JobPlace, ...]:
        """Return the shortest cycle through this place, itself first; empty without one."""
        ways: list[tuple[JobPlace, ...]] = [(place,)]
        seen = {place}
        for way in ways:
            for before in self.find_feeders(way[0]):
                if before == place:
                    return (place, *way[:-1])
                if before not in seen:
                    seen.add(before)
                    ways.append((before, *way))
        return ()

    def find_cycles(self) -> list[list[JobPlace]]:
        """Return cycles of places that feed each other, each in that order.

        Every place is visited once.
        """
        found: list[list[JobPlace]] = []
        done: set[JobPlace] = set()
        for tree in self._writing.values():
            for start in tree.list_all():
                found += self._cycles_through(start, done)
        return found

    def _cycles_through(self, start: JobPlace, done: set[JobPlace]) -> Iterator[list[JobPlace]]:
        """Yield the cycles reachable from `start`; `done` are the places already visited."""
        way = {} if start in done else {start: iter(self.find_feeders(start))}
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
                way[before] = iter(self.find_feeders(before))


def _split_folder(folder: str) -> list[str]:
    return folder.rstrip("/").split("/")


def _find_writers(tree: _Folder, pattern: KeyPattern) -> Iterator[JobPlace]:
    """Yield the places of a tree whose folders can hold an object that matches."""
    folders = pattern.text.split("/")[:-1]
    for depth, folder in tree.walk(folders):
        yield from folder.places
        if pattern.is_deep and depth == len(folders):
            yield from (one for inner in folder.inside.values() for one in inner.list_all())
