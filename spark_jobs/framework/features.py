"""The features of a row in plain Python: the cells of the output from the cells of the line.

Numbers of the input keep their text. What is computed has six decimals, rounded half up, and is
formatted from whole millionths, since Java and Python format doubles differently.
"""

import math
from datetime import date

from framework.contract import Contract, Feature

MILLION = 1_000_000
MAX_COMPUTED = 1e12  # a computed feature is cut off there: millionths of it are exact whole numbers
EPOCH = date(1970, 1, 1)


def format_features(cells: list[str], contract: Contract) -> str:
    """Return the line of the output: the label, then the features."""
    row = dict(zip(contract.names, cells, strict=True))
    label = _format_label(row[contract.label], contract)
    return ",".join([label, *(_format_feature(one, row, contract) for one in contract.features)])


def _format_label(cell: str, contract: Contract) -> str:
    column = contract.find_column(contract.label)
    if column.enum:
        return str(column.enum.index(cell))
    return str(int(cell in column.true_values)) if column.type == "boolean" else cell


def _format_feature(feature: Feature, row: dict[str, str], contract: Contract) -> str:
    cells = [row[name] for name in feature.columns]
    if feature.kind == "one_hot":
        return ",".join("1" if cells[0] == value else "0" for value in feature.values)
    if any(cell in contract.missing_words for cell in cells):
        return feature.missing
    if feature.kind in ("log", "ratio"):
        value = _compute(feature.kind, [float(cell) for cell in cells])
        return feature.missing if value is None else format_millionths(value)
    if feature.kind in ("number", "boolean"):
        column = contract.find_column(feature.columns[0])
        return cells[0] if feature.kind == "number" else str(int(cells[0] in column.true_values))
    return str(_take_date_part(feature.kind, date.fromisoformat(cells[0][:10])))


def _compute(kind: str, numbers: list[float]) -> float | None:
    """Return the value of a computed feature; None for a ratio to 0."""
    if kind == "log":
        return math.log(1 + numbers[0])
    return numbers[0] / numbers[1] if numbers[1] else None


def _take_date_part(kind: str, day: date) -> int:
    if kind == "weekday":
        return day.isoweekday()
    if kind == "days":
        return (day - EPOCH).days
    return int(getattr(day, kind))


def format_millionths(value: float) -> str:
    """Return a number with six decimals, rounded half up.

    >>> format_millionths(1 / 3), format_millionths(-2.5), format_millionths(-1e-9)
    ('0.333333', '-2.500000', '0.000000')
    """
    count = math.floor(min(abs(value), MAX_COMPUTED) * MILLION + 0.5)
    sign = "-" if value < 0 and count else ""
    return f"{sign}{count // MILLION}.{count % MILLION:06d}"
