"""Steps that print their title and time, and expectations that stop the run if they fail."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

POLL_SECONDS = 0.02
WAIT_SECONDS = 30.0


class ExpectationError(AssertionError):
    """An expectation did not hold. The text says which one, and what was seen instead."""


def print_part(title: str) -> None:
    """Print the heading of a part, which groups several steps."""
    print(f"\n==== {title}", flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title at once, and the time that the step took, in seconds, when it succeeds."""
    print(f"\n== {title}", flush=True)
    begun = time.monotonic()
    yield
    print(f"   done in {time.monotonic() - begun:.1f} s", flush=True)


def print_lines(text: str = "") -> None:
    """Print each line of the text, indented as part of a step."""
    for line in text.splitlines() or [""]:
        print(f"   {line}".rstrip(), flush=True)


def expect(what: str, wanted: object, seen: object) -> None:
    """Print what holds. Raises ExpectationError if `seen` differs from `wanted`."""
    if wanted != seen:
        raise ExpectationError(f"{what}\n     wanted: {wanted}\n     seen:   {seen}")
    print_lines(f"✓ {what}")


def wait_until[T](
    what: str, wanted: T, look: Callable[[], T], seconds: float = WAIT_SECONDS
) -> float:
    """Call `look` until it returns `wanted`, and return how long that took, in seconds.

    Raises ExpectationError after `seconds`.
    """
    begun = time.monotonic()
    while (seen := look()) != wanted:
        if time.monotonic() - begun > seconds:
            raise ExpectationError(
                f"{what}, within {seconds:.0f} s\n     wanted: {wanted}\n     seen:   {seen}"
            )
        time.sleep(POLL_SECONDS)
    took = time.monotonic() - begun
    print_lines(f"✓ {what}, {took:.2f} s later")
    return took


def run_steps(run: Callable[[], None]) -> int:
    """Call `run` and return an exit code: 0 if every expectation held, else 1.

    The one that did not hold is printed to stderr. An error from AWS counts as one.
    """
    begun = time.monotonic()
    try:
        run()
    except (ExpectationError, ClientError) as error:
        print(f"\n✗ NOT AS EXPECTED: {error}", file=sys.stderr)
        return 1
    print(f"\nEverything was as expected, in {time.monotonic() - begun:.0f} s.")
    return 0
