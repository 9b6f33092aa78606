"""How long to search for files that break the reader: FUZZ=long takes about a minute, without it a few seconds.

Both try the same examples every time, so that nobody's change fails by chance; FUZZ=new is as long, with others each time.
"""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

FUZZ = os.environ.get("FUZZ", "")


def fuzzed(plain: int, long: int) -> Callable[[Any], Any]:
    """Settings for one search: so many examples in a plain run, so many in a long one."""
    return settings(
        max_examples=long if FUZZ else plain,
        derandomize=FUZZ != "new",
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
