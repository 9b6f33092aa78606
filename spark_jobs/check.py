"""What the job would make of a file, tried at the desk: `python3.12 spark_jobs/check.py FILE` needs no Spark, no AWS and no package."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from abalone.lines import one, split

WIDE = 60  # characters of a refused line that are shown
SPLITS = {"train": "to train on", "validation": "to validate with", "quarantine": "in quarantine"}


def told(content: bytes, most: int) -> Iterator[str]:
    """Counts, then by reason; then the first `most` refused lines, each with its number from 1 and its reason."""
    went = [one(line) for line in split(content)]
    rows = Counter(where for where, _ in went)
    refused = [(number, *text.split("\t", 1)) for number, (where, text) in enumerate(went, 1) if where == "quarantine"]
    yield f"{len(went):,} lines: " + ", ".join(f"{rows[where]:,} {said}" for where, said in SPLITS.items())
    yield from (f"{count:>9,}  {reason}" for reason, count in Counter(reason for _, reason, _ in refused).most_common())
    yield from (f"line {number:,}: {reason}: {shown(line)}" for number, reason, line in islice(refused, most))
    if len(refused) > most:
        yield f"… and {len(refused) - most:,} more"


def shown(line: str) -> str:
    r"""A line as it can be printed.

    >>> shown("M,0.4\x1b"), shown("\udcff" * 100)[-5:]
    ('M,0.4\\x1b', 'dcff…')
    """
    seen = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)
    return seen if len(seen) <= WIDE else f"{seen[:WIDE]}…"


def main() -> int:
    said = argparse.ArgumentParser(prog="check.py", description=__doc__)
    said.add_argument("file", type=Path, metavar="FILE", help="lines as of abalone.csv")
    said.add_argument("-n", type=int, default=10, dest="most", metavar="N", help="refused lines to show (10)")
    asked = said.parse_args()
    try:
        content = asked.file.read_bytes()
    except OSError as wrong:
        print(f"check.py: {asked.file} can not be read: {wrong.strerror}", file=sys.stderr)
        return 2
    for line in told(content, asked.most):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
