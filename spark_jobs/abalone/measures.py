"""What is counted of a run, and what has changed since the run before: sentences for whoever trains on the features.

As JSON, in a manifest:

    rows         in, train, validation, quarantine
    quarantine   rows by reason, the most frequent first
    categories   rows by sex, of all lines that can be read
    columns      of what made features, by name: min and max (to a billionth), mean, deviation (standard), null where there is no row; edges
                 and counts of the histogram; and missing, the share of all rows that are in quarantine because they have nothing there
    sampled      deviations and histograms are of one row in so many, picked by a hash; 1 for files of up to some 5 MB
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from abalone.contract import BINS, NUMBERS, SEXES

Json = Mapping[str, Any]
PARTS = 1_000_000_000  # of one, in which Spark counts the smallest and the largest


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
    """From what Spark observed: `rows` and those of them that were `kept`, of these `train`; by sex; `min` and `max` in billionths and the
    `sum` by column; and as a `sample` of what was written, a line for each row.
    """
    kept = told["kept"]
    rows = {"in": told["rows"], "train": told["train"], "validation": kept - told["train"], "quarantine": told["rows"] - kept}
    drawn = [_numbers(line) for line in told["sample"].split("\n") if line]
    return Counts(
        rows,
        dict(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
        {sex: told[sex] for sex in SEXES},
        {name: _measure(name, told, reasons, [row[at] for row in drawn]) for at, name in enumerate(NUMBERS)},
        sampled,
    )


def _numbers(line: str) -> list[float]:
    """In the contract's order; the line has the label first, and two flags."""
    label, _, _, *measures = map(float, line.split(","))
    return [*measures, label]


def _measure(name: str, told: Json, reasons: Mapping[str, int], drawn: list[float]) -> Measure:
    rows, bins = told["kept"], BINS[name]
    placed = Counter(map(bins.place, drawn))
    low, high = (None if told[f"{name} {end}"] is None else told[f"{name} {end}"] / PARTS for end in ("min", "max"))
    mean = _rounded(told[f"{name} sum"] / rows) if rows else None
    missing = reasons.get(f"{name} missing", 0) / told["rows"] if told["rows"] else 0.0
    counts = tuple(placed[at] for at in range(bins.count + 1))
    return Measure(low, high, mean, _deviation(drawn), _rounded(missing), bins.edges, counts)


def _deviation(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return _rounded(math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)))


def _rounded(value: float) -> float:
    # The order in which Spark adds changes the last digits, and would make two manifests of one file differ.
    return float(f"{value:.9g}")
