"""What is wrong with a policy file, worded so that its owner can correct it."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from grantor.settings import MAX_PROBLEM_CHARACTERS, MAX_PROBLEMS_PER_FILE, MAX_QUOTED_CHARACTERS


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: where it is, what it is, why it matters, and what to write instead.

    Lines and columns count from 1.

    >>> print(Problem("a.yaml", 3, 5, "unknown key 'alow'", "a rule accepts allow", "write allow"))
    a.yaml:3:5: unknown key 'alow': a rule accepts allow; write allow
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
    """A mistake without its place."""

    what: str
    why: str
    remedy: str


TextCheck = Callable[[str], Iterable[Fault]]  # what is wrong with a text of some kind


class Position(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


class Located(Protocol):
    """Anything that has a place in the file."""

    @property
    def line(self) -> int:
        """From 1."""

    @property
    def column(self) -> int:
        """In characters, from 1."""


@dataclass
class ProblemCollector:
    """Collects what is wrong with one file, so that its owner sees everything at once."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether there are so many problems that finding more would help nobody."""
        return len(self.problems) >= MAX_PROBLEMS_PER_FILE

    def add(self, place: Located, what: str, why: str, remedy: str) -> None:
        """Note a mistake at `place`, unless the collector is full."""
        if not self.full:
            parts = (_make_printable(part) for part in (what, why, remedy))
            self.problems.append(Problem(self.file, place.line, place.column, *parts))

    def sorted_problems(self) -> tuple[Problem, ...]:
        """What was found, in the order of the file."""
        found = sorted(set(self.problems))
        if not self.full:
            return tuple(found)
        last = found[-1]
        why = f"a report stops after {MAX_PROBLEMS_PER_FILE:,}"
        more = Fault("there are more mistakes", why, "correct these first")
        return (*found, Problem(self.file, last.line, last.column, *more))


def _make_printable(text: str) -> str:
    """`text` in one printable line, shortened: an author's text in it can be anything."""
    short = _shorten_text(text)
    # Making characters visible makes the text longer.
    return short if short.isprintable() else _shorten_text(repr(short)[1:-1])


def _shorten_text(text: str) -> str:
    too_long = len(text) > MAX_PROBLEM_CHARACTERS
    return f"{text[:MAX_PROBLEM_CHARACTERS]}…" if too_long else text


def quote_text(text: str) -> str:
    """`text` in quotes, shortened, with invisible characters made visible.

    >>> print(quote_text("team blue"), quote_text("a" * 90))
    'team blue' 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…'
    """
    too_long = len(text) > MAX_QUOTED_CHARACTERS
    return repr(f"{text[:MAX_QUOTED_CHARACTERS]}…" if too_long else text)


def join_words(words: Iterable[str], last: str = "or") -> str:
    """Words as a sentence lists them.

    >>> join_words(["READ", "WRITE", "READWRITE"])
    'READ, WRITE or READWRITE'
    """
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def find_nearest(word: str, known: Iterable[str]) -> str:
    """The known word that the author most likely meant; empty if none is near.

    >>> find_nearest("Alow", ["name", "allow"]), find_nearest("colour", ["name", "allow"])
    ('allow', '')
    """
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word[:MAX_QUOTED_CHARACTERS].casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else ""
