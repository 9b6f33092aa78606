"""Show what the job would make of a file: `python3.12 spark_jobs/check.py FILE`.

Needs no Spark, no AWS and no package. Exits with 12, as the job does, if a header line names other
columns than the contract, or names them in another order.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

from abalone.contract import COLUMNS
from abalone.exits import ARGUMENTS, CONTRACT, DONE
from abalone.formatting import print_line, show_text
from abalone.lines import find_wrong_header, read_column_names, split_lines, transform_line

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
    labels = SPLITS | ({"header": "skipped as header"} if rows["header"] else {})
    yield f"{len(results):,} lines: " + ", ".join(
        f"{rows[split]:,} {label}" for split, label in labels.items()
    )
    for reason, count in Counter(reason for _, reason, _ in refused).most_common():
        yield f"{count:>9,}  {reason}"
    for number, reason, line in islice(refused, max_refused):
        yield f"line {number:,}: {reason}: {escape_line(line)}"
    if len(refused) > max_refused:
        yield f"… and {len(refused) - max_refused:,} more"


def compare_header(number: int, line: str) -> Iterator[str]:
    """Yield the columns that a header line names beside those of the contract, as a table."""
    names = [escape_line(name) for name in read_column_names(line)]
    width = max(map(len, names))
    yield f"line {number:,} names other columns than the contract, or in another order:"
    yield f"  column  {'in the file':<{max(width, 11)}}  in the contract"
    for at, (name, wanted) in enumerate(zip_longest(names, COLUMNS, fillvalue="-"), 1):
        yield f"  {at:>6}  {name:<{max(width, 11)}}  {wanted}"


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
        return ARGUMENTS
    listed = list(split_lines(content))
    wrong = find_wrong_header(listed)
    said = compare_header(wrong, listed[wrong - 1]) if wrong else None
    for line in said or summarize_file(content, arguments.max_refused):
        print_line(line)
    return CONTRACT if wrong else DONE


if __name__ == "__main__":
    sys.exit(main())
