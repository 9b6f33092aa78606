"""What has changed between two runs, in sentences for whoever trains on the features."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abalone.contract import DRIFT, NUMBERS
from abalone.measures import Counts, Measure, from_json

Json = Mapping[str, Any]


def compare(now: Json, before: Json | None) -> list[str]:
    """The sentences, gravest first; none if nothing has drifted, or there was no run before. Both are as measures.py says, or manifests."""
    if before is None:
        return []
    return list(_drifted(from_json(now), from_json(before)))


def _drifted(now: Counts, before: Counts) -> Iterator[str]:
    yield from _rows(now, before)
    yield from _quarantine(now, before)
    yield from _categories(now, before)
    for name in NUMBERS:
        here, there = _filled(now, name), _filled(before, name)
        if here and there:
            yield from _column(name.replace("_", " "), here, there)


def _rows(now: Counts, before: Counts) -> Iterator[str]:
    here, there = now.rows["in"], before.rows["in"]
    if there and not 1 / DRIFT.rows <= here / there <= DRIFT.rows:
        yield f"{here:,} rows came in, before {there:,}"


def _quarantine(now: Counts, before: Counts) -> Iterator[str]:
    here, there = _share(now.rows["quarantine"], now.rows["in"]), _share(before.rows["quarantine"], before.rows["in"])
    if _apart(here, there, DRIFT.quarantine, now.rows["in"], before.rows["in"]):
        yield f"{'new: ' if not there else ''}{_percent(here)} of rows in quarantine, before {_percent(there)}"
    for reason, count in now.quarantine.items():
        if reason not in before.quarantine:
            yield f"new in quarantine: {reason} ({count:,} {'row' if count == 1 else 'rows'})"


def _categories(now: Counts, before: Counts) -> Iterator[str]:
    all_now, all_before = sum(now.categories.values()), sum(before.categories.values())
    for sex in sorted({*now.categories, *before.categories}):
        here, there = _share(now.categories.get(sex, 0), all_now), _share(before.categories.get(sex, 0), all_before)
        if _apart(here, there, DRIFT.category, all_now, all_before):
            yield f"share of sex {sex} moved from {_percent(there)} to {_percent(here)}"


@dataclass(frozen=True)
class _Filled:
    """A column of a run that made features, of so many rows."""

    rows: int
    min: float
    max: float
    mean: float
    deviation: float
    measure: Measure


def _filled(counts: Counts, name: str) -> _Filled | None:
    rows, one = counts.rows["train"] + counts.rows["validation"], counts.columns.get(name)
    if one is None or one.min is None or one.max is None or one.mean is None:
        return None
    return _Filled(rows, one.min, one.max, one.mean, one.deviation or 0.0, one)


def _column(name: str, here: _Filled, there: _Filled) -> Iterator[str]:
    moved = (here.mean - there.mean) / there.deviation if there.deviation else 0.0
    if abs(moved) >= max(DRIFT.mean, DRIFT.chance * math.sqrt(1 / here.rows + 1 / there.rows)):
        yield f"mean of {name} moved from {there.mean:.3g} to {here.mean:.3g} ({moved:+.1f} standard deviations)"
    far = DRIFT.end * there.deviation
    if far and here.max - there.max > far:
        yield f"{name} goes up to {here.max:.3g}, before to {there.max:.3g}"
    if far and there.min - here.min > far:
        yield f"{name} goes down to {here.min:.3g}, before to {there.min:.3g}"
    yield from _shape(name, here.measure, there.measure)


def _shape(name: str, here: Measure, there: Measure) -> Iterator[str]:
    if here.edges != there.edges:
        return
    index = stability(here.counts, there.counts)
    if index >= max(DRIFT.shape, chance(here.counts, there.counts)):
        yield f"{name} is spread otherwise than before (population stability index {index:.2f})"


def stability(here: Sequence[int], there: Sequence[int]) -> float:
    """The population stability index of two histograms with the same bins: 0 if their shapes are equal. Half a row is added to each bin.

    >>> round(stability((10, 80, 10), (10, 80, 10)), 3), round(stability((10, 80, 10), (40, 50, 10)), 3)
    (0.0, 0.537)
    """
    ours, theirs = ([(count + 0.5) / (sum(counts) + len(counts) / 2) for count in counts] for counts in (here, there))
    return sum((one - other) * math.log(one / other) for one, other in zip(ours, theirs, strict=True))


def chance(here: Sequence[int], there: Sequence[int]) -> float:
    """How large the index may become if both are samples of the same: about chi-squared, with a degree of freedom less than bins in use."""
    free = max(1, sum(1 for one, other in zip(here, there, strict=True) if one or other) - 1)
    rows = 1 / max(1, sum(here)) + 1 / max(1, sum(there))
    return (free + DRIFT.chance * math.sqrt(2 * free)) * rows


def _apart(here: float, there: float, bound: float, rows: int, past: int) -> bool:
    """Whether two shares differ by the bound, and by more than chance would have it."""
    if not rows or not past:
        return False
    both = (here * rows + there * past) / (rows + past)
    return abs(here - there) >= max(bound, DRIFT.chance * math.sqrt(both * (1 - both) * (1 / rows + 1 / past)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
