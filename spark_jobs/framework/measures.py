"""The counts and measures of a run.

In JSON, as a manifest holds them:

    rows         in, train, validation, quarantine
    quarantine   rows by reason, the most frequent reason first
    categories   for each column with an enum: rows by value, over all lines that can be parsed
    columns      for each numeric column that is in the output, over the rows that became features:
                 min and max (to a billionth), mean, deviation (standard), each null if there is no
                 value; edges and counts of the histogram; missing: the share of all rows in which
                 the column is empty
    header_lines lines that name the columns in order; they are skipped, and are no rows
    sampled      N: deviations and histograms cover one row in N, picked by a hash; 1 for files of
                 up to about 5 MB
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from framework.contract import Column, Contract

Json = Mapping[str, Any]
BILLION = 1_000_000_000  # Spark computes min and max as whole billionths
MAX_BILLIONTHS = 1e9  # if the range of a column does not go beyond
FLAT_CATEGORIES = "sex"  # the column whose categories manifests of format 1 hold without its name


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
    categories: Mapping[str, Mapping[str, int]]
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
        "categories": {name: dict(values) for name, values in counts.categories.items()},
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
        read_categories(manifest),
        columns,
        manifest["sampled"],
        manifest.get("header_lines", 0),
    )


def read_categories(manifest: Json) -> dict[str, dict[str, int]]:
    """Return the rows by column and value; manifests of format 1 have those of abalone's sex."""
    found = manifest.get("categories", {})
    if all(isinstance(count, int) for count in found.values()) and found:
        return {FLAT_CATEGORIES: dict(found)}
    return {name: dict(values) for name, values in found.items()}


def collect_counts(
    observed: Json, reasons: Mapping[str, int], sampled: int, contract: Contract
) -> Counts:
    """Build the counts from what Spark observed (engine._observe_columns).

    `observed` has `rows` (lines), `headers` (those of them that are skipped), `kept` (rows that
    became features) and `train` (those of them in the train split); the rows of each category; of
    each measured column `min`, `max` and `sum`, and if it may be missing the number of `known`
    values; and `sample`, a line for each sampled row.
    """
    headers, kept, train = observed["headers"], observed["kept"], observed["train"]
    total = observed["rows"] - headers
    rows = {"in": total, "train": train, "validation": kept - train, "quarantine": total - kept}
    samples = _read_sample(observed["sample"], contract)
    return Counts(
        rows,
        dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        {
            column.name: {word: observed[f"{column.name} = {word}"] for word in column.categories}
            for column in contract.counted
        },
        {
            column.name: _measure_column(column, observed, reasons, sample, contract)
            for column, sample in zip(contract.measured, samples, strict=True)
        },
        sampled,
        headers,
    )


def _read_sample(text: str, contract: Contract) -> list[list[float]]:
    """Return the sampled numbers of each measured column, without the missing ones."""
    lines = [line.split(",") for line in text.split("\n") if line]
    cells = range(len(contract.measured))
    places = (
        [contract.find_output_cell(column.name) for column in contract.measured]
        if contract.is_sampled_as_written
        else cells
    )
    return [[float(line[place]) for line in lines if line[place]] for place in places]


def _measure_column(
    column: Column,
    observed: Json,
    reasons: Mapping[str, int],
    sample: list[float],
    contract: Contract,
) -> Measure:
    name, kept = column.name, observed["kept"]
    known, total = observed.get(f"{name} known", kept), observed["rows"] - observed["headers"]
    low, high = (_scale_extreme(observed[f"{name} {end}"]) for end in ("min", "max"))
    mean = _round_digits(observed[f"{name} sum"] / known) if known else None
    absent = reasons.get(f"{name} missing", 0) + kept - known
    missing = _round_digits(absent / total if total else 0.0)
    bins = contract.bins.get(name)
    edges = bins.edges if bins else ()
    counts = _count_bins(sample, edges) if edges else ()
    return Measure(low, high, mean, _standard_deviation(sample), missing, edges, counts)


def _scale_extreme(extreme: float | None) -> float | None:
    """Return a min or max: Spark gives whole billionths for a column of a small range."""
    return extreme / BILLION if isinstance(extreme, int) else extreme


def _count_bins(sample: list[float], edges: tuple[float, ...]) -> tuple[int, ...]:
    """Return how many values lie in each bin; one on the last edge belongs to the last bin."""
    last = len(edges) - 2
    by_bin = Counter(min(max(bisect_right(edges, value) - 1, 0), last) for value in sample)
    return tuple(by_bin[index] for index in range(last + 1))


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
