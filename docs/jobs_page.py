"""Generate the table of machines in docs/jobs.md from the code that chooses them.

`PYTHONPATH=layers/grantor python -m docs.jobs_page` compares the page with it; `--write` updates
it.
"""

import re
import sys
from pathlib import Path

from docs.refresh import refresh_documents
from grantor.core.machines import AUTO_FAMILIES, AUTO_STEPS, GIB, MIN_VOLUME_GB, compute_price

PAGE = Path(__file__).with_name("jobs.md")
HEAD = "| input up to | machines | USD an hour |\n|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|[^\n]*\n)+")


def render_table() -> str:
    """The machines of each size of input, of the first family, with what they cost together."""
    rows = []
    for step in AUTO_STEPS:
        machines = step.build(AUTO_FAMILIES[0], MIN_VOLUME_GB)
        size = f"{step.up_to / GIB:.0f} GiB" if step.up_to < float("inf") else "more"
        price = compute_price(machines) or 0.0
        rows.append(f"| {size} | {machines.count} x {machines.type} | {price:.2f} |\n")
    return HEAD + "".join(rows)


def refresh_page(page: str) -> str:
    """The page with today's table. Raises ValueError if the page has no such table."""
    refreshed, count = TABLE.subn(render_table(), page)
    if count != 1:
        raise ValueError(f"docs/jobs.md has {count} tables of machines")
    return refreshed


def main() -> int:
    """Compare or write the page; returns 1 if it is out of date."""
    return refresh_documents("docs.jobs_page", __doc__, {PAGE: refresh_page(PAGE.read_text())})


if __name__ == "__main__":
    sys.exit(main())
