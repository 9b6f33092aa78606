"""A figure: what was measured, in which unit, and the bound that it must hold."""

import json
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
    return "\n".join(
        f"{row.what:<58}{row.figure:>10.1f} {row.unit:<6}{_bound(row)}".rstrip() for row in figures
    )  # fmt: skip


def _bound(row: Figure) -> str:
    return "" if row.bound is None else f" ≤ {row.bound:g}: {'holds' if row.holds else 'DOES NOT HOLD'}"
