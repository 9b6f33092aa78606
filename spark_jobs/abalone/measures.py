"""The counts and measures of a run.

In JSON, as a manifest holds them:

    rows         in, train, validation, quarantine
    quarantine   rows by reason, the most frequent reason first
    categories   rows by sex, over all lines that can be parsed
    columns      by name, over the rows that became features: min and max (to a billionth), mean,
                 deviation (standard), each null if there is no row; edges and counts of the
                 histogram; missing: the share of all rows that are in quarantine because the
                 column is empty
    header_lines lines that name the columns in order; they are skipped, and are no rows
    sampled      N: deviations and histograms cover one row in N, picked by a hash; 1 for files of
                 up to about 5 MB
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from abalone.contract import BINS, NUMBERS, SEXES

Json = Mapping[str, Any]
BILLION = 1_000_000_000  # Spark computes min and max as whole billionths


@dataclass(frozen=True)
class Measure:
    """The measures of one column, over the rows that became features."""

    min: float | None
    max: float | None
    mean: float | None
    deviation: float | None
    missing: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """All counts and measures of a run."""

    rows: Mapping[str, int]
    quarantine: Mapping[str, int]
    categories: Mapping[str, int]
    columns: Mapping[str, Measure]
    sampled: int
    header_lines: int = 0


def encode_counts(counts: Counts) -> dict[str, Any]:
    """Return the counts as a manifest holds them."""
    columns = {
        name: asdict(measure) | {"edges": list(measure.edges), "counts": list(measure.counts)}
        for name, measure in counts.columns.items()
    }
    plain = {
        "rows": dict(counts.rows),
        "quarantine": dict(counts.quarantine),
        "categories": dict(counts.categories),
    }
    more = {"sampled": counts.sampled, "header_lines": counts.header_lines}
    return {**plain, "columns": columns, **more}


def decode_counts(manifest: Json) -> Counts:
    """Read the counts from a manifest; other members are ignored.

    Manifests of contract 1 do not count header lines.
    """
    columns = {
        name: Measure(
            **(
                dict(measure)
                | {"edges": tuple(measure["edges"]), "counts": tuple(measure["counts"])}
            )
        )
        for name, measure in manifest["columns"].items()
    }
    rows, quarantine = dict(manifest["rows"]), dict(manifest["quarantine"])
    return Counts(
        rows,
        quarantine,
        dict(manifest["categories"]),
        columns,
        manifest["sampled"],
        manifest.get("header_lines", 0),
    )


def collect_counts(observed: Json, reasons: Mapping[str, int], sampled: int) -> Counts:
    """Build the counts from what Spark observed (engine._observe_columns).

    `observed` has `rows` (lines), `headers` (those of them that are skipped), `kept` (rows that
    became features) and `train` (those of them in the train split); the rows of each sex; `min` and
    `max` (in billionths) and `sum` of each column; and `sample`, a sample of the written features,
    one line for each row.
    """
    headers, kept, train = observed["headers"], observed["kept"], observed["train"]
    total = observed["rows"] - headers
    rows = {"in": total, "train": train, "validation": kept - train, "quarantine": total - kept}
    sample = [_parse_sample_line(line) for line in observed["sample"].split("\n") if line]
    return Counts(
        rows,
        dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        {sex: observed[sex] for sex in SEXES},
        {
            name: _measure_column(name, observed, reasons, [row[index] for row in sample])
            for index, name in enumerate(NUMBERS)
        },
        sampled,
        headers,
    )


def _parse_sample_line(line: str) -> list[float]:
    """Return the numbers in the contract's order; the line begins with the label and two flags."""
    label, _, _, *measures = map(float, line.split(","))
    return [*measures, label]


def _measure_column(
    name: str, observed: Json, reasons: Mapping[str, int], sample: list[float]
) -> Measure:
    kept, total, bins = observed["kept"], observed["rows"] - observed["headers"], BINS[name]
    by_bin = Counter(map(bins.find_bin, sample))
    low, high = (
        None if (extreme := observed[f"{name} {end}"]) is None else extreme / BILLION
        for end in ("min", "max")
    )
    mean = _round_digits(observed[f"{name} sum"] / kept) if kept else None
    missing = _round_digits(reasons.get(f"{name} missing", 0) / total if total else 0.0)
    counts = tuple(by_bin[index] for index in range(bins.count + 1))
    return Measure(low, high, mean, _standard_deviation(sample), missing, bins.edges, counts)


def _standard_deviation(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return _round_digits(
        math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    )


def _round_digits(value: float) -> float:
    # The order in which Spark adds affects the last digits; without rounding, two manifests of the
    # same file would differ.
    return float(f"{value:.9g}")
