"""A batch: the files that arrive together are one run, over what is there when uploads pause."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from typing import Any

import pytest

from grantor.settings import MAX_BATCH_OBJECTS, MAX_BATCH_TIME
from tests.grantor_setup import ARTICLE_POLICY, DATA
from tests.jobs.launcher import (
    OPERATIONS,
    LauncherSetup,
    retry_event,
    schedule_event,
    set_up_launcher,
    upload_event,
)

JOBS = """\
jobs:
  - name: daily
    run: abalone
    as: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/in/{day}/*.csv
    quiet: 30s
    output: s3://{data_bucket}/{profile.folder}/out/{day}/
    instances: auto
"""
SUMMARY = {"outcome": "done", "rows": {"in": 3, "train": 3, "validation": 0, "quarantine": 0}}
MONDAY = "UserA/in/2026-11-30/*.csv"
QUIET = 30.0


@pytest.fixture
def batches(jobs_sandbox: Any, tmp_path: Path) -> LauncherSetup:
    return set_up_launcher(jobs_sandbox, tmp_path, ARTICLE_POLICY + JOBS)


def arrive(launcher: LauncherSetup, key: str, body: bytes = b"M,0.455") -> dict[str, Any]:
    """Upload an object; return its event, with the time of now."""
    event = launcher.upload(key, body)
    return {**event, "time": datetime.now(UTC).isoformat()}


def deliver_later(launcher: LauncherSetup, seconds: float, *events: dict[str, Any]) -> None:
    assert launcher.deliver(*events, jobs=launcher.build_jobs_later(seconds)) == []


def read_inputs(launcher: LauncherSetup, name: str) -> dict[str, Any]:
    """The list of inputs that the request of a processing job names."""
    words = read_words(launcher, name)
    key = words[words.index("--inputs") + 1].removeprefix(f"s3://{OPERATIONS}/")
    answer = launcher.setup.client("s3").get_object(Bucket=OPERATIONS, Key=key)
    return dict(json.loads(answer["Body"].read()))


def read_words(launcher: LauncherSetup, name: str) -> list[str]:
    described = launcher.setup.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    return list(described["AppSpecification"]["ContainerArguments"])


def test_the_files_of_a_day_are_one_run_once_nothing_has_arrived_for_a_while(
    batches: LauncherSetup,
) -> None:
    events = [arrive(batches, f"UserA/in/2026-11-30/{part}.csv") for part in "abc"]
    assert batches.deliver(*events) == []
    assert batches.list_running() == []
    (waiting,) = batches.list_waiting()
    assert waiting.upload == f"s3://{DATA}/{MONDAY}"

    deliver_later(batches, QUIET + 1, retry_event(MONDAY, 1))

    (name,) = batches.list_running()
    listed = read_inputs(batches, name)
    assert listed["pattern"] == f"s3://{DATA}/{MONDAY}"
    assert [one["key"][-5:] for one in listed["inputs"]] == ["a.csv", "b.csv", "c.csv"]
    assert all(one["etag"] and one["version"] and one["size"] == 7 for one in listed["inputs"])
    (run,) = batches.list_runs()
    assert (run.inputs, run.size, run.machines) == (3, 21, "1 x ml.m5.xlarge")
    assert (run.input, run.output) == (
        f"s3://{DATA}/{MONDAY}",
        f"s3://{DATA}/UserA/out/2026-11-30/",
    )
    words = read_words(batches, name)
    assert words[words.index("--s3_input_key_prefix") + 1] == MONDAY
    assert "--input_etag" not in words


def test_each_day_and_each_profile_is_a_batch_of_its_own(batches: LauncherSetup) -> None:
    keys = ["UserA/in/1/a.csv", "UserA/in/2/a.csv", "UserB/in/1/a.csv", "UserA/in/1/x/a.csv"]
    batches.deliver(*(arrive(batches, key) for key in keys))

    assert {one.upload for one in batches.list_waiting()} == {
        f"s3://{DATA}/{folder}/in/{day}/*.csv"
        for folder, day in (("UserA", 1), ("UserA", 2), ("UserB", 1))
    }


def test_an_upload_during_the_pause_begins_it_again(batches: LauncherSetup) -> None:
    batches.deliver(arrive(batches, "UserA/in/2026-11-30/a.csv"))
    later = upload_event("UserA/in/2026-11-30/a.csv") | {
        "time": datetime.fromtimestamp(time.time() + 20, UTC).isoformat()
    }
    deliver_later(batches, 20, later)

    deliver_later(batches, QUIET + 1, retry_event(MONDAY, 1))
    assert batches.list_running() == []
    deliver_later(batches, 20 + QUIET + 1, retry_event(MONDAY, 2))
    assert len(batches.list_running()) == 1


def test_the_list_of_s3_counts_too_if_an_event_has_been_lost(batches: LauncherSetup) -> None:
    event = arrive(batches, "UserA/in/2026-11-30/a.csv")
    batches.deliver(event | {"time": "2026-11-24T09:00:00Z"})

    assert batches.list_running() == []
    (waiting,) = batches.list_waiting()
    assert waiting.arrived > time.time() - 60


def test_the_same_files_again_are_the_same_run_and_a_replaced_one_makes_another(
    batches: LauncherSetup,
) -> None:
    event = arrive(batches, "UserA/in/2026-11-30/a.csv")
    batches.deliver(event)
    deliver_later(batches, QUIET + 1, retry_event(MONDAY, 1))
    (first,) = batches.list_running()
    deliver_later(batches, QUIET + 2, batches.end_job(first, 0, SUMMARY))
    batches.deliver(event, arrive(batches, "UserA/in/2026-11-30/a.csv"))
    deliver_later(batches, 2 * QUIET, retry_event(MONDAY, 1))
    assert batches.list_running() == []
    assert batches.list_waiting() == []

    batches.deliver(arrive(batches, "UserA/in/2026-11-30/a.csv", b"F,0.530"))
    deliver_later(batches, 2 * QUIET, retry_event(MONDAY, 1))

    (second,) = batches.list_running()
    etags = [read_inputs(batches, name)["inputs"][0]["etag"] for name in (first, second)]
    assert etags[0] != etags[1]


def test_a_file_that_is_replaced_while_the_job_runs_supersedes_the_run(
    batches: LauncherSetup,
) -> None:
    batches.deliver(arrive(batches, "UserA/in/2026-11-30/a.csv"))
    deliver_later(batches, QUIET + 1, retry_event(MONDAY, 1))
    (first,) = batches.list_running()
    batches.deliver(arrive(batches, "UserA/in/2026-11-30/a.csv", b"F,0.530"))
    deliver_later(batches, QUIET + 2, batches.end_job(first, 11))
    deliver_later(batches, 4 * QUIET, retry_event(MONDAY, 1))

    newest, oldest = batches.list_runs()
    assert (oldest.cause, newest.status) == ("input missing or changed", "InProgress")
    assert newest.run != oldest.run
    assert batches.read_alerts() == []


def test_a_glob_that_matches_ten_thousand_files_starts_nothing_and_says_what_to_do(
    batches: LauncherSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches.deliver(arrive(batches, "UserA/in/2026-11-30/a.csv"))
    jobs = batches.build_jobs_later(QUIET + 1)
    one = jobs.uploads.list_matching(f"s3://{DATA}/{MONDAY}")[0]
    many = [
        one.__class__(f"s3://{DATA}/UserA/in/2026-11-30/{n}.csv", "e", 1) for n in range(10_000)
    ]
    jobs.__dict__["uploads"] = ManyUploads(many)

    assert batches.deliver(retry_event(MONDAY, 1), jobs=jobs) == []

    assert batches.list_running() == []
    (waiting,) = batches.list_waiting()
    assert waiting.why.startswith(
        f"policy/article.yaml#daily starts no run: 10,000 objects match s3://{DATA}/{MONDAY}, and one run is over at most 1,000"
    )
    (alert,) = batches.read_alerts()
    assert "write a capture such as {day}" in alert


class ManyUploads:
    """The uploads of a bucket with very many objects, which are not really put."""

    def __init__(self, objects: list[Any]) -> None:
        self.objects = objects

    def list_matching(self, _pattern: str) -> list[Any]:
        return self.objects

    def read_batch(self, pattern: str) -> Any:
        from grantor.core.jobs.batches import build_batch

        return build_batch(pattern, self.objects)


def test_a_batch_that_never_ends_starts_nothing_and_alerts_once(batches: LauncherSetup) -> None:
    batches.deliver(arrive(batches, "UserA/in/2026-11-30/a.csv"))
    for minutes in range(1, 64):
        now = time.time() + 60 * minutes
        moment = datetime.fromtimestamp(now - 5, UTC).isoformat()
        event = upload_event("UserA/in/2026-11-30/a.csv") | {"time": moment}
        deliver_later(batches, 60 * minutes, event)

    assert batches.list_running() == []
    (waiting,) = batches.list_waiting()
    assert "objects have arrived for more than 1 hour without a pause of 30 seconds" in waiting.why
    (alert,) = batches.read_alerts()
    assert "write a shorter quiet" in alert
    assert MAX_BATCH_TIME.total_seconds() == 3600

    deliver_later(batches, 60 * 63 + QUIET + 1, retry_event(MONDAY, waiting.attempt))
    assert len(batches.list_running()) == 1


def test_a_thousand_uploads_cost_few_calls_and_one_run(
    batches: LauncherSetup, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs, setup = batches.build_jobs(), batches.setup
    events = [arrive(batches, f"UserA/in/2026-11-30/{n:04}.csv") for n in range(MAX_BATCH_OBJECTS)]
    setup.reset_call_counts()
    for some in batched(events, 100):  # BatchSize of the function
        now = {"time": datetime.now(UTC).isoformat()}  # however long the uploads took here
        assert batches.deliver(*(event | now for event in some), jobs=jobs) == []
    during = {name: setup.count_calls(name) for name in ("s3", "sqs", "dynamodb", "sagemaker")}
    setup.reset_call_counts()
    deliver_later(batches, QUIET + 120, retry_event(MONDAY, 1))
    after = {name: setup.count_calls(name) for name in ("s3", "sqs", "dynamodb", "sagemaker")}

    (name,) = batches.list_running()
    assert len(read_inputs(batches, name)["inputs"]) == MAX_BATCH_OBJECTS
    with capsys.disabled():
        print(f"\n1,000 uploads in 10 invocations: {during}; the start: {after}")
    assert sum(during["sqs"].values()) == 1
    assert "ListObjectVersions" not in during["s3"]
    assert sum(map(sum_calls, during.values())) <= 60
    assert after["s3"]["ListObjectVersions"] == 1


def sum_calls(calls: dict[str, int]) -> int:
    return sum(calls.values())


def test_a_batch_that_a_schedule_finds_too_early_gets_a_message_of_its_own(
    batches: LauncherSetup,
) -> None:
    batches.deliver(arrive(batches, "UserA/in/2026-11-30/a.csv"))
    (waiting,) = batches.list_waiting()
    batches.count_sent()  # and lost
    moment = datetime.fromtimestamp(time.time() + 120, UTC).isoformat()
    late = upload_event("UserA/in/2026-11-30/a.csv") | {"time": moment}
    deliver_later(batches, 120, late)
    assert batches.count_sent() == 1

    batches.build_jobs().store.record_waiting(replace(waiting, arrived=time.time() + 120, due=0.0))
    deliver_later(batches, 121, schedule_event())
    assert batches.count_sent() == 1


def test_a_sweep_finds_a_batch_that_no_event_has_reported(batches: LauncherSetup) -> None:
    batches.upload("UserA/in/2026-11-30/a.csv")
    batches.upload("UserB/in/2026-11-30/a.csv")
    batches.upload("UserB/else/a.csv")
    deliver_later(batches, 60, schedule_event())
    assert batches.list_running() == []

    deliver_later(batches, 180, schedule_event())
    assert len(batches.list_running()) == 2
    deliver_later(batches, 360, schedule_event())
    assert len(batches.list_running()) == 2


def test_a_batch_whose_role_may_not_read_its_folder_waits_and_says_which_rule_it_needs(
    jobs_sandbox: Any, tmp_path: Path
) -> None:
    launcher = set_up_launcher(jobs_sandbox, tmp_path, "version: 1\n" + JOBS)
    launcher.deliver(arrive(launcher, "UserA/in/2026-11-30/a.csv"))
    deliver_later(launcher, QUIET + 1, retry_event(MONDAY, 1))

    assert launcher.list_running() == []
    (alert,) = launcher.read_alerts()
    assert f"lacks READ on s3://{DATA}/UserA/in/2026-11-30/*" in alert
