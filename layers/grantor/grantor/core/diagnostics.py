"""What is wrong with a policy file, said so that its owner can mend it."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

MOST = 1_000  # problems of one file; who has more of them has one mistake a thousand times
LONGEST_SHOWN = 80  # characters of the author's own text that a message repeats
LONGEST_SAID = 500  # characters of what, why and remedy each


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: where it stands (lines and columns from 1), what it is, why it matters, what to write instead.

    >>> print(Problem("policy/a.yaml", 3, 5, "unknown key 'alow'", "a rule has name, to, on, allow", "write allow"))
    policy/a.yaml:3:5: unknown key 'alow': a rule has name, to, on, allow; write allow
    """

    file: str
    line: int
    column: int
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}: {self.why}; {self.remedy}"


class Fault(NamedTuple):
    """A mistake before anyone asks where it stands."""

    what: str
    why: str
    remedy: str


Judge = Callable[[str], Iterable[Fault]]  # says what is wrong with a text of some kind


class Spot(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


class Place(Protocol):
    """Whatever stands somewhere in the file."""

    @property
    def line(self) -> int:
        """From 1."""

    @property
    def column(self) -> int:
        """In characters, from 1."""


@dataclass
class Findings:
    """Collects what is wrong with one file, so that its owner hears of everything at once."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether there are so many problems that looking for more helps nobody."""
        return len(self.problems) >= MOST

    def refuse(self, place: Place, what: str, why: str, remedy: str) -> None:
        """Note a mistake at `place`; beyond MOST nothing more is noted."""
        if not self.full:
            said = (_clear(part) for part in (what, why, remedy))
            self.problems.append(Problem(self.file, place.line, place.column, *said))

    def report(self) -> tuple[Problem, ...]:
        """What was found, in the order of the file."""
        found = sorted(set(self.problems))
        if not self.full:
            return tuple(found)
        last = found[-1]
        more = Fault("there are more mistakes than these", f"a report ends after {MOST:,}", "mend these first")
        return (*found, Problem(self.file, last.line, last.column, *more))


def _clear(said: str) -> str:
    """What can be printed in a line: the author's own text in it may be anything, and grows when it is made visible."""
    short = _cut(said)
    return short if short.isprintable() else _cut(repr(short)[1:-1])


def _cut(said: str) -> str:
    return said if len(said) <= LONGEST_SAID else f"{said[:LONGEST_SAID]}…"


def shown(text: str) -> str:
    """`text` in quotes as a message repeats it: invisible characters made visible, and not all of it if it is long.

    >>> print(shown("team blue"), shown("a" * 90))
    'team blue' 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…'
    """
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")


def listed(words: Iterable[str], last: str = "or") -> str:
    """Words as a sentence has them.

    >>> listed(["READ", "WRITE", "READWRITE"])
    'READ, WRITE or READWRITE'
    """
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that the author most likely meant; empty if none is near.

    >>> nearest("Alow", ["name", "allow"]), nearest("colour", ["name", "allow"])
    ('allow', '')
    """
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word[:LONGEST_SHOWN].casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else ""
