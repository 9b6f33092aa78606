"""Which inputs a sweep looks at, and which of their uploads no event has reported."""

from dataclasses import replace

import pytest

from grantor.core.jobs.decide import InputStatus
from grantor.core.jobs.job_status import FailureCause, JobStatus
from grantor.core.jobs.unreported import choose_swept, is_swept_age, is_unreported, sort_starts
from grantor.core.rules import Start
from grantor.core.snapshot import InputObject
from grantor.settings import (
    MAX_SWEPT_INPUTS,
    SWEEP_SECONDS,
    SWEPT_AFTER_SECONDS,
    SWEPT_UPLOAD_AGE,
)
from tests.core.jobs.starts import ATTEMPT, GIVEN, RUN, START

AT = 1_800_000_000.0
OTHER = "ffff456789abcdef0123"


def build_starts(count: int) -> list[Start]:
    return [replace(START, upload=f"s3://data/{number:06}") for number in range(count)]


def test_all_inputs_are_swept_if_they_are_few() -> None:
    starts = build_starts(MAX_SWEPT_INPUTS)

    assert choose_swept(sort_starts(starts[::-1]), AT, MAX_SWEPT_INPUTS) == starts


@pytest.mark.parametrize("count", [MAX_SWEPT_INPUTS + 1, 3 * MAX_SWEPT_INPUTS, 1_234])
def test_many_inputs_are_swept_in_turn_and_never_more_than_the_limit_at_once(count: int) -> None:
    starts = build_starts(count)
    sweeps = -(-count // MAX_SWEPT_INPUTS)
    for first in (0, 7, 1_000):
        chosen = [
            choose_swept(starts, (first + number) * SWEEP_SECONDS + 3.5, MAX_SWEPT_INPUTS)
            for number in range(sweeps)
        ]
        seen = {start.upload for found in chosen for start in found}

        assert {len(found) for found in chosen} == {MAX_SWEPT_INPUTS}
        assert len(seen) == count


@pytest.mark.parametrize(
    ("age", "judged"),
    [
        (0.0, False),
        (SWEPT_AFTER_SECONDS - 1, False),
        (SWEPT_AFTER_SECONDS, True),
        (SWEPT_UPLOAD_AGE.total_seconds(), True),
        (SWEPT_UPLOAD_AGE.total_seconds() + 1, False),
        (-60.0, False),
    ],
)
def test_an_upload_is_judged_once_its_event_is_due_and_while_it_is_young(
    age: float, judged: bool
) -> None:
    assert is_swept_age(replace(GIVEN, uploaded=AT - age), AT) is judged


CLAIMED = InputStatus().claim_attempt(ATTEMPT, 0, AT)
DONE = CLAIMED.end_attempt(JobStatus.COMPLETED, FailureCause.NONE)
FAILED = CLAIMED.end_attempt(JobStatus.FAILED, FailureCause.CONTRACT)
SEEN = replace(GIVEN, uploaded=AT - 10)
NEWER = replace(GIVEN, version="v2", uploaded=AT + 10)
BETWEEN = replace(NEWER, uploaded=AT - 1)  # read before, and put before the claim
UNVERSIONED = replace(GIVEN, uploaded=AT + 10)


@pytest.mark.parametrize(
    ("status", "found", "run", "unreported"),
    [
        (InputStatus(), SEEN, RUN, True),
        (CLAIMED, NEWER, OTHER, False),
        (DONE, SEEN, RUN, False),
        (DONE, SEEN, OTHER, False),
        (DONE, NEWER, OTHER, True),
        (DONE, NEWER, RUN, False),
        (DONE, BETWEEN, OTHER, True),
        (DONE, UNVERSIONED, OTHER, True),
        (FAILED, SEEN, RUN, False),
        (FAILED, SEEN, OTHER, True),
        (FAILED, NEWER, RUN, True),
        (DONE, SEEN, "", False),
        (FAILED, SEEN, "", False),
        (DONE, BETWEEN, "", False),
        (DONE, NEWER, "", True),
    ],
    ids=[
        "the first upload",
        "a run is in progress, and its end looks again",
        "it completed",
        "it completed with older code",
        "newer data",
        "the same content again",
        "newer data that arrived while the run was claimed",
        "newer data in a bucket without versions",
        "it failed",
        "it failed with older code",
        "put again after a failure",
        "the marker of a run that completed",
        "the marker of a run that failed",
        "a marker goes by its time alone",
        "a newer marker",
    ],
)
def test_whether_an_attempt_was_for_an_upload(
    status: InputStatus, found: InputObject, run: str, unreported: bool
) -> None:
    assert is_unreported(status, found, run) is unreported
