"""The job signs every request on the data with credentials from S3 Access Grants, in S3A and in
boto3, and never with its role.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import Sandbox
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import read_output
from tests.spark.spark_worker import JARS, SparkWorker, start_worker

pytestmark = pytest.mark.skipif(
    not JARS.is_dir(), reason="needs the jars: make .tools/spark/jars/.made"
)

BOTH = {
    "HeadObject READ",
    "GetObject READ",
    "ListObjectsV2 READ",
    "PutObject WRITE",
    "CopyObject READWRITE",
}
# The second PutObject is that of LATEST, which goes through if it is still what was read.
SIGNED = {
    "staged": BOTH | {"PutObject READWRITE"},
    "s3a": BOTH | {"PutObject READWRITE", "DeleteObject WRITE", "DeleteObjects WRITE"},
}
OF_THE_ROLE = {"GetDataAccess", "GetAccessGrantsInstanceForPrefix", "GetCallerIdentity"}
INPUT, FOLDER = "Product/abalone.csv", "UserA/output"


@pytest.fixture(scope="module")
def spark_worker(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkWorker]:
    with start_worker(start_sandbox(), tmp_path_factory.mktemp("worker")) as worker:
        yield worker


@pytest.fixture
def team(spark_worker: SparkWorker) -> JobSetup:
    """Reading and writing are granted in two places."""
    return set_up_job(spark_worker.sandbox, ("Product/*", "READ"), ("UserA/*", "READWRITE"))


@pytest.mark.parametrize("access", ["s3a", "staged"])
def test_each_request_is_signed_with_the_permission_it_needs_and_none_by_the_role(
    spark_worker: SparkWorker, team: JobSetup, access: str
):
    team.upload(INPUT, build_rows(300))
    call_control(team.sandbox, "calls", "DELETE")

    ended = spark_worker.run_job(team, team.build_arguments(INPUT, access=access))

    assert ended.code == 0, ended.stderr
    calls = team.list_calls()
    assert {call["operation"] for call in calls if call["principal"] == team.role} <= OF_THE_ROLE
    requests = [call for call in calls if call["service"] == "s3"]
    assert {call["principal"] for call in requests} == {team.location_role}
    assert [call for call in requests if call["status"] not in (200, 204, 206, 404)] == []
    assert {describe_signature(call) for call in requests} == SIGNED[access]
    assert read_output(team).manifest["access"]["mode"] == access


def describe_signature(call: dict[str, Any]) -> str:
    return f"{call['operation']} {call['vended'].partition(' ')[0]}"


def test_reads_and_writes_are_signed_by_the_grant_that_covers_them(
    spark_worker: SparkWorker, team: JobSetup
):
    team.upload(INPUT, build_rows(300))
    call_control(team.sandbox, "calls", "DELETE")
    spark_worker.run_job(team, team.build_arguments(INPUT))

    grants = {
        (
            call["resource"].removeprefix(f"arn:aws:s3:::{team.data_bucket}/").partition("/")[0],
            call["vended"].partition(" ")[2],
        )
        for call in team.list_calls()
        if call["service"] == "s3" and "/" in call["resource"]
    }
    assert grants == {
        ("Product", f"s3://{team.data_bucket}/Product/*"),
        ("UserA", f"s3://{team.data_bucket}/UserA/*"),
    }


def test_a_run_goes_on_for_longer_than_the_credentials_of_both_boto3_and_s3a_last(
    spark_worker: SparkWorker, team: JobSetup
):
    """By S3A or, where AWS's plugin has kept a credential for too long, by the driver in the end."""
    team.set_switches(vended_seconds=10)
    try:
        team.upload(INPUT, build_rows(100))
        first = spark_worker.run_job(team, team.build_arguments(INPUT))
        team.upload(INPUT, build_rows(200))
        ended = spark_worker.run_job(team, team.build_arguments(INPUT), late=10)
    finally:
        team.clear_faults()

    assert (first.code, ended.code) == (0, 0), ended.stderr
    assert read_output(team).manifest["rows"]["in"] == 200


@pytest.mark.parametrize(("access", "code"), [("auto", 0), ("s3a", 10)])
def test_when_credentials_of_s3a_have_expired_the_driver_takes_over_unless_it_must_not(
    spark_worker: SparkWorker, team: JobSetup, access: str, code: int
):
    expired = {
        "kind": "refuse",
        "code": "ExpiredToken",
        "status": 400,
        "message": "The provided token has expired.",
        "times": 1,
    }
    rule = {"service": "s3", "operation": "CopyObject", "principal": team.location_role, **expired}
    call_control(team.sandbox, "faults", "POST", {"rules": [rule]})
    team.upload(INPUT, build_rows(30))
    try:
        ended = spark_worker.run_job(team, team.build_arguments(INPUT, access=access))
    finally:
        team.clear_faults()

    assert ended.code == code, ended.stderr
    seen = read_output(team)
    assert (seen.latest_run == "") is (code == 10)
    if code == 0:
        assert (
            seen.manifest["access"]["mode"],
            "S3A was refused" in seen.manifest["access"]["why"],
        ) == ("staged", True)


def test_with_separate_grants_for_reading_and_writing_data_goes_through_the_driver(
    spark_worker: SparkWorker,
):
    setup = set_up_job(
        spark_worker.sandbox, ("Product/*", "READ"), ("UserA/*", "READ"), ("UserA/*", "WRITE")
    )
    setup.upload(INPUT, build_rows(30))

    assert spark_worker.run_job(setup, setup.build_arguments(INPUT)).code == 0
    access = read_output(setup).manifest["access"]
    assert (access["mode"], "has no READWRITE on" in access["why"]) == ("staged", True)


def test_a_grant_on_exactly_the_output_is_enough_for_s3a(spark_worker: SparkWorker):
    """A run writes below output/runs/RUN, and nothing asks for `UserA/output` itself, which such a
    grant does not cover.
    """
    setup = set_up_job(spark_worker.sandbox, ("Product/*", "READ"), (f"{FOLDER}/*", "READWRITE"))
    for number in (30, 40):
        setup.upload(INPUT, build_rows(number))
        ended = spark_worker.run_job(setup, setup.build_arguments(INPUT, access="s3a"))
        assert ended.code == 0, ended.stderr

    seen = read_output(setup)
    assert (seen.manifest["access"]["mode"], seen.manifest["rows"]["in"], seen.plain_digests) == (
        "s3a",
        40,
        seen.files,
    )


def test_s3a_is_refused_where_a_grant_for_it_is_missing_before_spark_starts(
    spark_worker: SparkWorker,
):
    setup = set_up_job(spark_worker.sandbox, (INPUT, "READ"), ("UserA/*", "READWRITE"))
    setup.upload(INPUT, build_rows(30))

    ended = spark_worker.run_job(setup, setup.build_arguments(INPUT, access="s3a"))

    assert (
        ended.code,
        f"has no READ on s3://{setup.data_bucket}/{INPUT}/*" in ended.last_line,
    ) == (
        10,
        True,
    ), ended.stderr
    assert spark_worker.run_job(setup, setup.build_arguments(INPUT)).code == 0  # through the driver


@pytest.mark.parametrize(
    ("what", "why"), [("credentials", "Forbidden"), ("grant", "You do not have READ permissions")]
)
def test_a_revocation_before_spark_reads_ends_the_job_soon(
    spark_worker: SparkWorker, what: str, why: str
):
    setup = set_up_job(spark_worker.sandbox, ("UserA/*", "READWRITE"))
    grant = setup.create_grant("Product/*", "READ")
    setup.upload(INPUT, build_rows(30))
    call_control(setup.sandbox, "calls", "DELETE")

    with spark_worker.start_job(setup, setup.build_arguments(INPUT, access="s3a"), late=3) as ended:
        wait_until(
            lambda: sum(call["operation"] == "GetDataAccess" for call in setup.list_calls()) >= 5
        )
        setup.revoke_sessions() if what == "credentials" else setup.delete_grant(grant)
        over = ended()

    assert (over.code, "was revoked" in over.last_line, why in over.last_line) == (
        10,
        True,
        True,
    ), over.last_line
    assert read_output(setup).latest_run == ""
    assert over.seconds < 60


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it did not come about in 20 s")


NOT_TOLD = [
    pytest.param(
        {"access.grants.enabled": "false"}, "is not true for the bucket", id="not configured to ask"
    ),
    pytest.param(
        {"access.grants.fallback.to.iam": "true"},
        "use the role's own rights where no grant is",
        id="asked to fall back",
    ),
    pytest.param(
        {"access.key": "AKIA"}, "keys do not belong into a configuration", id="given keys"
    ),
]


@pytest.mark.parametrize(("setting", "why"), NOT_TOLD)
def test_s3a_that_would_use_other_rights_is_not_used(
    spark_worker: SparkWorker, team: JobSetup, setting: dict[str, str], why: str
):
    team.upload(INPUT, build_rows(30))
    properties = {
        f"spark.hadoop.fs.s3a.bucket.{team.data_bucket}.{name}": value
        for name, value in setting.items()
    }

    ended = spark_worker.run_job(
        team, team.build_arguments(INPUT, access="s3a"), properties=properties
    )

    assert (ended.code, why in ended.last_line) == (14, True), ended.stderr
    assert team.list_keys("UserA/") == []


@pytest.mark.parametrize("key", ["Product/a b/100%25 ü+.csv", "Product/[a].csv", "Product/_a.csv"])
def test_a_key_that_s3a_cannot_name_goes_through_the_driver(
    spark_worker: SparkWorker, team: JobSetup, key: str
):
    team.upload(key, build_rows(30))

    ended = spark_worker.run_job(team, team.build_arguments(key, "UserA/out put 50%"))

    assert ended.code == 0, ended.stderr
    access = read_output(team, "UserA/out put 50%").manifest["access"]
    assert (access["mode"], "cannot name" in access["why"]) == ("staged", True)


def test_s3a_does_not_touch_a_key_that_it_cannot_name(spark_worker: SparkWorker, team: JobSetup):
    team.upload("Product/a b.csv", build_rows(30))

    assert (
        spark_worker.run_job(team, team.build_arguments("Product/a b.csv", access="s3a")).code == 14
    )


def test_leftovers_of_a_killed_s3a_job_are_removed_and_the_run_is_published(
    spark_worker: SparkWorker, team: JobSetup
):
    run = "0123456789abcdef0123"
    team.upload(INPUT, build_rows(30))
    for path in (
        "apart/_temporary/0/_temporary/attempt_1/split=train/part-00000-dead.txt",
        "apart/_temporary/0/",
        "train/part-00000-dead.txt",
    ):
        team.upload(f"{FOLDER}/runs/{run}/{path}", b"1\n")

    ended = spark_worker.run_job(team, team.build_arguments(INPUT, run_id=run, access="s3a"))

    assert ended.code == 0, ended.stderr
    files = {file["path"] for file in read_output(team).manifest["files"]}
    left = {
        key.removeprefix(f"{FOLDER}/runs/{run}/") for key in team.list_keys(f"{FOLDER}/runs/{run}/")
    }
    assert left == files | {"_manifest.json", "report.html"}
