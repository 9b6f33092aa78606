"""Charts as inline SVG, without scripts, fonts or colours, which are the style sheet's.

Current figures are filled, those of the previous run are a line, so that they differ without
colour. A table with the same figures belongs beside each chart.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from framework.formatting import format_number, format_percent
from framework.markup import Markup, make_tag

WIDTH, HEIGHT = 320, 128  # of a histogram, in units of its view box
LEFT, RIGHT, TOP, BASE = 4, 316, 16, 100  # the area of its bars
BAR_GAP = 1.5  # units between two bars
MIN_PART_PERCENT = 0.6  # the narrowest part of a split bar


@dataclass(frozen=True)
class Series:
    """The rows in each bin, and the mean of all."""

    counts: Sequence[int]
    mean: float | None

    @property
    def total(self) -> int:
        """The number of rows."""
        return sum(self.counts)

    def share(self, index: int) -> float:
        """Return the share of the rows in a bin, so that runs of different size can be compared."""
        return self.counts[index] / self.total if self.total else 0.0


@dataclass(frozen=True)
class Histogram:
    """One column in bins; `edges` are one more than the bins, and the last bin may be an overflow
    bin.
    """

    edges: Sequence[float]
    now: Series
    before: Series | None = None

    def trim_empty_bins(self) -> "Histogram":
        """Return the histogram without empty bins at both ends, except for one each."""
        filled = [
            at
            for at in range(len(self.edges) - 1)
            if any(series.counts[at] for series in self.list_series())
        ]
        if not filled:
            return self
        first, last = max(0, filled[0] - 1), min(len(self.edges) - 2, filled[-1] + 1)
        if last > filled[-1] and self.is_overflow_bin(last):
            last -= 1
        cut = [
            Series(series.counts[first : last + 1], series.mean) for series in self.list_series()
        ]
        return Histogram(self.edges[first : last + 2], *cut)

    def is_overflow_bin(self, at: int) -> bool:
        """Whether the bin is wider than the one before, and so holds all that lies further out."""
        return at > 0 and self.edges[at + 1] - self.edges[at] > 1.5 * (
            self.edges[at] - self.edges[at - 1]
        )

    def list_series(self) -> list[Series]:
        """Return the current series, and the previous one if there is one."""
        return [self.now] if self.before is None else [self.now, self.before]


def draw_histogram(shape: Histogram, name: str) -> Markup:
    """Draw shares of rows: bars for this run, a stepped line for the previous one; mark means."""
    seen = shape.trim_empty_bins()
    scale = _Scale(seen)
    parts: list[Markup] = [*_draw_grid(scale), *_draw_bars(seen, scale)]
    if seen.before:
        parts += [_draw_steps(seen.before, scale), *_draw_mean(seen.before, scale, "before")]
    parts += [*_draw_mean(seen.now, scale, "now"), *_draw_ticks(scale)]
    what = f"{name}: shares of {format_number(seen.now.total)} rows" + (
        " now, and last time as a line" if seen.before else ""
    )
    return make_tag(
        "svg",
        parts,
        class_="histogram",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=what,
    )


def draw_bar(part: float, whole: float, before: float | None = None, kind: str = "now") -> Markup:
    """Draw a share of a whole as a bar; the previous run's share is a line across."""
    parts = [
        make_tag(
            "rect",
            class_=kind,
            x=0,
            y=3,
            width=_format_coordinate(100 * part / whole if whole else 0),
            height=10,
        )
    ]
    if before is not None:
        at = _format_coordinate(min(99.0, 100 * before))
        parts.append(
            make_tag("path", class_="before", d=f"M{at} 0V16", vector_effect="non-scaling-stroke")
        )
    return make_tag(
        "svg",
        parts,
        class_="bar",
        viewBox="0 0 100 16",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def draw_split(parts: Sequence[tuple[str, int]]) -> Markup:
    """Draw one bar that is divided into parts, each with its own class.

    A part that is not 0 is visible, however small; the text beside the bar holds the figures.
    """
    wide = {
        kind: max(MIN_PART_PERCENT, 100 * count / sum(count for _, count in parts))
        for kind, count in parts
        if count
    }
    ends = [100 * end / sum(wide.values()) for end in accumulate(wide.values(), initial=0)]
    drawn = [
        make_tag(
            "rect",
            class_=kind,
            x=_format_coordinate(left),
            y=0,
            width=_format_coordinate(right - left),
            height=24,
        )
        for kind, (left, right) in zip(wide, pairwise(ends), strict=True)
    ]
    return make_tag(
        "svg",
        drawn,
        class_="split",
        viewBox="0 0 100 24",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


class _Scale:
    """Scales values and shares to the chart's units; every bin is equally wide there."""

    def __init__(self, shape: Histogram) -> None:
        self.edges = shape.edges
        self.has_overflow = shape.is_overflow_bin(len(shape.edges) - 2)
        self.max_share = max(
            (
                series.share(at)
                for series in shape.list_series()
                for at in range(len(series.counts))
            ),
            default=0.0,
        )

    def scale_value(self, value: float) -> float:
        """Return the x coordinate of a value; values outside are drawn at the edge."""
        at = min(max(0, bisect_right(self.edges, value) - 1), len(self.edges) - 2)
        low, high = self.edges[at], self.edges[at + 1]
        part = at + min(1.0, max(0.0, (value - low) / (high - low)))
        return LEFT + (RIGHT - LEFT) * part / (len(self.edges) - 1)

    def scale_share(self, share: float) -> float:
        """Return the y coordinate of a share."""
        return BASE - (BASE - TOP) * (share / self.max_share if self.max_share else 0)


def _draw_grid(scale: _Scale) -> Iterator[Markup]:
    yield make_tag(
        "path", class_="grid", d=f"M{LEFT} {TOP}H{RIGHT}M{LEFT} {(TOP + BASE) / 2:g}H{RIGHT}"
    )
    yield make_tag("path", class_="axis", d=f"M{LEFT} {BASE}H{RIGHT}")
    yield make_tag("text", format_percent(scale.max_share, 1), class_="tick", x=LEFT, y=TOP - 4)


def _draw_bars(shape: Histogram, scale: _Scale) -> Iterator[Markup]:
    for at, (low, high) in enumerate(pairwise(shape.edges)):
        if shape.now.counts[at]:
            rows = format_number(shape.now.counts[at])
            title = f"{format_number(low)} to {format_number(high)}: {rows} rows"
            left, right = scale.scale_value(low), scale.scale_value(high)
            outline = _draw_column(left, right, scale.scale_share(shape.now.share(at)))
            yield make_tag("path", make_tag("title", title), class_="now", d=outline)


def _draw_column(left: float, right: float, top: float) -> str:
    """Return the path of a bar on the axis, with round upper corners."""
    left, right = left + BAR_GAP / 2, right - BAR_GAP / 2
    round_ = max(0.0, min(3.0, (right - left) / 2, BASE - top))
    corners = (
        left,
        BASE,
        top + round_,
        left,
        top,
        left + round_,
        top,
        right - round_,
        right,
        top,
        right,
        top + round_,
        BASE,
    )
    return "M{} {}V{}Q{} {} {} {}H{}Q{} {} {} {}V{}Z".format(*map(_format_coordinate, corners))


def _draw_steps(before: Series, scale: _Scale) -> Markup:
    tops = [scale.scale_share(before.share(at)) for at in range(len(before.counts))]
    steps = "".join(
        f"V{_format_coordinate(top)}H{_format_coordinate(scale.scale_value(right))}"
        for top, right in zip(tops, scale.edges[1:], strict=True)
    )
    return make_tag(
        "path",
        class_="before",
        d=f"M{_format_coordinate(scale.scale_value(scale.edges[0]))} {BASE}{steps}V{BASE}",
    )


def _draw_mean(series: Series, scale: _Scale, kind: str) -> Iterator[Markup]:
    """Draw a triangle below the axis, its tip at the mean."""
    if series.mean is not None:
        at = scale.scale_value(series.mean)
        points = f"M{_format_coordinate(at)} {BASE + 2}l5 8h-10Z"
        yield make_tag(
            "path",
            make_tag("title", f"mean {format_number(series.mean)}"),
            class_=f"mean {kind}",
            d=points,
        )


def _draw_ticks(scale: _Scale) -> Iterator[Markup]:
    yield make_tag(
        "text",
        format_number(scale.edges[0]),
        class_="tick",
        x=LEFT,
        y=HEIGHT - 4,
        text_anchor="start",
    )
    last = (
        f"over {format_number(scale.edges[-2])}"
        if scale.has_overflow
        else format_number(scale.edges[-1])
    )
    yield make_tag("text", last, class_="tick", x=RIGHT, y=HEIGHT - 4, text_anchor="end")


def _format_coordinate(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
