"""The contract's rules in plain Python, one line at a time.

Tests compare Spark's results with these, and check.py lets people try a file without Spark.
"""

import re
import zlib
from collections.abc import Iterator

from abalone.contract import (
    BINS,
    BLANK,
    COLUMNS,
    END,
    HEADER,
    LABEL,
    LINE,
    NUMBER,
    NUMBERS,
    SALT,
    SEXES,
    SHARE_BASE,
    TRAIN_SHARE,
)

BOM = b"\xef\xbb\xbf"
TOKEN = re.compile(NUMBER + END)


def split_lines(content: bytes) -> Iterator[str]:
    r"""Yield the lines of a file without the line feed; bytes that are not UTF-8 become surrogates.

    >>> list(split_lines(b"a\r\nb\n\nc"))
    ['a\r', 'b', '', 'c']
    """
    lines = content.removeprefix(BOM).split(b"\n")
    yield from (
        line.decode(errors="surrogateescape") for line in (lines if lines[-1] else lines[:-1])
    )


def transform_line(line: str) -> tuple[str, str]:
    r"""Return the split that a line belongs to, and what is written there.

    That is the features, or for the quarantine the reason and the line.

    >>> transform_line("M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15")
    ('train', '15,1,0,0.455,0.365,0.095,0.514,0.2245,0.101,0.15')
    >>> transform_line("I,0.43,0.34,0,0.428,0.2065,0.086,0.115,8")
    ('quarantine', 'height 0\tI,0.43,0.34,0,0.428,0.2065,0.086,0.115,8')
    """
    line = line.removesuffix("\r")
    cells = line.split(",")
    if (
        reason := _find_range_fault(cells)
        if re.match(LINE, line)
        else _find_format_fault(line, cells)
    ):
        return "quarantine", f"{reason}\t{line}"
    text = ",".join([cells[8], SEXES[cells[0]], *cells[1:8]])
    return (
        "train" if zlib.crc32(f"{SALT}{text}".encode()) % SHARE_BASE < TRAIN_SHARE else "validation"
    ), text


def _find_range_fault(cells: list[str]) -> str:
    values = zip(NUMBERS, map(float, cells[1:]), strict=True)
    return next(filter(None, (_judge_value(column, value) for column, value in values)), "")


# Of several faults, the first one is reported.
def _find_format_fault(line: str, cells: list[str]) -> str:
    if re.match(BLANK, line):
        return "blank line"
    if re.match(HEADER, line):
        return "header line"
    if len(cells) != len(COLUMNS):
        return "not 9 columns"
    if cells[0] not in SEXES:
        return "sex not M, F or I"
    column, cell = next(
        (column, cell)
        for column, cell in zip(NUMBERS, cells[1:], strict=True)
        if not TOKEN.match(cell)
    )
    return f"{column} missing" if re.match(BLANK, cell) else f"{column} not a number"


def _judge_value(column: str, value: float) -> str:
    if value == 0:
        return f"{column} 0"
    if value > BINS[column].upper_bound:
        return f"{column} out of range"
    return f"{column} not whole" if column == LABEL and value != int(value) else ""
