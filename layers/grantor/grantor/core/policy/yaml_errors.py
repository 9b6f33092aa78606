"""Explain a YAML parser's error to the author of a policy file, and find where the mistake is.

A parser stops where it cannot go on, which is often after the mistake: it notices an open quote at
the end of the file. The wordings of libyaml and of the pure Python parser differ a little; both are
known here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grantor.core.diagnostics import Fault, Position

BRACE_READING = "YAML reads { as the start of a mapping"  # also of a text that is only a variable

Finding = tuple[Position, Fault]

# A text with a variable in it that is not quoted: s3://{data_bucket}/teams/
UNQUOTED = re.compile(r"""(?:(?<=[\s\[{,])|^)[^\0\s"'{}\[\],]*(?:\{[\w.]+\}[^\0\s"'{}\[\],]*)+""")
QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
KEY_BEFORE = re.compile(r"\s*(?:- +)*[^\s:]+:\s+\S.*")
NO_SPACE = re.compile(r"\s*(?:- +)*(?P<key>[a-z_]+):(?P<value>\S.*)")
WORD = re.compile(r"[^\s,\]}]*")
BRACKETS = {"'}'": ("{", "}"), "']'": ("[", "]")}


@dataclass(frozen=True)
class ParserStop:
    """Where and why a parser stopped: `at`, inside something that began at `since`."""

    context: str
    problem: str
    since: Position
    at: Position
    lines: list[str]

    @property
    def line(self) -> str:
        """The line on which it stopped."""
        return self.lines[self.at.line - 1]

    @property
    def first_line(self) -> str:
        """The line on which the part that it could not read begins."""
        return self.lines[self.since.line - 1]

    @property
    def indent(self) -> int:
        """The column of the first word of the line on which it stopped."""
        return len(self.line) - len(self.line.lstrip()) + 1


def explain_error(error: Any, text: str) -> Finding:
    """Where the mistake is and what it is; `error` is the parser's MarkedYAMLError."""
    lines = text.split("\n")
    at = _position_of(error.problem_mark or error.context_mark, lines)
    since = _position_of(error.context_mark, lines) if error.context_mark else at
    stop = ParserStop(str(error.context), str(error.problem), since, at, lines)
    for explain in EXPLANATIONS:
        if found := explain(stop):
            return found
    return stop.at, Fault("not valid YAML", stop.problem, "correct the text here or just before")


def _position_of(mark: Any, lines: list[str]) -> Position:
    """Where a mark stands; libyaml may see the end of a file one line below its last."""
    if mark.line >= len(lines):
        return Position(len(lines), len(lines[-1]) + 1)
    return Position(mark.line + 1, mark.column + 1)


def _explain_brace(stop: ParserStop) -> Finding | None:
    """A text with a brace must be quoted in {…} and […], and if it starts with the brace."""
    bare = QUOTED.sub(lambda found: "\0" * len(found[0]), stop.line)
    for found in UNQUOTED.finditer(bare):
        if found.start() < stop.at.column - 1 <= found.end():
            fault = Fault("a text with braces is not quoted", BRACE_READING, f'write "{found[0]}"')
            return Position(stop.at.line, found.start() + 1), fault
    return None


def _explain_sign(stop: ParserStop) -> Finding | None:
    """A character that YAML reserves."""
    if "cannot start any token" not in stop.problem:
        return None
    rest = stop.line[stop.at.column - 1 :]
    word = WORD.match(rest)
    what = f"a text that starts with {rest[:1]}"
    return stop.at, Fault(what, "YAML reserves that character", f'write "{word and word[0]}"')


def _explain_star(stop: ParserStop) -> Finding | None:
    """A * or & that starts a text, as in a glob."""
    if "alphabetic or numeric" not in stop.problem:
        return None
    word = WORD.match(stop.first_line[stop.since.column - 1 :])
    start = word[0] if word else ""
    why = f"YAML reads it as {'an alias' if start.startswith('*') else 'an anchor'}"
    return stop.since, Fault(f"a text that starts with {start[:1]}", why, f'write "{start}"')


def _explain_quote(stop: ParserStop) -> Finding | None:
    if "quoted scalar" not in stop.context or "unexpected" not in stop.problem:
        return None
    sign = stop.first_line[stop.since.column - 1 : stop.since.column]
    why = "YAML reads everything that follows as part of this text"
    remedy = f"write {sign} at the end of the text"
    return stop.since, Fault(f"a {sign} that is never closed", why, remedy)


def _explain_colon(stop: ParserStop) -> Finding | None:
    if "mapping values are not allowed" not in stop.problem:
        return None
    if KEY_BEFORE.fullmatch(stop.line[: stop.at.column - 1]):
        why = "YAML reads it as a key and its value"
        return stop.at, Fault("a second colon on this line", why, "write the text in quotes")
    return Position(stop.at.line, stop.indent), Fault(
        "a key where no key can stand",
        "the line above already has a value or lacks its colon, so YAML continues reading it here",
        "indent the key like its neighbours, or end the line above with a colon",
    )


def _explain_missing_colon(stop: ParserStop) -> Finding | None:
    if "expected ':'" not in stop.problem:
        return None
    if found := NO_SPACE.fullmatch(stop.first_line.rstrip()):
        why = "without a space, the colon is part of a word"
        remedy = f"write {found['key']}: {found['value']}"
        return stop.since, Fault("missing space after the colon", why, remedy)
    why = "each line of a mapping is a key, a colon and a value"
    return stop.since, Fault("a key without a colon", why, "write the colon")


def _explain_open_bracket(stop: ParserStop) -> Finding | None:
    for sign, (opened, closed) in BRACKETS.items():
        if f"',' or {sign}" not in stop.problem:
            continue
        if stop.since.line != stop.at.line:
            why = "YAML reads the lines that follow as part of it"
            remedy = f"write {closed} at its end"
            return stop.since, Fault(f"a {opened} that is never closed", why, remedy)
        what, why = f"missing comma or {closed}", f"what {opened} opened continues here"
        return stop.at, Fault(what, why, f"write , or {closed} before this")
    return None


def _explain_missing_value(stop: ParserStop) -> Finding | None:
    if "node content" not in stop.problem:
        return None
    if not stop.line[stop.at.column - 1 :].strip():
        return stop.at, Fault("the file ends too early", "a [ or { is still open", "write ] or }")
    what = f"a {stop.line[stop.at.column - 1]} in the place of a value"
    return stop.at, Fault(what, "no value starts with it", "remove it, or quote the value")


def _explain_stray_text(stop: ParserStop) -> Finding | None:
    if not any(words in stop.problem for words in STRAY_TEXT):
        return None
    sign = stop.line[stop.at.column - 1 : stop.at.column]
    if sign in ("]", "}"):
        return stop.at, Fault(
            f"an extra {sign}", "nothing is open that it could close", "remove it"
        )
    if stop.at.column > stop.indent:
        why = "a closing quote or bracket ended the value before it"
        remedy = "write the whole value in double quotes"
        return stop.at, Fault("text after the end of a value", why, remedy)
    if stop.line.lstrip().startswith("-"):
        why = "the other items of its list start in another column, or no list continues here"
        remedy = "indent it exactly like the other items, or remove the -"
        return stop.at, Fault("a - where no item can start", why, remedy)
    if "collection" in stop.context:
        why = "it is indented less than the item above it, and has no - of its own"
        remedy = "indent it like the rest of its item, or write - before it"
        return stop.at, Fault("a line that is not an item of the list", why, remedy)
    why = "its indentation differs from that of the lines that it could belong to"
    remedy = "indent it exactly like its neighbours"
    return stop.at, Fault("a line that belongs to nothing", why, remedy)


def _explain_other(stop: ParserStop) -> Finding | None:
    for words, fault in OTHER_FAULTS.items():
        if words in stop.problem:
            return stop.at, fault
    return None


STRAY_TEXT = ("'-' indicator", "expected key", "<block end>")
OTHER_FAULTS = {
    "tag handle": Fault(
        "a tag",
        "YAML reads a text that starts with ! as a tag",
        "remove it, or write the text in quotes",
    ),
    "directive": Fault(
        "a line that starts with %", "YAML reads it as a directive", "remove the line"
    ),
    "<document start>": Fault(
        "text after the end of the document", "the text before it ended the document", "remove it"
    ),
    "sequence entries are not allowed": Fault(
        "a list that starts on the line of its key",
        "each item has a line of its own",
        "start a new line before the -",
    ),
    "mapping keys are not allowed": Fault(
        "a ? here", "YAML reads it as the start of a key", "write the text in quotes"
    ),
    "unknown escape": Fault(
        "an escape that YAML does not know",
        "in double quotes, a backslash starts an escape",
        "write two backslashes, or use single quotes",
    ),
}
EXPLANATIONS: tuple[Callable[[ParserStop], Finding | None], ...] = (
    _explain_brace,
    _explain_sign,
    _explain_star,
    _explain_quote,
    _explain_colon,
    _explain_missing_colon,
    _explain_open_bracket,
    _explain_missing_value,
    _explain_stray_text,
    _explain_other,
)
