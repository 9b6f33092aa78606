"""The rules of a contract in plain Python, one line at a time.

Tests compare Spark's results with these, and check.py lets people try a file without Spark.
"""

import re
import zlib
from collections.abc import Iterator
from datetime import date
from functools import cache
from math import floor
from typing import Any

from framework.cells import SURROGATE, WrongShape, read_cells
from framework.contract import MAX_NUMBER, MIN_NUMBER, SHARE_BASE, Column, Contract
from framework.features import format_features
from framework.headers import is_header_in_order, names_first_column
from framework.line_patterns import get_separator
from framework.value_forms import BLANK, END, REPLACEMENT, build_cell_pattern

BOM = b"\xef\xbb\xbf"
BLANK_FAULT, HEADER_FAULT = "blank line", "header line"


def split_lines(content: bytes) -> Iterator[str]:
    r"""Yield the lines of a file without the line feed; bytes that are not UTF-8 become surrogates.

    >>> list(split_lines(b"a\r\nb\n\nc"))
    ['a\r', 'b', '', 'c']
    """
    lines = content.removeprefix(BOM).split(b"\n")
    yield from (
        line.decode(errors="surrogateescape") for line in (lines if lines[-1] else lines[:-1])
    )


def transform_line(line: str, contract: Contract) -> tuple[str, str]:
    """Return the split that a line belongs to, and what is written there.

    That is the features, or for the quarantine the reason and the line. Of several faults, the
    first one is the reason.
    """
    line = line.removesuffix("\r")
    shown = SURROGATE.sub(REPLACEMENT, line)
    if is_header_in_order(shown, contract):
        return "header", line
    cells, reason = _judge_line(shown, contract)
    if reason:
        return "quarantine", f"{reason}\t{line}"
    if not contract.features:
        return "data", line
    text = format_features(cells, contract)
    share = zlib.crc32(f"{contract.salt}{text}".encode()) % SHARE_BASE
    return ("train" if share < contract.train_share else "validation"), text


def _judge_line(line: str, contract: Contract) -> tuple[list[str], str]:
    """Return the cells of a line and the reason for the quarantine, "" if there is none."""
    if re.match(BLANK, line):
        return [], BLANK_FAULT
    if names_first_column(line, contract):
        return [], HEADER_FAULT
    try:
        cells = read_cells(line, contract)
    except WrongShape as fault:
        return [], str(fault)
    if len(cells) != len(contract.columns):
        return cells, f"not {len(contract.columns)} columns"
    values = list(zip(contract.columns, cells, strict=True))
    for find_fault in (find_format_fault, find_value_fault):
        for column, cell in values:
            if reason := find_fault(column, cell, contract):
                return cells, reason
    return cells, ""


def find_format_fault(column: Column, cell: str, contract: Contract) -> str:
    """Return why a cell has not the form of its column's type, or is missing."""
    if _compile_cell(column, contract).match(cell):
        return ""
    missing = re.match(BLANK, cell) or cell in contract.missing_words
    return f"{column.name} missing" if missing and not column.enum else column.format_fault


@cache
def _compile_cell(column: Column, contract: Contract) -> re.Pattern[str]:
    pattern = build_cell_pattern(column, get_separator(contract), contract.missing_words)
    return re.compile(f"{pattern}{END}")


def find_value_fault(column: Column, cell: str, contract: Contract) -> str:
    """Return why the value of a cell, which has the form of its type, breaks the contract."""
    if cell in contract.missing_words:
        return ""
    if column.is_numeric:
        return _judge_number(column, float(cell))
    if column.type in ("date", "datetime"):
        return _judge_time(column, cell)
    return _judge_text(column, cell)


def _judge_number(column: Column, value: float) -> str:
    lower = column.lower
    if lower and not lower.inclusive and value == lower.value == 0:
        return f"{column.name} 0"
    if _is_outside(column, value) or not MIN_NUMBER <= value <= MAX_NUMBER:
        return f"{column.name} out of range"
    return f"{column.name} not whole" if column.type == "integer" and value != floor(value) else ""


def _is_outside(column: Column, value: Any) -> bool:
    """Whether a number, or the text of a date or time, is outside of the range."""
    lower, upper = column.lower, column.upper
    below = lower is not None and (
        value < lower.value or (value == lower.value and not lower.inclusive)
    )
    above = upper is not None and (
        value > upper.value or (value == upper.value and not upper.inclusive)
    )
    return below or above


def _judge_time(column: Column, cell: str) -> str:
    try:
        date.fromisoformat(cell[:10])
    except ValueError:
        return column.format_fault
    return f"{column.name} out of range" if _is_outside(column, cell[:19]) else ""


def _judge_text(column: Column, cell: str) -> str:
    if len(cell) < column.min_length:
        return f"{column.name} too short"
    if column.max_length is not None and len(cell) > column.max_length:
        return f"{column.name} too long"
    if column.pattern and not re.fullmatch(column.pattern, cell, re.ASCII | re.DOTALL):
        return f"{column.name} not as its pattern says"
    return ""
