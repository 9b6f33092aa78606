"""Whether a job starts now: every state of an input, and complete sequences of runs."""

from dataclasses import replace

import pytest

from grantor.core.jobs.decide import (
    InputStatus,
    StartAction,
    StartDecision,
    WantedRun,
    decide_start,
)
from grantor.core.jobs.job_status import FailureCause, JobDescription, JobStatus
from grantor.settings import (
    CLOCK_SKEW_SECONDS,
    INPUT_QUIET_FIRST_SECONDS,
    JOB_CLAIM_SECONDS,
    MAX_JOB_FAILURES,
    MAX_REMEMBERED_RUNS,
)
from tests.core.jobs.starts import ATTEMPT, GIVEN

AT = 1_000_000.0
NOW = AT + JOB_CLAIM_SECONDS
NEVER = InputStatus()
A, B, GONE = WantedRun("a" * 20, "v1"), WantedRun("b" * 20, "v2"), WantedRun("")
GOING = InputStatus("grantor-a-a1", A.run, 1, JobStatus.IN_PROGRESS, AT, "v1", tried={A.run: 1})
DONE = GOING.end_attempt(JobStatus.COMPLETED, FailureCause.NONE)
FAILED = GOING.end_attempt(JobStatus.FAILED, FailureCause.CONTRACT)
GRANTED = replace(A, granted=True)
AGAIN = replace(A, version="v9")
FRESH = replace(B, uploaded=NOW)


def describe_job(status: JobStatus, created: float = AT + 1) -> JobDescription:
    return JobDescription("grantor-a-a1", status, created)


FOREIGN = describe_job(JobStatus.IN_PROGRESS, created=AT - 3600)
SUPERSEDED = GOING.end_attempt(JobStatus.FAILED, FailureCause.INPUT)


def failed(cause: FailureCause, failures: int = 1) -> InputStatus:
    return replace(FAILED, cause=cause, failures=failures)


@pytest.mark.parametrize(
    ("standing", "wanted", "said", "now", "decision"),
    [
        (NEVER, A, None, NOW, StartDecision(StartAction.START, 1)),
        (NEVER, GONE, None, NOW, StartDecision(StartAction.GONE)),
        (GOING, A, None, NOW - 1, StartDecision(StartAction.CLAIMED)),
        (GOING, B, None, NOW - 1, StartDecision(StartAction.CLAIMED)),
        (GOING, A, None, NOW, StartDecision(StartAction.START, 1, 0, GOING.name)),
        (GOING, B, None, NOW, StartDecision(StartAction.START, 1)),
        (GOING, GONE, None, NOW, StartDecision(StartAction.GONE)),
        (GOING, A, describe_job(JobStatus.IN_PROGRESS), NOW, StartDecision(StartAction.RUNNING)),
        (GOING, B, describe_job(JobStatus.IN_PROGRESS), NOW, StartDecision(StartAction.WAIT)),
        (GOING, GONE, describe_job(JobStatus.STOPPING), NOW, StartDecision(StartAction.WAIT)),
        (GOING, A, describe_job(JobStatus.COMPLETED), NOW, StartDecision(StartAction.SETTLE)),
        (GOING, GONE, describe_job(JobStatus.FAILED), NOW, StartDecision(StartAction.SETTLE)),
        (GOING, A, FOREIGN, NOW, StartDecision(StartAction.SETTLE)),
        (GOING, B, FOREIGN, NOW, StartDecision(StartAction.SETTLE)),
        (GOING, GONE, FOREIGN, NOW, StartDecision(StartAction.SETTLE)),
        (DONE, A, None, NOW, StartDecision(StartAction.DONE)),
        (DONE, AGAIN, None, NOW, StartDecision(StartAction.DONE)),
        (DONE, B, None, NOW, StartDecision(StartAction.START, 1)),
        (DONE, GONE, None, NOW, StartDecision(StartAction.GONE)),
        (FAILED, B, None, NOW, StartDecision(StartAction.START, 1)),
        (FAILED, AGAIN, None, NOW, StartDecision(StartAction.START, 2)),
        (FAILED, GRANTED, None, NOW, StartDecision(StartAction.FAILED)),
        (failed(FailureCause.ACCESS), A, None, NOW, StartDecision(StartAction.DENIED)),
        (failed(FailureCause.ACCESS), GRANTED, None, NOW, StartDecision(StartAction.START, 2, 1)),
        (
            failed(FailureCause.ACCESS, MAX_JOB_FAILURES),
            GRANTED,
            None,
            NOW,
            StartDecision(StartAction.GIVEN_UP),
        ),
        (
            failed(FailureCause.INTERNAL, MAX_JOB_FAILURES),
            AGAIN,
            None,
            NOW,
            StartDecision(StartAction.START, 2),
        ),
        (failed(FailureCause.INTERNAL, 2), A, None, NOW, StartDecision(StartAction.START, 2, 2)),
        (DONE, FRESH, None, NOW, StartDecision(StartAction.START, 1)),
        (
            SUPERSEDED,
            FRESH,
            None,
            NOW + INPUT_QUIET_FIRST_SECONDS - 1,
            StartDecision(StartAction.UNSETTLED),
        ),
        (
            SUPERSEDED,
            FRESH,
            None,
            NOW + INPUT_QUIET_FIRST_SECONDS,
            StartDecision(StartAction.START, 1),
        ),
        (SUPERSEDED, replace(AGAIN, uploaded=NOW), None, NOW, StartDecision(StartAction.UNSETTLED)),
        (SUPERSEDED, replace(A, uploaded=NOW), None, NOW, StartDecision(StartAction.FAILED)),
        (SUPERSEDED, GONE, None, NOW, StartDecision(StartAction.GONE)),
    ],
    ids=[
        "the first upload",
        "nothing is there",
        "claimed just now",
        "claimed just now for other data",
        "a claim whose owner died",
        "such a claim, and newer data",
        "such a claim, and the input is gone",
        "it is running",
        "it is running on older data",
        "it is being stopped",
        "it is over, and nobody has said so yet",
        "likewise, and the input is gone",
        "another's job of its name is running",
        "likewise, and newer data is there",
        "likewise, and the input is not there",
        "the same content again",
        "the same content in a new version",
        "new content",
        "deleted",
        "new content after a failure",
        "put again after a failure",
        "granted, after a failure that grants don't mend",
        "denied",
        "denied, then grants changed",
        "denied three times",
        "put again after three failures",
        "failed inside, twice",
        "new content as soon as it is there",
        "it has just superseded a run",
        "it has superseded a run, and uploads have paused since",
        "what was superseded comes back",
        "nothing new after its input was missing",
        "deleted while a job ran",
    ],
)
def test_the_decision_for_each_state_of_a_run(
    standing: InputStatus,
    wanted: WantedRun,
    said: JobDescription | None,
    now: float,
    decision: StartDecision,
) -> None:
    assert decide_start(standing, wanted, said, now) == decision


@pytest.mark.parametrize(
    "cause", [cause for cause in FailureCause if cause is not FailureCause.NONE]
)
def test_a_run_is_retried_automatically_only_where_that_can_help(cause: FailureCause) -> None:
    helps = cause in (FailureCause.INTERNAL, FailureCause.INFRASTRUCTURE, FailureCause.FOREIGN)
    otherwise = StartAction.DENIED if cause is FailureCause.ACCESS else StartAction.FAILED

    assert decide_start(failed(cause), A, None, NOW).action is (
        StartAction.START if helps else otherwise
    )


def run(
    standing: InputStatus,
    content: str,
    status: JobStatus = JobStatus.COMPLETED,
    cause: FailureCause = FailureCause.NONE,
) -> InputStatus:
    """The next run of the input, if it is to be one, from its claim to its end."""
    decision = decide_start(standing, WantedRun(content, "v"), None, NOW)

    assert decision.action is StartAction.START
    attempt = replace(
        ATTEMPT, run=content, input=replace(GIVEN, version="v"), number=decision.attempt
    )
    return standing.claim_attempt(attempt, decision.failures, NOW).end_attempt(status, cause)


def test_content_that_comes_back_runs_again_so_that_the_latest_output_follows_it() -> None:
    standing = run(run(run(run(run(NEVER, "a"), "b"), "a"), "b"), "a")

    assert (standing.run, standing.attempt, dict(standing.tried)) == ("a", 3, {"b": 2, "a": 3})


def test_content_that_comes_back_after_its_replacement_failed_is_still_the_latest_output() -> None:
    standing = run(run(NEVER, "a"), "b", JobStatus.FAILED, FailureCause.CONTRACT)

    assert decide_start(standing, WantedRun("a", "v"), None, NOW).action is StartAction.DONE


def test_after_three_failures_nothing_starts_automatically() -> None:
    standing = NEVER
    for _ in range(MAX_JOB_FAILURES):
        standing = run(standing, "a", JobStatus.FAILED, FailureCause.INFRASTRUCTURE)

    assert decide_start(standing, WantedRun("a", "v"), None, NOW).action is StartAction.GIVEN_UP
    assert (standing.attempt, standing.failures) == (3, MAX_JOB_FAILURES)


def test_a_success_forgets_the_failures_before_it() -> None:
    standing = run(
        run(run(NEVER, "a", JobStatus.FAILED, FailureCause.INTERNAL), "a"),
        "b",
        JobStatus.FAILED,
        FailureCause.INTERNAL,
    )

    assert (standing.failures, standing.done) == (1, "a")


def test_a_stopped_run_stays_stopped_until_the_data_is_uploaded_again() -> None:
    standing = run(NEVER, "a", JobStatus.STOPPED, FailureCause.STOPPED)

    assert decide_start(standing, WantedRun("a", "v"), None, NOW).action is StartAction.FAILED
    assert decide_start(standing, WantedRun("a", "w"), None, NOW) == StartDecision(
        StartAction.START, 2
    )


def test_the_record_of_an_input_has_a_limited_size() -> None:
    standing = NEVER
    for number in range(MAX_REMEMBERED_RUNS + 10):
        standing = run(standing, f"content {number}")

    assert len(standing.tried) == MAX_REMEMBERED_RUNS
    assert standing.run in standing.tried


def test_the_more_runs_in_a_row_were_superseded_the_longer_the_next_one_waits() -> None:
    standing, waits = NEVER, []
    for content in "abcdefg":
        standing = standing.claim_attempt(replace(ATTEMPT, run=content), 0, AT).end_attempt(
            JobStatus.FAILED, FailureCause.INPUT
        )
        waits.append(standing.quiet_seconds)

    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


@pytest.mark.parametrize(
    ("status", "cause"),
    [(JobStatus.COMPLETED, FailureCause.NONE), (JobStatus.FAILED, FailureCause.CONTRACT)],
    ids=["it completed", "it failed of itself"],
)
def test_a_run_that_was_not_superseded_ends_the_waiting(
    status: JobStatus, cause: FailureCause
) -> None:
    standing = SUPERSEDED.claim_attempt(ATTEMPT, 0, AT)

    assert (standing.superseded, standing.end_attempt(status, cause).superseded) == (1, 0)


CLAIM = NEVER.claim_attempt(ATTEMPT, 0, AT, "5eed")
ORDERED = JobDescription(ATTEMPT.name, JobStatus.COMPLETED, AT + 1, request="5eed")
LAST = AT + JOB_CLAIM_SECONDS + CLOCK_SKEW_SECONDS


@pytest.mark.parametrize(
    ("description", "own"),
    [
        (ORDERED, True),
        (replace(ORDERED, created=AT - CLOCK_SKEW_SECONDS), True),
        (replace(ORDERED, created=LAST), True),
        (replace(ORDERED, request="e1se"), False),
        (replace(ORDERED, request=""), False),
        (replace(ORDERED, created=AT - CLOCK_SKEW_SECONDS - 1), False),
        (replace(ORDERED, created=LAST + 1), False),
        (replace(ORDERED, created=0.0), False),
    ],
    ids=[
        "as it was ordered",
        "created just before, by SageMaker's clock",
        "created when the claim ends",
        "ordered otherwise",
        "of nothing",
        "created long before the claim",
        "created after the claim",
        "never created",
    ],
)
def test_a_job_is_believed_if_it_is_what_was_ordered_and_was_created_while_it_was_claimed(
    description: JobDescription, own: bool
) -> None:
    assert CLAIM.is_own_job(description) is own


def test_a_claim_of_an_older_version_goes_by_the_time_alone() -> None:
    assert replace(CLAIM, request="").is_own_job(ORDERED)


def test_sagemaker_has_three_final_statuses() -> None:
    assert {status for status in JobStatus if status.is_over} == {
        JobStatus.COMPLETED,
        JobStatus.FAILED,
        JobStatus.STOPPED,
    }
