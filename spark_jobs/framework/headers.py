"""Header lines: which lines are headers, and which of them break the contract.

A header line names the contract's columns in order. It is skipped wherever it stands, since files
that were put together from parts have several. A header in another order fails the run: columns are
taken by their position, so other numbers would become features. Spark's CSV reader ignores the
header's order by default (SPARK-23786, enforceSchema).
"""

import re
from collections.abc import Sequence

from framework.contract import Contract
from framework.line_patterns import build_header_patterns

NAME = re.compile(r"[^\W\d_][\w .()/%-]*")
# Words that stand for a missing value, in any case: a line of these is no header.
MISSING_WORDS = frozenset(("na", "n/a", "nan", "nil", "null", "none", "inf", "infinity"))
MAX_HEADER_CHARS = 4_096  # a longer line is no header
MAX_SHOWN_NAMES = 110  # characters of the names in the file, and of those in the contract


def is_header_in_order(line: str, contract: Contract) -> bool:
    """Whether a line names the contract's columns in order."""
    pattern = build_header_patterns(contract)[1]
    return contract.is_delimited and bool(re.match(pattern, line.removesuffix("\r")))


def names_first_column(line: str, contract: Contract) -> bool:
    """Whether the first cell of a line is the name of the first column."""
    return contract.is_delimited and bool(re.match(build_header_patterns(contract)[0], line))


def read_column_names(line: str, contract: Contract) -> tuple[str, ...]:
    """Return the columns that a line names, as it writes them; none if it is no header.

    A header names at least two of the contract's columns, or has names in all of its cells.
    """
    if len(line) > MAX_HEADER_CHARS or not contract.is_delimited:
        return ()
    cells = tuple(
        cell.strip('"\t\r ') for cell in line.removeprefix("\ufeff").split(contract.delimiter)
    )
    columns = normalize_columns(contract)
    known = sum(normalize_name(cell) in columns for cell in cells)
    if known < 2 and (len(cells) < 2 or not _are_names(cells, contract)):
        return ()
    return cells


def _are_names(cells: Sequence[str], contract: Contract) -> bool:
    """Whether all cells are names, and none is a value that its column has."""
    named = all(NAME.fullmatch(cell) and cell.lower() not in MISSING_WORDS for cell in cells)
    texts = any(column.type == "string" and not column.enum for column in contract.columns)
    same = zip(cells, contract.columns, strict=False)
    return named and not texts and not any(cell in column.words for cell, column in same)


def normalize_name(name: str) -> str:
    """Return a name without the signs and the case that a header may change."""
    return re.sub("[ _.-]", "", name.lower())


def normalize_columns(contract: Contract) -> list[str]:
    """Return the normalized names of the contract's columns, in order."""
    return list(map(normalize_name, contract.names))


def find_header_fault(line: str, contract: Contract, which: str = "The first line") -> str:
    """Return why a header line breaks the contract; "" if it is no header, or one in order.

    `which` line it is begins the sentence, which shows the two orders side by side.
    """
    names = read_column_names(line, contract)
    if not names or is_header_in_order(line, contract):
        return ""
    what = (
        "the columns in another order" if is_reordered_header(line, contract) else "other columns"
    )
    columns = _shorten(", ".join(contract.names))
    return f"{which} names {what}. The file: {_shorten(', '.join(names))}. The contract: {columns}."


def find_first_line_fault(line: str, contract: Contract) -> str:
    """Return why the first line of a file breaks the contract; "" if it does not."""
    if fault := find_header_fault(line, contract):
        return fault
    if contract.is_delimited and contract.header and not is_header_in_order(line, contract):
        columns = _shorten(contract.delimiter.join(contract.names))
        return f"The first line is no header. The contract asks for one: {columns}."
    return ""


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_NAMES else f"{text[:MAX_SHOWN_NAMES]}…"


def is_reordered_header(line: str, contract: Contract) -> bool:
    """Whether a line names exactly the contract's columns, in another order."""
    names = list(map(normalize_name, read_column_names(line, contract)))
    columns = normalize_columns(contract)
    return names != columns and sorted(names) == sorted(columns)


def find_wrong_header(listed: Sequence[str], contract: Contract) -> int:
    """Return the number, from 1, of the first line that fails the run; 0 if there is none.

    That is the first line of the file, or below it a header with exactly the contract's columns in
    another order.
    """
    if listed and find_first_line_fault(listed[0], contract):
        return 1
    below = enumerate(listed[1:], 2)
    return next(
        (
            at
            for at, line in below
            if names_first_column(line, contract) and is_reordered_header(line, contract)
        ),
        0,
    )
