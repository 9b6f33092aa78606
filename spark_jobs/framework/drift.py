"""Describe what has changed between two runs, in sentences for people who train on the features."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framework.contract import DriftThresholds
from framework.measures import Counts, Measure, decode_counts

Json = Mapping[str, Any]


def describe_drift(
    now: Json, before: Json | None, thresholds: DriftThresholds | None = None
) -> list[str]:
    """Return the sentences, the gravest first; none without drift or without a previous run.

    `now` and `before` are manifests, or counts in the form of measures.encode_counts.
    """
    if before is None:
        return []
    limits = thresholds or DriftThresholds()
    return list(_compare_counts(decode_counts(now), decode_counts(before), limits))


def _compare_counts(now: Counts, before: Counts, limits: DriftThresholds) -> Iterator[str]:
    yield from _compare_rows(now, before, limits)
    yield from _compare_quarantine(now, before, limits)
    for name in now.categories:
        if name in before.categories:
            yield from _compare_categories(name, now, before, limits)
    for name in now.columns:
        here, there = _read_column(now, name), _read_column(before, name)
        if here and there:
            yield from _compare_column(name.replace("_", " "), here, there, limits)


def _compare_rows(now: Counts, before: Counts, limits: DriftThresholds) -> Iterator[str]:
    here, there = now.rows["in"], before.rows["in"]
    if there and not 1 / limits.rows <= here / there <= limits.rows:
        yield f"{here:,} rows in, previously {there:,}"


def _compare_quarantine(now: Counts, before: Counts, limits: DriftThresholds) -> Iterator[str]:
    here, there = (
        _divide_safely(now.rows["quarantine"], now.rows["in"]),
        _divide_safely(before.rows["quarantine"], before.rows["in"]),
    )
    if _differs_significantly(
        here, there, limits.quarantine, limits.chance, (now.rows["in"], before.rows["in"])
    ):
        yield (
            f"{'new: ' if not there else ''}{_format_percent(here)} of rows in quarantine, "
            f"previously {_format_percent(there)}"
        )
    for reason, count in now.quarantine.items():
        if reason not in before.quarantine:
            yield f"new in quarantine: {reason} ({count:,} {'row' if count == 1 else 'rows'})"


def _compare_categories(
    name: str, now: Counts, before: Counts, limits: DriftThresholds
) -> Iterator[str]:
    current, past = now.categories[name], before.categories[name]
    all_now, all_before = sum(current.values()), sum(past.values())
    words = name.replace("_", " ")
    for value in sorted({*current, *past}):
        here, there = (
            _divide_safely(current.get(value, 0), all_now),
            _divide_safely(past.get(value, 0), all_before),
        )
        if _differs_significantly(
            here, there, limits.category, limits.chance, (all_now, all_before)
        ):
            yield (
                f"share of {words} {value} moved from {_format_percent(there)} to "
                f"{_format_percent(here)}"
            )


@dataclass(frozen=True)
class _ColumnFigures:
    """A column of a run, over at least one row that became features."""

    rows: int
    min: float
    max: float
    mean: float
    deviation: float
    measure: Measure


def _read_column(counts: Counts, name: str) -> _ColumnFigures | None:
    kept, one = counts.rows["in"] - counts.rows["quarantine"], counts.columns.get(name)
    if one is None or one.min is None or one.max is None or one.mean is None:
        return None
    return _ColumnFigures(kept, one.min, one.max, one.mean, one.deviation or 0.0, one)


def _compare_column(
    name: str, here: _ColumnFigures, there: _ColumnFigures, limits: DriftThresholds
) -> Iterator[str]:
    moved = (here.mean - there.mean) / there.deviation if there.deviation else 0.0
    if abs(moved) >= max(limits.mean, limits.chance * math.sqrt(1 / here.rows + 1 / there.rows)):
        yield (
            f"mean of {name} moved from {there.mean:.3g} to {here.mean:.3g} ({moved:+.1f} "
            "standard deviations)"
        )
    far = limits.end * there.deviation
    if far and here.max - there.max > far:
        yield f"{name} has a maximum of {here.max:.3g}, previously {there.max:.3g}"
    if far and there.min - here.min > far:
        yield f"{name} has a minimum of {here.min:.3g}, previously {there.min:.3g}"
    yield from _compare_shape(name, here.measure, there.measure, limits)


def _compare_shape(
    name: str, here: Measure, there: Measure, limits: DriftThresholds
) -> Iterator[str]:
    if here.edges != there.edges or not here.edges:
        return
    index = stability_index(here.counts, there.counts)
    if index >= max(limits.shape, chance_bound(here.counts, there.counts, limits.chance)):
        yield f"{name} is distributed differently (population stability index {index:.2f})"


def stability_index(here: Sequence[int], there: Sequence[int]) -> float:
    """Return the population stability index of two histograms with the same bins.

    It is 0 if their shapes are equal. Half a row is added to each bin.

    >>> round(stability_index((10, 80, 10), (10, 80, 10)), 3)
    0.0
    >>> round(stability_index((10, 80, 10), (40, 50, 10)), 3)
    0.537
    """
    ours, theirs = (
        [(count + 0.5) / (sum(counts) + len(counts) / 2) for count in counts]
        for counts in (here, there)
    )
    return sum(
        (one - other) * math.log(one / other) for one, other in zip(ours, theirs, strict=True)
    )


def chance_bound(here: Sequence[int], there: Sequence[int], chance: float) -> float:
    """Return how large the index may become by chance if both are samples of one distribution.

    It is about chi-squared, with one degree of freedom less than there are bins in use.
    """
    free = max(1, sum(1 for one, other in zip(here, there, strict=True) if one or other) - 1)
    rows = 1 / max(1, sum(here)) + 1 / max(1, sum(there))
    return (free + chance * math.sqrt(2 * free)) * rows


def _differs_significantly(
    here: float, there: float, bound: float, chance: float, sizes: tuple[int, int]
) -> bool:
    """Whether two shares differ by the bound, and by more than chance explains."""
    rows, past = sizes
    if not rows or not past:
        return False
    both = (here * rows + there * past) / (rows + past)
    return abs(here - there) >= max(
        bound, chance * math.sqrt(both * (1 - both) * (1 / rows + 1 / past))
    )


def _divide_safely(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _format_percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
