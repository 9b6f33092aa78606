"""The rules for a line, in plain Python. test_engine.py compares Spark with them."""

import pytest

from framework.lines import split_lines
from tests.abalone import COLUMNS, find_header_fault, find_wrong_header, transform_line
from tests.spark.rules.spark_result import GOOD

FEATURES = [
    (
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15",
        "15,1,0,0.455,0.365,0.095,0.514,0.2245,0.101,0.15",
    ),
    (
        "I,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055,7",
        "7,0,1,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055",
    ),
    (
        "F,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9",
        "9,0,0,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21",
    ),
    ("M,2,2,2,10,10,10,10,60", "60,1,0,2,2,2,10,10,10,10"),
    ("M,0.000000001,01.50,1.0,1,1,1,1,09.0", "09.0,1,0,0.000000001,01.50,1.0,1,1,1,1"),
    (f"M,{'0' * 400}1,0.{'1' * 400},1,1,1,1,1,1", f"1,1,0,{'0' * 400}1,0.{'1' * 400},1,1,1,1,1"),
    (f"{GOOD}\r", "15,1,0,0.455,0.365,0.095,0.514,0.2245,0.101,0.15"),
]


@pytest.mark.parametrize(("line", "features"), FEATURES)
def test_a_good_line_becomes_label_flags_and_measures_with_the_digits_it_had(line, features):
    kind, text = transform_line(line)

    assert (kind in {"train", "validation"}, text) == (True, features)


REFUSED = [
    ("", "blank line"),
    (" \t", "blank line"),
    ("sex,length,diameter", "header line"),
    ('"Sex","Length"', "header line"),
    ("sexes,1", "not 9 columns"),
    ("M", "not 9 columns"),
    (GOOD + ",1", "not 9 columns"),
    (GOOD.replace(",", ";"), "not 9 columns"),
    (GOOD.replace("M", "X"), "sex not M, F or I"),
    (GOOD.replace("M", "m"), "sex not M, F or I"),
    (GOOD.replace("M", ""), "sex not M, F or I"),
    ("\ufeff" + GOOD, "sex not M, F or I"),
    (GOOD.replace("0.095", ""), "height missing"),
    (GOOD.replace("0.095", " "), "height missing"),
    (GOOD.replace("0.095", "NaN"), "height not a number"),
    (GOOD.replace("0.095", "1d"), "height not a number"),
    (GOOD.replace("0.095", "0x1p3"), "height not a number"),
    (GOOD.replace("0.095", "1_0"), "height not a number"),
    (GOOD.replace("0.095", "1e-1"), "height not a number"),
    (GOOD.replace("0.095", "-0.1"), "height not a number"),
    (GOOD.replace("0.095", " 0.1"), "height not a number"),
    (GOOD.replace("0.095", ".1"), "height not a number"),
    (GOOD.replace("0.095", "\u0661"), "height not a number"),
    (GOOD.replace("0.095", "1" * 400), "height out of range"),
    (GOOD.replace("0.095", f"0.{'0' * 400}1"), "height 0"),
    (GOOD.replace("0.455", "x").replace("0.095", ""), "length not a number"),
    (f"{GOOD}\r\r", "rings not a number"),
    (f"{GOOD}\x85", "rings not a number"),
    (f"{GOOD}\u2028", "rings not a number"),
    (f"{GOOD}\x00", "rings not a number"),
    (GOOD.replace("0.095", "0.000"), "height 0"),
    (GOOD.replace("0.095", "2.000000001"), "height out of range"),
    (GOOD.replace("0.514", "10.5"), "whole_weight out of range"),
    (GOOD.replace("0.095", "0").replace("0.15", "11"), "height 0"),
    (GOOD.replace(",15", ",0"), "rings 0"),
    (GOOD.replace(",15", ",61"), "rings out of range"),
    (GOOD.replace(",15", ",9.5"), "rings not whole"),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_an_invalid_line_is_kept_unchanged_with_a_reason(line, reason):
    assert transform_line(line) == ("quarantine", f"{reason}\t{line.removesuffix('\r')}")


UCI = "Sex,Length,Diameter,Height,Whole weight,Shucked weight,Viscera weight,Shell weight,Rings"
IN_ORDER = [
    ",".join(COLUMNS),
    UCI,
    UCI.upper(),
    UCI.replace(" ", ""),
    UCI.replace(" ", "_") + "\r",
    f'"{UCI.replace(",", '","')}"',
    UCI.replace(",", ", "),
    f"\ufeff{UCI}",
]
SWAPPED = UCI.replace("Length,Diameter", "Diameter,Length")
WRONG = [
    (SWAPPED, "the columns in another order"),
    (f'"{SWAPPED.replace(",", '","')}"\r', "the columns in another order"),
    (",".join(reversed(COLUMNS)), "the columns in another order"),
    ("sex,length,diameter", "other columns"),
    (f"id,{UCI}", "other columns"),
    (UCI.replace("Rings", "Age"), "other columns"),
    (UCI.replace("Length", "Sex"), "other columns"),
    ("Geschlecht,Länge,Durchmesser", "other columns"),
]
DATA = [
    GOOD,
    "",
    "M",
    "sexes,1",
    "sex,1",
    "X,0.1",
    "M,a,b,c,d,e,f,g,h",
    "X,NaN,n/a",
    "<html>",
    "1,2",
]


@pytest.mark.parametrize("line", IN_ORDER)
def test_a_line_that_names_the_columns_in_order_is_skipped_wherever_it_stands(line):
    assert transform_line(line)[0] == "header"
    assert find_header_fault(line) == ""
    assert find_wrong_header([GOOD, line]) == 0


@pytest.mark.parametrize(("line", "what"), WRONG)
def test_a_first_line_that_names_other_columns_fails_and_both_orders_are_shown(line, what):
    named = ", ".join(cell.strip('"\r') for cell in line.split(","))

    assert find_header_fault(line) == (
        f"The first line names {what}. The file: {named}. The contract: {', '.join(COLUMNS)}."
    )
    assert find_wrong_header([line, GOOD]) == 1


@pytest.mark.parametrize("line", DATA)
def test_a_first_line_of_data_is_no_header_however_spoilt_it_is(line):
    assert find_header_fault(line) == ""


def test_a_header_in_another_order_fails_below_the_first_line_too():
    assert find_wrong_header([UCI, GOOD, SWAPPED, GOOD]) == 3
    assert find_wrong_header([UCI, GOOD, "sex,length", GOOD]) == 0, "no data in another order"


def test_the_names_in_a_hostile_header_are_cut_off():
    line = ",".join([*COLUMNS, *["x" * 50] * 20])

    assert len(find_header_fault(line)) < 300
    assert find_header_fault(",".join(["x"] * 5_000)) == ""


def test_a_row_is_in_the_same_split_whatever_its_line_ending():
    assert transform_line(GOOD) == transform_line(f"{GOOD}\r")


def test_four_of_five_rows_are_for_training():
    kinds = [
        transform_line(f"M,0.5,0.4,0.1,{at / 1000},0.2,0.1,0.1,9")[0] for at in range(1, 10000)
    ]

    assert 0.79 < kinds.count("train") / len(kinds) < 0.81


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\n\nb", ["a\r", "", "b"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"a\rb\x85c\n", ["a\rb\udc85c"]),
        (b"\xe9\n", ["\udce9"]),
    ],
)
def test_a_file_is_split_only_at_line_feeds(content, lines):
    assert list(split_lines(content)) == lines
