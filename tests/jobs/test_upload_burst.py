"""Uploads of one file arrive faster than jobs run: few jobs start, the last content is processed
once, and nothing is lost.
"""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import batched
from typing import Any

import pytest

from grantor.settings import INPUT_QUIET_FIRST_SECONDS
from tests.grantor_setup import DATA
from tests.jobs.launcher import LauncherSetup, retry_event, schedule_event

KEY = "UserA/abalone.csv"
UPLOADS = 300
SUMMARY = {"outcome": "done", "rows": {"in": 1, "train": 1, "validation": 0, "quarantine": 0}}


@contextmanager
def read_log() -> Iterator[list[dict[str, Any]]]:
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


def upload_many(launcher: LauncherSetup, begin: int, end: int) -> list[dict[str, Any]]:
    """So many uploads, no two alike, and their events in batches; these events."""
    jobs, events = launcher.build_jobs(), []
    for numbers in batched(range(begin, end), 50):
        some = [launcher.upload(KEY, b"%d" % number) for number in numbers]
        assert launcher.deliver(*some, jobs=jobs) == []
        events += some
    return events


def test_of_three_hundred_uploads_the_first_job_is_superseded_and_the_last_upload_is_computed_once(
    launcher: LauncherSetup,
) -> None:
    with read_log() as lines:
        events = [launcher.upload(KEY, b"0")]
        launcher.deliver(*events)
        (first,) = launcher.list_running()
        events += upload_many(launcher, 1, 150)
        launcher.deliver(launcher.end_job(first, 11))
        events += upload_many(launcher, 150, UPLOADS)
        assert (launcher.list_running(), launcher.count_sent()) == ([], 1)

        launcher.deliver(
            retry_event(KEY, 1), jobs=launcher.build_jobs_later(INPUT_QUIET_FIRST_SECONDS)
        )
        (last,) = launcher.list_running()
        launcher.deliver(
            launcher.end_job(last, 0, SUMMARY),
            jobs=launcher.build_jobs_later(INPUT_QUIET_FIRST_SECONDS),
        )

        # All that is late, doubled and out of order.
        launcher.deliver(
            *reversed(events),
            *events,
            schedule_event(),
            retry_event(KEY, 1),
            jobs=launcher.build_jobs_later(2 * INPUT_QUIET_FIRST_SECONDS),
        )

    newest, oldest = launcher.list_runs()
    assert (
        launcher.list_running(),
        launcher.list_waiting(),
        launcher.read_alerts(),
        len(launcher.list_statuses()),
    ) == ([], [], [], 2)
    assert (oldest.name, oldest.cause, oldest.passed_over) == (first, "input missing or changed", 0)
    assert (newest.name, newest.status, newest.passed_over) == (last, "Completed", UPLOADS - 2)
    latest = launcher.setup.client("s3").head_object(Bucket=DATA, Key=KEY)
    assert (newest.version, newest.etag) == (latest["VersionId"], latest["ETag"].strip('"'))
    versions = [event["detail"]["object"]["version-id"] for event in events]
    processed = [line for line in lines if line["message"] == "upload processed"]
    assert {version for line in processed for version in line["versions"]} == set(versions)
    assert all(line["results"] for line in processed)


def test_a_single_upload_does_not_wait(launcher: LauncherSetup) -> None:
    launcher.deliver(launcher.upload(KEY, b"first"))
    (first,) = launcher.list_running()
    launcher.upload(KEY, b"second")

    launcher.deliver(
        launcher.end_job(first, 11), jobs=launcher.build_jobs_later(INPUT_QUIET_FIRST_SECONDS)
    )  # it was replaced minutes ago, while the job ran
    assert len(launcher.list_running()) == 1


@pytest.mark.parametrize(
    ("code", "name"), [(11, "JobsSuperseded"), (12, "JobsFailed"), (0, "JobsCompleted")]
)
def test_only_a_job_that_failed_by_itself_counts_as_failed_so_that_others_raise_no_alarm(
    launcher: LauncherSetup, capsys: pytest.CaptureFixture[str], code: int, name: str
) -> None:
    launcher.deliver(launcher.upload(KEY, b"first"))
    launcher.deliver(launcher.end_job(launcher.list_running()[0], code))

    counted = {
        metric
        for line in capsys.readouterr().out.splitlines()
        for metric in json.loads(line)
        if metric.startswith("Jobs")
    }
    assert counted == {"JobsStarted", name}


def test_an_input_that_supersedes_every_job_waits_longer_each_time_and_raises_an_alert(
    launcher: LauncherSetup,
) -> None:
    ahead = 0.0
    for runs in (1, 2, 3):
        launcher.deliver(launcher.upload(KEY, b"%d" % runs), jobs=launcher.build_jobs_later(ahead))
        (name,) = launcher.list_running()
        launcher.upload(KEY, b"%d, and newer" % runs)
        launcher.deliver(launcher.end_job(name, 11), jobs=launcher.build_jobs_later(0))
        assert launcher.list_running() == []
        ahead = INPUT_QUIET_FIRST_SECONDS * 2 ** (runs - 1)
        launcher.deliver(retry_event(KEY, runs), jobs=launcher.build_jobs_later(ahead - 5))
        assert launcher.list_running() == []

    launcher.count_sent()
    launcher.read_alerts()
    launcher.upload(KEY, b"once more")
    launcher.deliver(retry_event(KEY, 9), jobs=launcher.build_jobs_later(1))
    (waiting,) = launcher.list_waiting()
    assert waiting.why == (
        "abalone on s3://data/UserA/abalone.csv: the last 3 runs were superseded by newer data; the next starts when nothing has "
        "been uploaded for 120 seconds"
    )
    assert 100 < waiting.due - launcher.build_jobs().clock() - 60 <= 120


def test_a_version_that_is_no_longer_recorded_is_not_counted_from(
    launcher: LauncherSetup,
) -> None:
    for number in range(3):
        launcher.upload(KEY, b"%d" % number)
    uploads = launcher.build_jobs().uploads
    given = uploads.read_latest(f"s3://{DATA}/{KEY}")

    assert uploads.count_versions_between(given, "forgotten") == 0


@pytest.mark.parametrize(
    "other", ["UserA/abalone.csv.bak", "UserA/abalone"], ids=["a longer name", "a shorter name"]
)
def test_versions_of_other_objects_are_not_counted(launcher: LauncherSetup, other: str) -> None:
    known = launcher.upload(KEY, b"known")["detail"]["object"]["version-id"]
    launcher.upload(other)
    launcher.upload(KEY, b"between")
    launcher.upload(KEY, b"latest")
    uploads = launcher.build_jobs().uploads

    assert uploads.count_versions_between(uploads.read_latest(f"s3://{DATA}/{KEY}"), known) == 1


def test_more_than_a_page_of_versions_is_counted(launcher: LauncherSetup) -> None:
    known = launcher.upload(KEY, b"known")["detail"]["object"]["version-id"]
    for number in range(1_001):
        launcher.upload(KEY, b"%d" % number)
    uploads = launcher.build_jobs().uploads

    assert uploads.count_versions_between(uploads.read_latest(f"s3://{DATA}/{KEY}"), known) == 1_000
