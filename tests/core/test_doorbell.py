"""What each event is about: never what to do, and never an error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.triggers import Bell, bell, earliest
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
        ("clock_ticked", "clock", "everything"),
    ],
)
def test_each_sample_event_says_what_is_to_be_looked_at(file: str, kind: str, about: str) -> None:
    event = json.loads((ROOT / "events" / f"{file}.json").read_text())
    rung = bell(event, "grantor-policybucket")

    assert (rung.kind, rung.about, rung.id) == (kind, (about,), event["id"])
    assert (rung.at is None, str(rung)) == (False, f"{kind}: {about}")


@pytest.mark.parametrize(
    ("event", "about"),
    [
        ({}, ("everything",)),
        ({"source": "aws.sagemaker", "detail": {"requestParameters": {"domainId": "d-1"}}}, ("everything",)),
        ({"source": "aws.sagemaker", "detail": "text"}, ("everything",)),
        ({"source": "aws.s3", "detail": {"bucket": "text"}}, ("everything",)),
        ({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "top.csv"}}}, ("data s3://b/",)),
        ({"source": "grantor", "detail": {"bells": ["profile d-1/a", "data s3://b/x/"]}}, ("profile d-1/a", "data s3://b/x/")),
        ({"source": "grantor", "detail": {}}, ("everything",)),
        ({"source": "aws.scheduler"}, ("everything",)),
    ],
    ids=["no event", "no name", "no mapping", "no bucket", "at the top", "our own", "our own, saying nothing", "a schedule"],
)
def test_an_event_of_no_known_shape_is_about_everything(event: dict[str, Any], about: tuple[str, ...]) -> None:
    assert bell(event, "policies").about == about


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["bucket", "object", "name", "key", "bells"]), inner),
    max_leaves=8,
)  # fmt: skip


@given(st.fixed_dictionaries({"source": st.sampled_from(["aws.s3", "aws.sagemaker", "grantor", "x"]), "detail": json_values, "time": json_values}))  # fmt: skip
def test_anything_can_ring(event: dict[str, Any]) -> None:
    assert bell(event, "policies").about


def test_bells_about_the_same_are_one_and_keep_the_earliest_time() -> None:
    rung = [Bell("clock", ("everything",), at=5.0), Bell("data", ("data s3://b/x/",)), Bell("policy", ("everything",), at=3.0)]

    assert earliest(rung) == {"everything": 3.0, "data s3://b/x/": None}
