"""The machine that Spark runs on is gone in the middle of S3A's work: readers never see half a run, and the next job completes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import Sandbox
from tests.jobs_io.grounds import Grounds, lay
from tests.jobs_io.reader import look
from tests.jobs_io.rows import rows
from tests.spark.spark_worker import JARS, SparkWorker, start_worker

pytestmark = pytest.mark.skipif(
    not JARS.is_dir(), reason="needs the jars: make .tools/spark/jars/.made"
)

KEY, FOLDER = "UserA/abalone.csv", "UserA/output"
# The nth call of an operation, of those that are made with vended credentials. S3A writes each file below a name of its own,
# renames it twice when its task and the whole are committed, and a third time into its place.
PLACES = {
    "while it reads": ("GetObject", 3),
    "while it writes a file": ("PutObject", 2),
    "while it commits": ("CopyObject", 2),
    "while it puts files into their places": ("CopyObject", 5),
}


@pytest.fixture(scope="module")
def steady(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkWorker]:
    with start_worker(start_sandbox(), tmp_path_factory.mktemp("steady")) as worker:
        yield worker


@pytest.mark.parametrize("place", PLACES)
def test_readers_see_one_whole_run_and_the_next_job_completes(
    steady: SparkWorker, tmp_path: Path, place: str
) -> None:
    grounds = lay(steady.sandbox, ("UserA/*", "READWRITE"))
    grounds.upload(KEY, rows(150))
    assert steady.run(grounds, grounds.words(access="s3a")).code == 0
    before = look(grounds)
    grounds.upload(KEY, rows(200))

    with start_worker(steady.sandbox, tmp_path) as doomed:
        killed(doomed, grounds, *PLACES[place])

    assert look(grounds) == before
    ended = steady.run(grounds, grounds.words(access="s3a"))
    assert ended.code == 0, ended.said
    after = look(grounds)
    assert (after.manifest["rows"]["in"], after.plain, after.said) == (200, after.files, after.run)
    below = f"{FOLDER}/runs/{after.run}/"
    known = {file["path"] for file in after.manifest["files"]} | {"_manifest.json", "report.html"}
    assert {key.removeprefix(below) for key in grounds.listed(below)} == known


def killed(doomed: SparkWorker, grounds: Grounds, operation: str, number: int) -> None:
    """A job whose machine is gone once this call of its is done, before it hears of it."""
    rule = {
        "service": "s3",
        "operation": operation,
        "principal": grounds.location,
        "kind": "stall",
        "after": number - 1,
        "times": 1,
    }
    call_control(grounds.sandbox, "faults", "POST", {"rules": [rule]})
    try:
        with doomed.under_way(grounds, grounds.words(access="s3a")):
            struck(grounds.sandbox)
            doomed.kill()
    finally:
        call_control(grounds.sandbox, "faults", "DELETE")


def struck(sandbox: Sandbox) -> None:
    for _ in range(600):
        if any(rule["struck"] for rule in call_control(sandbox, "faults")["rules"]):
            return
        time.sleep(0.05)
    pytest.fail("the job did not come so far in 30 s")
