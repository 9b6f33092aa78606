"""How long to search for files that break the parser: a few seconds, or a minute with FUZZ=long.

Both try the same examples every time, so that no change fails by chance. FUZZ=new takes as long as
FUZZ=long, with new examples each time.
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
