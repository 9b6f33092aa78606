"""The rules in plain Python, a line at a time: the oracle that Spark's answer is held against, and a way to try a file at the desk."""

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
    OF,
    SALT,
    SEXES,
    TRAIN,
)

BOM = b"\xef\xbb\xbf"
TOKEN = re.compile(NUMBER + END)


def split(content: bytes) -> Iterator[str]:
    r"""A file's lines, without what ends them; bytes that are no UTF-8 stay what they are, as surrogates.

    >>> list(split(b"a\r\nb\n\nc"))
    ['a\r', 'b', '', 'c']
    """
    lines = content.removeprefix(BOM).split(b"\n")
    yield from (line.decode(errors="surrogateescape") for line in (lines if lines[-1] else lines[:-1]))


def one(line: str) -> tuple[str, str]:
    r"""Into which split a line goes, and what is written there: features, or the reason why not and the line.

    >>> one("M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15")
    ('train', '15,1,0,0.455,0.365,0.095,0.514,0.2245,0.101,0.15')
    >>> one("I,0.43,0.34,0,0.428,0.2065,0.086,0.115,8")
    ('quarantine', 'height 0\tI,0.43,0.34,0,0.428,0.2065,0.086,0.115,8')
    """
    line = line.removesuffix("\r")
    cells = line.split(",")
    if reason := _unfit(cells) if re.match(LINE, line) else _misshapen(line, cells):
        return "quarantine", f"{reason}\t{line}"
    text = ",".join([cells[8], SEXES[cells[0]], *cells[1:8]])
    return ("train" if zlib.crc32(f"{SALT}{text}".encode()) % OF < TRAIN else "validation"), text


def _unfit(cells: list[str]) -> str:
    values = zip(NUMBERS, map(float, cells[1:]), strict=True)
    return next(filter(None, (_outside(column, value) for column, value in values)), "")


# Of several faults the first is named.
def _misshapen(line: str, cells: list[str]) -> str:
    if re.match(BLANK, line):
        return "blank line"
    if re.match(HEADER, line):
        return "header line"
    if len(cells) != len(COLUMNS):
        return "not 9 columns"
    if cells[0] not in SEXES:
        return "sex not M, F or I"
    column, cell = next((column, cell) for column, cell in zip(NUMBERS, cells[1:], strict=True) if not TOKEN.match(cell))
    return f"{column} missing" if re.match(BLANK, cell) else f"{column} not a number"


def _outside(column: str, value: float) -> str:
    if value == 0:
        return f"{column} 0"
    if value > BINS[column].most:
        return f"{column} out of range"
    return f"{column} not whole" if column == LABEL and value != int(value) else ""
