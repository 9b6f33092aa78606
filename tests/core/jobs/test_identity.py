"""The same content with the same code is the same run; everything else is a different run."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.jobs.request import (
    Attempt,
    CodeVersion,
    compute_input_id,
    compute_run_id,
    format_job_name,
)
from grantor.core.triggers import is_grantor_job
from tests.core.jobs.starts import CODE, GIVEN, JOB, ROLE, START

SAME = compute_run_id(START, GIVEN, CODE)


def test_a_run_id_is_the_same_on_every_machine_and_in_every_release() -> None:
    assert SAME == "f889ed1a89ad05cbe80e"


@pytest.mark.parametrize(
    ("start", "content", "code"),
    [
        (START, replace(GIVEN, version="v2"), CODE),
        (replace(START, profile="Product-Domain/renamed", role=ROLE + "-2"), GIVEN, CODE),
    ],
    ids=["the same content put again", "another role"],
)
def test_values_that_do_not_change_the_run_id(start, content, code) -> None:
    assert compute_run_id(start, content, code) == SAME


@pytest.mark.parametrize(
    ("start", "content", "code"),
    [
        (START, replace(GIVEN, etag="other"), CODE),
        (START, replace(GIVEN, size=1), CODE),
        (START, replace(GIVEN, uri="s3://data/UserB/abalone.csv"), CODE),
        (START, replace(GIVEN, uri="s3://other/UserA/abalone.csv"), CODE),
        (replace(START, output="s3://data/UserA/other/"), GIVEN, CODE),
        (replace(START, job=replace(JOB, name="other")), GIVEN, CODE),
        (replace(START, job=replace(JOB, arguments=(("max_quarantine", "1%"),))), GIVEN, CODE),
        (START, GIVEN, CodeVersion("other", "1")),
        (START, GIVEN, CodeVersion("c0de", "2")),
    ],
    ids=["content", "size", "key", "bucket", "output", "job", "arguments", "code", "contract"],
)
def test_values_that_change_the_run_id(start, content, code) -> None:
    assert compute_run_id(start, content, code) != SAME


def test_only_runs_with_the_same_job_input_and_output_exclude_each_other() -> None:
    same = compute_input_id(replace(START, role="other", upload="s3://data/UserA/_READY"))
    others = [
        replace(START, input="s3://data/x"),
        replace(START, output="s3://data/x/"),
        replace(START, job=replace(JOB, file="policy/b.yaml")),
    ]

    assert same == compute_input_id(START)
    assert len({compute_input_id(start) for start in [START, *others]}) == 4


@given(st.text(max_size=60), st.integers(1, 10**6))
def test_every_job_name_is_valid_for_sagemaker_and_recognised_as_ours(
    job: str, attempt: int
) -> None:
    name = format_job_name(job, SAME, attempt, "5eed5eed")

    assert len(name) <= 63
    assert all(part.isascii() and part.isalnum() for part in name.split("-"))
    assert is_grantor_job(name)


@pytest.mark.parametrize(
    ("profile", "label"),
    [("Product-Domain/userA", "abalone for userA"), ("", "abalone for sagemaker-usera-role")],
    ids=["a profile", "a role of its own"],
)
def test_a_run_is_named_after_its_job_and_its_owner(profile: str, label: str) -> None:
    assert Attempt(replace(START, profile=profile), GIVEN, SAME, 1, "name").label == label
