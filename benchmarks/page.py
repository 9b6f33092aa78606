"""docs/performance.md: the tables of one run of all the benchmarks, and what they mean."""

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, table

PAGE = Path(__file__).parent.parent / "docs/performance.md"
HEAD = """\
# What it costs

<!-- written by: make bench -->

Everything here is from one run of `make bench` on {day}: {minutes} minutes on {cores} cores ({processor}), Python {python}, with the
[sandbox](sandbox.md) and all that talks to it on the same machine. So times compare only with times of the same table; what carries over to
AWS are the counts, and the ratios to what was measured beside. `≤` is a bound: `make bench` ends with 1 where one does not hold.
The same figures stand in `build/bench/*.json`.
"""
SPARK_HEAD = """\
<!-- written by: make bench-spark -->

## {title}

From a run of its own, on {day}, on {cores} cores ({processor}). {words}
"""


@dataclass(frozen=True)
class Section:
    """One part of the benchmarks: the name of its JSON file, its title, what is to be said before its table, and the table."""

    name: str
    title: str
    words: str
    figures: list[Figure] = field(repr=False)
    shown: str = ""

    def __str__(self) -> str:
        return self.shown or table(self.figures)


def write(sections: list[Section], seconds: float) -> None:
    """Write the page anew, but for the Spark job's part."""
    head = HEAD.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}", minutes=round(seconds / 60), cores=os.cpu_count(), processor=_processor(),
        python=platform.python_version(),
    )  # fmt: skip
    parts = [f"## {section.title}\n\n{section.words.strip()}\n\n```\n{section}\n```\n" for section in sections]
    PAGE.write_text("\n".join([head, *parts, *filter(None, [_parts()[1]])]))


def write_spark(section: Section) -> None:
    """Write the Spark job's part, and leave the rest."""
    head = SPARK_HEAD.format(
        title=section.title,
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        cores=os.cpu_count(),
        processor=_processor(),
        words=section.words.strip(),
    )
    PAGE.write_text(f"{_parts()[0].rstrip()}\n\n{head}\n```\n{section}\n```\n")


def _parts() -> tuple[str, str]:
    """All before the Spark job's part, and that part."""
    before, mark, after = PAGE.read_text().partition(SPARK_HEAD.partition("\n")[0])
    return before, mark + after


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()
