"""Show what the job would make of a file: `python3.12 spark_jobs/check.py FILE`.

Needs no Spark, no AWS and no package.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from abalone.formatting import print_line, show_text
from abalone.lines import split_lines, transform_line

MAX_SHOWN_CHARS = 60  # characters of a refused line that are shown
SPLITS = {"train": "to train on", "validation": "to validate with", "quarantine": "in quarantine"}


def summarize_file(content: bytes, max_refused: int) -> Iterator[str]:
    """Yield the counts, the counts by reason, and the first `max_refused` refused lines.

    Each refused line has its number, counted from 1, and its reason.
    """
    results = [transform_line(line) for line in split_lines(content)]
    rows = Counter(split for split, _ in results)
    refused = [
        (number, *text.partition("\t")[::2])
        for number, (split, text) in enumerate(results, 1)
        if split == "quarantine"
    ]
    yield f"{len(results):,} lines: " + ", ".join(
        f"{rows[split]:,} {label}" for split, label in SPLITS.items()
    )
    for reason, count in Counter(reason for _, reason, _ in refused).most_common():
        yield f"{count:>9,}  {reason}"
    for number, reason, line in islice(refused, max_refused):
        yield f"line {number:,}: {reason}: {escape_line(line)}"
    if len(refused) > max_refused:
        yield f"… and {len(refused) - max_refused:,} more"


def escape_line(line: str) -> str:
    r"""Return a line in a form that can be printed.

    >>> escape_line("M,0.4\x1b"), escape_line("\udcff" * 100)[-5:]
    ('M,0.4\\x1b', 'dcff…')
    """
    escaped = show_text(line)
    return escaped if len(escaped) <= MAX_SHOWN_CHARS else f"{escaped[:MAX_SHOWN_CHARS]}…"


def main() -> int:
    parser = argparse.ArgumentParser(prog="check.py", description=__doc__)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a file with lines like abalone.csv"
    )
    parser.add_argument(
        "-n", type=int, default=10, dest="max_refused", metavar="N",
        help="refused lines to show (default: 10)",
    )  # fmt: skip
    arguments = parser.parse_args()
    try:
        content = arguments.file.read_bytes()
    except OSError as error:
        print_line(f"check.py: cannot read {arguments.file}: {error.strerror}", sys.stderr)
        return 2
    for line in summarize_file(content, arguments.max_refused):
        print_line(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
