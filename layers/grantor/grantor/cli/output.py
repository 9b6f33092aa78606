"""How commands answer: lines, JSON, colours and progress; and how they show numbers and times."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from grantor.core.planning.rendering import format_timestamp

MAX_LISTED_LINES = 20  # of unmanaged grants or dead letters, of which there may be thousands
MAX_OPEN_LINES = 20  # of a Markdown section; a longer one is folded
MAX_EXCERPT_CHARACTERS = 60  # of a message that is not an event
LABEL_WIDTH = 9  # characters of the label that a line begins with
POLL_SECONDS = 0.5  # between two looks
# Of a processing job that runs: SageMaker's quota of five days, and a margin.
MAX_JOB_AGE = timedelta(days=6)


def format_time(iso: str) -> str:
    """A timestamp in text.

    >>> format_time("2026-11-24T10:00:00Z")
    '2026-11-24 10:00:00Z'
    """
    return iso.replace("T", " ").replace("+00:00", "Z")


def format_seconds(seconds: float) -> str:
    """Seconds since the epoch as a timestamp.

    >>> format_seconds(60)
    '1970-01-01T00:01:00Z'
    """
    return format_timestamp(datetime.fromtimestamp(seconds, UTC))


def format_count(number: int, word: str) -> str:
    """A number of things.

    >>> format_count(1, "grant"), format_count(2000, "grant")
    ('1 grant', '2,000 grants')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def escape_text(text: str) -> str:
    r"""A text in one line: characters that are invisible or move a terminal's cursor are escaped.

    >>> print(escape_text("UserA/a b.csv"), escape_text("red\x1b[31m\n"))
    UserA/a b.csv red\x1b[31m\n
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def format_duration(seconds: float) -> str:
    """How long something took.

    >>> format_duration(4.6), format_duration(192), format_duration(7260)
    ('5 s', '3 min 12 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


COLOURS = {"+": "32", "-": "31", "~": "33", "=": "2"}  # by how a line begins
PROGRESS_DELAY_SECONDS = 1.0  # before a task shows how far it is
PROGRESS_INTERVAL_SECONDS = 0.2  # between two such lines


@dataclass(frozen=True)
class Output:
    """Where and how a command answers."""

    as_json: bool = False
    colours: bool = False

    @classmethod
    def for_stdout(cls, *, as_json: bool) -> "Output":
        """Standard output, with colours if it is a terminal that shows them."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return cls(as_json, sys.stdout.isatty() and not plain)

    def print_line(self, text: str) -> None:
        """Print a line at once; nothing if JSON is asked for."""
        if not self.as_json:
            print(self._colour_line(text), flush=True)

    def print_lines(self, texts: Iterable[str]) -> None:
        """Print each text as a line."""
        for text in texts:
            self.print_line(text)

    def print_json(self, value: Any) -> None:
        """Print the whole answer as JSON if that is asked for."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False, indent=1))

    def _colour_line(self, text: str) -> str:
        colour = COLOURS.get(text[:1]) if self.colours and text[1:2] == " " else None
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def print_error(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Shows how far a long task is, in one line on standard error if that is a terminal; the line
    disappears when the task is done.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._count = 0
        self._next = time.monotonic() + PROGRESS_DELAY_SECONDS
        self._shown = False
        self._timer = threading.Timer(PROGRESS_DELAY_SECONDS, self._show)

    def step(self, count: int = 1) -> None:
        """Count what is done."""
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
            self._next = time.monotonic() + PROGRESS_INTERVAL_SECONDS
            self._shown = True
            self._write(f"{self.what}: {self._count:,}" if self._count else f"{self.what} …")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
