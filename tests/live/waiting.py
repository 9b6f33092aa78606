"""Waiting for a real account: polls in growing intervals of up to ten seconds, until a
time limit.
"""

import time
from collections.abc import Callable, Container, Iterator

from botocore.exceptions import ClientError

from harness.steps import ExpectationError, print_lines

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 10.0  # seconds between two polls
# Seconds until IAM and Access Grants have spread a change; Terraform waits for two minutes
SPREAD_SECONDS = 180.0

# Seconds for what an event starts: CloudTrail usually delivers within minutes, and a scheduled run
# repairs what is missing every 15 minutes.
EVENT_SECONDS = 1500.0


class WaitTimeout(RuntimeError):
    """A wait took too long; the text says for what."""


def wait_for[T](what: str, look: Callable[[], T | None], seconds: float = SPREAD_SECONDS) -> T:
    """Call `look` until its result is truthy and return it.

    Raises WaitTimeout after so many seconds.
    """
    for left in poll(seconds):
        if seen := look():
            return seen
        if left <= 0:
            raise WaitTimeout(f"{what}: not within {seconds:.0f} s")
    raise AssertionError  # poll does not end


def retry_on[T](codes: Container[str], do: Callable[[], T], seconds: float = SPREAD_SECONDS) -> T:
    """Call `do` until AWS no longer refuses with one of these codes.

    Raises the refusal after so many seconds.
    """
    for left in poll(seconds):
        try:
            return do()
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in codes or left <= 0:
                raise
    raise AssertionError


def poll(seconds: float) -> Iterator[float]:
    """Yield the seconds left whenever it is time to poll, at last a number <= 0."""
    begun, pause = time.monotonic(), FIRST_PAUSE
    while True:
        left = begun + seconds - time.monotonic()
        yield left
        time.sleep(min(pause, max(0.0, left)))
        pause = min(LONGEST_PAUSE, pause * 1.5)


def expect_eventually[T](
    what: str, wanted: T, look: Callable[[], T], seconds: float = EVENT_SECONDS
) -> None:
    """Poll until `look` returns what is wanted, and print how long it took.

    Raises ExpectationError after so many seconds.
    """
    for left in poll(seconds):
        if (seen := look()) == wanted:
            print_lines(f"✓ {what}, {seconds - left:.1f} s later")
            return
        if left <= 0:
            raise ExpectationError(
                f"{what}, within {seconds:.0f} s\n     wanted: {wanted}\n     seen:   {seen}"
            )
