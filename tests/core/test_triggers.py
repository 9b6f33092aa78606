"""What each event is about: never what to do, and never an error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.triggers import PolicyWrite, Trigger, merge_earliest, parse_trigger
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("file", "kind", "about"),
    [
        ("policy_changed", "policy", "everything"),
        ("policy_deleted", "policy", "everything"),
        ("profile_created", "profile", "profile d-abcdefghijkl/userC"),
        ("profile_updated", "profile", "profile d-abcdefghijkl/userC"),
        ("profile_deleted", "profile", "profile d-abcdefghijkl/userC"),
        ("domain_updated", "profile", "everything"),
        ("data_uploaded", "data", "data s3://grantor-databucket/UserA/"),
        ("data_deleted", "data", "data s3://grantor-databucket/UserA/"),
        ("schedule_fired", "schedule", "everything"),
    ],
)
def test_each_sample_event_says_what_a_run_must_look_at(file: str, kind: str, about: str) -> None:
    event = json.loads((ROOT / "events" / f"{file}.json").read_text())
    trigger = parse_trigger(event, "grantor-policybucket")

    assert (trigger.kind, trigger.subjects, trigger.id) == (kind, (about,), event["id"])
    assert (trigger.at is None, str(trigger)) == (False, f"{kind}: {about}")


def read_written_event() -> dict[str, Any]:
    return dict(json.loads((ROOT / "events/policy_written.json").read_text()))


def test_cloudtrails_event_says_who_has_written_a_policy_file_and_starts_no_run() -> None:
    event = read_written_event()
    trigger = parse_trigger(event, "grantor-policybucket")

    assert (trigger.kind, trigger.subjects, trigger.id) == ("author", (), event["id"])
    assert trigger.write == PolicyWrite(
        "policy/article.yaml",
        "3sL4kqtJlcpXroDTDmJrmSpXd3dIbrHY",
        "2026-11-23T09:00:00Z",
        "AROAEXAMPLESTEWARD001:ana@example.org",
        "arn:aws:sts::000000000000:assumed-role/grantor-steward/ana@example.org",
    )
    assert str(trigger) == "author: policy/article.yaml by AROAEXAMPLESTEWARD001:ana@example.org"


def test_the_deletion_of_a_policy_file_has_no_version() -> None:
    event = read_written_event()
    event["detail"] |= {"eventName": "DeleteObject"}
    write = parse_trigger(event, "grantor-policybucket").write

    assert write
    assert (write.file, write.version) == ("policy/article.yaml", "")


@pytest.mark.parametrize(
    "change",
    [
        {"userIdentity": {"type": "AWSService"}},
        {"requestParameters": {"bucketName": "grantor-policybucket"}},
        {"requestParameters": {"bucketName": "another", "key": "policy/article.yaml"}},
        {"eventTime": "soon"},
    ],
    ids=["nobody", "no key", "another bucket", "no time"],
)
def test_an_event_that_does_not_say_who_or_what_is_about_everything(change: dict[str, Any]) -> None:
    event = read_written_event()
    event["detail"] |= change
    trigger = parse_trigger(event, "grantor-policybucket")

    assert (trigger.subjects, trigger.write) == (("everything",), None)


@pytest.mark.parametrize(
    ("event", "about"),
    [
        ({}, ("everything",)),
        (
            {"source": "aws.sagemaker", "detail": {"requestParameters": {"domainId": "d-1"}}},
            ("everything",),
        ),
        ({"source": "aws.sagemaker", "detail": "text"}, ("everything",)),
        ({"source": "aws.s3", "detail": {"bucket": "text"}}, ("everything",)),
        (
            {"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "top.csv"}}},
            ("data s3://b/",),
        ),
        (
            {"source": "grantor", "detail": {"subjects": ["profile d-1/a", "data s3://b/x/"]}},
            ("profile d-1/a", "data s3://b/x/"),
        ),
        ({"source": "grantor", "detail": {}}, ("everything",)),
        ({"source": "aws.scheduler"}, ("everything",)),
    ],
    ids=[
        "no event",
        "no name",
        "no mapping",
        "no bucket",
        "at the top",
        "our own",
        "our own, saying nothing",
        "a schedule",
    ],
)
def test_an_event_of_an_unknown_shape_is_about_everything(
    event: dict[str, Any], about: tuple[str, ...]
) -> None:
    assert parse_trigger(event, "policies").subjects == about


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["bucket", "object", "name", "key", "subjects"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(["aws.s3", "aws.sagemaker", "grantor", "x"]),
            "detail": json_values,
            "time": json_values,
        }
    )
)
def test_every_event_has_a_subject(event: dict[str, Any]) -> None:
    assert parse_trigger(event, "policies").subjects


def test_triggers_about_the_same_subject_are_merged_and_keep_the_earliest_time() -> None:
    triggers = [
        Trigger("schedule", ("everything",), at=5.0),
        Trigger("data", ("data s3://b/x/",)),
        Trigger("policy", ("everything",), at=3.0),
    ]

    assert merge_earliest(triggers) == {"everything": 3.0, "data s3://b/x/": None}
