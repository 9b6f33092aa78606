"""The machine fails while S3A writes: readers never see half a run, and the next job completes it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import Sandbox
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import read_output
from tests.spark.spark_worker import JARS, SparkWorker, start_worker

pytestmark = pytest.mark.skipif(
    not JARS.is_dir(), reason="needs the jars: make .tools/spark/jars/.made"
)

KEY, FOLDER = "UserA/abalone.csv", "UserA/output"
# The nth call of an operation, of those that are made with vended credentials. S3A writes each file
# below a name of its own,
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
def test_after_a_kill_readers_see_one_complete_run_and_the_next_job_completes(
    steady: SparkWorker, tmp_path: Path, place: str
) -> None:
    setup = set_up_job(steady.sandbox, ("UserA/*", "READWRITE"))
    setup.upload(KEY, build_rows(150))
    assert steady.run_job(setup, setup.build_arguments(access="s3a")).code == 0
    before = read_output(setup)
    setup.upload(KEY, build_rows(200))

    with start_worker(steady.sandbox, tmp_path) as doomed:
        run_and_kill(doomed, setup, *PLACES[place])

    assert read_output(setup) == before
    ended = steady.run_job(setup, setup.build_arguments(access="s3a"))
    assert ended.code == 0, ended.stderr
    after = read_output(setup)
    assert (after.manifest["rows"]["in"], after.plain_digests, after.plain_run) == (
        200,
        after.files,
        after.latest_run,
    )
    below = f"{FOLDER}/runs/{after.latest_run}/"
    known = {file["path"] for file in after.manifest["files"]} | {"_manifest.json", "report.html"}
    assert {key.removeprefix(below) for key in setup.list_keys(below)} == known


def run_and_kill(doomed: SparkWorker, setup: JobSetup, operation: str, number: int) -> None:
    """A job whose machine is gone once this call of its is done, before it hears of it."""
    rule = {
        "service": "s3",
        "operation": operation,
        "principal": setup.location_role,
        "kind": "stall",
        "after": number - 1,
        "times": 1,
    }
    call_control(setup.sandbox, "faults", "POST", {"rules": [rule]})
    try:
        with doomed.start_job(setup, setup.build_arguments(access="s3a")):
            has_struck(setup.sandbox)
            doomed.kill()
    finally:
        call_control(setup.sandbox, "faults", "DELETE")


def has_struck(sandbox: Sandbox) -> None:
    for _ in range(600):
        if any(rule["struck"] for rule in call_control(sandbox, "faults")["rules"]):
            return
        time.sleep(0.05)
    pytest.fail("the job did not come so far in 30 s")
