"""A figure: what was measured, in which unit, and the bound that it must hold."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "build" / "bench"


@dataclass(frozen=True)
class Figure:
    """One row. `bound` is the largest figure that still holds, or None where a figure only informs."""

    what: str
    figure: float
    unit: str
    bound: float | None = None

    @property
    def holds(self) -> bool:
        return self.bound is None or self.figure <= self.bound


def write(name: str, figures: list[Figure]) -> Path:
    """build/bench/<name>.json, rows of what, figure, unit, bound, holds."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps([asdict(row) | {"holds": row.holds} for row in figures], indent=1) + "\n")
    return path


def table(figures: list[Figure]) -> str:
    """The same rows for a reader."""
    width = max(len(row.what) for row in figures)
    return "\n".join(f"{row.what:<{width}}{_number(row):>10} {row.unit:<6}{_bound(row)}".rstrip() for row in figures)


def columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with a head; text stands left, numbers right and with commas."""
    shown = [head, *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    left = [isinstance(value, str) for value in rows[0]]
    return "\n".join(_line(line, widths, left) for line in shown)


def _line(cells: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> str:
    aligned = (cell.ljust(width) if text else cell.rjust(width) for cell, width, text in zip(cells, widths, left, strict=True))
    return "   ".join(aligned).rstrip()


def _cell(value: object) -> str:
    match value:
        case float():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
    return str(value)


def _number(row: Figure) -> str:
    return f"{row.figure:,.0f}" if row.unit in COUNTED else f"{row.figure:.1f}"


COUNTED = {"calls", "runs", "grants", "bells"}  # units of what has no fractions


def _bound(row: Figure) -> str:
    return "" if row.bound is None else f" ≤ {row.bound:g}: {'holds' if row.holds else 'DOES NOT HOLD'}"
