"""The launcher dies at any point. The next invocation finds the claim without a job, the job
without a record, or the outcome that was not reported.
"""

from typing import Any

import pytest

from grantor.settings import JOB_CLAIM_SECONDS
from tests.jobs.launcher import LauncherSetup, job_event, upload_event

DIES = {"kind": "refuse", "code": "AccessDeniedException", "status": 400, "message": "no"}
KEY = "UserA/abalone.csv"


def kill_caller_of(
    launcher: LauncherSetup,
    service: str,
    operation: str,
    after: int = 0,
    kind: dict[str, Any] = DIES,
) -> None:
    """Whoever makes this call dies of it, after so many that go well."""
    launcher.set_faults({"service": service, "operation": operation, "after": after, **kind})


@pytest.mark.parametrize(
    "written", [1, 2], ids=["right after the claim", "between pointer and record"]
)
def test_a_claim_whose_owner_died_before_it_created_the_job_is_taken_over_under_the_same_name(
    launcher: LauncherSetup, written: int
) -> None:
    kill_caller_of(launcher, "dynamodb", "PutItem", after=written)
    event = launcher.upload(KEY)
    assert launcher.deliver(event) == [event]
    launcher.set_faults()
    assert launcher.list_statuses() == {}

    launcher.deliver(event)
    assert (launcher.list_statuses(), launcher.count_sent()) == ({}, 1)
    launcher.deliver(event, jobs=launcher.build_jobs_later(JOB_CLAIM_SECONDS + 1))
    (name,) = launcher.list_running()
    assert [(run.name, run.attempt) for run in launcher.list_runs()] == [(name, 1)]


def test_newer_data_does_not_wait_for_a_claim_of_a_dead_owner(launcher: LauncherSetup) -> None:
    kill_caller_of(launcher, "dynamodb", "PutItem", after=2)
    launcher.deliver(launcher.upload(KEY, b"older"))
    launcher.set_faults()
    launcher.deliver(
        launcher.upload(KEY, b"newer"), jobs=launcher.build_jobs_later(JOB_CLAIM_SECONDS + 1)
    )

    (name,) = launcher.list_running()
    assert launcher.list_runs()[0].name == name
    launcher.deliver(launcher.end_job(name))
    assert (launcher.list_running(), launcher.list_waiting()) == ([], [])


def test_a_job_whose_owner_died_after_creating_it_is_completed_normally(
    launcher: LauncherSetup,
) -> None:
    kill_caller_of(launcher, "dynamodb", "PutItem", after=3)
    event = launcher.upload(KEY)
    assert launcher.deliver(event) == [event]
    launcher.set_faults()
    (name,) = launcher.list_running()

    launcher.deliver(event, event)
    assert launcher.list_running() == [name]
    launcher.deliver(launcher.end_job(name, 0, {"rows": {"in": 3}}))
    assert [run.sentence for run in launcher.list_runs()] == [
        "abalone for userA: 3 rows in, 0 in quarantine"
    ]


def test_a_lost_response_leaves_one_job(launcher: LauncherSetup) -> None:
    launcher.set_faults(
        {"service": "sagemaker", "operation": "CreateProcessingJob", "kind": "lost", "times": 1}
    )
    event = launcher.upload(KEY)
    launcher.deliver(event, jobs=launcher.build_jobs())
    launcher.set_faults()
    launcher.deliver(event)

    assert (len(launcher.list_statuses()), len(launcher.list_runs())) == (1, 1)


@pytest.mark.parametrize(
    ("service", "operation", "after"),
    [
        ("dynamodb", "PutItem", 0),
        ("dynamodb", "PutItem", 2),
        ("sns", "Publish", 0),
        ("s3", "GetObject", 0),
    ],
    ids=[
        "before it was written down",
        "after a person was called",
        "before a person was called",
        "before the summary was read",
    ],
)
def test_a_partly_reported_outcome_is_reported_fully_by_the_next_invocation(
    launcher: LauncherSetup, service: str, operation: str, after: int
) -> None:
    launcher.deliver(launcher.upload(KEY))
    over = launcher.end_job(
        launcher.list_running()[0],
        12,
        {"outcome": "failed", "exit": 12, "sentence": "the file is empty"},
    )
    kill_caller_of(launcher, service, operation, after, DIES | {"code": "InvalidParameter"})
    assert launcher.deliver(over) == [over]
    launcher.set_faults()

    assert launcher.deliver(over) == []
    (run,) = launcher.list_runs()
    assert (run.status, "the file is empty" in run.sentence) == ("Failed", True)
    assert {said for said in launcher.read_alerts() if "the file is empty" in said} == {
        run.sentence
    }


def test_a_completion_event_that_sagemaker_does_not_confirm_yet_is_redelivered(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY))
    (name,) = launcher.list_running()
    early = job_event(name)
    assert launcher.deliver(early) == [early]
    assert launcher.list_runs()[0].status == "InProgress"


def test_a_finished_job_without_an_event_is_found_by_the_next_upload(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY, b"older"))
    (older,) = launcher.list_running()
    launcher.end_job(older)
    launcher.deliver(launcher.upload(KEY, b"newer"))

    (newer,) = launcher.list_running()
    assert [(run.name, run.status) for run in launcher.list_runs()] in (
        [(newer, "InProgress"), (older, "Completed")],
        [(older, "Completed"), (newer, "InProgress")],
    )


def test_a_run_whose_records_are_lost_starts_again_under_a_name_of_its_own(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY))
    (name,) = launcher.list_running()
    launcher.end_job(name)
    table = launcher.setup.client("dynamodb")
    for item in table.scan(TableName="ledger")["Items"]:
        if item["pk"]["S"].startswith("job "):
            table.delete_item(TableName="ledger", Key={"pk": item["pk"], "sk": item["sk"]})

    launcher.deliver(upload_event(KEY), jobs=launcher.build_jobs_later(3600))
    (again,) = launcher.list_running()
    assert again != name
    assert [run.name for run in launcher.list_runs()] == [again]
