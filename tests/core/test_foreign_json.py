"""JSON that somebody else may have written: what is valid has one meaning, and nothing else passes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.diagnostics import parse_json
from grantor.core.triggers import parse_event, parse_number, parse_seconds
from grantor.settings import MAX_JSON_DEPTH

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 10**18, 10**19 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(values, st.booleans())
def test_what_json_can_say_is_parsed_as_it_was_written(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)

    assert parse_json(text) == parse_json(text.encode()) == value


@given(st.text(alphabet='[]{}",:\\u0d83f1.eENa-tr', max_size=60))
def test_whatever_else_is_written_is_a_value_error(text: str) -> None:
    try:
        parse_json(text)
    except ValueError:
        assert parse_event(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * (MAX_JSON_DEPTH + 1), "more than 32 brackets in each other"),
        ('{"a":' * 100_000, "more than 32 brackets in each other"),
        ('["\\"[",' + "[" * MAX_JSON_DEPTH, "more than 32 brackets in each other"),
        ("1" * 20, "11111111111111111111 is no number"),
        ("1" * 10_000, "is no number"),
        ("NaN", "NaN is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("1e400", "1e400 is no number"),
        ('{"a": 1, "a": 2}', "a key twice in one object"),
        ('"\\ud83d"', "surrogates not allowed"),
        ("", "Expecting value"),
    ],
)
def test_a_text_with_several_meanings_or_none_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json(text)


def test_brackets_in_texts_and_beside_each_other_are_not_nested() -> None:
    text = json.dumps(["[" * 1_000, '\\"[{' * 1_000, *[[]] * 1_000])

    assert parse_json(text) == json.loads(text)


def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="more than 10 characters"):
        parse_json('"0123456789"', characters=10)


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "0001-01-01", "0001-01-01T00:00Z"])
def test_a_time_beyond_the_clock_is_no_error(time: str) -> None:
    assert parse_seconds(time) is None or abs(parse_seconds(time) or 0) > 10**10


@pytest.mark.parametrize("value", ["1", None, [], True, float("inf"), 10**400])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert parse_number(value) is None
