"""A figure: what was measured, in which unit, and the bound that it must hold."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FIGURES_FOLDER = Path(__file__).parent.parent / "build" / "bench"
COUNTED_UNITS = {"calls", "runs", "grants", "events"}  # they have no fractions


@dataclass(frozen=True)
class Figure:
    """One row. `bound` is the largest value that still holds, or None if there is no bound."""

    what: str
    figure: float
    unit: str
    bound: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bound."""
        return self.bound is None or self.figure <= self.bound


def write_figures(name: str, figures: list[Figure]) -> Path:
    """Write build/bench/<name>.json: rows of what, figure, unit, bound, holds."""
    FIGURES_FOLDER.mkdir(parents=True, exist_ok=True)
    path = FIGURES_FOLDER / f"{name}.json"
    rows = [asdict(row) | {"holds": row.holds} for row in figures]
    path.write_text(json.dumps(rows, indent=1) + "\n")
    return path


def format_figures(figures: list[Figure]) -> str:
    """The figures as lines of text."""
    width = max(len(row.what) for row in figures)
    lines = (
        f"{row.what:<{width}}{_format_number(row):>10} {row.unit:<6}{_format_bound(row)}"
        for row in figures
    )
    return "\n".join(line.rstrip() for line in lines)


def format_columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with a head. Text is aligned left; numbers are aligned right, with commas."""
    shown = [head, *([_format_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    left = [isinstance(value, str) for value in rows[0]]
    return "\n".join(_format_line(line, widths, left) for line in shown)


def _format_line(cells: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> str:
    columns = zip(cells, widths, left, strict=True)
    aligned = (cell.ljust(width) if text else cell.rjust(width) for cell, width, text in columns)
    return "   ".join(aligned).rstrip()


def _format_cell(value: object) -> str:
    match value:
        case float():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
    return str(value)


def _format_number(row: Figure) -> str:
    return f"{row.figure:,.0f}" if row.unit in COUNTED_UNITS else f"{row.figure:.1f}"


def _format_bound(row: Figure) -> str:
    if row.bound is None:
        return ""
    return f" ≤ {row.bound:g}: {'holds' if row.holds else 'DOES NOT HOLD'}"
