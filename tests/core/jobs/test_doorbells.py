"""What each event asks the launcher to look at: never what to do, and never an error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.jobs.upload_triggers import JobBell, job_bell
from tests.conftest import ROOT

JOB = "grantor-abalone-0123456789abcdef0123-a1"


@pytest.mark.parametrize(
    ("file", "about"),
    [
        ("abalone_uploaded", "s3://grantor-databucket/UserA/abalone.csv"),
        ("data_uploaded", "s3://grantor-databucket/UserA/abalone.csv"),
        ("spark_job_completed", JOB),
        ("spark_job_failed", JOB),
        ("clock_ticked", "whatever waits"),
        ("grants_reconciled", "whatever waits"),
    ],
)
def test_each_sample_event_says_what_is_to_be_looked_at(file: str, about: str) -> None:
    event = json.loads((ROOT / "events" / f"{file}.json").read_text())
    bell = job_bell(event)

    assert (str(bell), bell.id, bell.at is None) == (about, event["id"], False)
    assert bell.granted == (file == "grants_reconciled")


@pytest.mark.parametrize(
    ("event", "bell"),
    [
        ({}, JobBell()),
        ({"source": "aws.s3", "detail": "text"}, JobBell()),
        ({"source": "aws.s3", "detail": {"bucket": {"name": "b"}}}, JobBell()),
        ({"source": "aws.s3", "detail": {"bucket": "b", "object": {"key": "k"}}}, JobBell()),
        (
            {"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "version-id": "v1"}}},
            JobBell("s3://b/k", versions=("v1",)),
        ),
        ({"source": "aws.sagemaker", "detail": {"ProcessingJobName": "somebody-elses"}}, JobBell()),
        ({"source": "aws.sagemaker", "detail": {"ProcessingJobName": "grantor-test"}}, JobBell()),
        ({"source": "aws.sagemaker"}, JobBell()),
        ({"source": "aws.scheduler"}, JobBell(waiting=True)),
        ({"source": "grantor", "detail-type": "Run Unfinished"}, JobBell(waiting=True, granted=True)),
        (
            {"source": "grantor", "detail-type": "Job Waiting", "detail": {"upload": "s3://b/k", "attempt": 3, "at": 5, "granted": True}},
            JobBell("s3://b/k", waiting=True, granted=True, at=5.0, attempt=3),
        ),
        ({"source": "grantor", "detail-type": "Job Waiting", "detail": {"attempt": "x", "at": "y"}}, JobBell(waiting=True)),
        ({"source": "aws.events", "time": "no time"}, JobBell(waiting=True)),
    ],
    ids=[
        "no event", "no mapping", "no key", "no bucket", "a version", "another's job", "nearly ours", "no job", "a schedule", "grants have changed",
        "an upload that waits", "our own, saying little", "no time",
    ],
)  # fmt: skip
def test_what_rang(event: dict[str, Any], bell: JobBell) -> None:
    assert job_bell(event) == bell


@pytest.mark.parametrize("key", ["User A/abalone.csv", "UserA/100%.csv", "UserA/a+b.csv", "UserA/Größe.csv", "a%20b/abalone.csv"])
def test_a_key_is_taken_as_eventbridge_has_it_which_is_as_it_is(key: str) -> None:
    assert job_bell({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": key}}}).upload == f"s3://b/{key}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["bucket", "object", "name", "key", "upload", "at"]), inner),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(["aws.s3", "aws.sagemaker", "grantor", "aws.events", "else"]), json_values, json_values)
def test_nothing_that_rings_is_an_error(source: str, kind: Any, detail: Any) -> None:
    job_bell({"source": source, "detail-type": kind, "detail": detail, "time": detail})


def test_a_bell_about_nothing_says_so() -> None:
    assert str(JobBell()) == "nothing of ours"
