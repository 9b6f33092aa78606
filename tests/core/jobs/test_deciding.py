"""Whether a job starts now: every state that an input can stand in, and whole stories of runs."""

from dataclasses import replace

import pytest

from grantor.core.jobs.decide import (
    CLAIM,
    LIMIT,
    QUIET,
    REMEMBERED,
    Cause,
    Decision,
    Do,
    Standing,
    Status,
    Told,
    WantedRun,
    decide,
)
from tests.core.jobs.starts import ATTEMPT, GIVEN

AT = 1_000_000.0
NOW = AT + CLAIM
NEVER = Standing()
A, B, GONE = WantedRun("a" * 20, "v1"), WantedRun("b" * 20, "v2"), WantedRun("")
GOING = Standing("grantor-a-a1", A.run, 1, Status.IN_PROGRESS, AT, "v1", tried={A.run: 1})
DONE = GOING.ended(Status.COMPLETED, Cause.NONE)
FAILED = GOING.ended(Status.FAILED, Cause.CONTRACT)
GRANTED = replace(A, granted=True)
AGAIN = replace(A, version="v9")
FRESH = replace(B, uploaded=NOW)


def told(status: Status, created: float = AT + 1) -> Told:
    return Told("grantor-a-a1", status, created)


OVERTAKEN = GOING.ended(Status.FAILED, Cause.INPUT)


def failed(cause: Cause, failures: int = 1) -> Standing:
    return replace(FAILED, cause=cause, failures=failures)


@pytest.mark.parametrize(
    ("standing", "wanted", "said", "now", "decision"),
    [
        (NEVER, A, None, NOW, Decision(Do.START, 1)),
        (NEVER, GONE, None, NOW, Decision(Do.GONE)),
        (GOING, A, None, NOW - 1, Decision(Do.CLAIMED)),
        (GOING, B, None, NOW - 1, Decision(Do.CLAIMED)),
        (GOING, A, None, NOW, Decision(Do.START, 1)),
        (GOING, B, None, NOW, Decision(Do.START, 1)),
        (GOING, GONE, None, NOW, Decision(Do.GONE)),
        (GOING, A, told(Status.IN_PROGRESS), NOW, Decision(Do.RUNNING)),
        (GOING, B, told(Status.IN_PROGRESS), NOW, Decision(Do.WAIT)),
        (GOING, GONE, told(Status.STOPPING), NOW, Decision(Do.WAIT)),
        (GOING, A, told(Status.COMPLETED), NOW, Decision(Do.SETTLE)),
        (GOING, GONE, told(Status.FAILED), NOW, Decision(Do.SETTLE)),
        (GOING, A, told(Status.COMPLETED, created=AT - 3600), NOW, Decision(Do.START, 2)),
        (GOING, B, told(Status.FAILED, created=AT - 3600), NOW, Decision(Do.START, 1)),
        (GOING, GONE, told(Status.STOPPED, created=AT - 3600), NOW, Decision(Do.GONE)),
        (DONE, A, None, NOW, Decision(Do.DONE)),
        (DONE, AGAIN, None, NOW, Decision(Do.DONE)),
        (DONE, B, None, NOW, Decision(Do.START, 1)),
        (DONE, GONE, None, NOW, Decision(Do.GONE)),
        (FAILED, B, None, NOW, Decision(Do.START, 1)),
        (FAILED, AGAIN, None, NOW, Decision(Do.START, 2)),
        (FAILED, GRANTED, None, NOW, Decision(Do.FAILED)),
        (failed(Cause.ACCESS), A, None, NOW, Decision(Do.FAILED)),
        (failed(Cause.ACCESS), GRANTED, None, NOW, Decision(Do.START, 2, 1)),
        (failed(Cause.ACCESS, LIMIT), GRANTED, None, NOW, Decision(Do.GIVEN_UP)),
        (failed(Cause.INTERNAL, LIMIT), AGAIN, None, NOW, Decision(Do.START, 2)),
        (failed(Cause.INTERNAL, 2), A, None, NOW, Decision(Do.START, 2, 2)),
        (DONE, FRESH, None, NOW, Decision(Do.START, 1)),
        (OVERTAKEN, FRESH, None, NOW + QUIET - 1, Decision(Do.UNSETTLED)),
        (OVERTAKEN, FRESH, None, NOW + QUIET, Decision(Do.START, 1)),
        (OVERTAKEN, replace(AGAIN, uploaded=NOW), None, NOW, Decision(Do.UNSETTLED)),
        (OVERTAKEN, replace(A, uploaded=NOW), None, NOW, Decision(Do.FAILED)),
        (OVERTAKEN, GONE, None, NOW, Decision(Do.GONE)),
    ],
    ids=[
        "the first upload", "nothing is there", "claimed just now", "claimed just now for other data", "a claim whose owner died",
        "such a claim, and newer data", "such a claim, and the input is gone", "it is running", "it is running on older data",
        "it is being stopped", "it is over, and nobody has said so yet", "likewise, and the input is gone",
        "the name is an old run's", "likewise, and newer data", "likewise, and the input is gone", "the same content again",
        "the same content in a new version", "new content", "deleted", "new content after a failure",
        "put again after a failure", "granted, after a failure that grants don't mend", "denied", "denied, then grants changed",
        "denied three times", "put again after three failures", "failed inside, twice", "new content as soon as it is there", "it has just overtaken a run",
        "it has overtaken a run, and was left alone since", "what was overtaken comes back", "nothing new after its input was missing",
        "deleted while a job ran",
    ],
)  # fmt: skip
def test_what_is_to_be_done(standing: Standing, wanted: WantedRun, said: Told | None, now: float, decision: Decision) -> None:
    assert decide(standing, wanted, said, now) == decision


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.NONE])
def test_a_run_is_tried_again_by_itself_only_where_that_may_help(cause: Cause) -> None:
    helps = cause in (Cause.INTERNAL, Cause.INFRASTRUCTURE)

    assert decide(failed(cause), A, None, NOW).do is (Do.START if helps else Do.FAILED)


def run(standing: Standing, content: str, status: Status = Status.COMPLETED, cause: Cause = Cause.NONE) -> Standing:
    """The next run of the input, if it is to be one, from its claim to its end."""
    decision = decide(standing, WantedRun(content, "v"), None, NOW)

    assert decision.do is Do.START
    attempt = replace(ATTEMPT, run=content, given=replace(GIVEN, version="v"), number=decision.attempt)
    return standing.claimed(attempt, decision.failures, NOW).ended(status, cause)


def test_content_that_comes_back_runs_again_so_that_the_latest_output_follows_it() -> None:
    standing = run(run(run(run(run(NEVER, "a"), "b"), "a"), "b"), "a")

    assert (standing.run, standing.attempt, dict(standing.tried)) == ("a", 3, {"b": 2, "a": 3})


def test_content_that_comes_back_after_a_failure_of_what_replaced_it_is_still_the_latest_output() -> None:
    standing = run(run(NEVER, "a"), "b", Status.FAILED, Cause.CONTRACT)

    assert decide(standing, WantedRun("a", "v"), None, NOW).do is Do.DONE


def test_after_three_failures_nothing_starts_by_itself() -> None:
    standing = NEVER
    for _ in range(LIMIT):
        standing = run(standing, "a", Status.FAILED, Cause.INFRASTRUCTURE)

    assert decide(standing, WantedRun("a", "v"), None, NOW).do is Do.GIVEN_UP
    assert (standing.name, standing.failures) == ("grantor-abalone-a-a3", LIMIT)


def test_a_success_forgets_the_failures_before_it() -> None:
    standing = run(run(run(NEVER, "a", Status.FAILED, Cause.INTERNAL), "a"), "b", Status.FAILED, Cause.INTERNAL)

    assert (standing.failures, standing.done) == (1, "a")


def test_a_stopped_run_stays_stopped_until_the_data_is_put_again() -> None:
    standing = run(NEVER, "a", Status.STOPPED, Cause.STOPPED)

    assert decide(standing, WantedRun("a", "v"), None, NOW).do is Do.FAILED
    assert decide(standing, WantedRun("a", "w"), None, NOW) == Decision(Do.START, 2)


def test_what_is_remembered_of_an_input_never_grows_without_end() -> None:
    standing = NEVER
    for number in range(REMEMBERED + 10):
        standing = run(standing, f"content {number}")

    assert len(standing.tried) == REMEMBERED
    assert standing.run in standing.tried


def test_the_more_runs_in_a_row_were_overtaken_the_longer_the_input_is_to_be_left_alone() -> None:
    standing, waits = NEVER, []
    for content in "abcdefg":
        standing = standing.claimed(replace(ATTEMPT, run=content), 0, AT).ended(Status.FAILED, Cause.INPUT)
        waits.append(standing.quiet)

    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


@pytest.mark.parametrize(
    ("status", "cause"), [(Status.COMPLETED, Cause.NONE), (Status.FAILED, Cause.CONTRACT)], ids=["it completed", "it failed of itself"]
)  # fmt: skip
def test_a_run_that_was_not_overtaken_ends_the_waiting(status: Status, cause: Cause) -> None:
    standing = OVERTAKEN.claimed(ATTEMPT, 0, AT)

    assert (standing.overtaken, standing.ended(status, cause).overtaken) == (1, 0)


def test_sagemaker_knows_three_ways_to_be_over() -> None:
    assert {status for status in Status if status.over} == {Status.COMPLETED, Status.FAILED, Status.STOPPED}
