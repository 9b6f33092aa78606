"""An upload whose job cannot start yet waits, raises an alert if somebody must act, and starts as
soon as it can.
"""

import json
import textwrap
from typing import Any

import pytest

from grantor.settings import INPUT_QUIET_FIRST_SECONDS, SWEPT_AFTER_SECONDS
from tests.conftest import ACCOUNT
from tests.grantor_setup import ARTICLE_POLICY
from tests.jobs.launcher import (
    JOB,
    LauncherSetup,
    grants_event,
    retry_event,
    schedule_event,
    upload_event,
    write_job_code,
)

KEY = "UserA/abalone.csv"
QUOTA = (
    "The account-level service limit 'ml.m5.xlarge for processing job usage' is 0 Instances, with current utilization of 0 Instances "
    "and a request delta of 2 Instances."
)
LIMITED = {
    "service": "sagemaker",
    "operation": "CreateProcessingJob",
    "kind": "refuse",
    "code": "ResourceLimitExceeded",
    "status": 400,
}


def build_job_policy(role: str) -> str:
    """A job for a role that is no profile's."""
    return f"""\
jobs:
  - name: abalone
    run: abalone
    as: {{role: {role}}}
    on: s3://{{data_bucket}}/Shared/abalone.csv
    output: s3://{{data_bucket}}/Shared/output/
"""


def build_rule(role: str) -> str:
    return f"  - name: shared\n    to: {{role: {role}}}\n    on: s3://{{data_bucket}}/Shared/*\n    allow: READWRITE\n"


def test_nothing_starts_as_a_suspended_profile_and_one_alert_says_why(
    launcher: LauncherSetup,
) -> None:
    entry = {"profile": "Product-Domain/userA", "because": "laptop stolen"}
    launcher.setup.put_policy("s", json.dumps({"version": 1, "suspend": [entry]}))
    launcher.setup.reconcile()
    event = launcher.upload("UserA/abalone.csv")
    for _ in range(2):
        assert launcher.deliver(event) == []

    (said,) = launcher.read_alerts()
    assert "is suspended by policy/s.yaml, line 1: laptop stolen" in said
    assert launcher.list_statuses() == {}


def test_a_missing_grant_raises_one_alert_with_the_rule_that_would_give_it_and_starts_no_job(
    launcher: LauncherSetup,
) -> None:
    role = launcher.setup.create_role("role-etl")
    launcher.setup.put_policy("article", ARTICLE_POLICY + build_job_policy(role))
    event = launcher.upload("Shared/abalone.csv")
    for _ in range(3):
        assert launcher.deliver(event, event) == []

    (said,) = launcher.read_alerts()
    assert "role/role-etl lacks READ on s3://data/Shared/abalone.csv" in said
    proposed = textwrap.dedent(said.partition("\n")[2])
    read, write = (f'"s3://data/Shared/{path}*"\n  allow: ' for path in ("", "output/"))
    assert f"  to: {{role: {role}}}\n  on: {read}READ\n" in proposed
    assert f"  to: {{role: {role}}}\n  on: {write}READWRITE" in proposed
    assert (launcher.list_statuses(), launcher.count_sent(), len(launcher.list_waiting())) == (
        {},
        0,
        1,
    )


def test_data_that_waits_for_a_grant_is_processed_when_the_grant_comes(
    launcher: LauncherSetup,
) -> None:
    role = launcher.setup.create_role("role-etl")
    launcher.setup.put_policy("article", ARTICLE_POLICY + build_job_policy(role))
    launcher.deliver(launcher.upload("Shared/abalone.csv"))
    launcher.setup.put_policy("article", ARTICLE_POLICY + build_rule(role) + build_job_policy(role))
    launcher.setup.reconcile()
    assert launcher.list_statuses() == {}

    launcher.deliver(grants_event())
    assert [run.label for run in launcher.list_runs()] == ["abalone for role-etl"]
    launcher.deliver(launcher.end_job(launcher.list_running()[0]))
    assert launcher.list_waiting() == []


@pytest.mark.parametrize(
    "make_event", [grants_event, schedule_event], ids=["a run of the reconciler", "the clock"]
)
def test_each_of_many_waiting_uploads_has_a_message_of_its_own(
    launcher: LauncherSetup, make_event: Any
) -> None:
    role = launcher.setup.create_role("role-etl")
    launcher.setup.put_policy(
        "article",
        ARTICLE_POLICY
        + "jobs:\n"
        + "".join(
            build_job_policy(role)
            .removeprefix("jobs:\n")
            .replace("Shared", f"S{n}")
            .replace("abalone\n    run", f"a{n}\n    run")
            for n in range(12)
        ),
    )
    launcher.deliver(*(launcher.upload(f"S{n}/abalone.csv") for n in range(12)))
    assert len(launcher.list_waiting()) == 12

    launcher.deliver(make_event())
    assert launcher.count_sent() == 7


def test_the_job_of_a_profile_that_is_seconds_old_waits_for_its_grants_and_starts(
    launcher: LauncherSetup,
) -> None:
    launcher.setup.create_profile("userC")
    event = launcher.upload("UserC/abalone.csv")
    assert launcher.deliver(event, event) == []
    assert (launcher.list_statuses(), launcher.count_sent(), launcher.read_alerts()) == ({}, 1, [])

    launcher.deliver(retry_event("UserC/abalone.csv", 1))
    assert (launcher.list_statuses(), launcher.count_sent()) == ({}, 1)
    launcher.setup.reconcile()
    launcher.deliver(retry_event("UserC/abalone.csv", 2))
    assert [run.label for run in launcher.list_runs()] == ["abalone for userC"]


def test_a_waiting_upload_has_one_message_however_many_events_arrive(
    launcher: LauncherSetup,
) -> None:
    launcher.setup.create_profile("userC")
    event = launcher.upload("UserC/abalone.csv")
    for _ in range(5):
        launcher.deliver(event)
    assert launcher.count_sent() == 1

    launcher.deliver(retry_event("UserC/abalone.csv", 1))
    launcher.deliver(
        retry_event("UserC/abalone.csv", 1), event
    )  # the first of them comes late, and is doubled
    assert launcher.count_sent() == 1


def test_an_upload_that_has_waited_for_a_quarter_of_an_hour_raises_an_alert(
    launcher: LauncherSetup,
) -> None:
    launcher.setup.create_profile("userC")
    launcher.deliver(launcher.upload("UserC/abalone.csv"))
    launcher.deliver(retry_event("UserC/abalone.csv", 1), jobs=launcher.build_jobs_later(1_000))

    (said,) = launcher.read_alerts()
    assert "has waited for 17 minutes" in said
    assert "does not have" in said


def test_a_quota_raises_one_alert_and_the_upload_is_retried_automatically(
    launcher: LauncherSetup,
) -> None:
    launcher.set_faults(LIMITED | {"message": QUOTA})
    event = launcher.upload(KEY)
    assert launcher.deliver(event) == []
    assert launcher.deliver(retry_event(KEY, 1), jobs=launcher.build_jobs()) == []

    (said,) = launcher.read_alerts()
    assert "ml.m5.xlarge for processing job usage" in said
    assert (launcher.count_sent(), launcher.list_runs()) == (2, [])
    launcher.set_faults()
    launcher.deliver(retry_event(KEY, 2))
    assert [run.attempt for run in launcher.list_runs()] == [1]


def test_a_busy_sagemaker_makes_an_upload_wait_and_starts_one_job(launcher: LauncherSetup) -> None:
    launcher.set_faults(
        {
            "service": "sagemaker",
            "operation": "CreateProcessingJob",
            "kind": "refuse",
            "code": "ThrottlingException",
            "status": 400,
            "message": "Rate exceeded",
        }
    )
    event = launcher.upload(KEY)
    assert launcher.deliver(event, jobs=launcher.build_jobs()) == []
    launcher.set_faults()
    assert (launcher.count_sent(), launcher.read_alerts()) == (1, [])

    launcher.deliver(retry_event(KEY, 1), jobs=launcher.build_jobs_later(100))
    assert len(launcher.list_running()) == 1


def test_a_role_that_may_not_be_passed_is_refused_by_the_policys_place_in_its_file(
    launcher: LauncherSetup,
) -> None:
    launcher.roles = frozenset((f"arn:aws:iam::{ACCOUNT}:role/other-*",))
    assert launcher.deliver(launcher.upload(KEY)) == []

    (said,) = launcher.read_alerts()
    assert said.startswith(
        "policy/article.yaml:12:5: job abalone for profile Product-Domain/userA: "
    )
    assert "JobRoles" in said
    assert launcher.list_statuses() == {}


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("iam:PassRole", "may not pass"),
        ("sagemaker:AddTags", "may not tag"),
        ("sagemaker:CreateProcessingJob", "may not start"),
    ],
)
def test_a_permission_that_the_launcher_lacks_is_named(
    launcher: LauncherSetup, action: str, words: str
) -> None:
    message = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/x/y is not authorized to perform: {action} on resource: *"
    launcher.set_faults({**LIMITED, "code": "AccessDeniedException", "message": message})
    launcher.deliver(launcher.upload(KEY))

    (said,) = launcher.read_alerts()
    assert words in said
    assert [one.due for one in launcher.list_waiting()] == [0.0]
    launcher.set_faults()
    launcher.deliver(schedule_event())
    assert len(launcher.list_running()) == 1


def test_a_denied_job_is_retried_when_grants_change_at_most_three_times(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY))
    for _ in range(2):
        launcher.deliver(
            launcher.end_job(
                launcher.list_running()[0],
                10,
                {"outcome": "failed", "exit": 10, "sentence": "denied"},
            )
        )
        launcher.deliver(schedule_event())
        assert launcher.list_running() == []
        launcher.deliver(grants_event())
    launcher.deliver(
        launcher.end_job(launcher.list_running()[0], 10), grants_event(), grants_event()
    )

    assert (launcher.list_running(), sorted(run.attempt for run in launcher.list_runs())) == (
        [],
        [1, 2, 3],
    )
    assert any("given up after 3 attempts" in said for said in launcher.read_alerts())


def test_a_job_with_an_internal_error_is_retried_three_times_and_then_given_up(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY))
    for _ in range(3):
        launcher.deliver(launcher.end_job(launcher.list_running()[0], 20))

    assert (launcher.list_running(), len(launcher.list_runs())) == ([], 3)
    assert launcher.list_waiting() == [], "nothing waits for it"
    assert any("given up after 3 attempts" in said for said in launcher.read_alerts())
    launcher.deliver(launcher.upload(KEY))
    assert len(launcher.list_running()) == 1


@pytest.mark.parametrize(
    ("code", "word"),
    [(11, "input"), (12, "contract"), (13, "quarantine"), (14, "capability")],
    ids=["input", "contract", "quarantine", "capability"],
)
def test_a_job_whose_data_is_bad_waits_for_other_data(
    launcher: LauncherSetup, code: int, word: str
) -> None:
    launcher.deliver(launcher.upload(KEY, b"bad"))
    launcher.deliver(launcher.end_job(launcher.list_running()[0], code))
    launcher.deliver(upload_event(KEY), schedule_event(), grants_event())
    (said,) = launcher.read_alerts()
    assert (launcher.list_running(), word in said) == ([], True)
    assert launcher.list_waiting() == [], "nothing waits for it"

    launcher.deliver(
        launcher.upload(KEY, b"good"), jobs=launcher.build_jobs_later(INPUT_QUIET_FIRST_SECONDS)
    )
    assert len(launcher.list_running()) == 1


def test_data_that_was_replaced_while_its_job_ran_raises_no_alert(launcher: LauncherSetup) -> None:
    launcher.deliver(launcher.upload(KEY, b"first"))
    (first,) = launcher.list_running()
    launcher.upload(KEY, b"second")
    launcher.deliver(
        launcher.end_job(first, 11), jobs=launcher.build_jobs_later(INPUT_QUIET_FIRST_SECONDS)
    )

    assert (len(launcher.list_running()), launcher.read_alerts()) == (1, [])


def test_a_stopped_job_stays_stopped_until_the_data_is_uploaded_again(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY))
    (name,) = launcher.list_running()
    launcher.deliver(launcher.stop_job(name))
    launcher.deliver(upload_event(KEY), schedule_event())
    assert (launcher.list_running(), launcher.list_runs()[0].status) == ([], "Stopped")
    assert any("was stopped" in said for said in launcher.read_alerts())

    launcher.deliver(launcher.upload(KEY))
    assert [run.attempt for run in launcher.list_runs() if run.status == "InProgress"] == [2]


def test_new_code_processes_what_the_old_code_had_failed_on(launcher: LauncherSetup) -> None:
    launcher.deliver(launcher.upload(KEY))
    launcher.deliver(launcher.end_job(launcher.list_running()[0], 12))
    launcher.deliver(schedule_event())
    assert launcher.list_running() == []

    write_job_code(launcher.job_code, "beef" * 8)
    launcher.deliver(schedule_event(), jobs=launcher.build_jobs_later(SWEPT_AFTER_SECONDS))
    assert len(launcher.list_running()) == 1


def test_a_key_that_is_too_long_for_sagemaker_is_reported(launcher: LauncherSetup) -> None:
    folder = "f" * 250
    role = launcher.setup.create_role("role-etl")
    launcher.setup.put_policy(
        "article",
        ARTICLE_POLICY
        + build_rule(role).replace("Shared", folder)
        + build_job_policy(role).replace("Shared", folder),
    )
    launcher.setup.reconcile()
    launcher.deliver(launcher.upload(f"{folder}/abalone.csv"))

    assert launcher.list_statuses() == {}
    assert any("256" in said for said in launcher.read_alerts())


def test_a_missing_input_is_waited_for(launcher: LauncherSetup) -> None:
    job = JOB.replace(
        "abalone.csv\n", "_READY\n    input: s3://{data_bucket}/{profile.folder}/abalone.csv\n"
    )
    launcher.setup.put_policy("article", ARTICLE_POLICY + job)
    launcher.setup.reconcile()
    launcher.deliver(launcher.upload("UserA/_READY", b""))
    (said,) = launcher.read_alerts()
    assert "s3://data/UserA/abalone.csv" in said

    launcher.upload(KEY)
    launcher.deliver(schedule_event())
    assert len(launcher.list_running()) == 1


def test_while_policy_files_cannot_be_read_no_upload_is_lost(launcher: LauncherSetup) -> None:
    event = launcher.upload(KEY)
    launcher.set_faults(
        {
            "service": "s3",
            "operation": "GetObject",
            "kind": "refuse",
            "code": "AccessDenied",
            "status": 403,
            "message": "no",
        }
    )
    assert launcher.deliver(event, jobs=launcher.build_jobs()) == [event]
    launcher.set_faults()

    assert launcher.deliver(event) == []
    assert len(launcher.list_running()) == 1


def test_a_message_that_is_not_an_event_is_redelivered_and_the_others_are_handled(
    launcher: LauncherSetup,
) -> None:
    event: Any = launcher.upload(KEY)
    bad: Any = [1]

    assert launcher.deliver(bad, event) == [bad]
    assert len(launcher.list_running()) == 1


def test_an_upload_stops_waiting_when_its_job_is_removed_from_the_policy(
    launcher: LauncherSetup,
) -> None:
    launcher.setup.create_profile("userC")
    launcher.deliver(launcher.upload("UserC/abalone.csv"))
    launcher.setup.put_policy("article", ARTICLE_POLICY)
    launcher.deliver(schedule_event())

    assert launcher.list_waiting() == []
