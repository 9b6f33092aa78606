"""How the story is told: steps with their time, and expectations that end it when they do not hold."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError


class Unmet(AssertionError):
    """An expectation of the story did not hold; the text says which, and what was seen instead."""


def part(title: str) -> None:
    """A part of the story begins, of several steps."""
    print(f"\n==== {title}", flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """One step of the story; prints its title at once and its time, in seconds, when it has gone well."""
    print(f"\n== {title}", flush=True)
    begun = time.monotonic()
    yield
    print(f"   done in {time.monotonic() - begun:.1f} s", flush=True)


def say(text: str = "") -> None:
    for line in text.splitlines() or [""]:
        print(f"   {line}".rstrip(), flush=True)


def expect(what: str, wanted: object, seen: object) -> None:
    """Say what held, or end the story with what was seen instead."""
    if wanted != seen:
        raise Unmet(f"{what}\n     wanted: {wanted}\n     seen:   {seen}")
    say(f"✓ {what}")


def eventually[T](what: str, wanted: T, look: Callable[[], T], seconds: float = 30) -> float:
    """Look until what is wanted is seen, and return how long it took, in seconds; Unmet after `seconds`."""
    begun = time.monotonic()
    while (seen := look()) != wanted:
        if time.monotonic() - begun > seconds:
            raise Unmet(f"{what}, within {seconds:.0f} s\n     wanted: {wanted}\n     seen:   {seen}")
        time.sleep(0.02)
    took = time.monotonic() - begun
    say(f"✓ {what}, {took:.2f} s later")
    return took


def end(tell: Callable[[], None]) -> int:
    """Tell the story; 0 when every expectation held, else 1 after saying which did not; a refusal by AWS is one too."""
    begun = time.monotonic()
    try:
        tell()
    except (Unmet, ClientError) as unmet:
        print(f"\n✗ NOT AS EXPECTED: {unmet}", file=sys.stderr)
        return 1
    print(f"\nEverything was as expected, in {time.monotonic() - begun:.0f} s.")
    return 0
