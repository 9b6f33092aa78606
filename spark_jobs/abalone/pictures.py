"""Pictures as inline SVG: no script, no font, no colour of their own; the page's style sheet gives those.

What is now is filled, what was before is a line: they are told apart without colour. A table with the same figures belongs beside each.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from abalone.figures import number, percent
from abalone.markup import Markup, tag

WIDE, HIGH = 320, 128  # of a histogram, in the units of its view box
LEFT, RIGHT, TOP, BASE = 4, 316, 16, 100  # where its bars stand
GAP = 1.5  # between two bars
LEAST = 0.6  # of a hundred: the narrowest part of a split bar


@dataclass(frozen=True)
class Series:
    """How many rows fell into each bin, and their mean."""

    counts: Sequence[int]
    mean: float | None

    @property
    def total(self) -> int:
        """Rows."""
        return sum(self.counts)

    def share(self, index: int) -> float:
        """Of the rows, what fell into this bin; two series of different length can be compared."""
        return self.counts[index] / self.total if self.total else 0.0


@dataclass(frozen=True)
class Histogram:
    """One measure, cut into bins by its edges (one more than there are bins); a last bin may be wider, for whatever lies further out."""

    edges: Sequence[float]
    now: Series
    before: Series | None = None

    def seen(self) -> "Histogram":
        """The same without the empty bins at both ends, but for one each, so that the shape fills the picture."""
        filled = [at for at in range(len(self.edges) - 1) if any(series.counts[at] for series in self.all())]
        if not filled:
            return self
        first, last = max(0, filled[0] - 1), min(len(self.edges) - 2, filled[-1] + 1)
        if last > filled[-1] and self.wider(last):
            last -= 1
        cut = [Series(series.counts[first : last + 1], series.mean) for series in self.all()]
        return Histogram(self.edges[first : last + 2], *cut)

    def wider(self, at: int) -> bool:
        """Whether this bin is one for whatever lies further out."""
        return at > 0 and self.edges[at + 1] - self.edges[at] > 1.5 * (self.edges[at] - self.edges[at - 1])

    def all(self) -> list[Series]:
        """Now, and before if there was one."""
        return [self.now] if self.before is None else [self.now, self.before]


def histogram(shape: Histogram, name: str) -> Markup:
    """Shares of the rows: bars for now, a stepped line for last time, a mark below the axis at each mean."""
    seen = shape.seen()
    scale = _Scale(seen)
    parts: list[Markup] = [*_grid(scale), *_bars(seen, scale)]
    if seen.before:
        parts += [_steps(seen.before, scale), *_mark(seen.before, scale, "before")]
    parts += [*_mark(seen.now, scale, "now"), *_ticks(scale)]
    what = f"{name}: shares of {number(seen.now.total)} rows" + (" now, and last time as a line" if seen.before else "")
    return tag("svg", parts, class_="histogram", viewBox=f"0 0 {WIDE} {HIGH}", role="img", aria_label=what)


def bar(part: float, whole: float, before: float | None = None, kind: str = "now") -> Markup:
    """A bar for a share of a whole; last time's share as a line across."""
    parts = [tag("rect", class_=kind, x=0, y=3, width=_short(100 * part / whole if whole else 0), height=10)]
    if before is not None:
        at = _short(min(99.0, 100 * before))
        parts.append(tag("path", class_="before", d=f"M{at} 0V16", vector_effect="non-scaling-stroke"))
    return tag("svg", parts, class_="bar", viewBox="0 0 100 16", preserveAspectRatio="none", aria_hidden="true")


def split(parts: Sequence[tuple[str, int]]) -> Markup:
    """One bar cut into its parts, each with a class of its own. What is there is seen, however small; words beside it tell the figures."""
    wide = {kind: max(LEAST, 100 * count / sum(count for _, count in parts)) for kind, count in parts if count}
    ends = [100 * end / sum(wide.values()) for end in accumulate(wide.values(), initial=0)]
    drawn = [
        tag("rect", class_=kind, x=_short(left), y=0, width=_short(right - left), height=24)
        for kind, (left, right) in zip(wide, pairwise(ends), strict=True)
    ]
    return tag("svg", drawn, class_="split", viewBox="0 0 100 24", preserveAspectRatio="none", aria_hidden="true")


class _Scale:
    """From values and shares to the picture's units. Every bin is equally wide there, so a bin for the rest looks like any other."""

    def __init__(self, shape: Histogram) -> None:
        self.edges = shape.edges
        self.rest = shape.wider(len(shape.edges) - 2)
        self.most = max((series.share(at) for series in shape.all() for at in range(len(series.counts))), default=0.0)

    def x(self, value: float) -> float:
        """Where a value lies, at the edge if it lies outside."""
        at = min(max(0, bisect_right(self.edges, value) - 1), len(self.edges) - 2)
        low, high = self.edges[at], self.edges[at + 1]
        part = at + min(1.0, max(0.0, (value - low) / (high - low)))
        return LEFT + (RIGHT - LEFT) * part / (len(self.edges) - 1)

    def y(self, share: float) -> float:
        """How high a share reaches."""
        return BASE - (BASE - TOP) * (share / self.most if self.most else 0)


def _grid(scale: _Scale) -> Iterator[Markup]:
    yield tag("path", class_="grid", d=f"M{LEFT} {TOP}H{RIGHT}M{LEFT} {(TOP + BASE) / 2:g}H{RIGHT}")
    yield tag("path", class_="axis", d=f"M{LEFT} {BASE}H{RIGHT}")
    yield tag("text", percent(scale.most, 1), class_="tick", x=LEFT, y=TOP - 4)


def _bars(shape: Histogram, scale: _Scale) -> Iterator[Markup]:
    for at, (low, high) in enumerate(pairwise(shape.edges)):
        if shape.now.counts[at]:
            said = tag("title", f"{number(low)} to {number(high)}: {number(shape.now.counts[at])} rows")
            yield tag("path", said, class_="now", d=_column(scale.x(low), scale.x(high), scale.y(shape.now.share(at))))


def _column(left: float, right: float, top: float) -> str:
    """A bar that stands on the axis, round at its upper end only."""
    left, right = left + GAP / 2, right - GAP / 2
    round_ = max(0.0, min(3.0, (right - left) / 2, BASE - top))
    corners = (left, BASE, top + round_, left, top, left + round_, top, right - round_, right, top, right, top + round_, BASE)
    return "M{} {}V{}Q{} {} {} {}H{}Q{} {} {} {}V{}Z".format(*map(_short, corners))


def _steps(before: Series, scale: _Scale) -> Markup:
    tops = [scale.y(before.share(at)) for at in range(len(before.counts))]
    steps = "".join(f"V{_short(top)}H{_short(scale.x(right))}" for top, right in zip(tops, scale.edges[1:], strict=True))
    return tag("path", class_="before", d=f"M{_short(scale.x(scale.edges[0]))} {BASE}{steps}V{BASE}")


def _mark(series: Series, scale: _Scale, kind: str) -> Iterator[Markup]:
    """A triangle below the axis, its tip at the mean."""
    if series.mean is not None:
        at = scale.x(series.mean)
        points = f"M{_short(at)} {BASE + 2}l5 8h-10Z"
        yield tag("path", tag("title", f"mean {number(series.mean)}"), class_=f"mean {kind}", d=points)


def _ticks(scale: _Scale) -> Iterator[Markup]:
    yield tag("text", number(scale.edges[0]), class_="tick", x=LEFT, y=HIGH - 4, text_anchor="start")
    last = f"over {number(scale.edges[-2])}" if scale.rest else number(scale.edges[-1])
    yield tag("text", last, class_="tick", x=RIGHT, y=HIGH - 4, text_anchor="end")


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
