"""A sweep finds the uploads that no event has reported, and uploads that missed their name by a few
letters are named.
"""

import json
from collections import Counter

from grantor.aws.job_store import MissedInput
from grantor.settings import MAX_NEAR_MISSES, SWEPT_AFTER_SECONDS
from sandbox.testing.helpers import call_control
from tests.grantor_setup import ARTICLE_POLICY, DATA
from tests.jobs.launcher import JOB, LauncherSetup, schedule_event

KEY = "UserA/abalone.csv"


def sweep(launcher: LauncherSetup, seconds: float = SWEPT_AFTER_SECONDS) -> list[str]:
    """Deliver the schedule's event so many seconds from now; return the jobs that run then."""
    later = launcher.build_jobs_later(seconds)
    assert launcher.deliver(schedule_event(), jobs=later) == []
    return launcher.list_running()


def connect_bucket(launcher: LauncherSetup) -> None:
    """Make the data bucket tell the upload queue of its objects, as the stack does."""
    setup, pattern = launcher.setup, {"source": ["aws.s3"], "detail": {"bucket": {"name": [DATA]}}}
    sqs, events = setup.client("sqs"), setup.client("events")
    arn = sqs.get_queue_attributes(QueueUrl=launcher.uploads, AttributeNames=["QueueArn"])
    target = arn["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": target,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=launcher.uploads, Attributes={"Policy": policy})
    events.put_rule(Name="uploaded", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="uploaded", Targets=[{"Id": "uploads", "Arn": target}])
    setup.client("s3").put_bucket_notification_configuration(
        Bucket=DATA, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def receive_keys(launcher: LauncherSetup, seconds: int) -> list[str]:
    """Return the keys of the uploads that events tell of within so many seconds."""
    sqs = launcher.setup.client("sqs")
    found = sqs.receive_message(
        QueueUrl=launcher.uploads, WaitTimeSeconds=seconds, MaxNumberOfMessages=10
    )
    bodies = [json.loads(message["Body"]) for message in found.get("Messages", ())]
    return [body["detail"]["object"]["key"] for body in bodies]


def test_an_upload_just_after_eventbridge_was_enabled_is_found_by_the_sweep(
    launcher: LauncherSetup,
) -> None:
    launcher.setup.set_switches(event_start_seconds=300)
    connect_bucket(launcher)
    launcher.upload(KEY)
    launcher.setup.set_switches(event_start_seconds=0)
    launcher.upload("UserA/later.csv")
    assert receive_keys(launcher, 5) == ["UserA/later.csv"], "no event has reported the first one"

    assert sweep(launcher, SWEPT_AFTER_SECONDS - 60) == [], "its event may be on its way"
    (name,) = sweep(launcher)
    assert launcher.list_runs()[0].upload == f"s3://{DATA}/{KEY}"
    launcher.deliver(launcher.end_job(name))
    assert sweep(launcher, 3_600) == [], "it is processed"
    launcher.upload(KEY, b"a newer version")
    assert len(sweep(launcher)) == 1


def test_an_upload_that_has_failed_neither_waits_nor_is_started_by_the_sweep(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(launcher.upload(KEY))
    launcher.deliver(launcher.end_job(launcher.list_running()[0], 12))

    assert sweep(launcher) == []
    assert (len(launcher.list_runs()), launcher.list_waiting()) == (1, [])


def test_a_sweep_makes_two_calls_an_input_however_many_objects_there_are(
    launcher: LauncherSetup,
) -> None:
    launcher.upload(KEY)
    for number in range(20):
        launcher.upload(f"UserA/other-{number}.csv")
    sweep(launcher)
    launcher.deliver(launcher.end_job(launcher.list_running()[0]))
    jobs = launcher.build_jobs_later(SWEPT_AFTER_SECONDS)
    before = len(call_control(launcher.setup.sandbox, "calls?record=1"))
    launcher.deliver(schedule_event(), jobs=jobs)

    made = call_control(launcher.setup.sandbox, "calls?record=1")[before:]
    count = Counter(call["operation"] for call in made)
    assert count["ListObjectVersions"] == 2, "the inputs of userA and userB"
    assert count["GetItem"] <= 2, "only userA has uploaded; the other call reads what is accepted"


def test_a_marker_is_found_too_and_starts_its_job_on_another_object(
    launcher: LauncherSetup,
) -> None:
    job = JOB.replace(
        "abalone.csv\n", "_READY\n    input: s3://{data_bucket}/{profile.folder}/abalone.csv\n"
    )
    launcher.setup.put_policy("article", ARTICLE_POLICY + job)
    launcher.setup.reconcile()
    launcher.upload(KEY)
    launcher.upload("UserA/_READY", b"")

    (name,) = sweep(launcher)
    launcher.deliver(launcher.end_job(name))
    assert sweep(launcher) == []


def test_what_waits_is_processed_although_the_inputs_cannot_be_swept(
    launcher: LauncherSetup,
) -> None:
    launcher.setup.create_profile("userC")
    launcher.deliver(launcher.upload("UserC/abalone.csv"))
    launcher.setup.reconcile()
    launcher.set_faults(
        {
            "service": "sagemaker",
            "operation": "ListUserProfiles",
            "kind": "refuse",
            "code": "AccessDeniedException",
            "status": 400,
            "message": "no",
        }
    )

    assert len(sweep(launcher)) == 1
    launcher.set_faults()


NEAR = (
    "UserA/Abalone.csv",
    "UserA/abalone (1).csv",
    "usera/abalone.csv",
    "UserA/abalone.CSV",
    "UserA/abalone .csv",
    "UserA/abalone.csv.gz",
    "UserA//abalone.csv",
    "USERA/abalone.csv",
)
FAR = ("UserA/readme.txt", "UserA/output/train/part-00000", "Archive/abalone.csv", "abalone.csv")


def list_missed(launcher: LauncherSetup) -> dict[str, str]:
    """Return the near misses that are recorded, each with the input that it missed."""
    found = launcher.build_jobs().store.iterate_missed()
    return {upload: missed.nearest for missed in found for upload in missed.uploads}


def test_uploads_that_nearly_have_an_inputs_name_are_recorded_and_others_are_not(
    launcher: LauncherSetup,
) -> None:
    events = [launcher.upload(key) for key in (*NEAR, *FAR)]
    assert launcher.deliver(*events) == []

    expected = {f"s3://{DATA}/{key}": f"s3://{DATA}/{KEY}" for key in NEAR}
    assert list_missed(launcher) == expected
    assert (launcher.list_running(), launcher.list_waiting(), launcher.read_alerts()) == (
        [],
        [],
        [],
    )


def test_a_near_miss_that_is_deleted_is_forgotten_by_the_next_sweep(
    launcher: LauncherSetup,
) -> None:
    launcher.deliver(*(launcher.upload(key) for key in NEAR[:2]))
    launcher.setup.client("s3").delete_object(Bucket=DATA, Key=NEAR[0])
    sweep(launcher)
    assert list(list_missed(launcher)) == [f"s3://{DATA}/{NEAR[1]}"]

    launcher.setup.client("s3").delete_object(Bucket=DATA, Key=NEAR[1])
    sweep(launcher)
    assert list_missed(launcher) == {}


def test_however_many_uploads_miss_an_input_the_newest_few_are_remembered() -> None:
    missed = MissedInput(f"s3://{DATA}/{KEY}", "policy/article.yaml#abalone", {})
    names = [f"s3://{DATA}/UserA/abalone ({number}).csv" for number in range(MAX_NEAR_MISSES + 5)]
    for at, name in enumerate([*names, names[-2]]):
        missed = missed.add(name, float(at))

    assert len(missed.uploads) == MAX_NEAR_MISSES
    assert list(missed.uploads)[:3] == [names[-2], names[-1], names[-3]]


def test_a_near_miss_that_cannot_be_recorded_is_no_reason_to_deliver_its_event_again(
    launcher: LauncherSetup,
) -> None:
    launcher.set_faults(
        {
            "service": "sagemaker",
            "operation": "ListDomains",
            "kind": "refuse",
            "code": "AccessDeniedException",
            "status": 400,
            "message": "no",
        }
    )

    assert launcher.deliver(launcher.upload(NEAR[2])) == []
    launcher.set_faults()
    assert list_missed(launcher) == {}
