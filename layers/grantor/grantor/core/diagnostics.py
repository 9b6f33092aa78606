"""What is wrong with a policy file, worded so that its owner can correct it; and how text of others
is shown.
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from typing import Any, NamedTuple, Protocol

from grantor.settings import (
    MAX_JSON_CHARACTERS,
    MAX_JSON_DEPTH,
    MAX_JSON_DIGITS,
    MAX_PROBLEM_CHARACTERS,
    MAX_PROBLEMS_PER_FILE,
    MAX_QUOTED_CHARACTERS,
)

# Characters that nobody sees, or that change how their neighbours are shown, by their category in
# Unicode (UAX #44): control, format (bidirectional, zero width), line and paragraph separator,
# surrogate, private use, unassigned.
INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
# Letters, marks and signs that are blank or only choose how their neighbour is drawn
# (Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, and the blank Braille sign).
INVISIBLE_CODE_POINTS = frozenset(
    {
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)


def is_invisible(sign: str) -> bool:
    r"""Whether a character cannot be seen, or changes how its neighbours are shown.

    >>> [is_invisible(sign) for sign in ("\x1b", "\n", "\u202e", "\ufe0f", "é", "ж", " ", "🙂")]
    [True, True, True, True, False, False, False, False]
    """
    return unicodedata.category(sign) in INVISIBLE_CATEGORIES or ord(sign) in INVISIBLE_CODE_POINTS


def show_text(text: str) -> str:
    r"""`text` in one line that shows every character: an invisible one as its escape.

    So is every space but the plain one. A text that was shown stays as it is.

    >>> print(show_text("UserA/a b.csv"), show_text("red\x1b[31m\n"), show_text("Ana\u202e"))
    UserA/a b.csv red\x1b[31m\n Ana\u202e
    """
    if text.isascii() and text.isprintable():
        return text
    shown = {ord(sign): _show_sign(sign) for sign in set(text) if _is_hidden(sign)}
    return text.translate(shown) if shown else text


def dump_json(
    value: Any, indent: int | None = None, default: Callable[[Any], Any] | None = None
) -> str:
    r"""The value as JSON, exactly, with each invisible character as an escape of JSON.

    Compact without an indentation. `default` as in json.dumps.

    >>> print(dump_json({"file": "é\u202e\x1b"}))
    {"file":"é\u202e\u001b"}
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        value, ensure_ascii=False, indent=indent, separators=separators, default=default
    )
    if text.isascii() and "\x7f" not in text:
        return text
    # The only control character outside of a string is the line feed of the indentation.
    hidden = filter(is_invisible, set(text) - {"\n"})
    escapes = {ord(sign): json.dumps(sign)[1:-1] for sign in hidden}
    return text.translate(escapes) if escapes else text


# What decides how deep JSON is nested: a whole string, or a bracket.
JSON_NESTING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def parse_json(
    text: str | bytes, characters: int = MAX_JSON_CHARACTERS, depth: int = MAX_JSON_DEPTH
) -> Any:
    """Parse JSON that somebody else may have written: it is short, shallow and has one meaning.

    Raises ValueError, whose text says why, for everything else: too many characters, too many
    brackets in each other, a key twice in an object, NaN, infinity, a whole number that 64 bits do
    not hold, half of a surrogate pair. It never raises RecursionError.

    >>> parse_json('{"rows": {"in": 3}}'), parse_json(b"[1.5, true]")
    ({'rows': {'in': 3}}, [1.5, True])
    """
    if len(text) > characters:
        raise ValueError(f"it has more than {characters:,} characters")
    written = text if isinstance(text, str) else text.decode()
    _check_depth(written, depth)
    found = json.loads(
        written,
        object_pairs_hook=_build_object,
        parse_constant=_refuse_number,
        parse_int=_parse_whole_number,
        parse_float=_parse_fraction,
    )
    if "\\u" in written:
        json.dumps(found, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return found


def _check_depth(text: str, most: int) -> None:
    depth = 0
    for found in JSON_NESTING.finditer(text):
        sign = found[0][0]
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(sign, 0)
        if depth > most:
            raise ValueError(f"it has more than {most} brackets in each other")


def _build_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("it has a key twice in one object")
    return found


def _refuse_number(text: str) -> Any:
    raise ValueError(f"{text[:MAX_QUOTED_CHARACTERS]} is no number")


def _parse_whole_number(digits: str) -> int:
    if len(digits) > MAX_JSON_DIGITS:
        _refuse_number(digits)
    return int(digits)


def _parse_fraction(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _refuse_number(text)


def _is_hidden(sign: str) -> bool:
    """Whether a character is invisible, or a space that looks like another one or like nothing."""
    return is_invisible(sign) or not sign.isprintable()


def _show_sign(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


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
    owner: str = ""  # whom to ask, if the file says so

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """The mistake without its place."""
        owner = f" (owner: {self.owner})" if self.owner else ""
        return f"{self.what}: {self.why}; {self.remedy}{owner}"


@dataclass(frozen=True, order=True)
class Notice:
    """What whoever writes data should know, and no policy file's mistake: why a rule gives nothing
    for something of theirs. `about` is the folder that it lies in, `rule` the rule's id.

    >>> print(Notice("s3://data/", "a.yaml#teams", "nothing is granted for 'a*'", "a", "rename it"))
    s3://data/: nothing is granted for 'a*': a; rename it (rule a.yaml#teams)
    """

    about: str
    rule: str
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.about}: {self.what}: {self.why}; {self.remedy} (rule {self.rule})"


class Fault(NamedTuple):
    """A mistake without its place."""

    what: str
    why: str
    remedy: str

    @property
    def sentence(self) -> str:
        """The mistake, why it is one, and what to do.

        >>> Fault("'a*' contains a *", "object names one object", "write it as scope").sentence
        "'a*' contains a *: object names one object; write it as scope"
        """
        return f"{self.what}: {self.why}; {self.remedy}"


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


def join_some(words: Iterable[str], most: int, last: str = "and") -> str:
    """The first `most` words as a sentence lists them, and "others" if there are more; "" for none.

    >>> join_some(["ana", "ben", "cy"], 2), join_some(["ana", "ben"], 2), join_some([], 2)
    ('ana, ben and others', 'ana and ben', '')
    """
    found = list(islice(words, most + 1))
    if len(found) > most:
        found[most] = "others"
    return join_words(found, last) if found else ""


def find_nearest(word: str, known: Iterable[str]) -> str:
    """The known word that the author most likely meant; empty if none is near.

    >>> find_nearest("Alow", ["name", "allow"]), find_nearest("colour", ["name", "allow"])
    ('allow', '')
    """
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word[:MAX_QUOTED_CHARACTERS].casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else ""
