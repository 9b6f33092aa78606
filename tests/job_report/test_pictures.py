"""Histograms as they are drawn: what is seen, where the means stand, and what becomes of a bin for
the rest.
"""

import re

from framework.charts import LEFT, RIGHT, Histogram, Series, draw_histogram, draw_split
from framework.markup import Markup
from tests.job_report.reading import Element, read


def drawn(picture: Markup) -> Element:
    return read(f"<html>{picture}</html>").first("svg")


def ticks(picture: Markup) -> list[str]:
    """What stands below the axis."""
    return [one.text for one in drawn(picture).all("text", "tick")][1:]


def at(picture: Markup, kind: str) -> float:
    """Where the tip of the mean's triangle stands."""
    (mark,) = [one for one in drawn(picture).all("path", "mean") if kind in one.classes]
    return float(re.match(r"M([\d.]+) ", mark.attributes["d"] or "")[1])


def test_empty_ends_are_left_out_but_for_one_bin_each():
    shape = Histogram(
        [0, 1, 2, 3, 4, 5, 6, 7],
        Series([0, 0, 0, 5, 0, 0, 0], 3.5),
        Series([0, 0, 1, 0, 0, 0, 0], 2.5),
    ).trim_empty_bins()

    assert (shape.edges, [series.counts for series in shape.list_series()]) == (
        [1, 2, 3, 4, 5],
        [[0, 0, 5, 0], [0, 1, 0, 0]],
    )


def test_a_bin_for_the_rest_is_as_wide_as_others_and_says_what_it_is():
    shape = Histogram([0, 1, 2, 10], Series([3, 3, 1], 1.0))

    assert shape.trim_empty_bins() == shape
    assert ticks(draw_histogram(shape, "length")) == ["0", "over 2"]
    assert at(draw_histogram(shape, "length"), "now") == round(LEFT + (RIGHT - LEFT) / 3, 2)


def test_a_bin_for_the_rest_that_is_empty_is_not_drawn():
    assert ticks(draw_histogram(Histogram([0, 1, 2, 10], Series([3, 3, 0], 1.0)), "length")) == [
        "0",
        "2",
    ]


def test_the_means_stand_where_their_values_do():
    picture = draw_histogram(
        Histogram([0, 1, 2], Series([1, 1], 1.5), Series([2, 0], 0.5)), "length"
    )

    assert [at(picture, kind) for kind in ("before", "now")] == [
        LEFT + (RIGHT - LEFT) / 4,
        LEFT + (RIGHT - LEFT) * 3 / 4,
    ]


def test_a_series_without_rows_has_neither_bars_nor_mean():
    picture = drawn(
        draw_histogram(Histogram([0, 1, 2], Series([0, 0], None), Series([1, 1], 1.0)), "length")
    )

    assert [one.classes for one in picture.all("path") if "now" in one.classes] == []


def test_the_smallest_value_of_a_split_is_visible():
    bars = drawn(
        draw_split(
            [("train", 7_999_999), ("validation", 2_000_000), ("quarantine", 1), ("nothing", 0)]
        )
    ).all("rect")

    assert [bar.attributes["class"] for bar in bars] == ["train", "validation", "quarantine"]
    assert float(bars[-1].attributes["width"] or 0) > 0.5
    assert round(sum(float(bar.attributes["width"] or 0) for bar in bars)) == 100
