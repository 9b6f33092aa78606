"""How commands answer: lines, JSON, colours and progress; and how they show numbers and times.

Everything that a command writes to a terminal goes through here, and through show_text or
dump_json: a text of others moves no cursor, forges no line and hides no character.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TextIO

from grantor.core.diagnostics import dump_json, show_text
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


def format_duration(seconds: float) -> str:
    """How long something took.

    >>> format_duration(4.6), format_duration(192), format_duration(7260)
    ('5 s', '3 min 12 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def describe_age(seconds: float) -> str:
    """How long ago, in the largest unit that is exact enough.

    >>> describe_age(42), describe_age(600), describe_age(7500), describe_age(200_000)
    ('42 s', '10 min', '2 h', '2 days')
    """
    for unit, size in (("s", 1), ("min", 60), ("h", 3600)):
        following = size * (24 if unit == "h" else 60)
        if seconds < 2 * following:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} days"


COLOURS = {"+": "32", "-": "31", "~": "33", "=": "2"}  # by how a line begins
ERASE_LINE = "\r\x1b[K"  # moves to the first column and erases the line (ECMA-48, EL)
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
        """Print one line at once, whatever is in the text; nothing if JSON is asked for."""
        if not self.as_json:
            _write(f"{self._colour_line(show_text(text))}\n", sys.stdout)

    def print_lines(self, texts: Iterable[str]) -> None:
        """Print each text as a line."""
        for text in texts:
            self.print_line(text)

    def print_json(self, value: Any) -> None:
        """Print the whole answer as JSON if that is asked for."""
        if self.as_json:
            _write(f"{dump_json(value, indent=1)}\n", sys.stdout)

    def print_document(self, value: Any) -> None:
        """Print a document for another program, in one line, whatever is asked for."""
        _write(f"{dump_json(value)}\n", sys.stdout)

    def _colour_line(self, text: str) -> str:
        colour = COLOURS.get(text[:1]) if self.colours and text[1:2] == " " else None
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def print_error(text: str) -> None:
    """Print one line to standard error."""
    _write(f"{show_text(text)}\n", sys.stderr)


def print_traceback(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Print an unexpected error as Python does (sys.excepthook), its own text in one line."""
    for part in traceback.format_exception(kind, error, where):
        whole = part.rstrip("\n")
        is_place = whole.startswith(("Traceback", "  ", "\n"))
        for line in whole.split("\n") if is_place else [whole]:
            print_error(line)


def ask_caller(question: str) -> str:
    """Ask on standard error and return the answer, a line of standard input."""
    _write(show_text(question), sys.stderr)
    return sys.stdin.readline().strip()


_terminal = threading.RLock()  # a progress line is shown by the thread of a timer
_shown: "set[Progress]" = set()  # whose line is on the terminal now


def _write(text: str, stream: TextIO) -> None:
    """Write a text that was shown, once no progress line is in its way."""
    with _terminal:
        if _shown:
            _shown.clear()
            sys.stderr.write(ERASE_LINE)
            sys.stderr.flush()
        stream.write(text)
        stream.flush()


class Progress:
    """Shows how far a long task is, in one line on standard error if that is a terminal; the line
    disappears before any other, and when the task is done.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._count, self._is_done = 0, False
        self._next = time.monotonic() + PROGRESS_DELAY_SECONDS
        self._timer: threading.Timer | None = None

    def step(self, count: int = 1) -> None:
        """Count what is done. The count appears at most once in each interval, and the last one
        always, even if the next step never comes.
        """
        self._count += count
        if time.monotonic() >= self._next:
            self._show()
        else:
            self._schedule()

    def __enter__(self) -> Self:
        self._schedule()
        return self

    def __exit__(self, *_: object) -> None:
        with _terminal:
            self._is_done = True
            if self._timer:
                self._timer.cancel()
            if self in _shown:
                _write("", sys.stderr)

    def _schedule(self) -> None:
        """Show the count when the interval ends, unless that is already scheduled."""
        if sys.stderr.isatty() and not (self._timer and self._timer.is_alive()):
            self._timer = threading.Timer(max(self._next - time.monotonic(), 0.0), self._show)
            self._timer.daemon = True
            self._timer.start()

    def _show(self) -> None:
        if not sys.stderr.isatty():
            return
        with _terminal:
            if self._is_done:
                return
            self._next = time.monotonic() + PROGRESS_INTERVAL_SECONDS
            text = f"{self.what}: {self._count:,}" if self._count else f"{self.what} …"
            _write(f"{ERASE_LINE}{show_text(text)}", sys.stderr)
            _shown.add(self)
