"""Which keys a pattern matches, and which folders its objects can lie in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.key_pattern import KeyPattern, fill_captures, folders_overlap


@pytest.mark.parametrize(
    ("pattern", "uri", "values"),
    [
        ("s3://b/a.csv", "s3://b/a.csv", {}),
        ("s3://b/a.csv", "s3://b/a.csv2", None),
        ("s3://b/a.csv", "s3://b/aXcsv", None),
        ("s3://b/in/*", "s3://b/in/a.csv", {}),
        ("s3://b/in/*", "s3://b/in/x/y/a.csv", {}),
        ("s3://b/in/*", "s3://b/in/", None),
        ("s3://b/in/*", "s3://b/in/folder/", None),
        ("s3://b/in/*", "s3://b/into/a.csv", None),
        ("s3://b/in/*.csv", "s3://b/in/.csv", {}),
        ("s3://b/in/*.csv", "s3://b/in/x/a.csv", None),
        ("s3://b/in/*.csv", "s3://b/in/a.csv.gz", None),
        ("s3://b/*/a.csv", "s3://b/x/a.csv", {}),
        ("s3://b/*/a.csv", "s3://b/x/y/a.csv", None),
        ("s3://b/in/{day}/*.csv", "s3://b/in/2026-11-30/a.csv", {"day": "2026-11-30"}),
        ("s3://b/in/{day}/*.csv", "s3://b/in//a.csv", None),
        ("s3://b/in/{day}/*.csv", "s3://b/in/a b/a.csv", None),
        ("s3://b/in/{day}/*.csv", "s3://b/in/../a.csv", None),
        ("s3://b/in/{day}/*.csv", "s3://b/in/./a.csv", None),
        ("s3://b/in/{day}/*.csv", "s3://b/in/*/a.csv", None),
        ("s3://b/in/{day}/*.csv", "s3://b/in/${x}/a.csv", None),
        ("s3://b/in/day={day}/a", "s3://b/in/day=7/a", {"day": "7"}),
        ("s3://b/{x}/{x}.csv", "s3://b/1/1.csv", {"x": "1"}),
        ("s3://b/{x}/{x}.csv", "s3://b/1/2.csv", None),
        (
            "s3://b/{profile.folder}/{day}.csv",
            "s3://b/Ana Ö/7.csv",
            {"profile.folder": "Ana Ö", "day": "7"},
        ),
        ("s3://b/{day}/*", "s3://b/7/\n/x", {"day": "7"}),
    ],
)
def test_which_keys_a_pattern_matches_and_what_they_tell(
    pattern: str, uri: str, values: dict[str, str] | None
) -> None:
    assert KeyPattern(pattern).match(uri) == values


@pytest.mark.parametrize("pattern", ["s3://b/in/*", "s3://b/in/*.csv", "s3://b/{day}/*/x*"])
def test_the_name_of_a_batch_matches_its_own_pattern(pattern: str) -> None:
    filled = KeyPattern(pattern).fill({"day": "2026-11-30"})

    assert filled.match(filled.text) == {}
    assert KeyPattern(pattern).match(filled.text) is not None


@pytest.mark.parametrize(
    ("pattern", "folder", "may"),
    [
        ("s3://b/a.csv", "s3://b/a.csv/", False),
        ("s3://b/x/a.csv", "s3://b/x/", True),
        ("s3://b/x/a.csv", "s3://b/", True),
        ("s3://b/x/a.csv", "s3://b/y/", False),
        ("s3://b/x/a.csv", "s3://c/x/", False),
        ("s3://b/x/*", "s3://b/x/out/", True),
        ("s3://b/x/*", "s3://b/y/", False),
        ("s3://b/*/a.csv", "s3://b/out/", True),
        ("s3://b/*/a.csv", "s3://b/out/x/", False),
        ("s3://b/{day}/a.csv", "s3://b/out/", True),
        ("s3://b/in-{day}/a.csv", "s3://b/out/", False),
        ("s3://b/in-{day}/a.csv", "s3://b/in-{hour}/", True),
        ("s3://b/a*b/c", "s3://b/ab/", True),
        ("s3://b/a*b/c", "s3://b/a/", False),
        ("s3://b/{profile.folder}/x", "s3://b/{profile.folder}/", True),
    ],
)
def test_whether_objects_of_a_pattern_can_lie_in_a_folder(
    pattern: str, folder: str, may: bool
) -> None:
    assert KeyPattern(pattern).may_be_below(folder) is may


SEGMENT = st.text("ab*", min_size=1, max_size=4).filter(lambda text: "**" not in text)


@given(SEGMENT, SEGMENT, st.text("ab", max_size=4))
def test_a_folder_that_an_object_of_the_pattern_lies_in_is_found(
    first: str, second: str, name: str
) -> None:
    both = all(
        re.fullmatch(text.replace("*", "[^/]*"), name) is not None for text in (first, second)
    )

    if both and name:
        assert KeyPattern(f"s3://b/{first}/x").may_be_below(f"s3://b/{second}/")
        assert folders_overlap(f"s3://b/{first}/", f"s3://b/{second}/y/")


@pytest.mark.parametrize(
    ("text", "kinds", "stem", "folder"),
    [
        ("s3://b/a.csv", (True, False, False), "s3://b/a.csv", "s3://b/"),
        ("s3://b/in/*", (False, True, True), "s3://b/in/", "s3://b/in/"),
        ("s3://b/in/a*", (False, True, False), "s3://b/in/a", "s3://b/in/"),
        ("s3://b/{day}.csv", (False, False, False), "s3://b/", "s3://b/"),
        ("s3://b/{profile.name}/{x}", (False, False, False), *["s3://b/{profile.name}/"] * 2),
    ],
)
def test_what_every_object_of_a_pattern_begins_with(
    text: str, kinds: tuple[bool, bool, bool], stem: str, folder: str
) -> None:
    pattern = KeyPattern(text)

    assert (pattern.is_plain, pattern.is_glob, pattern.is_deep) == kinds
    assert (pattern.stem, pattern.stem_folder) == (stem, folder)


def test_captures_without_a_value_stay() -> None:
    assert fill_captures("s3://b/{day}/{hour}/", {"day": "7"}) == "s3://b/7/{hour}/"
