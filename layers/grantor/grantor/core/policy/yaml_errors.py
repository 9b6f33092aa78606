"""What a YAML parser's error means to the author of a policy file, and where the mistake really is.

A parser stops where it can not go on, which is often after the mistake: an open quote is noticed at the end of the file.
The words of libyaml and of the pure parser differ a little; both are known here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grantor.core.diagnostics import Fault, Spot

Finding = tuple[Spot, Fault]

# A text with a variable in it that stands without quotes: s3://{data_bucket}/teams/
UNQUOTED = re.compile(r"""(?:(?<=[\s\[{,])|^)[^\0\s"'{}\[\],]*(?:\{[\w.]+\}[^\0\s"'{}\[\],]*)+""")
QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
KEY_BEFORE = re.compile(r"\s*(?:- +)*[^\s:]+:\s+\S.*")
NO_SPACE = re.compile(r"\s*(?:- +)*(?P<key>[a-z_]+):(?P<value>\S.*)")
WORD = re.compile(r"[^\s,\]}]*")
COLLECTION = {"'}'": ("{", "}"), "']'": ("[", "]")}


@dataclass(frozen=True)
class Stop:
    """Where and why a parser stopped: `at`, inside something that began at `since`."""

    context: str
    problem: str
    since: Spot
    at: Spot
    lines: list[str]

    @property
    def line(self) -> str:
        """The line in which it stopped."""
        return self.lines[self.at.line - 1]

    @property
    def first_line(self) -> str:
        """The line in which began what could not be read."""
        return self.lines[self.since.line - 1]

    @property
    def indent(self) -> int:
        """The column of the first word of the line in which it stopped."""
        return len(self.line) - len(self.line.lstrip()) + 1


def explained(error: Any, text: str) -> Finding:
    """Where the mistake is and what it is; `error` is the MarkedYAMLError of a parser that stopped."""
    lines = text.split("\n")
    at = _spot(error.problem_mark or error.context_mark, lines)
    since = _spot(error.context_mark, lines) if error.context_mark else at
    stop = Stop(str(error.context), str(error.problem), since, at, lines)
    for reading in READINGS:
        if found := reading(stop):
            return found
    return stop.at, Fault("not YAML", stop.problem, "mend the text here or a little before")


def _spot(mark: Any, lines: list[str]) -> Spot:
    """Where a mark stands; libyaml may see the end of a file one line below its last."""
    if mark.line >= len(lines):
        return Spot(len(lines), len(lines[-1]) + 1)
    return Spot(mark.line + 1, mark.column + 1)


def _brace(stop: Stop) -> Finding | None:
    """In {…} and […], and at its beginning everywhere, a text with a brace in it needs quotes."""
    bare = QUOTED.sub(lambda found: "\0" * len(found[0]), stop.line)
    for found in UNQUOTED.finditer(bare):
        if found.start() < stop.at.column - 1 <= found.end():
            why = "YAML takes { for the beginning of a mapping"
            fault = Fault("a text with braces stands without quotes", why, f'write "{found[0]}"')
            return Spot(stop.at.line, found.start() + 1), fault
    return None


def _letter(stop: Stop) -> Finding | None:
    """A letter that YAML keeps for itself."""
    if "cannot start any token" not in stop.problem:
        return None
    rest = stop.line[stop.at.column - 1 :]
    word = WORD.match(rest)
    return stop.at, Fault(f"a text that begins with {rest[:1]}", "YAML keeps that sign for itself", f'write "{word and word[0]}"')


def _star(stop: Stop) -> Finding | None:
    """A * or & that begins a text, as a glob does."""
    if "alphabetic or numeric" not in stop.problem:
        return None
    word = WORD.match(stop.first_line[stop.since.column - 1 :])
    begun = word[0] if word else ""
    kind = "an alias" if begun.startswith("*") else "an anchor"
    return stop.since, Fault(f"a text that begins with {begun[:1]}", f"YAML takes it for {kind}", f'write "{begun}"')


def _quote(stop: Stop) -> Finding | None:
    if "quoted scalar" not in stop.context or "unexpected" not in stop.problem:
        return None
    sign = stop.first_line[stop.since.column - 1 : stop.since.column]
    why = "YAML reads all that follows as part of this text"
    return stop.since, Fault(f"a {sign} that is never closed", why, f"write {sign} at the end of the text")


def _second_colon(stop: Stop) -> Finding | None:
    if "mapping values are not allowed" not in stop.problem:
        return None
    if KEY_BEFORE.fullmatch(stop.line[: stop.at.column - 1]):
        return stop.at, Fault("a second colon in this line", "YAML takes it for a key and its value", "write the text in quotes")
    return Spot(stop.at.line, stop.indent), Fault(
        "a key where none can stand",
        "the line above has a value already or lacks its colon, so YAML reads on there",
        "indent the key as its neighbours, or end the line above with a colon",
    )


def _no_colon(stop: Stop) -> Finding | None:
    if "expected ':'" not in stop.problem:
        return None
    if found := NO_SPACE.fullmatch(stop.first_line.rstrip()):
        why = "without a space the colon is part of a word"
        return stop.since, Fault("no space after the colon", why, f"write {found['key']}: {found['value']}")
    return stop.since, Fault("a key without its colon", "each line of a mapping is a key, a colon and a value", "write the colon")


def _not_closed(stop: Stop) -> Finding | None:
    for sign, (opened, closed) in COLLECTION.items():
        if f"',' or {sign}" in stop.problem:
            if stop.since.line != stop.at.line:
                why = "YAML reads the lines that follow as part of it"
                return stop.since, Fault(f"a {opened} that is never closed", why, f"write {closed} at its end")
            return stop.at, Fault(
                f"no comma and no {closed}", f"what {opened} began goes on here", f"write , or {closed} before this"
            )
    return None


def _no_value(stop: Stop) -> Finding | None:
    if "node content" not in stop.problem:
        return None
    if not stop.line[stop.at.column - 1 :].strip():
        return stop.at, Fault("the file ends too early", "a [ or { is open still", "write ] or }")
    sign = stop.line[stop.at.column - 1]
    return stop.at, Fault(f"a {sign} where a value should stand", "no value begins with it", "take it out, or quote the value")


def _stray(stop: Stop) -> Finding | None:
    if not any(words in stop.problem for words in ("'-' indicator", "expected key", "<block end>")):
        return None
    sign = stop.line[stop.at.column - 1 : stop.at.column]
    if sign in ("]", "}"):
        return stop.at, Fault(f"a {sign} too many", "nothing is open that it could close", "take it out")
    if stop.at.column > stop.indent:
        why = "a closing quote or bracket ended the value before it"
        return stop.at, Fault("text after the end of a value", why, "write the whole value in double quotes")
    if stop.line.lstrip().startswith("-"):
        why = "the items of its list begin in another column, or no list goes on here"
        return stop.at, Fault("a - where no item can begin", why, "indent it exactly as the other items, or take the - out")
    if "collection" in stop.context:
        why = "it is indented less than the item above it, and has no - of its own"
        return stop.at, Fault(
            "a line that is no item of the list", why, "indent it as the rest of its item, or write - before it"
        )
    why = "it is indented otherwise than the lines it could belong to"
    return stop.at, Fault("a line that belongs to nothing", why, "indent it exactly as its neighbours")


def _plain_words(stop: Stop) -> Finding | None:
    for words, fault in PLAIN_WORDS.items():
        if words in stop.problem:
            return stop.at, fault
    return None


PLAIN_WORDS = {
    "tag handle": Fault("a tag", "YAML takes a text that begins with ! for one", "take it out, or write the text in quotes"),
    "directive": Fault("a line that begins with %", "YAML takes it for a directive", "take the line out"),
    "<document start>": Fault("text after the end of the document", "what stands before ended it", "take it out"),
    "sequence entries are not allowed": Fault(
        "a list that begins in the line of its key", "each item has a line of its own", "begin a new line before the -"
    ),
    "mapping keys are not allowed": Fault("a ? here", "YAML takes it for the beginning of a key", "write the text in quotes"),
    "unknown escape": Fault(
        "an escape that YAML does not know", "in double quotes a backslash begins one", "write two backslashes, or single quotes"
    ),
}
READINGS: tuple[Callable[[Stop], Finding | None], ...] = (
    _brace,
    _letter,
    _star,
    _quote,
    _second_colon,
    _no_colon,
    _not_closed,
    _no_value,
    _stray,
    _plain_words,
)
