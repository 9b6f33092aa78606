"""What the rules of a contract make of a row, in plain Python."""

import pytest

from framework.cells import WrongShape, read_object, split_quoted
from framework.contract import Bins
from framework.features import format_millionths
from framework.headers import find_first_line_fault
from framework.lines import transform_line
from tests.contracts import SHOP, SHOP_VALUES, parse

GOOD = "Ann,basic,5,9.5,2024-02-29,true"
JSON_LINES = parse(format="jsonl", dialect=None)


def judge(line, contract=SHOP):
    split, text = transform_line(line, contract)
    return text.partition("\t")[0] if split == "quarantine" else text


@pytest.mark.parametrize(
    ("line", "result"),
    [
        (GOOD, "1,1,0,0,5,9.5,2.351375,2"),
        ('"Smith, Ann","pro",5,9.5,2024-02-29,false', "0,0,0,1,5,9.5,2.351375,2"),
        ('"a ""b""",plus,5,,,1', "1,0,1,0,5,,,"),
        ("Ann,basic,5.0,9.5,2024-02-29,0\r", "0,1,0,0,5.0,9.5,2.351375,2"),
        ("", "blank line"),
        ("customer,plan", "header line"),
        ('"Ann,basic', "quotes not valid"),
        ('"Ann"x,basic', "quotes not valid"),
        ('An"n,basic', "quotes not valid"),
        ("Ann,basic,5", "not 6 columns"),
        (",basic,5,9.5,,true", "customer missing"),
        ("\udcff,basic,5,9.5,,true", "customer not UTF-8"),
        ("Ann,gold,5,9.5,,true", "plan not basic, plus or pro"),
        ("Ann,basic,-5,9.5,,true", "months not a number"),
        ("Ann,basic,5.5,9.5,,true", "months not whole"),
        ("Ann,basic,601,9.5,,true", "months out of range"),
        ("Ann,basic,,9.5,,true", "months missing"),
        ("Ann,basic,5,9e1,,true", "charge not a number"),
        ("Ann,basic,5,9.5,2023-02-29,true", "signup not a date"),
        ("Ann,basic,5,9.5,29.2.2024,true", "signup not a date"),
        ("Ann,basic,5,9.5,,yes", "left not true or false"),
        ("Ann,basic,5,9.5,,", "left missing"),
    ],
)
def test_a_row_of_quoted_csv(line, result):
    assert judge(line) == result


@pytest.mark.parametrize(
    ("line", "result"),
    [
        (
            '{"customer": "A\\u006en", "plan": "basic", "months": 5, "charge": 9.5, "left": true}',
            "1,1,0,0,5,9.5,2.351375,",
        ),
        ('{"plan":"pro","customer":"x","months":"5","charge":null,"left":"0"}', "0,0,0,1,5,,,"),
        ("[1]", "not a JSON object of plain values"),
        ('{"customer": {"a": 1}}', "not a JSON object of plain values"),
        ('{"customer": "\\ud800"}', "not a JSON object of plain values"),
        ('{"customer": "a"} x', "not a JSON object of plain values"),
        ('{"customer": NaN}', "not a JSON object of plain values"),
        ('{"colour": "red"}', "other columns"),
        ('{"customer": "a", "customer": "b"}', "other columns"),
        ("{}", "customer missing"),
    ],
)
def test_a_row_of_json(line, result):
    assert judge(line, JSON_LINES) == result


@pytest.mark.parametrize("line", ["{", '{"a"}', '{"a":}', '{"a":1,}', '{"a":01}', "{'a':1}"])
def test_what_is_no_json_is_no_row(line):
    with pytest.raises(WrongShape):
        read_object(line)


def test_a_quoted_cell_keeps_what_is_in_it():
    assert split_quoted('"a;b";"";c', ";") == ["a;b", "", "c"]


def test_texts_have_lengths_and_patterns():
    rules = {
        "short": {"minLength": 2}, "long": {"maxLength": 3}, "code": {"pattern": "[A-Z]{2}[0-9]+"},
    }  # fmt: skip
    fields = [{"name": name, "constraints": rule} for name, rule in rules.items()]
    label = {"name": "y", "type": "integer", "constraints": {"required": True}}
    contract = parse(
        schema={"fields": [*fields, label, {"name": "x", "type": "number"}]},
        grantor={"version": "1", "label": "y", "features": ["x"]},
    )

    assert judge("ab,abc,AB1,1,2", contract) == "1,2"
    assert judge("\U0001f41a,abc,AB1,1,2", contract) == "short too short"
    assert judge("ab,abcd,AB1,1,2", contract) == "long too long"
    assert judge("ab,abc,ab1,1,2", contract) == "code not as its pattern says"
    assert judge("ab,abc,AB\u0661,1,2", contract) == "code not as its pattern says"
    assert judge(",,,1,", contract) == "1,"
    assert judge(f"ab,abc,AB{'1' * 999},1,2", contract) == "code too long"


def test_times_are_compared_up_to_the_second():
    time = {
        "name": "at", "type": "datetime",
        "constraints": {"required": True, "maximum": "2024-06-01T00:00:00Z"},
    }  # fmt: skip
    label = {"name": "y", "type": "boolean", "constraints": {"required": True}}
    contract = parse(
        schema={"fields": [time, label]},
        grantor={"version": "1", "label": "y", "features": [{"year": "at"}, {"weekday": "at"}]},
    )

    assert judge("2024-06-01T00:00:00.5Z,true", contract) == "1,2024,6"
    assert judge("2024-06-01T00:00:01,true", contract) == "at out of range"
    assert judge("2024-02-30T00:00:00Z,true", contract) == "at not a date and time"
    assert judge("2024-06-01 00:00:00,true", contract) == "at not a date and time"


def test_a_ratio_to_0_is_missing():
    contract = parse(
        grantor={
            **SHOP_VALUES["grantor"],
            "features": [{"ratio": ["charge", "months"], "missing": -1}],
        }
    )

    assert judge(GOOD, contract) == "1,1.900000"
    assert judge(GOOD.replace(",5,", ",0,"), contract) == "1,-1"
    assert judge(GOOD.replace("9.5", ""), contract) == "1,-1"


def test_the_first_line_has_to_be_a_header_if_the_contract_says_so():
    assert find_first_line_fault(",".join(SHOP.names), SHOP) == ""
    assert find_first_line_fault(GOOD, SHOP) == (
        "The first line is no header. The contract asks for one: "
        "customer,plan,months,charge,signup,left."
    )
    assert "in another order" in find_first_line_fault(
        "plan,customer,months,charge,left,signup", SHOP
    )


def test_edges_of_bins_are_the_doubles_nearest_to_their_decimals():
    assert Bins("0", "0.8", 8, "2").edges == (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 2)
    assert Bins("-1", "1", 2).edges == (-1, 0, 1)


def test_millionths_are_exact_up_to_a_trillion():
    assert format_millionths(1e13) == "1000000000000.000000"
    assert format_millionths(-0.0000004) == "0.000000"
