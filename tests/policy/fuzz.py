"""How long to search for files that break the reader: FUZZ=long takes about a minute, without it a few seconds.

A plain run tries the same examples every time, so that it never fails by chance; a long one tries others each time.
"""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

LONG = os.environ.get("FUZZ") == "long"


def fuzzed(plain: int, long: int) -> Callable[[Any], Any]:
    """Settings for one search: so many examples in a plain run, so many in a long one."""
    return settings(
        max_examples=long if LONG else plain,
        derandomize=not LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
