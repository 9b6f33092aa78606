"""What is told of a run that is over, and whether it is tried again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.jobs.decide import Cause, Status, Told
from grantor.core.jobs.outcome import REMEDIES, Summary, outcome, read_summary

LABEL = "abalone for userA"
SUMMARY = {
    "run_id": "0123456789abcdef0123", "outcome": "done", "exit": 0, "sentence": "4,177 lines became features",
    "rows": {"in": 4177, "train": 3339, "validation": 836, "quarantine": 2}, "quarantine": {"range": 2},
    "drift": [], "manifest": "s3://data/m", "report": "s3://data/r", "access": {"mode": "s3a"}, "seconds": {"all": 1.5},
}  # fmt: skip


def summary(**changes: object) -> Summary:
    return read_summary(json.dumps({**SUMMARY, **changes}).encode())


def failed(reason: str, status: Status = Status.FAILED, **more: object) -> Told:
    return Told("grantor-a-a1", status, 1.0, 2.0, 62.0, reason, **more)


def exited(code: int) -> str:
    return f"Algorithm Error: (caused by CalledProcessError): Command 'smspark-submit' returned non-zero exit status {code}."


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (summary(), "abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)"),
        (summary(quarantine={"range": 1, "column_count": 1}), "abalone for userA: 4,177 rows in, 2 in quarantine (column_count: 1, range: 1)"),
        (summary(rows={"in": 5}, quarantine={}), "abalone for userA: 5 rows in, 0 in quarantine"),
        (summary(drift=["height: mean 0.14, was 0.12"]), "abalone for userA: 4,177 rows in, 2 in quarantine (range: 2); height: mean 0.14, was 0.12"),
        (summary(outcome="already", sentence="published before"), "abalone for userA: published before"),
        (summary(outcome="already", sentence=""), "abalone for userA: this very run was published already"),
        (summary(rows={}), "abalone for userA: 4,177 lines became features"),
        (Summary(), "abalone for userA: done, and it left no summary"),
    ],
    ids=["rows", "reasons", "none in quarantine", "drift", "already", "already, saying nothing", "no rows", "no summary"],
)  # fmt: skip
def test_a_run_that_completed_is_told_in_a_sentence(told: Summary, sentence: str) -> None:
    came = outcome(LABEL, Told("grantor-a-a1", Status.COMPLETED, 1.0, 2.0, 62.0), told)

    assert (came.status, came.cause, came.sentence, came.exit, came.seconds) == (Status.COMPLETED, Cause.NONE, sentence, 0, 60.0)


@pytest.mark.parametrize(
    ("reason", "cause", "code"),
    [
        (exited(2), Cause.SET_UP, 2),
        (exited(10), Cause.ACCESS, 10),
        (exited(11), Cause.INPUT, 11),
        (exited(12), Cause.CONTRACT, 12),
        (exited(13), Cause.QUARANTINE, 13),
        (exited(14), Cause.CAPABILITY, 14),
        (exited(20), Cause.INTERNAL, 20),
        (exited(1), Cause.INTERNAL, 1),
        ("AlgorithmError: See job logs for more information, exit code: 137", Cause.INFRASTRUCTURE, 137),
        (exited(-9), Cause.INTERNAL, -9),
        ("InternalServerError: We encountered an internal error. Please try again.", Cause.INFRASTRUCTURE, None),
        ("CapacityError: Unable to provision requested ML compute capacity.", Cause.INFRASTRUCTURE, None),
        ("AlgorithmError: , exit code: 13", Cause.QUARANTINE, 13),
        ("AlgorithmError: See job logs for more information", Cause.INTERNAL, None),
        ("ClientError: Data download failed: AccessDenied", Cause.SET_UP, None),
        ("", Cause.SET_UP, None),
    ],
)
def test_why_a_run_failed_is_read_out_of_what_sagemaker_says(reason: str, cause: Cause, code: int | None) -> None:
    came = outcome(LABEL, failed(reason), Summary())

    assert (came.cause, came.exit) == (cause, code)


@pytest.mark.parametrize(
    ("reason", "wrote", "cause"),
    [
        ("AlgorithmError: See job logs for more information", {"exit": 12}, Cause.CONTRACT),
        ("AlgorithmError: See job logs for more information", {"exit": 0}, Cause.INTERNAL),
        ("AlgorithmError: See job logs for more information", {"exit": True}, Cause.INTERNAL),
        ("AlgorithmError: , exit code: 13", {"exit": 12}, Cause.QUARANTINE),
        ("InternalServerError", {"exit": 12}, Cause.INFRASTRUCTURE),
    ],
    ids=["its own word", "it thought that all was well", "no number", "SageMaker's word comes first", "it was not the code"],
)
def test_where_sagemaker_does_not_tell_the_exit_code_the_jobs_own_word_has_to_do(reason: str, wrote: dict, cause: Cause) -> None:
    assert outcome(LABEL, failed(reason), summary(**wrote)).cause is cause


@pytest.mark.parametrize(
    ("seconds", "limit", "cause"),
    [(60.0, 60, Cause.TIME), (60.0, 3600, Cause.STOPPED), (60.0, 0, Cause.STOPPED)],
    ids=["at its limit", "before its limit", "no limit"],
)
def test_a_stopped_run_was_stopped_by_its_time_limit_or_by_somebody(seconds: float, limit: int, cause: Cause) -> None:
    came = outcome(LABEL, failed("", Status.STOPPED, limit=limit), Summary())

    assert (came.cause, came.seconds, came.sentence[:29]) == (cause, seconds, "abalone for userA was stopped")


def test_a_failure_is_told_with_what_the_job_says_of_itself_and_what_to_do() -> None:
    told = summary(outcome="failed", sentence="userB may not READ s3://data/UserA/abalone.csv")

    assert outcome(LABEL, failed(exited(10)), told).sentence == (
        "abalone for userA failed: access denied (exit 10): userB may not READ s3://data/UserA/abalone.csv; "
        "it is tried again when grants change"
    )


def test_what_the_job_itself_says_to_do_is_not_said_again() -> None:
    told = summary(outcome="failed", sentence="s3://data/UserA/abalone.csv is empty. Upload it again with its lines.")

    assert outcome(LABEL, failed(exited(12)), told).sentence == (
        "abalone for userA failed: contract broken (exit 12): s3://data/UserA/abalone.csv is empty. Upload it again with its lines"
    )


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in (Cause.NONE, Cause.INFRASTRUCTURE)])
def test_where_the_job_says_nothing_there_is_something_to_do_all_the_same(cause: Cause) -> None:
    assert REMEDIES[cause]


def test_without_a_summary_sagemakers_own_words_are_told() -> None:
    assert "ClientError: no image" in outcome(LABEL, failed("ClientError: no image"), Summary()).sentence
    assert ": the end;" in outcome(LABEL, failed("ClientError", message="the end"), Summary()).sentence


def test_a_job_that_never_began_has_run_no_seconds() -> None:
    assert outcome(LABEL, Told("grantor-a-a1", Status.FAILED, 1.0, 0.0, 62.0), Summary()).seconds == 0.0


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b'"text"', b"null", b"\xff\xfe", b'{"rows": [1], "quarantine": 3, "drift": "x", "sentence": 7}']
)
def test_a_summary_that_is_none_says_nothing(text: bytes) -> None:
    assert read_summary(text) == Summary()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=500),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SUMMARY, "in"]), inner),
    max_leaves=10,
)


@given(json_values)
def test_whatever_a_job_writes_becomes_one_printable_line(value: object) -> None:
    came = outcome(LABEL, failed(exited(12)), read_summary(json.dumps(value).encode()))

    assert came.sentence.isprintable()
    assert len(came.sentence) < 1_000


def test_lines_and_signs_that_would_forge_a_log_are_taken_out() -> None:
    assert summary(sentence="a\nb\x1b[31m  c").sentence == "a b [31m c"
    assert summary(rows={"in": True, "x": "1", "train": 2}).rows == {"train": 2}
