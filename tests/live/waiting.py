"""Waiting as a real account asks for it: looks that begin close together and come to lie ten seconds apart, and an end."""

import time
from collections.abc import Callable, Container, Iterator

from botocore.exceptions import ClientError

FIRST, LONGEST = 0.02, 10.0  # seconds between two looks
SPREAD = 180.0  # seconds until IAM and Access Grants have told all their machines of a change; Terraform waits for two minutes

# Seconds for what an event starts: CloudTrail tells within minutes, mostly, and the clock heals every quarter of an hour what it has not told.
SWEPT = 1500.0


class Late(RuntimeError):
    """What was waited for did not come; the text says what, and what was seen instead."""


def until[T](what: str, look: Callable[[], T], seconds: float = SPREAD) -> T:
    """What `look` sees, once that is anything; Late after so many seconds."""
    for left in looks(seconds):
        if seen := look():
            return seen
        if left <= 0:
            raise Late(f"{what}: not within {seconds:.0f} s")
    raise AssertionError  # looks never ends before


def despite[T](codes: Container[str], do: Callable[[], T], seconds: float = SPREAD) -> T:
    """Do it, again and again while AWS refuses with one of these codes; the refusal itself after so many seconds."""
    for left in looks(seconds):
        try:
            return do()
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in codes or left <= 0:
                raise
    raise AssertionError


def looks(seconds: float) -> Iterator[float]:
    """The seconds that are left, each time that it is time to look; the last look has none left."""
    begun, pause = time.monotonic(), FIRST
    while True:
        left = begun + seconds - time.monotonic()
        yield left
        time.sleep(min(pause, max(0.0, left)))
        pause = min(LONGEST, pause * 1.5)
