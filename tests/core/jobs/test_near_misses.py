"""Which uploads are taken for near misses of a job's input, and what is said about them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.jobs.match import plan_starts
from grantor.core.jobs.unreported import NearMiss, find_near_miss, list_starts, may_be_near_miss
from grantor.core.planning.bounds import Bounds
from grantor.core.rules import IamPrincipal
from grantor.core.snapshot import Inventory, Profile
from tests.core.jobs.starts import JOB, ROLE, START

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ANA = Profile("Product-Domain", "userA", ROLE)
TEAM = Inventory(
    NOW,
    profiles=(ANA, Profile("Product-Domain", "userB", "")),
    domains=frozenset({"Product-Domain"}),
)
SHARED = replace(
    JOB, name="shared", runs_as=IamPrincipal(ROLE), on="s3://data/Shared/copy of x.csv", input=""
)
JOBS = (JOB, SHARED)
INPUT = "s3://data/UserA/abalone.csv"


@pytest.mark.parametrize(
    "key",
    [
        "UserA/Abalone.csv", "UserA/abalone.CSV", "UserA/abalone (1).csv", "UserA/abalone(12).csv",
        "UserA/abalone - Copy.csv", "UserA/Copy of abalone.csv", "UserA/abalone copy 2.csv",
        "UserA/abalone .csv", " UserA/abalone.csv", "UserA/abalone.csv ", "UserA/abalone%20.csv",
        "usera/abalone.csv", "USERA/ABALONE.CSV", "User A/abalone.csv", "user_a/abalone.csv",
        "UserA//abalone.csv", "/UserA/abalone.csv", "UserA/abalone.csv.gz", "UserA/abalone.zip",
        "UserA/abalone.txt", "UserA/abalone", "UserA/abalone.csv.csv", "UserA/\uff41balone.csv",
    ],
)  # fmt: skip
def test_a_name_that_differs_by_what_people_get_wrong_is_a_near_miss(key: str) -> None:
    upload = f"s3://data/{key}"

    assert may_be_near_miss(JOBS, upload)
    assert find_near_miss(JOBS, upload, TEAM) == NearMiss(upload, INPUT, JOB.id)


@pytest.mark.parametrize(
    "key",
    [
        "UserA/abalone.csv", "UserA/abalone2.csv", "UserA/readme.txt", "abalone.csv", "",
        "UserA/output/abalone.csv", "UserA/output/train/part-00000", "Archive/abalone.csv",
        "UserB/Abalone.csv", "Shared/copy of x.csv", "Shared/y.csv",
    ],
)  # fmt: skip
def test_another_name_is_none(key: str) -> None:
    assert find_near_miss(JOBS, f"s3://data/{key}", TEAM) is None


def test_a_job_of_a_role_has_near_misses_too() -> None:
    upload = "s3://data/shared/Copy of X (1).csv"

    assert find_near_miss(JOBS, upload, TEAM) == NearMiss(upload, SHARED.on, SHARED.id)


def test_another_bucket_has_none() -> None:
    assert not may_be_near_miss(JOBS, "s3://other/UserA/Abalone.csv")


@given(st.text(st.sampled_from("abAB ()1./_-%20co\u212b"), max_size=20))
def test_what_is_a_near_miss_passes_the_check_that_needs_no_reads(key: str) -> None:
    upload = f"s3://data/{key}"

    if find_near_miss(JOBS, upload, TEAM):
        assert may_be_near_miss(JOBS, upload)


@pytest.mark.parametrize(
    ("key", "end"),
    [
        ("Abalone.csv", "s3://data/UserA/Abalone.csv starts nothing"),
        ("abalone (1).csv", "'s3://data/UserA/abalone (1).csv' starts nothing"),
        ("abalone\u202e.csv", "'s3://data/UserA/abalone\\u202e.csv' starts nothing"),
    ],
)
def test_the_sentence_names_both_and_what_to_do(key: str, end: str) -> None:
    said = str(NearMiss(f"s3://data/UserA/{key}", INPUT, JOB.id))

    assert said.startswith(f"{end}: job abalone of policy/article.yaml waits for {INPUT}, ")
    assert said.endswith("upload it under that name")
    packed = str(NearMiss(f"{INPUT}.GZ", INPUT, JOB.id))
    assert packed.endswith("upload it under that name, not compressed")


def test_the_starts_of_all_profiles_are_those_that_their_uploads_plan() -> None:
    bounds = Bounds.build_default("111122223333", "data")
    arguments = (("note", "{profile.name}"),)
    jobs = (replace(JOB, arguments=arguments), SHARED)
    listed = list(list_starts(jobs, TEAM))
    planned = [
        start
        for upload in (INPUT, SHARED.on)
        for start in plan_starts(jobs, upload, TEAM, frozenset({"*"}), bounds).starts
    ]

    assert listed == planned
    assert listed[0] == replace(START, job=replace(JOB, arguments=(("note", "userA"),)))
