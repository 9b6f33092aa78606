"""Take the cells out of a line, in plain Python: quoted or not, or the values of a JSON object."""

import re
from json.decoder import scanstring  # type: ignore[attr-defined]

from framework.contract import Contract
from framework.line_patterns import JSON_NUMBER, KEY, UNIT_SEPARATOR

QUOTES_FAULT = "quotes not valid"
OBJECT_FAULT = "not a JSON object of plain values"
KEYS_FAULT = "other columns"
SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE, _KEY, _NUMBER = (re.compile(one) for one in ("[ \t\r]*", KEY, JSON_NUMBER))
_CONSTANTS = {"true": "true", "false": "false", "null": None}


class WrongShape(Exception):
    """A line has no cells; the text is the reason."""


def read_cells(line: str, contract: Contract) -> list[str]:
    """Return the cells of a line. Raises WrongShape."""
    if contract.is_plain:
        return line.split(contract.delimiter)
    if contract.is_delimited:
        cells = split_quoted(line, contract.delimiter)
    else:
        cells = _order_values(read_object(line), contract)
    # Both engines put this sign between the cells, so it cannot be within one.
    return UNIT_SEPARATOR.join(cells).split(UNIT_SEPARATOR)


def split_quoted(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, some of which may be quoted, as RFC 4180 says.

    >>> split_quoted('a,"b, ""c"" d",', ",")
    ['a', 'b, "c" d', '']
    """
    cells, at = [], 0
    while True:
        if line.startswith('"', at):
            cell, at = _read_quoted(line, at + 1)
        else:
            end = line.find(delimiter, at)
            cell = line[at:] if end < 0 else line[at:end]
            at += len(cell)
            if '"' in cell:
                raise WrongShape(QUOTES_FAULT)
        cells.append(cell)
        if at == len(line):
            return cells
        if not line.startswith(delimiter, at):
            raise WrongShape(QUOTES_FAULT)
        at += 1


def _read_quoted(line: str, at: int) -> tuple[str, int]:
    """Return the text up to the closing quote, and where it ends."""
    text = ""
    while True:
        end = line.find('"', at)
        if end < 0:
            raise WrongShape(QUOTES_FAULT)
        text += line[at:end]
        if not line.startswith('""', end):
            return text, end + 1
        text, at = text + '"', end + 2


def read_object(line: str) -> list[tuple[str, str | None]]:
    """Return names and values of a JSON object in its order; None for null."""
    at = _expect("{", line, 0)
    pairs: list[tuple[str, str | None]] = []
    if not line.startswith("}", at):
        at -= 1
        while not pairs or line.startswith(",", at):
            key = _KEY.match(line, _SPACE.match(line, at + 1).end())  # type: ignore[union-attr]
            if key is None:
                raise WrongShape(OBJECT_FAULT)
            value, at = _read_value(line, _expect(":", line, key.end()))
            pairs.append((key[0][1:-1], value))
            at = _SPACE.match(line, at).end()  # type: ignore[union-attr]
    if _expect("}", line, at) != len(line):
        raise WrongShape(OBJECT_FAULT)
    return pairs


def _expect(sign: str, line: str, at: int) -> int:
    """Return where the line goes on after a sign and the white space around it."""
    at = _SPACE.match(line, at).end()  # type: ignore[union-attr]
    if not line.startswith(sign, at):
        raise WrongShape(OBJECT_FAULT)
    return _SPACE.match(line, at + 1).end()  # type: ignore[union-attr]


def _read_value(line: str, at: int) -> tuple[str | None, int]:
    if line.startswith('"', at):
        try:
            text, end = scanstring(line, at + 1, True)
        except ValueError as error:
            raise WrongShape(OBJECT_FAULT) from error
        if SURROGATE.search(text):
            raise WrongShape(OBJECT_FAULT)
        return text, end
    for word, value in _CONSTANTS.items():
        if line.startswith(word, at):
            return value, at + len(word)
    if number := _NUMBER.match(line, at):
        return number[0], number.end()
    raise WrongShape(OBJECT_FAULT)


def _order_values(pairs: list[tuple[str, str | None]], contract: Contract) -> list[str]:
    """Return the values in the contract's order; a missing value is the empty word."""
    found = dict(pairs)
    if len(found) != len(pairs) or not found.keys() <= set(contract.names):
        raise WrongShape(KEYS_FAULT)
    return [found.get(name) or "" for name in contract.names]
