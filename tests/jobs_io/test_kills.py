"""A job is killed after each of its calls that change something: readers never see half a run, and the next job makes it good."""

import time
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import Sandbox
from tests.jobs_io.grounds import Grounds, lay
from tests.jobs_io.process import run_here, start
from tests.jobs_io.reader import Seen, look, plain_files
from tests.jobs_io.rows import rows

CHANGES = ("PutObject", "CopyObject", "DeleteObjects", "DeleteObject", "CompleteMultipartUpload")

COUNTS = count(150)  # rows of each upload: no two are the same run, and each is three files


@dataclass(frozen=True)
class Change:
    """The nth call of an operation, of those that the job makes with vended credentials."""

    operation: str
    number: int

    def __str__(self) -> str:
        return f"{self.operation}-{self.number}"


# What one job does that follows another, in order; held against a job in the first test below.
STEPS = [
    *[Change("PutObject", at) for at in range(1, 4)],  # files of train and validation
    Change("PutObject", 4),  # the report
    Change("PutObject", 5),  # the manifest
    Change("PutObject", 6),  # LATEST leads to the run
    Change("PutObject", 7),  # LATEST says that the plain files change
    Change("DeleteObjects", 1),
    *[Change("CopyObject", at) for at in range(1, 4)],
    Change("PutObject", 8),  # LATEST says whose they are
]


@pytest.fixture(scope="module")
def ground(job_sandbox: Sandbox) -> Grounds:
    """One folder, in which one run follows another: each test kills the run that follows those before it."""
    return lay(job_sandbox, ("UserA/*", "READWRITE"))


@pytest.fixture
def published(ground: Grounds) -> Grounds:
    """A run is published, and other data has come since."""
    ground.upload("UserA/abalone.csv", rows(next(COUNTS)))
    assert run_here(ground).code == 0
    ground.upload("UserA/abalone.csv", rows(next(COUNTS)))
    return ground


def test_these_are_the_changes_of_a_job(published: Grounds) -> None:
    call_control(published.sandbox, "calls", "DELETE")
    assert run_here(published).code == 0

    assert changes(published) == [str(step) for step in STEPS]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_readers_see_one_whole_run_wherever_a_job_is_killed(
    published: Grounds, step: Change
) -> None:
    before = look(published)
    killed_after(published, step)

    seen = look(published)
    assert seen.run == before.run or STEPS.index(step) >= STEPS.index(Change("PutObject", 6))
    assert of_one_run(seen, before)

    assert run_here(published).code == 0

    after = look(published)
    assert after.run != before.run
    assert after.plain == after.files
    assert after.said == after.run
    assert left_over(published, after) == []


def test_an_upload_that_is_cut_between_its_parts_is_seen_by_nobody_and_the_next_job_makes_it_whole(
    published: Grounds,
) -> None:
    refused = (
        b"x" * 200_000 + b"\n"
    ) * 100  # of these the quarantine is a file of 20 MB, which goes up in three parts
    published.upload("UserA/abalone.csv", rows(1_000) + refused)
    before = look(published)

    killed_after(published, Change("UploadPart", 2))

    assert look(published) == before
    assert run_here(published).code == 0
    after = look(published)
    assert (after.manifest["rows"]["quarantine"], after.plain, left_over(published, after)) == (
        100,
        after.files,
        [],
    )


def of_one_run(seen: Seen, before: Seen) -> bool:
    """Whether the plain files are some of one run's, and all of them where LATEST says so."""
    if seen.said is not None:
        return seen.plain == (seen.files if seen.said == seen.run else before.files)
    return seen.plain.items() <= before.files.items() or seen.plain.items() <= seen.files.items()


def left_over(grounds: Grounds, seen: Seen) -> list[str]:
    """What lies in the run's folder and belongs to nothing."""
    folder = f"UserA/output/runs/{seen.run}/"
    known = {file["path"] for file in seen.manifest["files"]} | {"_manifest.json", "report.html"}
    return [key for key in grounds.listed(folder) if key.removeprefix(folder) not in known]


def killed_after(grounds: Grounds, step: Change) -> None:
    """A job that is killed when this call of its is done, before it hears of it."""
    rule = {
        "service": "s3",
        "operation": step.operation,
        "principal": grounds.location,
        "kind": "stall",
        "after": step.number - 1,
        "times": 1,
    }
    call_control(grounds.sandbox, "faults", "POST", {"rules": [rule]})
    process = start(grounds, grounds.words())
    try:
        for _ in range(600):
            if struck(grounds):
                break
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        else:
            pytest.fail(f"the job never came to {step}")
    finally:
        process.kill()
        process.communicate()
        call_control(grounds.sandbox, "faults", "DELETE")


def struck(grounds: Grounds) -> bool:
    return any(rule["struck"] for rule in call_control(grounds.sandbox, "faults")["rules"])


def changes(grounds: Grounds) -> list[str]:
    """What the job changed, in order; of the files, which go up side by side, the number."""
    numbers: dict[str, int] = {}
    made: list[str] = []
    calls: list[dict[str, Any]] = [call for call in grounds.calls() if call["operation"] in CHANGES]
    for call in calls:
        numbers[call["operation"]] = numbers.get(call["operation"], 0) + 1
        made.append(str(Change(call["operation"], numbers[call["operation"]])))
    return made


def test_the_plain_files_are_those_of_the_first_run_before(published: Grounds) -> None:
    seen = look(published)

    assert seen.plain == plain_files(seen.manifest)
