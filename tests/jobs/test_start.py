"""New data starts its job once. Events that are duplicated, late or out of order start nothing
twice and lose nothing.
"""

import pytest

from grantor.jobs.handler import handle
from tests.grantor_setup import ARTICLE_POLICY, DATA
from tests.jobs.launcher import (
    JOB,
    OPERATIONS,
    LauncherSetup,
    job_event,
    schedule_event,
    upload_event,
)

SUMMARY = {
    "outcome": "done",
    "rows": {"in": 4177, "train": 3339, "validation": 836, "quarantine": 2},
    "quarantine": {"range": 2},
}


def test_an_upload_starts_one_job_as_its_owner_and_its_request_has_only_the_operations_bucket(
    launcher: LauncherSetup,
) -> None:
    assert launcher.deliver(launcher.upload("UserA/abalone.csv")) == []

    (name,) = launcher.list_running()
    request = launcher.setup.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    uris = [one["S3Input"]["S3Uri"] for one in request["ProcessingInputs"]]
    assert request["RoleArn"] == launcher.setup.create_role("role-userA")
    assert all(uri.startswith(f"s3://{OPERATIONS}/code/c0dec0de") for uri in uris)
    assert launcher.read_alerts() == []


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            upload_event("elsewhere/abalone.csv"),
            f"s3://{DATA}/elsewhere/abalone.csv: no job in the policy files in force is for it",
        ),
        (schedule_event(), "all waiting uploads and all inputs: nothing to do"),
        (job_event("another-job"), "no job: nothing to do"),
    ],
    ids=["an upload of no job", "the clock", "somebody else's job"],
)
def test_an_invocation_by_hand_without_a_result_says_so(
    launcher: LauncherSetup, event: dict, said: str
) -> None:
    assert handle(launcher.build_jobs(), event, None) == {"results": [said]}


def test_the_jobs_code_and_its_configuration_stand_where_the_request_says(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload("UserA/abalone.csv"))

    listed = launcher.setup.client("s3").list_objects_v2(Bucket=OPERATIONS, Prefix="code/")[
        "Contents"
    ]
    code = "code/" + "c0de" * 8
    assert [one["Key"] for one in listed] == [
        f"{code}/conf/{DATA}/configuration.json",
        f"{code}/preprocess.py",
        f"{code}/py-files/framework.zip",
    ]
    body = (
        launcher.setup.client("s3")
        .get_object(Bucket=OPERATIONS, Key=f"{code}/conf/{DATA}/configuration.json")["Body"]
        .read()
    )
    assert b'"bucket.data.on"' in body


def test_each_owner_gets_a_job_of_their_own(launcher: LauncherSetup) -> None:
    launcher.deliver(launcher.upload("UserA/abalone.csv"), launcher.upload("UserB/abalone.csv"))

    assert {run.label for run in launcher.list_runs()} == {"abalone for userA", "abalone for userB"}
    assert len(launcher.list_running()) == 2


@pytest.mark.parametrize(
    "key",
    ["UserA/else.csv", "UserA/output/train/part-00000", "Product/abalone.csv", "UserC/abalone.csv"],
)
def test_an_upload_that_no_job_waits_for_starts_none_and_is_not_recorded(
    launcher: LauncherSetup, key: str
) -> None:
    assert launcher.deliver(launcher.upload(key)) == []

    assert (launcher.list_statuses(), launcher.list_runs(), launcher.list_waiting()) == ({}, [], [])


def test_doubled_events_start_one_job_in_one_batch_or_in_many(launcher: LauncherSetup) -> None:
    event = launcher.upload("UserA/abalone.csv")
    for _ in range(3):
        assert launcher.deliver(event, event) == []

    assert len(launcher.list_statuses()) == len(launcher.list_runs()) == 1


def test_the_same_content_put_again_starts_nothing_while_its_run_goes_on_nor_after_it(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload("UserA/abalone.csv"))
    (name,) = launcher.list_running()
    launcher.deliver(launcher.upload("UserA/abalone.csv"))
    launcher.deliver(launcher.end_job(name, 0, SUMMARY))
    launcher.deliver(launcher.upload("UserA/abalone.csv"))

    assert list(launcher.list_statuses().values()) == ["Completed"]


def test_the_outcome_of_a_run_is_recorded_and_reported(launcher: LauncherSetup) -> None:
    launcher.deliver(launcher.upload("UserA/abalone.csv"))
    launcher.deliver(launcher.end_job(launcher.list_running()[0], 0, SUMMARY))

    (run,) = launcher.list_runs()
    assert (run.status, run.sentence) == (
        "Completed",
        "abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)",
    )
    assert (dict(run.rows)["train"], run.input, run.attempt) == (
        3339,
        "s3://data/UserA/abalone.csv",
        1,
    )
    assert (launcher.read_alerts(), launcher.list_waiting()) == ([], [])


def test_an_event_of_a_run_that_was_settled_long_ago_changes_nothing(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload("UserA/abalone.csv"))
    over = launcher.end_job(launcher.list_running()[0], 12)
    launcher.deliver(over)
    before, _ = launcher.list_runs(), launcher.read_alerts()
    launcher.deliver(over, over, upload_event("UserA/abalone.csv"))

    assert launcher.list_runs() == before
    assert (launcher.list_running(), launcher.read_alerts()) == ([], [])


def test_of_a_thousand_uploads_of_one_key_while_a_job_runs_the_last_is_processed_when_it_ends(
    launcher: LauncherSetup,
) -> None:
    jobs = launcher.build_jobs()
    launcher.deliver(launcher.upload("UserA/abalone.csv", b"first"), jobs=jobs)
    (first,) = launcher.list_running()
    events = [upload_event("UserA/abalone.csv") for _ in range(1_000)]
    launcher.upload("UserA/abalone.csv", b"last")
    for at in range(0, 1_000, 100):
        assert launcher.deliver(*events[at : at + 100], jobs=jobs) == []

    assert launcher.list_running() == [first]
    launcher.deliver(launcher.end_job(first))
    (second,) = launcher.list_running()
    launcher.deliver(launcher.end_job(second))
    assert (launcher.list_running(), len(launcher.list_runs()), len(launcher.list_statuses())) == (
        [],
        2,
        2,
    )


def test_content_that_comes_back_is_processed_again_so_that_the_output_follows_it(
    launcher: LauncherSetup,
) -> None:
    for body in (b"one", b"two", b"one"):
        launcher.deliver(launcher.upload("UserA/abalone.csv", body))
        launcher.deliver(launcher.end_job(launcher.list_running()[0]))

    assert [run.attempt for run in launcher.list_runs()] in ([2, 1, 1], [2, 1, 1][::-1])
    assert sorted(launcher.list_statuses().values()) == ["Completed"] * 3


def test_reordered_events_end_in_the_latest_state(launcher: LauncherSetup) -> None:
    first = launcher.upload("UserA/abalone.csv", b"one")
    second = launcher.upload("UserA/abalone.csv", b"two")
    launcher.deliver(second)
    (name,) = launcher.list_running()
    launcher.deliver(first)
    launcher.deliver(launcher.end_job(name))
    launcher.deliver(first, second)

    assert len(launcher.list_statuses()) == 1


@pytest.mark.parametrize(
    "folder",
    ["user a", "100%", "a+b", "a%20b"],
    ids=["a space", "a percent sign", "a plus", "looks encoded"],
)
def test_a_key_is_passed_to_the_job_unchanged(launcher: LauncherSetup, folder: str) -> None:
    role = launcher.setup.create_profile("odd")
    job = JOB.replace("{profile.folder}", folder).replace(
        "{each_profile: {domain: Product-Domain}}", f"{{role: {role}}}"
    )
    job = (
        job.replace("on: s3", 'on: "s3')
        .replace(".csv\n", '.csv"\n')
        .replace("output: s3", 'output: "s3')
        .replace("output/\n", 'output/"\n')
    )
    rule = f'  - name: odd\n    to: {{role: {role}}}\n    on: "s3://{{data_bucket}}/{folder}/*"\n    allow: READWRITE\n'
    launcher.setup.put_policy("article", ARTICLE_POLICY + rule + job)
    launcher.setup.reconcile()

    launcher.deliver(launcher.upload(f"{folder}/abalone.csv"))
    (name,) = launcher.list_running()
    request = launcher.setup.client("sagemaker").describe_processing_job(ProcessingJobName=name)[
        "AppSpecification"
    ]["ContainerArguments"]
    assert request[request.index("--s3_input_key_prefix") + 1] == f"{folder}/abalone.csv"


def test_data_that_was_deleted_before_its_event_was_handled_starts_nothing(
    launcher: LauncherSetup,
) -> None:
    event = launcher.upload("UserA/abalone.csv")
    launcher.setup.client("s3").delete_object(Bucket=DATA, Key="UserA/abalone.csv")

    assert launcher.deliver(event) == []
    assert (launcher.list_statuses(), launcher.list_waiting()) == ({}, [])


def test_after_the_deletion_of_a_version_the_one_before_it_is_processed(
    launcher: LauncherSetup,
) -> None:
    s3 = launcher.setup.client("s3")
    older = s3.put_object(Bucket=DATA, Key="UserA/abalone.csv", Body=b"older")["VersionId"]
    newer = s3.put_object(Bucket=DATA, Key="UserA/abalone.csv", Body=b"newer")["VersionId"]
    s3.delete_object(Bucket=DATA, Key="UserA/abalone.csv", VersionId=newer)
    launcher.deliver(upload_event("UserA/abalone.csv"))

    assert [run.version for run in launcher.list_runs()] == [older]


def test_a_processing_job_that_grantor_did_not_start_is_ignored(launcher: LauncherSetup) -> None:
    name = "grantor-abalone-0123456789abcdef0123-a1"
    launcher.run_script(name, "exit 1")

    assert launcher.deliver(job_event(name), job_event("my-own-job")) == []
    assert (launcher.list_runs(), launcher.read_alerts()) == ([], [])
