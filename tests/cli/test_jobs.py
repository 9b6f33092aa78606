"""grantor jobs: what waits and why, what goes on, what has been, and one run in full."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.aws.job_store import JobRecords, JobRun, Waiting
from grantor.cli.jobs import console
from tests.cli.conftest import Desk
from tests.estate import ARTICLE, Estate
from tests.sandbox.desk import ask

NAME = "grantor-abalone-0123456789abcdef0123"
ROLE = "arn:aws:iam::000000000000:role/role-userA"
DONE = JobRun(
    name=f"{NAME}-a1",
    at="2026-11-24T10:00:00Z",
    job="policy/article.yaml#abalone",
    label="abalone for userA",
    role=ROLE,
    profile="Product-Domain/userA",
    upload="s3://data/UserA/abalone.csv",
    input="s3://data/UserA/abalone.csv",
    version="3sL4kqtJlcpXroDTDmJ",
    etag="0f343b0931126a20f133d67c2b018a3b",
    size=191_873,
    output="s3://data/UserA/output/",
    run="0123456789abcdef0123",
    attempt=1,
    status="Completed",
    sentence="abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)",
    ended="2026-11-24T10:03:12Z",
    seconds=192.0,
    rows={"in": 4177, "train": 3338, "validation": 837, "quarantine": 2},
    quarantine={"range": 2},
    manifest="s3://data/UserA/output/runs/0123456789abcdef0123/_manifest.json",
    report="s3://data/UserA/output/runs/0123456789abcdef0123/report.html",
    folder=f"s3://operations/runs/role-userA/{NAME}-a1/",
)
SENTENCE = "abalone for userA failed: access denied (exit 10): no READ on s3://data/UserA/abalone.csv; see that its role holds the grants"
FAILED = replace(DONE, status="Failed", cause="access denied", sentence=SENTENCE, rows={}, quarantine={}, manifest="", report="")
SECOND = replace(DONE, name=f"{NAME}-a2", at="2026-11-24T11:00:00Z", attempt=2)
OTHER = replace(DONE, name="grantor-abalone-ffff456789abcdef0123-a1", run="ffff456789abcdef0123", at="2026-11-24T12:00:00Z")


def keep(estate: Estate, *runs: JobRun) -> JobRecords:
    """The records, with these runs in them."""
    records = JobRecords(estate.world().table)
    for run in runs:
        records.keep("0" * 32, run)
    return records


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_before_the_first_run_there_is_nothing_to_tell(desk: Desk):
    assert desk.grantor("jobs", keys=desk.person("Reader")).lines == [
        "no upload waits for its job, and no job has run within the last 90 days"
    ]


def test_a_past_run_is_told_with_its_outcome_its_input_how_long_it_took_and_its_report(desk: Desk, estate: Estate):
    keep(estate, DONE)

    assert desk.grantor("jobs", keys=desk.person("Reader")).lines == [
        "2026-11-24 10:00:00Z  abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)",
        f"  {NAME}-a1, 3 min 12 s, on s3://data/UserA/abalone.csv, report {DONE.report}",
    ]


def test_the_newest_run_comes_first_and_as_many_as_are_asked_for(desk: Desk, estate: Estate):
    keep(estate, DONE, OTHER, SECOND)
    told = desk.grantor("jobs").lines

    assert [line.split(",")[0].strip() for line in told[1::2]] == [OTHER.name, SECOND.name, DONE.name]
    assert desk.grantor("jobs", "-n", "1").lines == desk.grantor("jobs", "--limit", "1").lines == told[:2]


def test_a_run_that_goes_on_is_told_first_with_since_when(desk: Desk, estate: Estate):
    begun = datetime.now(UTC) - timedelta(minutes=90)
    running = replace(DONE, name=f"{NAME}-a2", at=iso(begun), status="InProgress", sentence="", ended="", seconds=0, report="")
    keep(estate, replace(OTHER, at=iso(datetime.now(UTC) - timedelta(minutes=1))), running)

    told = desk.grantor("jobs", "-n", "1").lines
    assert told[0].endswith("Z  abalone for userA goes on, for 1 h 30 min now")
    assert told[1] == f"  {NAME}-a2, on s3://data/UserA/abalone.csv"
    assert told[3].startswith(f"  {OTHER.name}, ")


def test_an_upload_that_waits_is_told_with_the_reason_and_what_would_mend_it(desk: Desk, estate: Estate):
    since = datetime(2026, 11, 24, 9, 0, tzinfo=UTC).timestamp()
    why = "profile userB of Product-Domain (role/role-userB) holds no READ on s3://data/UserB/abalone.csv\n  - name: abalone-1"
    keep(estate).wait(Waiting("s3://data/UserB/abalone.csv", since, 0, 1, why))

    assert desk.grantor("jobs", keys=desk.person("Reader")).lines == [
        f"2026-11-24 09:00:00Z  waits: s3://data/UserB/abalone.csv: {why.splitlines()[0]}",
        "    - name: abalone-1",
    ]


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (f"abalone for userA is started as {NAME}-a1", []),
        ("abalone on s3://data/UserA/abalone.csv: already running", []),
        ("abalone on s3://data/UserA/abalone.csv: wait until the other run ends", ["waits"]),
        (f"abalone for userA is started as {NAME}-a1; product on s3://data/UserA/abalone.csv: a quota", ["waits"]),
    ],
    ids=["it was started", "it goes on", "newer data has come", "one of two jobs waits"],
)
def test_an_upload_whose_run_goes_on_waits_for_nothing(desk: Desk, estate: Estate, why: str, told: list[str]):
    running = replace(DONE, at=iso(datetime.now(UTC)), status="InProgress", sentence="")
    keep(estate, running).wait(Waiting(DONE.upload, 1.0, 0, 0, why))

    assert [line.split()[2].rstrip(":") for line in desk.grantor("jobs").lines if "waits: " in line] == told


def test_one_run_is_told_in_full(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    keep(estate, FAILED, SECOND, OTHER)

    assert desk.grantor("jobs", SECOND.name, keys=desk.person("Reader")).lines == [
        f"run       {NAME}-a2",
        "outcome   abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)",
        "status    Completed, 3 min 12 s, begun 2026-11-24 11:00:00Z, ended 2026-11-24 10:03:12Z",
        "job       policy/article.yaml#abalone for profile Product-Domain/userA",
        "as        role/role-userA",
        "input     s3://data/UserA/abalone.csv, version 3sL4kqtJlcpXroDTDmJ, ETag 0f343b0931126a20f133d67c2b018a3b, 191,873 bytes",
        "output    s3://data/UserA/output/",
        "rows      4,177 in, 3,338 train, 837 validation, 2 quarantine",
        "reasons   2 range",
        "grant     READWRITE s3://data/UserA/*, because policy/article.yaml#own-folder for profile Product-Domain/userA",
        f"manifest  {DONE.manifest}",
        f"report    {DONE.report}",
        f"folder    {DONE.folder}",
        f"console   https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/processing-jobs/{NAME}-a2",
        f"Spark UI  make ui RUN={NAME}-a2",
        f"attempt   1: 2026-11-24 10:00:00Z  Failed (access denied)  {NAME}-a1",
    ]


def test_a_run_says_how_many_uploads_it_stands_for(desk: Desk, estate: Estate):
    keep(estate, replace(DONE, passed_over=9_933))

    told = "passed    9,933 uploads since the run before, replaced before their turn or the same again"
    assert told in desk.grantor("jobs", DONE.name).lines


def test_a_run_that_failed_says_what_to_do_and_that_no_grant_is_there(desk: Desk, estate: Estate):
    keep(estate, replace(FAILED, input="s3://data/in/abalone.csv"))
    told = desk.grantor("jobs", FAILED.name).lines

    assert told[1] == f"outcome   {SENTENCE}"
    assert "upload    s3://data/UserA/abalone.csv" in told
    assert "grant     none of ours covers its input or its output now" in told


def test_json_has_waiting_and_runs_in_parts(desk: Desk, estate: Estate):
    keep(estate, DONE).wait(Waiting("s3://data/UserB/abalone.csv", 1.0, 2.0, 3, "a quota"))
    told = desk.grantor("jobs", "--json").json

    assert told["waiting"] == [
        {"upload": "s3://data/UserB/abalone.csv", "since": 1.0, "due": 2.0, "attempt": 3, "why": "a quota"}
    ]
    assert [(run["name"], run["rows"]["in"], run["console"]) for run in told["runs"]] == [
        (DONE.name, 4177, console(DONE.name, "us-east-1"))
    ]


def test_json_of_one_run_has_its_grants_and_attempts(desk: Desk, estate: Estate):
    estate.policy("article", ARTICLE)
    estate.run()
    keep(estate, FAILED, SECOND)
    told = desk.grantor("jobs", SECOND.name, "--json").json

    assert [(one["permission"], one["scope"]) for one in told["grants"]] == [("READWRITE", "s3://data/UserA/*")]
    assert [(one["name"], one["cause"]) for one in told["attempts"]] == [(DONE.name, "access denied"), (SECOND.name, "")]


def test_what_others_have_named_moves_no_cursor(desk: Desk, estate: Estate):
    nasty = "s3://data/UserA/\x1b[2J\u202eabalone.csv"
    keep(estate, replace(DONE, input=nasty, upload=nasty)).wait(Waiting(nasty, 1.0, 0, 0, "\x1b]0;owned\x07"))
    told = desk.grantor("jobs").out + desk.grantor("jobs", DONE.name).out

    assert r"s3://data/UserA/\x1b[2J\u202eabalone.csv" in told
    assert all(line.isprintable() for line in told.splitlines())


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (["jobs", "spark-1"], 1, "no run spark-1 is remembered: grantor jobs lists those of the last 90 days"),
        (["jobs", "-n", "0"], 2, "-n wants a number from 1"),
    ],
    ids=["an unknown run", "no number"],
)
def test_it_says_what_it_can_not_show(desk: Desk, words: list[str], code: int, err: str):
    answered = desk.grantor(*words)

    assert (answered.code, answered.out, err in answered.err) == (code, "", True)


def test_reading_is_all_that_it_does(desk: Desk, estate: Estate):
    keep(estate, DONE)
    reader = desk.person("Reader")
    desk.grantor("jobs", keys=reader)
    desk.grantor("jobs", DONE.name, keys=reader)

    called = {row["operation"] for row in ask(estate.sandbox, "calls") if row["principal"].startswith("person-")}
    assert called == {"GetCallerIdentity", "DescribeStacks", "Query", "GetItem"}


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_a_console_of_its_own(region: str, host: str):
    assert console("j", region) == f"https://{host}/sagemaker/home?region={region}#/processing-jobs/j"


def test_a_run_older_than_any_time_limit_does_not_go_on_though_no_end_of_it_was_heard(desk: Desk, estate: Estate):
    keep(estate, replace(DONE, status="InProgress", sentence="", at=iso(datetime.now(UTC) - timedelta(days=7))))

    assert (
        desk.grantor("jobs")
        .lines[0]
        .endswith("Z  abalone for userA was begun, and nobody has heard how it ended: SageMaker's console knows")
    )
