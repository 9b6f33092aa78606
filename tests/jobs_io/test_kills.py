"""A job is killed after each of its write calls: readers never see half a run, and the next job
completes it.
"""

import time
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import IS_LONG, Sandbox
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_process import run_job_in_process, start_job
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import JobOutput, list_plain_files, read_output

CHANGES = ("PutObject", "CopyObject", "DeleteObjects", "DeleteObject", "CompleteMultipartUpload")

COUNTS = count(150)  # rows of each upload: no two are the same run, and each is three files


@dataclass(frozen=True)
class JobCall:
    """The nth call of an operation, of those that the job makes with vended credentials."""

    operation: str
    number: int

    def __str__(self) -> str:
        return f"{self.operation}-{self.number}"


# What one job does that follows another, in order; held against a job in the first test below.
STEPS = [
    *[JobCall("PutObject", at) for at in range(1, 4)],  # files of train and validation
    JobCall("PutObject", 4),  # the report
    JobCall("PutObject", 5),  # the manifest
    JobCall("PutObject", 6),  # LATEST leads to the run
    JobCall("PutObject", 7),  # LATEST says that the plain files change
    JobCall("DeleteObjects", 1),
    *[JobCall("CopyObject", at) for at in range(1, 4)],
    JobCall("PutObject", 8),  # LATEST says whose they are
]


@pytest.fixture(scope="module")
def shared_setup(job_sandbox: Sandbox) -> JobSetup:
    """One folder, in which one run follows another: each test kills the run that follows those
    before it.
    """
    return set_up_job(job_sandbox, ("UserA/*", "READWRITE"))


@pytest.fixture
def published(shared_setup: JobSetup) -> JobSetup:
    """A run is published, and other data has come since."""
    shared_setup.upload("UserA/abalone.csv", build_rows(next(COUNTS)))
    assert run_job_in_process(shared_setup).code == 0
    shared_setup.upload("UserA/abalone.csv", build_rows(next(COUNTS)))
    return shared_setup


def test_a_job_makes_exactly_the_listed_write_calls(published: JobSetup) -> None:
    call_control(published.sandbox, "calls", "DELETE")
    assert run_job_in_process(published).code == 0

    assert list_changes(published) == [str(step) for step in STEPS]


# The last of three kinds of objects, whose kill leaves the most behind; `make test-long` kills at each.
CHOSEN_STEPS = STEPS if IS_LONG else [STEPS[at] for at in (2, 5, 9)]


@pytest.mark.parametrize("step", CHOSEN_STEPS, ids=str)
def test_readers_see_one_complete_run_wherever_a_job_is_killed(
    published: JobSetup, step: JobCall
) -> None:
    before = read_output(published)
    kill_job_after(published, step)

    seen = read_output(published)
    assert seen.latest_run == before.latest_run or STEPS.index(step) >= STEPS.index(
        JobCall("PutObject", 6)
    )
    assert are_of_one_run(seen, before)

    assert run_job_in_process(published).code == 0

    after = read_output(published)
    assert after.latest_run != before.latest_run
    assert after.plain_digests == after.files
    assert after.plain_run == after.latest_run
    assert list_leftovers(published, after) == []


def test_a_kill_between_the_parts_of_an_upload_is_invisible_and_the_next_job_completes_it(
    published: JobSetup,
) -> None:
    refused = (
        b"x" * 200_000 + b"\n"
    ) * 100  # of these the quarantine is a file of 20 MB, which goes up in three parts
    published.upload("UserA/abalone.csv", build_rows(1_000) + refused)
    before = read_output(published)

    kill_job_after(published, JobCall("UploadPart", 2))

    assert read_output(published) == before
    assert run_job_in_process(published).code == 0
    after = read_output(published)
    assert (
        after.manifest["rows"]["quarantine"],
        after.plain_digests,
        list_leftovers(published, after),
    ) == (
        100,
        after.files,
        [],
    )


def are_of_one_run(seen: JobOutput, before: JobOutput) -> bool:
    """Whether the plain files are some of one run's, and all of them where LATEST says so."""
    if seen.plain_run is not None:
        return seen.plain_digests == (
            seen.files if seen.plain_run == seen.latest_run else before.files
        )
    return (
        seen.plain_digests.items() <= before.files.items()
        or seen.plain_digests.items() <= seen.files.items()
    )


def list_leftovers(setup: JobSetup, seen: JobOutput) -> list[str]:
    """What lies in the run's folder and belongs to nothing."""
    folder = f"UserA/output/runs/{seen.latest_run}/"
    known = {file["path"] for file in seen.manifest["files"]} | {"_manifest.json", "report.html"}
    return [key for key in setup.list_keys(folder) if key.removeprefix(folder) not in known]


def kill_job_after(setup: JobSetup, step: JobCall) -> None:
    """A job that is killed when this call of its is done, before it hears of it."""
    rule = {
        "service": "s3",
        "operation": step.operation,
        "principal": setup.location_role,
        "kind": "stall",
        "after": step.number - 1,
        "times": 1,
    }
    call_control(setup.sandbox, "faults", "POST", {"rules": [rule]})
    process = start_job(setup, setup.build_arguments())
    try:
        for _ in range(600):
            if has_struck(setup):
                break
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        else:
            pytest.fail(f"the job never came to {step}")
    finally:
        process.kill()
        process.communicate()
        call_control(setup.sandbox, "faults", "DELETE")


def has_struck(setup: JobSetup) -> bool:
    return any(rule["struck"] for rule in call_control(setup.sandbox, "faults")["rules"])


def list_changes(setup: JobSetup) -> list[str]:
    """What the job changed, in order; of the files, which go up side by side, the number."""
    numbers: dict[str, int] = {}
    made: list[str] = []
    calls: list[dict[str, Any]] = [
        call for call in setup.list_calls() if call["operation"] in CHANGES
    ]
    for call in calls:
        numbers[call["operation"]] = numbers.get(call["operation"], 0) + 1
        made.append(str(JobCall(call["operation"], numbers[call["operation"]])))
    return made


def test_the_plain_files_stay_those_of_the_first_run(published: JobSetup) -> None:
    seen = read_output(published)

    assert seen.plain_digests == list_plain_files(seen.manifest)
