"""Expectations as the demo tells them, waited for as a real account asks for it."""

from collections.abc import Callable

from demo.stage import Unmet, say
from tests.live.waiting import SWEPT, looks


def eventually[T](what: str, wanted: T, look: Callable[[], T], seconds: float = SWEPT) -> None:
    """Look until what is wanted is seen; Unmet after so many seconds."""
    for left in looks(seconds):
        if (seen := look()) == wanted:
            say(f"✓ {what}, {seconds - left:.1f} s later")
            return
        if left <= 0:
            raise Unmet(f"{what}, within {seconds:.0f} s\n     wanted: {wanted}\n     seen:   {seen}")
