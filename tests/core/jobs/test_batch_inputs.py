"""A batch as a value: what it is made of, when it is complete, and what its job is asked."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from framework.arguments import parse_arguments
from grantor.core.grant import Grant, Permission, iam_grantee
from grantor.core.jobs.batches import (
    BatchTooLarge,
    QuietCheck,
    build_batch,
    dump_inputs,
    explain_long_list,
    group_members,
)
from grantor.core.jobs.decide import PreflightAnswer, check_grants, list_needs
from grantor.core.jobs.match import StartPlan, find_candidates, list_batches, plan_starts
from grantor.core.jobs.request import (
    Attempt,
    build_attempt_request,
    compute_input_id,
    compute_run_id,
    list_buckets,
)
from grantor.core.jobs.unreported import fill_start, find_near_miss, list_starts, may_be_near_miss
from grantor.core.planning.bounds import Bounds, FileBounds, JobBounds
from grantor.core.rules import AUTO_INSTANCES, IamPrincipal, Job
from grantor.core.snapshot import InputObject, Inventory, Profile
from tests.core.jobs.starts import CODE, ENVIRONMENT, JOB, NAME, ROLE, RUN

DAILY = replace(
    JOB,
    name="daily",
    on="s3://data/{profile.folder}/in/{day}/*.csv",
    output="s3://data/{profile.folder}/out/{day}/",
    quiet=timedelta(seconds=30),
    arguments=(("note", "{day}"),),
)
SINGLE = replace(
    DAILY,
    name="single",
    on="s3://data/{profile.folder}/in/{day}/{part}.csv",
    output="s3://data/{profile.folder}/one/{day}/{part}/",
    quiet=timedelta(),
)
SHARED = Job(
    "policy/b.yaml",
    "shared",
    "abalone",
    IamPrincipal(ROLE),
    "s3://lake/in/*",
    "s3://features/out/",
    quiet=timedelta(seconds=30),
)
NOW = datetime(2026, 11, 30, tzinfo=UTC)
TEAM = Inventory(
    NOW,
    profiles=(Profile("Product-Domain", "userA", ROLE),),
    domains=frozenset({"Product-Domain"}),
)
PATTERN = "s3://data/UserA/in/7/*.csv"
FIRST = InputObject("s3://data/UserA/in/7/a.csv", "e1", 10, "v1", 100.0)
SECOND = InputObject("s3://data/UserA/in/7/b.csv", "e2", 20, "v2", 200.0)
OTHER = InputObject("s3://data/UserA/in/7/c.txt", "e3", 40, "v3", 300.0)
BOUNDS = Bounds.build_default("111122223333", "data")
AT = 1_800_000_000.0


def plan(upload: str, *jobs: Job, bounds: Bounds = BOUNDS) -> StartPlan:
    return plan_starts(jobs, upload, TEAM, frozenset({"*"}), bounds)


def test_a_batch_has_the_objects_that_match_in_the_order_of_their_keys() -> None:
    batch = build_batch(PATTERN, [SECOND, OTHER, FIRST])

    assert batch is not None
    assert (batch.uri, batch.members) == (PATTERN, (FIRST, SECOND))
    assert (batch.size, batch.uploaded) == (30, 200.0)
    assert build_batch(PATTERN, [OTHER]) is None


@pytest.mark.parametrize(
    ("changed", "same_content", "same_versions"),
    [
        ((SECOND, FIRST), True, True),
        ((replace(FIRST, version="v9"), SECOND), True, False),
        ((replace(FIRST, uploaded=150.0), SECOND), True, False),
        ((replace(FIRST, etag="e9"), SECOND), False, False),
        ((FIRST,), False, False),
        ((FIRST, SECOND, replace(FIRST, uri="s3://data/UserA/in/7/d.csv")), False, False),
        ((replace(FIRST, uri="s3://data/UserA/in/7/d.csv"), SECOND), False, False),
    ],
    ids=["another order", "put again", "put later", "replaced", "deleted", "added", "renamed"],
)
def test_a_run_is_over_keys_and_contents_and_a_replaced_file_makes_another(
    changed: tuple[InputObject, ...], same_content: bool, same_versions: bool
) -> None:
    before, after = build_batch(PATTERN, (FIRST, SECOND)), build_batch(PATTERN, changed)
    (start,) = plan(PATTERN, DAILY).starts

    assert before is not None
    assert after is not None
    ids = [compute_run_id(start, one, CODE) for one in (before, after)]
    assert (ids[0] == ids[1]) is same_content
    assert (before.version == after.version) is same_versions


def test_the_machines_are_no_part_of_a_run() -> None:
    batch = build_batch(PATTERN, [FIRST])
    starts = [
        plan(PATTERN, job).starts[0] for job in (DAILY, replace(DAILY, instances=AUTO_INSTANCES))
    ]

    assert batch is not None
    assert len({compute_run_id(start, batch, CODE) for start in starts}) == 1


def test_ten_thousand_objects_are_no_batch() -> None:
    many = [replace(FIRST, uri=f"s3://data/UserA/in/7/{n}.csv") for n in range(10_000)]

    with pytest.raises(BatchTooLarge, match=r"10,000 objects match .* at most 1,000"):
        build_batch(PATTERN, many)
    largest = build_batch(PATTERN, many[:1_000])
    assert largest is not None
    assert len(largest.members) == 1_000


def test_a_list_that_is_too_long_names_what_the_keys_begin_with() -> None:
    assert "begin with s3://data/UserA/in/7/, and" in explain_long_list(PATTERN)


def test_objects_are_grouped_by_what_the_captures_are() -> None:
    monday = replace(FIRST, uri="s3://data/UserA/in/1/a.csv")
    groups = group_members("s3://data/UserA/in/{day}/*.csv", [FIRST, monday, OTHER, SECOND])

    assert groups == {(("day", "7"),): [FIRST, SECOND], (("day", "1"),): [monday]}


def test_the_list_of_inputs_has_what_the_job_checks() -> None:
    batch = build_batch(PATTERN, [FIRST, SECOND])

    assert batch is not None
    assert json.loads(dump_inputs(batch)) == {
        "schema_version": 1,
        "pattern": PATTERN,
        "inputs": [
            {
                "bucket": "data",
                "key": "UserA/in/7/a.csv",
                "etag": "e1",
                "version": "v1",
                "size": 10,
            },
            {
                "bucket": "data",
                "key": "UserA/in/7/b.csv",
                "etag": "e2",
                "version": "v2",
                "size": 20,
            },
        ],
    }


@pytest.mark.parametrize(
    ("upload", "about"),
    [
        (
            "s3://data/UserA/in/7/a.csv",
            ("s3://data/UserA/in/7/*.csv", "s3://data/UserA/in/7/a.csv"),
        ),
        ("s3://data/UserA/in/7/*.csv", ("s3://data/UserA/in/7/*.csv",)),
        ("s3://lake/in/x/y", ("s3://lake/in/*",)),
        ("s3://lake/in/*", ("s3://lake/in/*",)),
        ("s3://lake/out/x", ("s3://lake/out/x",)),
    ],
)
def test_what_is_looked_at_because_of_an_upload(upload: str, about: tuple[str, ...]) -> None:
    assert list_batches((DAILY, SINGLE, SHARED), upload) == about


def test_an_object_starts_its_own_run_and_its_batch_another() -> None:
    jobs = (DAILY, SINGLE)
    (single,) = plan("s3://data/UserA/in/7/a.csv", *jobs).starts
    (daily,) = plan(PATTERN, *jobs).starts

    assert (single.input, single.output) == (FIRST.uri, "s3://data/UserA/one/7/a/")
    assert (daily.input, daily.output) == (PATTERN, "s3://data/UserA/out/7/")
    assert (single.is_batch, daily.is_batch) == (False, True)
    assert single.job.arguments == daily.job.arguments == (("note", "7"),)
    assert find_candidates(jobs, "s3://data/UserA/in/7/x.txt") == ()


def test_a_signal_starts_a_run_over_all_objects_of_its_folder() -> None:
    ready = replace(
        DAILY,
        on="s3://data/{profile.folder}/in/{day}/_SUCCESS",
        input="s3://data/{profile.folder}/in/{day}/*.csv",
        quiet=timedelta(),
    )
    (start,) = plan("s3://data/UserA/in/7/_SUCCESS", ready).starts

    assert (start.upload, start.input) == ("s3://data/UserA/in/7/_SUCCESS", PATTERN)


def test_two_days_can_run_at_the_same_time_and_one_day_only_once() -> None:
    monday, sunday = (plan(f"s3://data/UserA/in/{day}/*.csv", DAILY).starts[0] for day in (1, 7))

    assert compute_input_id(monday) != compute_input_id(sunday)


def test_the_starts_of_a_sweep_get_the_values_of_their_captures() -> None:
    (open_start,) = list_starts([DAILY], TEAM)

    assert open_start.upload == "s3://data/UserA/in/{day}/*.csv"
    assert fill_start(open_start, {"day": "7"}) == plan(PATTERN, DAILY).starts[0]


def test_a_value_that_an_upload_gives_is_checked_like_one_in_the_file() -> None:
    job = replace(DAILY, arguments=(("max_quarantine", "{day}"),))

    assert plan(PATTERN, job).starts
    (refused,) = plan("s3://data/UserA/in/x/*.csv", job).refused
    assert refused.what.endswith("'x' is not a number of lines or a share")


def test_a_request_for_a_batch_names_the_list_of_its_objects() -> None:
    batch = build_batch(PATTERN, [FIRST])
    (start,) = plan(PATTERN, DAILY).starts

    assert batch is not None
    attempt = Attempt(start, batch, RUN, 1, NAME)
    words = build_attempt_request(attempt, ENVIRONMENT)["AppSpecification"]["ContainerArguments"]
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options["--inputs"] == f"s3://ops/runs/sagemaker-usera-role/{NAME}/inputs.json"
    assert options["--s3_input_key_prefix"] == "UserA/in/7/*.csv"
    assert options["--job"] == "abalone"
    assert options["--note"] == "7"
    assert not {"--input_etag", "--input_version"} & options.keys()


def test_the_jobs_own_code_reads_the_request_for_a_batch() -> None:
    batch = build_batch(PATTERN, [FIRST])
    (start,) = plan(PATTERN, replace(DAILY, arguments=(("access", "staged"),))).starts

    assert batch is not None
    attempt = Attempt(start, batch, RUN, 1, NAME)
    words = build_attempt_request(attempt, ENVIRONMENT)["AppSpecification"]["ContainerArguments"]
    order = parse_arguments(words)
    assert (order.job.name, order.access, order.run_id) == ("abalone", "staged", RUN)
    assert order.inputs == f"s3://ops/runs/sagemaker-usera-role/{NAME}/inputs.json"
    needed = list_needs(start)[0].scope
    assert needed == f"s3://{order.input_bucket}/{order.input_scope}"


def test_a_job_on_two_buckets_gets_the_configuration_of_both() -> None:
    (start,) = plan("s3://lake/in/*", SHARED).starts
    batch = build_batch("s3://lake/in/*", [replace(FIRST, uri="s3://lake/in/a")])

    assert batch is not None
    assert list_buckets(start) == ("lake", "features")
    inputs = build_attempt_request(Attempt(start, batch, RUN, 1, NAME), ENVIRONMENT)[
        "ProcessingInputs"
    ]
    assert inputs[1]["S3Input"]["S3Uri"].endswith("/conf/lake/features/configuration.json")


def test_a_batch_needs_one_grant_on_all_that_begins_like_its_objects() -> None:
    (start,) = plan(PATTERN, DAILY).starts
    needs = [str(need) for need in list_needs(start)]

    assert needs == ["READ on s3://data/UserA/in/7/*", "READWRITE on s3://data/UserA/out/7/*"]


@pytest.mark.parametrize(
    ("scope", "answer"),
    [
        ("s3://data/UserA/*", PreflightAnswer.OK),
        ("s3://data/UserA/in/7/a.csv", PreflightAnswer.MISSING),
        ("s3://data/UserB/*", PreflightAnswer.MISSING),
    ],
)
def test_a_grant_on_the_folder_is_asked_for_before_machines_cost_money(
    scope: str, answer: PreflightAnswer
) -> None:
    (start,) = plan(PATTERN, DAILY).starts
    held = [
        Grant(iam_grantee(ROLE), Permission.READ, scope),
        Grant(iam_grantee(ROLE), Permission.READWRITE, "s3://data/UserA/out/*"),
    ]

    assert check_grants(start, held, ()).answer is answer


def test_machines_by_size_have_to_lie_within_the_bounds() -> None:
    job = replace(DAILY, instances=AUTO_INSTANCES)
    own = FileBounds("policy/", ("s3://data/*",), ("111122223333",), jobs=JobBounds(("ml.p3.*",)))

    assert plan(PATTERN, job).starts
    (refused,) = plan(PATTERN, job, bounds=Bounds({"policy/": own})).refused
    assert refused.what == "job daily: instances: auto is outside of the bounds"


@pytest.mark.parametrize(
    ("arrived", "since", "left", "endless"),
    [
        (AT, AT, 30.0, False),
        (AT - 10, AT - 3_000, 20.0, False),
        (AT - 30, AT - 40, 0.0, False),
        (AT - 31, AT - 4_000, -1.0, False),
        (AT - 1, AT - 3_601, 29.0, True),
    ],
)
def test_a_batch_is_complete_once_nothing_has_arrived_for_so_long(
    arrived: float, since: float, left: float, endless: bool
) -> None:
    check = QuietCheck(DAILY, PATTERN, arrived, since, AT)

    assert (check.seconds_left, check.is_endless) == (left, endless)


def test_a_batch_says_what_it_waits_for_and_one_that_does_not_end_what_to_do() -> None:
    check = QuietCheck(DAILY, PATTERN, AT, AT, AT)

    assert check.sentence == (
        f"daily on {PATTERN}: wait until uploads pause; it starts when nothing has arrived for 30 "
        "seconds"
    )
    assert "write a shorter quiet" in check.explain_endless()


@pytest.mark.parametrize(
    ("upload", "near"),
    [
        ("s3://data/UserA/in/7/A.CSV", True),
        ("s3://data/usera/in/7/a.csv", True),
        ("s3://data/UserA/in/7 8/a.csv", True),
        ("s3://data/UserA/in/7/a.csv.gz", True),
        ("s3://data/UserA/in//7/a.csv", True),
        ("s3://data/UserA/in/7/a.txt", False),
        ("s3://data/UserA/in/7/x/a.csv", False),
        ("s3://data/UserB/in/7/a.CSV", False),
    ],
)
def test_which_uploads_nearly_match_a_pattern(upload: str, near: bool) -> None:
    found = find_near_miss([DAILY], upload, TEAM)

    assert (found is not None) is near
    if found:
        assert may_be_near_miss([DAILY], upload)
        assert "waits for s3://data/UserA/in/{day}/*.csv" in str(found)
        assert "upload it under a name that matches" in str(found)


def test_an_upload_that_matches_is_no_near_miss() -> None:
    assert find_near_miss([DAILY], FIRST.uri, TEAM) is None
    assert find_near_miss([SHARED], "s3://lake/IN/a", TEAM) is not None
