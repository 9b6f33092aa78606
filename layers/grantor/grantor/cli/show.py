"""What the command line prints: text for people, or JSON. Colours only on a terminal, and never with NO_COLOR."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

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
