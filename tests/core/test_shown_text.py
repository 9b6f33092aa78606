"""Text that people read shows every character; text in JSON keeps its value and shows it, too."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import formatting
from grantor.core.diagnostics import dump_json, is_invisible, show_text

# Every plane that has characters, and some characters of each other plane.
EVERY_CHARACTER = [
    chr(code)
    for plane in range(17)
    for code in range(plane << 16, plane + 1 << 16, 1 if plane < 2 else 5 if plane == 14 else 4_001)
]
# Written out here a second time: what must never be seen raw. Unicode's bidirectional controls
# (UAX #9), and characters that move a cursor or end a line.
HARMFUL = "\x00\x07\x08\t\n\r\x1b\x7f\x85\x9b\u061c\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\ufe0f\u3164\U000e0001\ud800"

TEXTS = {
    "ASCII": ("READ s3://data/a b/* to role/ana", "READ s3://data/a b/* to role/ana"),
    "letters of other scripts": ("naïve größe данные 資料 نتائج עברית", None),
    "an emoji": ("data 🙂", None),
    "an accent of its own": ("e\u0301", None),
    "an escape sequence": ("\x1b[2Jall is well", r"\x1b[2Jall is well"),
    "a new line": ("a\nplan 0123: nothing to change", r"a\nplan 0123: nothing to change"),
    "a tab": ("a\tb", r"a\tb"),
    "a carriage return": ("a\rb", r"a\rb"),
    "an 8-bit control": ("a\x9b2J", r"a\x9b2J"),
    "an override of the direction": ("ana\u202eana", r"ana\u202eana"),
    "a space without width": ("a\u200bb", r"a\u200bb"),
    "a letter that is blank": ("a\u3164", r"a\u3164"),
    "a tag character": ("a\U000e0001", r"a\U000e0001"),
    "half a surrogate pair": ("a\ud800", r"a\ud800"),
    "a space that is not the plain one": ("a\xa0b\u3000", r"a\xa0b\u3000"),
}


@pytest.mark.parametrize(("text", "shown"), TEXTS.values(), ids=TEXTS.keys())
def test_a_text_is_shown(text: str, shown: str | None):
    assert show_text(text) == (text if shown is None else shown)


def test_no_character_stays_invisible():
    shown = show_text("".join(EVERY_CHARACTER))

    assert not set(shown) & set(HARMFUL)
    assert {unicodedata.category(sign) for sign in shown} & {"Cc", "Cf", "Cs", "Co", "Cn"} == set()
    assert all(map(is_invisible, HARMFUL))


def test_every_visible_letter_stays():
    letters = [sign for sign in EVERY_CHARACTER if unicodedata.category(sign)[0] in "LNPS"]
    changed = {sign for sign in letters if show_text(sign) != sign}

    assert changed == {*"\u115f\u1160\u2800\u3164\uffa0"}


@given(st.text())
def test_a_text_that_was_shown_stays(text: str):
    assert show_text(show_text(text)) == show_text(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values, st.sampled_from([None, 1]))
def test_json_keeps_every_value_and_shows_every_character(value: object, indent: int | None):
    written = dump_json(value, indent)

    assert json.loads(written) == value
    assert not any(is_invisible(sign) for sign in written.replace("\n", ""))
    assert indent or "\n" not in written


def test_json_holds_each_character():
    assert json.loads(dump_json(EVERY_CHARACTER)) == EVERY_CHARACTER
    assert not set(dump_json(EVERY_CHARACTER)) & set(HARMFUL)


def test_a_value_that_json_does_not_know_is_written_as_it_is_asked():
    assert dump_json({"at": {1}}, default=str) == '{"at":"{1}"}'


def test_the_jobs_own_function_shows_the_same():
    """A job does not have the layer, so it has a copy."""
    text = "".join(EVERY_CHARACTER)

    assert formatting.show_text(text) == show_text(text)
