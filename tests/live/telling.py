"""The story's own words: a chapter with its time, and what was expected, as it held, or with what was seen instead."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.live.waiting import SWEPT, looks


class Unmet(AssertionError):
    """An expectation did not hold."""


@contextmanager
def chapter(title: str) -> Iterator[None]:
    """One chapter; its time, in seconds, when it has gone well."""
    print(f"\n== {title}", flush=True)
    begun = time.monotonic()
    yield
    print(f"   done in {time.monotonic() - begun:.1f} s", flush=True)


def say(text: str) -> None:
    for line in text.splitlines():
        print(f"   {line}", flush=True)


def expect(what: str, wanted: object, seen: object) -> None:
    """Say what held; Unmet with what was seen instead."""
    if wanted != seen:
        raise Unmet(f"{what}\n     wanted: {wanted}\n     seen:   {seen}")
    say(f"✓ {what}")


def eventually[T](what: str, wanted: T, look: Callable[[], T], seconds: float = SWEPT) -> None:
    """Look until what is wanted is seen; Unmet after so many seconds."""
    for left in looks(seconds):
        if (seen := look()) == wanted:
            say(f"✓ {what}, {seconds - left:.1f} s later")
            return
        if left <= 0:
            raise Unmet(f"{what}, within {seconds:.0f} s\n     wanted: {wanted}\n     seen:   {seen}")
