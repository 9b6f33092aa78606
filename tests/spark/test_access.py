"""Every request of the job on the data is signed with what S3 Access Grants vended for it, by S3A and by boto3, and none by the role itself."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import Sandbox
from tests.jobs_io.grounds import Grounds, lay
from tests.jobs_io.reader import look
from tests.jobs_io.rows import rows
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
def team(spark_worker: SparkWorker) -> Grounds:
    """Reading and writing are granted in two places."""
    return lay(spark_worker.sandbox, ("Product/*", "READ"), ("UserA/*", "READWRITE"))


@pytest.mark.parametrize("access", ["s3a", "staged"])
def test_each_request_is_signed_with_the_permission_it_needs_and_none_by_the_role(
    spark_worker: SparkWorker, team: Grounds, access: str
):
    team.upload(INPUT, rows(300))
    call_control(team.sandbox, "calls", "DELETE")

    ended = spark_worker.run(team, team.words(INPUT, access=access))

    assert ended.code == 0, ended.said
    calls = team.calls()
    assert {call["operation"] for call in calls if call["principal"] == team.role} <= OF_THE_ROLE
    requests = [call for call in calls if call["service"] == "s3"]
    assert {call["principal"] for call in requests} == {team.location}
    assert [call for call in requests if call["status"] not in (200, 204, 206, 404)] == []
    assert {signed(call) for call in requests} == SIGNED[access]
    assert look(team).manifest["access"]["mode"] == access


def signed(call: dict[str, Any]) -> str:
    return f"{call['operation']} {call['vended'].partition(' ')[0]}"


def test_what_is_read_and_what_is_written_is_signed_by_the_grant_over_it(
    spark_worker: SparkWorker, team: Grounds
):
    team.upload(INPUT, rows(300))
    call_control(team.sandbox, "calls", "DELETE")
    spark_worker.run(team, team.words(INPUT))

    grants = {
        (
            call["resource"].removeprefix(f"arn:aws:s3:::{team.data}/").partition("/")[0],
            call["vended"].partition(" ")[2],
        )
        for call in team.calls()
        if call["service"] == "s3" and "/" in call["resource"]
    }
    assert grants == {
        ("Product", f"s3://{team.data}/Product/*"),
        ("UserA", f"s3://{team.data}/UserA/*"),
    }


def test_a_run_goes_on_for_longer_than_the_credentials_of_both_boto3_and_s3a_last(
    spark_worker: SparkWorker, team: Grounds
):
    """By S3A or, where AWS's plugin has kept a credential for too long, by the driver in the end."""
    team.switch(vended_seconds=10)
    try:
        team.upload(INPUT, rows(100))
        first = spark_worker.run(team, team.words(INPUT))
        team.upload(INPUT, rows(200))
        ended = spark_worker.run(team, team.words(INPUT), late=10)
    finally:
        team.no_faults()

    assert (first.code, ended.code) == (0, 0), ended.said
    assert look(team).manifest["rows"]["in"] == 200


@pytest.mark.parametrize(("access", "code"), [("auto", 0), ("s3a", 10)])
def test_where_a_credential_of_s3a_has_expired_the_driver_goes_on_unless_it_must_not(
    spark_worker: SparkWorker, team: Grounds, access: str, code: int
):
    expired = {
        "kind": "refuse",
        "code": "ExpiredToken",
        "status": 400,
        "message": "The provided token has expired.",
        "times": 1,
    }
    rule = {"service": "s3", "operation": "CopyObject", "principal": team.location, **expired}
    call_control(team.sandbox, "faults", "POST", {"rules": [rule]})
    team.upload(INPUT, rows(30))
    try:
        ended = spark_worker.run(team, team.words(INPUT, access=access))
    finally:
        team.no_faults()

    assert ended.code == code, ended.said
    seen = look(team)
    assert (seen.run == "") is (code == 10)
    if code == 0:
        assert (
            seen.manifest["access"]["mode"],
            "S3A was refused" in seen.manifest["access"]["why"],
        ) == ("staged", True)


def test_where_reading_and_writing_are_granted_apart_it_goes_through_the_driver(
    spark_worker: SparkWorker,
):
    grounds = lay(
        spark_worker.sandbox, ("Product/*", "READ"), ("UserA/*", "READ"), ("UserA/*", "WRITE")
    )
    grounds.upload(INPUT, rows(30))

    assert spark_worker.run(grounds, grounds.words(INPUT)).code == 0
    access = look(grounds).manifest["access"]
    assert (access["mode"], "has no READWRITE on" in access["why"]) == ("staged", True)


def test_a_grant_on_the_very_output_is_enough_for_s3a(spark_worker: SparkWorker):
    """A run writes below output/runs/RUN, and nothing asks for `UserA/output` itself, which such a grant does not cover."""
    grounds = lay(spark_worker.sandbox, ("Product/*", "READ"), (f"{FOLDER}/*", "READWRITE"))
    for number in (30, 40):
        grounds.upload(INPUT, rows(number))
        ended = spark_worker.run(grounds, grounds.words(INPUT, access="s3a"))
        assert ended.code == 0, ended.said

    seen = look(grounds)
    assert (seen.manifest["access"]["mode"], seen.manifest["rows"]["in"], seen.plain) == (
        "s3a",
        40,
        seen.files,
    )


def test_s3a_is_refused_where_a_grant_for_it_is_missing_before_spark_starts(
    spark_worker: SparkWorker,
):
    grounds = lay(spark_worker.sandbox, (INPUT, "READ"), ("UserA/*", "READWRITE"))
    grounds.upload(INPUT, rows(30))

    ended = spark_worker.run(grounds, grounds.words(INPUT, access="s3a"))

    assert (ended.code, f"has no READ on s3://{grounds.data}/{INPUT}/*" in ended.sentence) == (
        10,
        True,
    ), ended.said
    assert spark_worker.run(grounds, grounds.words(INPUT)).code == 0  # through the driver


@pytest.mark.parametrize(
    ("what", "why"), [("credentials", "Forbidden"), ("grant", "You do not have READ permissions")]
)
def test_what_is_taken_back_before_spark_reads_ends_the_job_soon(
    spark_worker: SparkWorker, what: str, why: str
):
    grounds = lay(spark_worker.sandbox, ("UserA/*", "READWRITE"))
    grant = grounds.grant("Product/*", "READ")
    grounds.upload(INPUT, rows(30))
    call_control(grounds.sandbox, "calls", "DELETE")

    with spark_worker.under_way(grounds, grounds.words(INPUT, access="s3a"), late=3) as ended:
        until(lambda: sum(call["operation"] == "GetDataAccess" for call in grounds.calls()) >= 5)
        grounds.take_back() if what == "credentials" else grounds.no_grant(grant)
        over = ended()

    assert (over.code, "was taken back" in over.sentence, why in over.sentence) == (
        10,
        True,
        True,
    ), over.sentence
    assert look(grounds).run == ""
    assert over.seconds < 60


def until(true: Callable[[], bool]) -> None:
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
    spark_worker: SparkWorker, team: Grounds, setting: dict[str, str], why: str
):
    team.upload(INPUT, rows(30))
    properties = {
        f"spark.hadoop.fs.s3a.bucket.{team.data}.{name}": value for name, value in setting.items()
    }

    ended = spark_worker.run(team, team.words(INPUT, access="s3a"), properties=properties)

    assert (ended.code, why in ended.sentence) == (14, True), ended.said
    assert team.listed("UserA/") == []


@pytest.mark.parametrize("key", ["Product/a b/100%25 ü+.csv", "Product/[a].csv", "Product/_a.csv"])
def test_a_key_that_s3a_cannot_name_goes_through_the_driver(
    spark_worker: SparkWorker, team: Grounds, key: str
):
    team.upload(key, rows(30))

    ended = spark_worker.run(team, team.words(key, "UserA/out put 50%"))

    assert ended.code == 0, ended.said
    access = look(team, "UserA/out put 50%").manifest["access"]
    assert (access["mode"], "has no way to say" in access["why"]) == ("staged", True)


def test_s3a_does_not_touch_a_key_that_it_cannot_name(spark_worker: SparkWorker, team: Grounds):
    team.upload("Product/a b.csv", rows(30))

    assert spark_worker.run(team, team.words("Product/a b.csv", access="s3a")).code == 14


def test_what_s3a_left_that_was_killed_is_cleared_and_the_run_made(
    spark_worker: SparkWorker, team: Grounds
):
    run = "0123456789abcdef0123"
    team.upload(INPUT, rows(30))
    for path in (
        "apart/_temporary/0/_temporary/attempt_1/split=train/part-00000-dead.txt",
        "apart/_temporary/0/",
        "train/part-00000-dead.txt",
    ):
        team.upload(f"{FOLDER}/runs/{run}/{path}", b"1\n")

    ended = spark_worker.run(team, team.words(INPUT, run_id=run, access="s3a"))

    assert ended.code == 0, ended.said
    files = {file["path"] for file in look(team).manifest["files"]}
    left = {
        key.removeprefix(f"{FOLDER}/runs/{run}/") for key in team.listed(f"{FOLDER}/runs/{run}/")
    }
    assert left == files | {"_manifest.json", "report.html"}
