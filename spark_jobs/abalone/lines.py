"""The contract's rules in plain Python, one line at a time.

Tests compare Spark's results with these, and check.py lets people try a file without Spark.
"""

import re
import zlib
from collections.abc import Iterator, Sequence

from abalone.contract import (
    BINS,
    BLANK,
    COLUMNS,
    END,
    HEADER,
    HEADER_IN_ORDER,
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
NAME = re.compile(r"[^\W\d_][\w .()/%-]*")
# Words that stand for a missing value, in any case: a line of these is no header.
MISSING_WORDS = frozenset(("na", "n/a", "nan", "nil", "null", "none", "inf", "infinity"))
PLAIN_COLUMNS = [column.replace("_", "") for column in COLUMNS]
MAX_HEADER_CHARS = 4_096  # a longer line is no header
MAX_SHOWN_NAMES = 110  # characters of the names in the file; those of the contract have 92


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
    if re.match(HEADER_IN_ORDER, line):
        return "header", line
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


def read_column_names(line: str) -> tuple[str, ...]:
    r"""Return the columns that a line names, as it writes them; none if it is no header.

    A header names at least two of the contract's columns, or has names in all of its cells.

    >>> read_column_names('\ufeff"Sex","Whole weight"\r'), read_column_names("id,price")
    (('Sex', 'Whole weight'), ('id', 'price'))
    >>> read_column_names("M,0.455"), read_column_names("I,n/a"), read_column_names("X,NaN")
    ((), (), ())
    """
    if len(line) > MAX_HEADER_CHARS:
        return ()
    cells = tuple(cell.strip('"\t\r ') for cell in line.removeprefix("\ufeff").split(","))
    known = sum(_normalize_name(cell) in PLAIN_COLUMNS for cell in cells)
    if known < 2 and (len(cells) < 2 or not _are_names(cells)):
        return ()
    return cells


def _are_names(cells: Sequence[str]) -> bool:
    named = all(NAME.fullmatch(cell) and cell.lower() not in MISSING_WORDS for cell in cells)
    return named and cells[0] not in SEXES


def _normalize_name(name: str) -> str:
    return re.sub("[ _.-]", "", name.lower())


def find_header_fault(line: str, which: str = "The first line") -> str:
    """Return why a header line breaks the contract; "" if it is no header, or one in order.

    `which` line it is begins the sentence, which shows the two orders side by side.

    >>> find_header_fault("sex,length,rings")[:45]
    'The first line names other columns. The file:'
    """
    names = read_column_names(line)
    if not names or re.match(HEADER_IN_ORDER, line.removesuffix("\r")):
        return ""
    what = "the columns in another order" if is_reordered_header(line) else "other columns"
    shown = ", ".join(names)
    if len(shown) > MAX_SHOWN_NAMES:
        shown = f"{shown[:MAX_SHOWN_NAMES]}…"
    return f"{which} names {what}. The file: {shown}. The contract: {', '.join(COLUMNS)}."


def is_reordered_header(line: str) -> bool:
    """Whether a line names exactly the contract's columns, in another order.

    >>> is_reordered_header("sex,length"), is_reordered_header(",".join(reversed(COLUMNS)))
    (False, True)
    """
    names = list(map(_normalize_name, read_column_names(line)))
    return names != PLAIN_COLUMNS and sorted(names) == sorted(PLAIN_COLUMNS)


def find_wrong_header(listed: Sequence[str]) -> int:
    """Return the number, from 1, of the first line whose header fails the run; 0 if there is none.

    Below the first line, that is a header with exactly the contract's columns in another order.

    >>> find_wrong_header(["id,price"]), find_wrong_header(["M,0.4", "id,price"])
    (1, 0)
    """
    if listed and find_header_fault(listed[0]):
        return 1
    below = enumerate(listed[1:], 2)
    return next(
        (at for at, line in below if re.match(HEADER, line) and is_reordered_header(line)), 0
    )


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
