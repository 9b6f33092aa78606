"""Which jobs feed each other or write to one place, also where patterns and captures decide."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.key_pattern import JobPlace, JobPlaces
from grantor.core.rules import IamPrincipal, Job

JOB = Job("f", "a", "abalone", IamPrincipal("arn:aws:iam::111122223333:role/a"), "s3://b/a", "")


def place(name: str, on: str, output: str, reads: str = "") -> JobPlace:
    return JobPlace(name, replace(JOB, name=name), on, reads or on, output)


@pytest.mark.parametrize(
    ("on", "output", "feeds"),
    [
        ("s3://b/in/a.csv", "s3://b/in/", True),
        ("s3://b/in/*", "s3://b/in/deep/er/", True),
        ("s3://b/in/{day}/*.csv", "s3://b/in/7/", True),
        ("s3://b/in/{day}/*.csv", "s3://b/in/{hour}/", True),
        ("s3://b/in/{day}/*.csv", "s3://b/in/7/x/", False),
        ("s3://b/in/{day}/*.csv", "s3://b/", True),
        ("s3://b/in-{day}/a", "s3://b/in-7/", True),
        ("s3://b/in-{day}/a", "s3://b/out/", False),
        ("s3://b/in/*", "s3://b/into/", False),
        ("s3://b/in/*", "s3://c/in/", False),
    ],
)
def test_a_job_feeds_another_if_it_may_write_what_that_one_waits_for(
    on: str, output: str, feeds: bool
) -> None:
    waiting, writing = place("waits", on, "s3://z/1/"), place("writes", "s3://z/in", output)
    others = [place(f"other {n}", "s3://z/in", f"s3://b/z{n}/") for n in range(3)]

    assert writing.feeds(waiting) is feeds
    found = JobPlaces([*others, writing, waiting]).find_feeders(waiting)
    assert found == ([writing] if feeds else [])


def test_what_a_signal_starts_feeds_by_its_input_as_well() -> None:
    waiting = place("waits", "s3://b/ready", "s3://z/1/", "s3://b/in/*.csv")
    writing = place("writes", "s3://z/in", "s3://b/in/")

    assert JobPlaces([writing, waiting]).find_feeders(waiting) == [writing]


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("s3://b/out/{day}/", "s3://b/out/7/", True),
        ("s3://b/out/{day}/", "s3://b/out/7/x/", True),
        ("s3://b/out/{day}/x/", "s3://b/out/{hour}/y/", False),
        ("s3://b/out/{day}/x/", "s3://b/out/7/y/", False),
        ("s3://b/out/", "s3://b/out/{day}/", True),
        ("s3://b/out/a-{day}/", "s3://b/out/b-{day}/", False),
    ],
)
def test_outputs_overlap_if_some_value_makes_them_so(
    first: str, second: str, overlap: bool
) -> None:
    one, other = place("one", "s3://z/1", first), place("other", "s3://z/2", second)
    places = JobPlaces([one, other])

    assert one.overlaps(other) is other.overlaps(one) is overlap
    pairs = {(a, b) for a in (one, other) for b in places.find_overlapping(a) if a != b}
    assert bool(pairs) is overlap


def test_a_batch_that_feeds_itself_through_another_job_is_a_cycle() -> None:
    first = place("first", "s3://b/in/{day}/*", "s3://b/mid/{day}/")
    second = place("second", "s3://b/mid/{day}/LATEST.json", "s3://b/in/{day}/x/")
    places = JobPlaces([first, second])

    assert [set(cycle) for cycle in places.find_cycles()] == [{first, second}]
    assert set(places.find_cycle(first)) == {first, second}


SEGMENTS = st.lists(st.sampled_from(("a", "b", "{x}", "a{y}", "*")), min_size=1, max_size=3)
FOLDERS = st.lists(st.sampled_from(("a", "b", "{z}", "ab")), min_size=1, max_size=3)


@given(SEGMENTS, st.lists(FOLDERS, max_size=6))
def test_the_index_finds_the_same_feeders_as_a_look_at_every_job(
    segments: list[str], folders: list[list[str]]
) -> None:
    waiting = place("waits", f"s3://b/{'/'.join(segments)}", "s3://z/1/")
    others = [
        place(f"job {n}", f"s3://z/{n}", f"s3://b/{'/'.join(folder)}/")
        for n, folder in enumerate(folders)
    ]

    found = JobPlaces([*others, waiting]).find_feeders(waiting)
    assert set(found) == {one for one in others if one.feeds(waiting)}
