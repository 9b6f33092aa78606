"""Patterns of objects: a key, everything below a folder, or a glob with captures. And the places of
jobs, which are such patterns: which jobs feed each other, overlap, or start each other without end.

    s3://data/in/abalone.csv         one object
    s3://data/in/*                   everything below in/, however deep, as in a scope
    s3://data/in/{day}/*.csv         * is any part of one segment; {day} is a capture

A capture has a value for each object that matches: one segment, or a part of one. Variables of
profiles, which have a dot, are filled in before anything is matched; until then each is a name.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from grantor.core.rules import Job

BRACES = re.compile(r"\{([^{}]*)\}")
# A variable of a profile or domain; captures have no dot.
OWN_VARIABLE = re.compile(r"\{[a-z]+\.[^{}]*\}")
CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
# What a capture can be: no sign that IAM, a shell, a URI or YAML reads as anything else.
CAPTURED = "[A-Za-z0-9_=+@,.-]+"
CAPTURED_FORM = "letters of A to Z, digits and _ = + @ , . -"
TOKEN = re.compile(r"\{[^{}]*\}|\*")
OPEN = re.compile(r"\{[a-z][a-z0-9_]*\}|\*")  # what is left once variables are filled in
WILD = "*"
MAX_OPEN_PER_SEGMENT = 2  # more of them in one segment would make matching slow for long keys


@dataclass(frozen=True)
class KeyPattern:
    """A pattern, as s3://bucket/… with * and {…} in the key."""

    text: str

    @property
    def is_plain(self) -> bool:
        """Whether it is one key: neither a * nor a capture is left in it.

        >>> [KeyPattern(f"s3://b/{key}").is_plain for key in ("a.csv", "in/*", "{day}.csv")]
        [True, False, False]
        """
        return WILD not in self.text and not self.captures

    @property
    def is_glob(self) -> bool:
        """Whether several objects match it at once: it has a *."""
        return WILD in self.text

    @property
    def is_deep(self) -> bool:
        """Whether it is everything below a folder."""
        return self.text.endswith("/*")

    @cached_property
    def captures(self) -> tuple[str, ...]:
        """The names of its captures, in their order.

        >>> KeyPattern("s3://b/{profile.folder}/{day}/{file}.csv").captures
        ('day', 'file')
        """
        return tuple(dict.fromkeys(CAPTURE.findall(self.text)))

    @cached_property
    def stem(self) -> str:
        """What every object that matches begins with.

        >>> KeyPattern("s3://b/in/2026-{month}/*.csv").stem, KeyPattern("s3://b/a.csv").stem
        ('s3://b/in/2026-', 's3://b/a.csv')
        """
        found = OPEN.search(self.text)
        return self.text[: found.start()] if found else self.text

    @cached_property
    def stem_folder(self) -> str:
        """The folder in which every object that matches lies, with its slash.

        >>> KeyPattern("s3://b/in/2026-{month}/*.csv").stem_folder
        's3://b/in/'
        """
        return self.stem[: self.stem.rindex("/") + 1]

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile("".join(map(self._token_regex, *_split_tokens(self.text))))

    def _token_regex(self, position: int, token: str) -> str:
        if token == WILD:
            last = position == len(_split_tokens(self.text)[0]) - 1
            return r"(?s:.*[^/])" if last and self.is_deep else "[^/]*"
        if not token.startswith("{"):
            return re.escape(token)
        name = token[1:-1]
        first = _split_tokens(self.text)[1].index(token) == position
        group = _group_name(name)
        form = CAPTURED if CAPTURE.fullmatch(token) else "[^/]+"
        return f"(?P<{group}>{form})" if first else f"(?P={group})"

    def match(self, uri: str) -> dict[str, str] | None:
        """The values of its captures and variables if the object matches; None if it does not.

        >>> KeyPattern("s3://b/in/{day}/*.csv").match("s3://b/in/2026-11-30/a.csv")
        {'day': '2026-11-30'}
        >>> KeyPattern("s3://b/in/*").match("s3://b/in/a/b.csv")
        {}
        >>> KeyPattern("s3://b/in/*").match("s3://b/in/a/")
        >>> KeyPattern("s3://b/in/*.csv").match("s3://b/in/a/b.csv")
        """
        found = self._regex.fullmatch(uri)
        if found is None:
            return None
        names = dict.fromkeys(BRACES.findall(self.text))
        values = {name: found[_group_name(name)] for name in names}
        # A program that resolves a path takes these for folders.
        return None if {".", ".."} & set(values.values()) else values

    def fill(self, values: Mapping[str, str]) -> "KeyPattern":
        """The pattern with the values of captures and variables filled in.

        >>> KeyPattern("s3://b/in/{day}/*.csv").fill({"day": "2026-11-30"}).text
        's3://b/in/2026-11-30/*.csv'
        """
        return KeyPattern(fill_captures(self.text, values))

    def may_be_below(self, folder: str) -> bool:
        """Whether an object that matches can lie below `folder`, which may have captures, too.

        A variable of a profile has one value in both.

        >>> below = KeyPattern("s3://b/in/{day}/*.csv").may_be_below
        >>> below("s3://b/in/"), below("s3://b/in/{day}/out/"), below("s3://b/out/")
        (True, False, False)
        >>> KeyPattern("s3://b/in/*").may_be_below("s3://b/in/a/out/")
        True
        """
        own, others = self.text.split("/"), folder.rstrip("/").split("/")
        if self.is_deep:
            fixed = own[:-1]
        elif len(own) > len(others):
            fixed = own
        else:
            return False
        return all(map(segments_meet, fixed, others))


def folders_overlap(first: str, second: str) -> bool:
    """Whether one folder can contain the other; both end with a slash, and may have captures.

    >>> folders_overlap("s3://b/out/{day}/", "s3://b/out/x/y/")
    True
    >>> folders_overlap("s3://b/out/", "s3://b/other/")
    False
    """
    return all(map(segments_meet, first.rstrip("/").split("/"), second.rstrip("/").split("/")))


def fill_captures(text: str, values: Mapping[str, str]) -> str:
    """`text` with these captures and variables filled in; others stay.

    >>> fill_captures("s3://b/out/{day}/{profile.name}/", {"day": "2026-11-30"})
    's3://b/out/2026-11-30/{profile.name}/'
    """
    return BRACES.sub(lambda found: values.get(found[1], found[0]), text)


def _group_name(name: str) -> str:
    return "v_" + "".join(sign if sign.isalnum() else f"_{ord(sign):x}_" for sign in name)


@lru_cache(1024)
def _split_tokens(text: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions of the tokens, and the tokens: *, {…} and what is between them."""
    tokens, at = [], 0
    for found in TOKEN.finditer(text):
        tokens += [text[at : found.start()], found[0]]
        at = found.end()
    kept = tuple(filter(None, [*tokens, text[at:]]))
    return tuple(range(len(kept))), kept


def segments_meet(first: str, second: str) -> bool:
    """Whether a segment can match both; a * and a capture are any text.

    >>> segments_meet("a*", "*b"), segments_meet("{day}.csv", "x.txt"), segments_meet("a", "b")
    (True, False, False)
    """
    return first == second or (
        (is_open(first) or is_open(second)) and _open_segments_meet(first, second)
    )


def is_open(segment: str) -> bool:
    """Whether a segment can match several texts: it has a * or a capture."""
    return (WILD in segment or "{" in segment) and OPEN.search(segment) is not None


@lru_cache(4096)
def _open_segments_meet(first: str, second: str) -> bool:
    left, right = CAPTURE.sub(WILD, first), CAPTURE.sub(WILD, second)
    reachable = {(0, 0)}
    todo = [(0, 0)]
    while todo:
        i, j = todo.pop()
        if (i, j) == (len(left), len(right)):
            return True
        for step in _next_steps(left, right, i, j):
            if step not in reachable:
                reachable.add(step)
                todo.append(step)
    return False


def _next_steps(left: str, right: str, i: int, j: int) -> list[tuple[int, int]]:
    found = []
    one, other = left[i : i + 1], right[j : j + 1]
    if one == WILD:
        found += [(i + 1, j)] + ([(i, j + 1)] if other else [])
    if other == WILD:
        found += [(i, j + 1)] + ([(i + 1, j)] if one else [])
    if one and one == other:
        found.append((i + 1, j + 1))
    return found


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
