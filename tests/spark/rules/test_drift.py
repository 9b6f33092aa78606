"""Which differences from the previous run are reported as drift, and which are not."""

from dataclasses import replace

import pytest

from framework.drift import describe_drift
from framework.measures import Counts, Measure, encode_counts
from tests.abalone import BINS, NUMBERS

SHAPE = (0, 0, 100, 200, 400, 200, 100, *[0] * 14)
HEIGHT = Measure(0.01, 0.5, 0.139, 0.042, 0.0, BINS["height"].edges, SHAPE)
ROWS = {"in": 1000, "train": 800, "validation": 200, "quarantine": 0}
SEXES = {"M": 366, "I": 321, "F": 313}
BEFORE = Counts(ROWS, {}, {"sex": SEXES}, {"height": HEIGHT}, 1)


def rows(many, refused=0):
    kept = many - refused
    return {
        "in": many,
        "train": kept * 4 // 5,
        "validation": kept - kept * 4 // 5,
        "quarantine": refused,
    }


def height(**moved):
    return {"height": replace(HEIGHT, **moved)}


SENTENCES = [
    ({}, []),
    ({"rows": rows(499)}, ["499 rows in, previously 1,000"]),
    ({"rows": rows(2001)}, ["2,001 rows in, previously 1,000"]),
    ({"rows": rows(1900)}, []),
    (
        {"rows": rows(1000, 30), "quarantine": {"height 0": 30}},
        ["new: 3 % of rows in quarantine, previously 0 %", "new in quarantine: height 0 (30 rows)"],
    ),
    (
        {"rows": rows(1000, 1), "quarantine": {"sex not M, F or I": 1}},
        ["new in quarantine: sex not M, F or I (1 row)"],
    ),
    (
        {"categories": {"sex": {"M": 500, "I": 187, "F": 313}}},
        ["share of sex I moved from 32 % to 19 %", "share of sex M moved from 37 % to 50 %"],
    ),
    ({"categories": {"sex": {"M": 380, "I": 311, "F": 309}}}, []),
    (
        {"columns": height(mean=0.205)},
        ["mean of height moved from 0.139 to 0.205 (+1.6 standard deviations)"],
    ),
    (
        {"columns": height(mean=0.09)},
        ["mean of height moved from 0.139 to 0.09 (-1.2 standard deviations)"],
    ),
    ({"columns": height(mean=0.142)}, []),
    ({"columns": height(max=1.13)}, ["height has a maximum of 1.13, previously 0.5"]),
    ({"columns": height(min=-1.0)}, ["height has a minimum of -1, previously 0.01"]),
    ({"columns": height(max=0.6)}, []),
    (
        {"columns": height(counts=(0, 0, 200, 200, 200, 200, 200, *[0] * 14))},
        ["height is distributed differently (population stability index 0.27)"],
    ),
    ({"columns": height(counts=(0, 0, 101, 198, 402, 199, 100, *[0] * 14))}, []),
    ({"columns": height(counts=(1000, 0), edges=(0.0, 1.0, 2.0))}, []),
    (
        {
            "rows": rows(0),
            "categories": {"sex": dict.fromkeys("MIF", 0)},
            "columns": height(min=None, max=None, mean=None, deviation=None, counts=(0,) * 21),
        },
        ["0 rows in, previously 1,000"],
    ),
    ({"columns": {}}, []),
]


@pytest.mark.parametrize(("now", "said"), SENTENCES)
def test_drift_is_reported_and_nothing_else(now, said):
    assert describe_drift(encode_counts(replace(BEFORE, **now)), encode_counts(BEFORE)) == said


def test_without_an_earlier_run_there_is_no_drift():
    assert describe_drift(encode_counts(BEFORE), None) == []


def test_random_differences_of_few_rows_are_no_drift():
    shape = (0, 0, 2, 1, 5, 1, 1, *[0] * 14)
    few = Counts(
        rows(10), {}, {"sex": {"M": 5, "I": 1, "F": 4}}, height(mean=0.155, counts=shape), 1
    )
    as_few = Counts(
        rows(10),
        {},
        {"sex": {"M": 3, "I": 4, "F": 3}},
        height(counts=(0, 0, 1, 2, 4, 2, 1, *[0] * 14)),
        1,
    )

    assert describe_drift(encode_counts(few), encode_counts(as_few)) == []


def test_a_column_name_is_written_with_spaces():
    assert "viscera_weight" in NUMBERS
    column = Measure(0.0, 1.0, 0.2, 0.1, 0.0, (0.0, 1.0), (1000,))
    moved = replace(BEFORE, columns={"viscera_weight": replace(column, mean=0.5)})

    said = describe_drift(
        encode_counts(moved), encode_counts(replace(BEFORE, columns={"viscera_weight": column}))
    )

    assert said == ["mean of viscera weight moved from 0.2 to 0.5 (+3.0 standard deviations)"]
