"""What is counted of a run, and what has changed since the run before: sentences for whoever trains on the features.

As JSON, in a manifest:

    rows         in, train, validation, quarantine
    quarantine   rows by reason, the most frequent first
    categories   rows by sex, of all lines that can be read
    columns      of what made features, by name: min, max, mean, deviation (standard; null where there is no row), edges and counts of the
                 histogram; and missing, the share of all rows that are in quarantine because they have nothing there
    sampled      the histograms count one row in so many, picked by a hash; 1 for files of up to some 5 MB
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from abalone.contract import BINS, NUMBERS, SEXES

Json = Mapping[str, Any]
PLACES = {name: 5 * at for at, name in enumerate(reversed(NUMBERS))}  # the lowest bit of each column's bin; see columns.bins


@dataclass(frozen=True)
class Measure:
    """One column of what made features."""

    min: float | None
    max: float | None
    mean: float | None
    deviation: float | None
    missing: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """All that is counted of a run."""

    rows: Mapping[str, int]
    quarantine: Mapping[str, int]
    categories: Mapping[str, int]
    columns: Mapping[str, Measure]
    sampled: int


def to_json(counts: Counts) -> dict[str, Any]:
    """As a manifest has it."""
    columns = {
        name: asdict(measure) | {"edges": list(measure.edges), "counts": list(measure.counts)}
        for name, measure in counts.columns.items()
    }
    plain = {"rows": dict(counts.rows), "quarantine": dict(counts.quarantine), "categories": dict(counts.categories)}
    return {**plain, "columns": columns, "sampled": counts.sampled}


def from_json(told: Json) -> Counts:
    """From a manifest, whatever else stands there."""
    columns = {
        name: Measure(**(dict(measure) | {"edges": tuple(measure["edges"]), "counts": tuple(measure["counts"])}))
        for name, measure in told["columns"].items()
    }
    return Counts(dict(told["rows"]), dict(told["quarantine"]), dict(told["categories"]), columns, told["sampled"])


def counted(told: Json, reasons: Mapping[str, int], sampled: int) -> Counts:
    """From what Spark observed: see engine.py."""
    kept = told["kept"]
    rows = {"in": told["rows"], "train": told["train"], "validation": kept - told["train"], "quarantine": told["rows"] - kept}
    packed = Counter(map(int, told["bins"].split()))
    return Counts(
        rows,
        dict(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
        {sex: told[sex] for sex in SEXES},
        {name: _measure(name, told, reasons, packed) for name in NUMBERS},
        sampled,
    )


def _measure(name: str, told: Json, reasons: Mapping[str, int], packed: Mapping[int, int]) -> Measure:
    rows, total = told["kept"], told[f"{name} sum"]
    missing = _rounded(reasons.get(f"{name} missing", 0) / told["rows"]) if told["rows"] else 0.0
    counts = [0] * (BINS[name].count + 1)
    for bins, times in packed.items():
        counts[bins >> PLACES[name] & 31] += times
    mean = total / rows if rows else None
    deviation = math.sqrt(max(0.0, told[f"{name} squares"] - total * total / rows) / (rows - 1)) if rows > 1 else None
    ends = told[f"{name} min"], told[f"{name} max"]
    return Measure(*ends, _rounded(mean), _rounded(deviation), missing or 0.0, BINS[name].edges, tuple(counts))


def _rounded(value: float | None) -> float | None:
    # The order in which Spark adds changes the last digits, and would make two manifests of one file differ.
    return None if value is None else float(f"{value:.9g}")
