"""Uploads of one file follow each other faster than jobs run: few machines are paid for, the last content is computed, once, nothing is lost."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import batched
from typing import Any

import pytest

from grantor.core.jobs.decide import QUIET
from tests.estate import DATA
from tests.jobs.place import Place, again, ticked

KEY = "UserA/abalone.csv"
UPLOADS = 300
SUMMARY = {"outcome": "done", "rows": {"in": 1, "train": 1, "validation": 0, "quarantine": 0}}


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """What the launcher logs meanwhile."""
    out, logger, lines = io.StringIO(), logging.getLogger("start-spark-job"), []
    handler = logging.StreamHandler(out)
    handler.setFormatter(logger.handlers[0].formatter)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        lines += map(json.loads, out.getvalue().splitlines())


def flood(place: Place, begin: int, end: int) -> list[dict[str, Any]]:
    """So many uploads, no two alike, and their events in batches; these events."""
    jobs, events = place.jobs(), []
    for numbers in batched(range(begin, end), 50):
        some = [place.put(KEY, b"%d" % number) for number in numbers]
        assert place.ring(*some, jobs=jobs) == []
        events += some
    return events


def test_of_three_hundred_uploads_the_first_has_a_job_that_the_next_overtakes_and_the_last_is_computed_once(place: Place) -> None:
    with logged() as lines:
        events = [place.put(KEY, b"0")]
        place.ring(*events)
        (first,) = place.running()
        events += flood(place, 1, 150)
        place.ring(place.ends(first, 11))
        events += flood(place, 150, UPLOADS)
        assert (place.running(), place.sent()) == ([], 1)

        place.ring(again(KEY, 1), jobs=place.later(QUIET))
        (last,) = place.running()
        place.ring(place.ends(last, 0, SUMMARY), jobs=place.later(QUIET))

        # All that is late, doubled and out of order.
        place.ring(*reversed(events), *events, ticked(), again(KEY, 1), jobs=place.later(2 * QUIET))

    newest, oldest = place.runs()
    assert (place.running(), place.waiting(), place.called(), len(place.listed())) == ([], [], [], 2)
    assert (oldest.name, oldest.cause, oldest.passed_over) == (first, "input missing or changed", 0)
    assert (newest.name, newest.status, newest.passed_over) == (last, "Completed", UPLOADS - 2)
    latest = place.estate.client("s3").head_object(Bucket=DATA, Key=KEY)
    assert (newest.version, newest.etag) == (latest["VersionId"], latest["ETag"].strip('"'))
    versions = [event["detail"]["object"]["version-id"] for event in events]
    told = [line for line in lines if line["message"] == "looked at"]
    assert {version for line in told for version in line["versions"]} == set(versions)
    assert all(line["came"] for line in told)


def test_an_upload_that_is_left_alone_is_not_kept_waiting(place: Place) -> None:
    place.ring(place.put(KEY, b"first"))
    (first,) = place.running()
    place.put(KEY, b"second")

    place.ring(place.ends(first, 11), jobs=place.later(QUIET))  # it was replaced minutes ago, while the job ran
    assert len(place.running()) == 1


@pytest.mark.parametrize(("code", "name"), [(11, "JobsOvertaken"), (12, "JobsFailed"), (0, "JobsCompleted")])
def test_only_a_job_that_failed_of_itself_counts_as_failed_so_that_no_alarm_rings_for_others(
    place: Place, capsys: pytest.CaptureFixture[str], code: int, name: str
) -> None:
    place.ring(place.put(KEY, b"first"))
    place.ring(place.ends(place.running()[0], code))

    counted = {
        metric for line in capsys.readouterr().out.splitlines() for metric in json.loads(line) if metric.startswith("Jobs")
    }
    assert counted == {"JobsStarted", name}


def test_what_overtakes_every_job_is_left_to_itself_for_longer_each_time_and_a_person_hears_of_it(place: Place) -> None:
    ahead = 0.0
    for runs in (1, 2, 3):
        place.ring(place.put(KEY, b"%d" % runs), jobs=place.later(ahead))
        (name,) = place.running()
        place.put(KEY, b"%d, and newer" % runs)
        place.ring(place.ends(name, 11), jobs=place.later(0))
        assert place.running() == []
        ahead = QUIET * 2 ** (runs - 1)
        place.ring(again(KEY, runs), jobs=place.later(ahead - 5))
        assert place.running() == []

    place.sent()
    place.called()
    place.put(KEY, b"once more")
    place.ring(again(KEY, 9), jobs=place.later(1))
    (waiting,) = place.waiting()
    assert waiting.why == (
        "abalone on s3://data/UserA/abalone.csv: the last 3 runs were overtaken by newer data; the next starts when nothing has "
        "been uploaded for 120 seconds"
    )
    assert 100 < waiting.due - place.jobs().clock() - 60 <= 120


def test_a_version_that_is_not_remembered_any_more_is_not_counted_from(place: Place) -> None:
    for number in range(3):
        place.put(KEY, b"%d" % number)
    uploads = place.jobs().uploads
    given = uploads.latest(f"s3://{DATA}/{KEY}")

    assert uploads.between(given, "forgotten") == 0


@pytest.mark.parametrize("other", ["UserA/abalone.csv.bak", "UserA/abalone"], ids=["a longer name", "a shorter name"])
def test_versions_of_other_objects_are_none_of_this_one(place: Place, other: str) -> None:
    known = place.put(KEY, b"known")["detail"]["object"]["version-id"]
    place.put(other)
    place.put(KEY, b"between")
    place.put(KEY, b"latest")
    uploads = place.jobs().uploads

    assert uploads.between(uploads.latest(f"s3://{DATA}/{KEY}"), known) == 1


def test_more_than_a_page_of_versions_is_counted(place: Place) -> None:
    known = place.put(KEY, b"known")["detail"]["object"]["version-id"]
    for number in range(1_001):
        place.put(KEY, b"%d" % number)
    uploads = place.jobs().uploads

    assert uploads.between(uploads.latest(f"s3://{DATA}/{KEY}"), known) == 1_000
