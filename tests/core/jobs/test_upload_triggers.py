"""Which uploads each event concerns; an unexpected event is not an error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.triggers import UploadTrigger, parse_upload_trigger
from tests.conftest import ROOT

JOB = "grantor-abalone-0123456789abcdef0123-a1"


@pytest.mark.parametrize(
    ("file", "about"),
    [
        ("abalone_uploaded", "s3://grantor-databucket/UserA/abalone.csv"),
        ("data_uploaded", "s3://grantor-databucket/UserA/abalone.csv"),
        ("spark_job_completed", JOB),
        ("spark_job_failed", JOB),
        ("schedule_fired", "all waiting uploads and all inputs"),
        ("grants_reconciled", "all waiting uploads"),
    ],
)
def test_each_sample_event_has_the_expected_trigger(file: str, about: str) -> None:
    event = json.loads((ROOT / "events" / f"{file}.json").read_text())
    trigger = parse_upload_trigger(event)

    assert (str(trigger), trigger.id, trigger.at is None) == (about, event["id"], False)
    assert trigger.granted == (file == "grants_reconciled")


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        ({}, UploadTrigger()),
        ({"source": "aws.s3", "detail": "text"}, UploadTrigger()),
        ({"source": "aws.s3", "detail": {"bucket": {"name": "b"}}}, UploadTrigger()),
        ({"source": "aws.s3", "detail": {"bucket": "b", "object": {"key": "k"}}}, UploadTrigger()),
        (
            {
                "source": "aws.s3",
                "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "version-id": "v1"}},
            },
            UploadTrigger("s3://b/k", versions=("v1",)),
        ),
        (
            {"source": "aws.sagemaker", "detail": {"ProcessingJobName": "somebody-elses"}},
            UploadTrigger(),
        ),
        (
            {"source": "aws.sagemaker", "detail": {"ProcessingJobName": "grantor-test"}},
            UploadTrigger(),
        ),
        ({"source": "aws.sagemaker"}, UploadTrigger()),
        ({"source": "aws.scheduler"}, UploadTrigger(waiting=True, sweep=True)),
        (
            {"source": "grantor", "detail-type": "Run Deferred"},
            UploadTrigger(waiting=True, granted=True),
        ),
        (
            {
                "source": "grantor",
                "detail-type": "Job Waiting",
                "detail": {"upload": "s3://b/k", "attempt": 3, "at": 5, "granted": True},
            },
            UploadTrigger("s3://b/k", waiting=True, granted=True, at=5.0, attempt=3),
        ),
        (
            {
                "source": "grantor",
                "detail-type": "Job Waiting",
                "detail": {"attempt": "x", "at": "y"},
            },
            UploadTrigger(waiting=True),
        ),
        ({"source": "aws.events", "time": "no time"}, UploadTrigger(waiting=True, sweep=True)),
    ],
    ids=[
        "no event",
        "no mapping",
        "no key",
        "no bucket",
        "a version",
        "another's job",
        "nearly ours",
        "no job",
        "a schedule",
        "grants have changed",
        "an upload that waits",
        "our own, saying little",
        "no time",
    ],
)
def test_each_event_becomes_its_trigger(event: dict[str, Any], trigger: UploadTrigger) -> None:
    assert parse_upload_trigger(event) == trigger


@pytest.mark.parametrize(
    "key",
    [
        "User A/abalone.csv",
        "UserA/100%.csv",
        "UserA/a+b.csv",
        "UserA/Größe.csv",
        "a%20b/abalone.csv",
    ],
)
def test_a_key_is_taken_from_eventbridge_unchanged(key: str) -> None:
    assert (
        parse_upload_trigger(
            {"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": key}}}
        ).upload
        == f"s3://b/{key}"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["bucket", "object", "name", "key", "upload", "at"]), inner
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["aws.s3", "aws.sagemaker", "grantor", "aws.events", "else"]),
    json_values,
    json_values,
)
def test_an_unexpected_event_is_not_an_error(source: str, kind: Any, detail: Any) -> None:
    parse_upload_trigger({"source": source, "detail-type": kind, "detail": detail, "time": detail})


def test_a_trigger_about_nothing_says_so() -> None:
    assert str(UploadTrigger()) == "no job"
