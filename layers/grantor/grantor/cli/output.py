"""What a run has to tell, as lines that can be searched: each begins with the sign of a change, or with a word and a colon."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

KINDS = {
    "done": "",
    "adopted": "accepted: ",
    "rejected": "wrong: ",
    "refused": "refused: ",
    "approval": "approval: ",
    "later": "later: ",
    "waits": "",
    "warnings": "warning: ",
    "foreign": "foreign: ",
}  # the lists of a report, in the order in which they are told
MOST = 20  # lines of what may be thousands: grants of somebody who shares the instance, dead letters of a storm


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The sentences of a report or of its summary."""
    for kind, word in KINDS.items():
        sentences = list(told.get(kind, []))
        shown = sentences[:MOST] if kind == "foreign" else sentences
        yield from (f"{word}{sentence}" for sentence in shown)
        if len(shown) < len(sentences):
            yield f"{word}{more(len(sentences) - len(shown))}"


def more(number: int) -> str:
    """What stands for so many lines that are not shown."""
    return f"… and {number:,} more; --json names them all"


def format_time(iso: str) -> str:
    """A time as it is shown.

    >>> format_time("2026-11-24T10:00:00+00:00")
    '2026-11-24 10:00:00Z'
    """
    return iso.replace("T", " ").replace("+00:00", "Z")


def moment(seconds: float) -> str:
    """A time in seconds since 1970, in ISO 8601, UTC.

    >>> moment(60)
    '1970-01-01T00:01:00+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def count(number: int, word: str) -> str:
    """So many of something.

    >>> count(1, "grant"), count(2000, "grant")
    ('1 grant', '2,000 grants')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def visible(text: str) -> str:
    r"""A text in one line: what nobody sees in it, or would move a terminal's cursor, is written out.

    >>> print(visible("UserA/a b.csv"), visible("red\x1b[31m\n"))
    UserA/a b.csv red\x1b[31m\n
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def lasted(seconds: float) -> str:
    """How long something took.

    >>> lasted(4.6), lasted(192), lasted(7260)
    ('5 s', '3 min 12 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


COLOURS = {"+": "32", "-": "31", "~": "33", "=": "2"}  # by how a line begins
LATE = 1.0  # seconds after which whoever waits is told how far it is
APART = 0.2  # seconds between two such lines


@dataclass(frozen=True)
class Show:
    """Where and how a verb answers."""

    as_json: bool = False
    colours: bool = False

    @classmethod
    def on_this(cls, *, as_json: bool) -> "Show":
        """On standard output, as it can show it."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return cls(as_json, sys.stdout.isatty() and not plain)

    def line(self, text: str) -> None:
        """One line, at once; nothing where JSON is asked for."""
        if not self.as_json:
            print(self._coloured(text), flush=True)

    def lines(self, texts: Iterable[str]) -> None:
        """One line each."""
        for text in texts:
            self.line(text)

    def value(self, value: Any) -> None:
        """The whole answer as JSON, where that is asked for."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False, indent=1))

    def _coloured(self, text: str) -> str:
        colour = COLOURS.get(text[:1]) if self.colours and text[1:2] == " " else None
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def aside(text: str) -> None:
    """A line for whoever sits there, beside the answer."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """How far something is that lasts: one line on standard error, if that is a terminal, which goes when it is done."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._count = 0
        self._next = time.monotonic() + LATE
        self._shown = False
        self._timer = threading.Timer(LATE, self._show)

    def step(self, count: int = 1) -> None:
        """So many more are done."""
        self._count += count
        if time.monotonic() >= self._next:
            self._show()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._shown:
            self._write("")

    def _show(self) -> None:
        if sys.stderr.isatty():
            self._next = time.monotonic() + APART
            self._shown = True
            self._write(f"{self.what}: {self._count:,}" if self._count else f"{self.what} …")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
