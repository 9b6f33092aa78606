"""grantor jobs: waiting uploads and why they wait, running jobs, past runs, and one run in full."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.aws.job_store import JobRun, JobStore, WaitingUpload
from grantor.cli.jobs import (
    JobDetails,
    UploadOverview,
    console_url,
    format_job,
    waiting_value,
)
from grantor.core.jobs.unreported import NearMiss
from sandbox.testing.helpers import call_control
from tests.cli.conftest import CommandLine
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

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
FAILED = replace(
    DONE,
    status="Failed",
    cause="access denied",
    sentence=SENTENCE,
    rows={},
    quarantine={},
    manifest="",
    report="",
)
SECOND = replace(DONE, name=f"{NAME}-a2", at="2026-11-24T11:00:00Z", attempt=2)
OTHER = replace(
    DONE,
    name="grantor-abalone-ffff456789abcdef0123-a1",
    run="ffff456789abcdef0123",
    at="2026-11-24T12:00:00Z",
)


def record_run(setup: GrantorSetup, *runs: JobRun) -> JobStore:
    """The records, with these runs in them."""
    records = JobStore(setup.build_services().table)
    for run in runs:
        records.record_run("0" * 32, run)
    return records


def format_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_before_the_first_run_it_says_that_there_is_none(cli: CommandLine):
    assert cli.run("jobs", keys=cli.create_person("Reader")).lines == [
        "no upload is waiting for its job, and no job has run in the last 90 days"
    ]


def test_a_past_run_is_listed_with_outcome_input_duration_and_report(
    cli: CommandLine, setup: GrantorSetup
):
    record_run(setup, DONE)

    assert cli.run("jobs", keys=cli.create_person("Reader")).lines == [
        "2026-11-24 10:00:00Z  abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)",
        f"  {NAME}-a1, 3 min 12 s, on s3://data/UserA/abalone.csv, report {DONE.report}",
    ]


def test_the_newest_run_comes_first_up_to_the_limit(cli: CommandLine, setup: GrantorSetup):
    record_run(setup, DONE, OTHER, SECOND)
    answer = cli.run("jobs").lines

    assert [line.split(",")[0].strip() for line in answer[1::2]] == [
        OTHER.name,
        SECOND.name,
        DONE.name,
    ]
    assert cli.run("jobs", "-n", "1").lines == cli.run("jobs", "--limit", "1").lines == answer[:2]


def test_a_running_job_comes_first_with_its_duration(cli: CommandLine, setup: GrantorSetup):
    begun = datetime.now(UTC) - timedelta(minutes=90)
    running = replace(
        DONE,
        name=f"{NAME}-a2",
        at=format_time(begun),
        status="InProgress",
        sentence="",
        ended="",
        seconds=0,
        report="",
    )
    record_run(
        setup, replace(OTHER, at=format_time(datetime.now(UTC) - timedelta(minutes=1))), running
    )

    answer = cli.run("jobs", "-n", "1").lines
    assert answer[0].endswith("Z  abalone for userA has been running for 1 h 30 min")
    assert answer[1] == f"  {NAME}-a2, on s3://data/UserA/abalone.csv"
    assert answer[3].startswith(f"  {OTHER.name}, ")


def test_a_waiting_upload_is_listed_with_its_cause_and_remedy(
    cli: CommandLine, setup: GrantorSetup
):
    since = datetime(2026, 11, 24, 9, 0, tzinfo=UTC).timestamp()
    why = "profile userB of Product-Domain (role/role-userB) lacks READ on s3://data/UserB/abalone.csv\n  - name: abalone-1"
    record_run(setup).record_waiting(WaitingUpload("s3://data/UserB/abalone.csv", since, 0, 1, why))

    assert cli.run("jobs", keys=cli.create_person("Reader")).lines == [
        f"2026-11-24 09:00:00Z  waits: s3://data/UserB/abalone.csv: {why.splitlines()[0]}",
        "    - name: abalone-1",
    ]


@pytest.mark.parametrize(
    ("why", "answer"),
    [
        (f"abalone for userA is started as {NAME}-a1", []),
        ("abalone on s3://data/UserA/abalone.csv: already running", []),
        ("abalone on s3://data/UserA/abalone.csv: wait until the other run ends", ["waits"]),
        (
            f"abalone for userA is started as {NAME}-a1; product on s3://data/UserA/abalone.csv: a quota",
            ["waits"],
        ),
    ],
    ids=["it was started", "it goes on", "newer data has come", "one of two jobs waits"],
)
def test_an_upload_whose_run_is_running_is_not_listed_as_waiting(
    cli: CommandLine, setup: GrantorSetup, why: str, answer: list[str]
):
    running = replace(DONE, at=format_time(datetime.now(UTC)), status="InProgress", sentence="")
    record_run(setup, running).record_waiting(WaitingUpload(DONE.upload, 1.0, 0, 0, why))

    assert [
        line.split()[2].rstrip(":") for line in cli.run("jobs").lines if "waits: " in line
    ] == answer


def test_an_upload_whose_run_has_failed_for_good_is_not_listed_as_waiting(
    cli: CommandLine, setup: GrantorSetup
):
    broken = replace(FAILED, cause="contract broken", sentence="abalone failed: contract broken")
    why = f"abalone on {DONE.upload}: failed, and another attempt would change nothing"
    given_up = WaitingUpload("s3://data/UserB/abalone.csv", 1.0, 0, 0, "abalone on x: given up")
    store = record_run(setup, broken)
    for upload in (WaitingUpload(DONE.upload, 1.0, 0, 0, why), given_up):
        store.record_waiting(upload)

    assert cli.run("jobs").lines[0] == "2026-11-24 10:00:00Z  abalone failed: contract broken"
    overview = UploadOverview.read(store, datetime(2026, 11, 25, tzinfo=UTC))
    assert (overview.waiting, overview.failed) == ([], [broken])
    assert list(overview.lines()) == [
        ("failed", "2026-11-24 10:00:00Z  abalone failed: contract broken")
    ]
    assert overview.to_json("eu-west-1")["failed"][0]["name"] == broken.name


MISS = NearMiss("s3://data/UserA/abalone (1).csv", DONE.upload, DONE.job)
NAMED = (
    "'s3://data/UserA/abalone (1).csv' starts nothing: job abalone of policy/article.yaml waits "
    "for s3://data/UserA/abalone.csv, and names are compared letter by letter; upload it under "
    "that name"
)


def test_an_upload_that_nearly_has_an_inputs_name_is_listed_until_it_is_uploaded_rightly(
    cli: CommandLine, setup: GrantorSetup
):
    now = datetime.now(UTC)
    store = record_run(setup, DONE)
    store.record_near_miss(MISS, now.timestamp())
    said = f"{now:%Y-%m-%d %H:%M:%S}Z  {NAMED}"

    assert cli.run("jobs", keys=cli.create_person("Reader")).lines[0] == said
    near = cli.run("jobs", "--json").json["near_misses"]
    assert [(one["upload"], one["nearest"]) for one in near] == [(MISS.upload, MISS.nearest)]
    assert ("missed", said) in UploadOverview.read(store, now).lines()

    record_run(setup, replace(OTHER, at=format_time(now + timedelta(minutes=1))))
    assert all("starts nothing" not in line for line in cli.run("jobs").lines)
    assert UploadOverview.read(store, now + timedelta(minutes=2)).near_misses == []


def test_one_run_is_shown_in_full(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    record_run(setup, FAILED, SECOND, OTHER)

    assert cli.run("jobs", SECOND.name, keys=cli.create_person("Reader")).lines == [
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
        f"Spark UI  make spark-ui RUN={NAME}-a2",
        f"attempt   1: 2026-11-24 10:00:00Z  Failed (access denied)  {NAME}-a1",
    ]


def test_a_run_shows_how_many_uploads_it_passed_over(cli: CommandLine, setup: GrantorSetup):
    record_run(setup, replace(DONE, passed_over=9_933))

    answer = "passed    9,933 uploads since the previous run, unchanged or replaced before they were processed"
    assert answer in cli.run("jobs", DONE.name).lines


def test_a_failed_run_shows_the_remedy_and_that_no_grant_covers_it(
    cli: CommandLine, setup: GrantorSetup
):
    record_run(setup, replace(FAILED, input="s3://data/in/abalone.csv"))
    answer = cli.run("jobs", FAILED.name).lines

    assert answer[1] == f"outcome   {SENTENCE}"
    assert "upload    s3://data/UserA/abalone.csv" in answer
    assert "grant     none of our grants covers its input or its output now" in answer


def test_json_holds_waiting_uploads_and_runs(cli: CommandLine, setup: GrantorSetup):
    record_run(setup, DONE).record_waiting(
        WaitingUpload("s3://data/UserB/abalone.csv", 1.0, 2.0, 3, "a quota")
    )
    answer = cli.run("jobs", "--json").json

    assert answer["waiting"] == [
        {
            "upload": "s3://data/UserB/abalone.csv",
            "since": "1970-01-01T00:00:01Z",
            "due": "1970-01-01T00:00:02Z",
            "attempt": 3,
            "why": "a quota",
            "arrived": None,
            "began": None,
        }
    ]
    assert [(run["name"], run["rows"]["in"], run["console"]) for run in answer["runs"]] == [
        (DONE.name, 4177, console_url(DONE.name, "us-east-1"))
    ]


def test_json_of_one_run_has_its_grants_and_attempts(cli: CommandLine, setup: GrantorSetup):
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    record_run(setup, FAILED, SECOND)
    answer = cli.run("jobs", SECOND.name, "--json").json

    assert [(one["permission"], one["scope"]) for one in answer["grants"]] == [
        ("READWRITE", "s3://data/UserA/*")
    ]
    assert [(one["name"], one["cause"]) for one in answer["attempts"]] == [
        (DONE.name, "access denied"),
        (SECOND.name, ""),
    ]


def test_names_chosen_by_others_cannot_move_the_cursor(cli: CommandLine, setup: GrantorSetup):
    nasty = "s3://data/UserA/\x1b[2J\u202eabalone.csv"
    record_run(setup, replace(DONE, input=nasty, upload=nasty)).record_waiting(
        WaitingUpload(nasty, 1.0, 0, 0, "\x1b]0;owned\x07")
    )
    answer = cli.run("jobs").out + cli.run("jobs", DONE.name).out

    assert r"s3://data/UserA/\x1b[2J\u202eabalone.csv" in answer
    assert all(line.isprintable() for line in answer.splitlines())


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (
            ["jobs", "spark-1"],
            1,
            "no record of run spark-1: grantor jobs lists the runs of the last 90 days",
        ),
        (["jobs", "-n", "0"], 2, "argument -n/--limit: must be at least 1"),
    ],
    ids=["an unknown run", "no number"],
)
def test_it_reports_what_it_cannot_show(cli: CommandLine, words: list[str], code: int, err: str):
    answered = cli.run(*words)

    assert (answered.code, answered.out, err in answered.err) == (code, "", True)


def test_it_only_reads(cli: CommandLine, setup: GrantorSetup):
    record_run(setup, DONE)
    reader = cli.create_person("Reader")
    cli.run("jobs", keys=reader)
    cli.run("jobs", DONE.name, keys=reader)

    called = {
        row["operation"]
        for row in call_control(setup.sandbox, "calls")
        if row["principal"].startswith("person-")
    }
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
    assert (
        console_url("j", region)
        == f"https://{host}/sagemaker/home?region={region}#/processing-jobs/j"
    )


def test_a_run_older_than_any_time_limit_is_not_running_even_without_a_recorded_end(
    cli: CommandLine, setup: GrantorSetup
):
    record_run(
        setup,
        replace(
            DONE,
            status="InProgress",
            sentence="",
            at=format_time(datetime.now(UTC) - timedelta(days=7)),
        ),
    )

    assert (
        cli.run("jobs")
        .lines[0]
        .endswith(
            "Z  abalone for userA was begun, and its end is not recorded: see SageMaker's console"
        )
    )


def test_a_run_over_several_objects_says_how_many_they_are_and_where_they_are_listed():
    pattern = "s3://data/UserA/in/2026-11-30/*.csv"
    folder = f"s3://operations/runs/role-userA/{NAME}-a1/"
    run = replace(
        DONE, upload=pattern, input=pattern, inputs=12, folder=folder, machines="1 x ml.m5.xlarge"
    )
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    lines = list(JobDetails(run, [run], [], "eu-west-1", now).lines())

    assert f"input     {pattern}: 12 objects, 191,873 bytes" in lines
    assert f"objects   {folder}inputs.json" in lines
    assert "machines  1 x ml.m5.xlarge" in lines
    assert f"on {pattern} (12 objects), report" in list(format_job(run, now))[1]


def test_a_batch_that_waits_says_since_when_and_when_the_last_object_has_arrived():
    batch = WaitingUpload("s3://data/in/*", 60.0, 120.0, 1, "daily: wait", 90.0, 30.0)
    single = WaitingUpload("s3://data/a.csv", 60.0, 0.0, 0, "daily: wait")

    assert waiting_value(batch)["arrived"] == "1970-01-01T00:01:30Z"
    assert waiting_value(batch)["began"] == "1970-01-01T00:00:30Z"
    assert (waiting_value(single)["arrived"], waiting_value(single)["began"]) == (None, None)
