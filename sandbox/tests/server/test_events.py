"""Events of S3, Studio and schedules, what a queue's policy admits.

And what the sandbox shows of the rest.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import (
    EventListener,
    ask_control,
    call_control,
    make_listener,
    make_role,
    make_user,
    make_zip,
    unique_name,
    wait_until,
)
from sandbox.testing.running import ACCOUNT, Sandbox
from tests.conftest import ROOT

SOURCES = {"source": ["aws.s3"], "detail-type": ["Object Created", "Object Deleted"]}


@dataclass(frozen=True)
class Shelf:
    """A bucket and, if it notifies EventBridge, a listener for it."""

    sandbox: Sandbox
    bucket: str

    @property
    def s3(self) -> Any:
        return self.sandbox.client("s3")

    def put(self, key: str, body: bytes = b"M,0.35\n") -> dict[str, Any]:
        return dict(self.s3.put_object(Bucket=self.bucket, Key=key, Body=body))

    def listener(self, **more: Any) -> EventListener:
        pattern = {**SOURCES, "detail": {"bucket": {"name": [self.bucket]}}}
        return make_listener(self.sandbox, EventPattern=json.dumps(pattern), **more)


@pytest.fixture
def make_shelf(server: Sandbox) -> Callable[..., Shelf]:
    def make(versioned: bool = True, notifies: bool = True) -> Shelf:
        shelf = Shelf(server, unique_name("shelf"))
        shelf.s3.create_bucket(Bucket=shelf.bucket)
        if versioned:
            shelf.s3.put_bucket_versioning(
                Bucket=shelf.bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        reported = {"EventBridgeConfiguration": {}} if notifies else {}
        shelf.s3.put_bucket_notification_configuration(
            Bucket=shelf.bucket, NotificationConfiguration=reported
        )
        return shelf

    return make


@pytest.fixture
def shelf(make_shelf: Callable[..., Shelf]) -> Shelf:
    return make_shelf()


def seen(sandbox: Sandbox, text: str, targets: int = 1) -> dict[str, Any]:
    """What the sandbox says of the one event that has this text in it.

    Once so many targets were tried.
    """

    def look() -> list[dict[str, Any]]:
        reported = [
            event
            for event in call_control(sandbox, "events")
            if text in json.dumps([event["detail"], event["resources"]])
        ]
        return [
            event for event in reported if len(event["delivered"] + event["undelivered"]) >= targets
        ]

    (event,) = wait_until(look)
    return event


def said(sandbox: Sandbox, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *words, "--port", str(sandbox.port)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


# What an S3 event says.


def test_an_event_names_the_object_as_s3_answered_it(shelf: Shelf):
    listener, put = shelf.listener(), shelf.put("UserA/données 1+1.csv", b"M,0.35\n")

    (event,) = listener.receive_events(1)
    reported = event["detail"]["object"]
    assert reported | {"sequencer": ""} == {
        "key": "UserA/données 1+1.csv", "size": 7, "etag": put["ETag"].strip('"'), "version-id": put["VersionId"], "sequencer": ""
    }  # fmt: skip
    assert event["resources"] == [f"arn:aws:s3:::{shelf.bucket}"]
    assert (event["source"], event["detail-type"], event["account"]) == (
        "aws.s3",
        "Object Created",
        ACCOUNT,
    )
    assert event["detail"]["bucket"] == {"name": shelf.bucket}
    assert (event["detail"]["version"], event["detail"]["event-version"]) == ("0", "1.1")


def test_what_happens_just_after_eventbridge_was_enabled_gets_lost_if_a_switch_says_so(
    make_shelf: Callable[..., Shelf], server: Sandbox
):
    older, shelf = make_shelf(), make_shelf()
    listeners = older.listener(), shelf.listener()
    call_control(server, "faults", "POST", {"switches": {"event_start_seconds": 1}})
    shelf.s3.put_bucket_notification_configuration(
        Bucket=shelf.bucket, NotificationConfiguration={}
    )
    shelf.s3.put_bucket_notification_configuration(
        Bucket=shelf.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    shelf.put("lost.csv")
    time.sleep(1.1)
    shelf.put("kept.csv")
    older.put("kept.csv")
    found = [listener.receive_events(1) for listener in listeners]
    call_control(server, "faults", "POST", {"switches": {"event_start_seconds": 0}})

    assert [[event["detail"]["object"]["key"] for event in some] for some in found] == [
        ["kept.csv"],
        ["kept.csv"],
    ]


def test_an_event_of_a_bucket_without_versions_names_none(make_shelf: Callable[..., Shelf]):
    shelf = make_shelf(versioned=False)
    listener = shelf.listener()
    shelf.put("a.csv")

    assert "version-id" not in listener.receive_events(1)[0]["detail"]["object"]


def test_each_event_has_an_id_and_a_request_id_of_its_own(shelf: Shelf):
    listener = shelf.listener()
    for _ in range(3):
        shelf.put("a.csv")

    events = listener.receive_events(3)
    assert len({event["id"] for event in events}) == 3
    assert len({event["detail"]["request-id"] for event in events}) == 3


def test_the_sequencers_of_a_key_are_in_the_order_of_its_changes(shelf: Shelf):
    listener = shelf.listener()
    versions = [shelf.put("a.csv")["VersionId"] for _ in range(4)]
    versions.append(shelf.s3.delete_object(Bucket=shelf.bucket, Key="a.csv")["VersionId"])

    # Sequencers are compared as text, the shorter one filled up (AWS, "Event message structure"); here all are of one length.
    objects = sorted(
        (event["detail"]["object"] for event in listener.receive_events(5)),
        key=lambda it: it["sequencer"],
    )
    assert [it["version-id"] for it in objects] == versions
    assert {len(it["sequencer"]) for it in objects} == {18}


def copied(shelf: Shelf) -> None:
    shelf.s3.copy_object(
        Bucket=shelf.bucket, Key="a.csv", CopySource={"Bucket": shelf.bucket, "Key": "old.csv"}
    )


def in_parts(shelf: Shelf) -> None:
    where = {"Bucket": shelf.bucket, "Key": "a.csv"}
    upload = shelf.s3.create_multipart_upload(**where)["UploadId"]
    part = shelf.s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    shelf.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda shelf: shelf.put("a.csv"), "PutObject"),
        (copied, "CopyObject"),
        (in_parts, "CompleteMultipartUpload"),
    ],
    ids=["put", "copied", "in parts"],
)
def test_an_event_says_how_the_object_came(shelf: Shelf, make: Callable[[Shelf], Any], reason: str):
    shelf.put("old.csv")
    listener = shelf.listener()
    make(shelf)

    (event,) = listener.receive_events(1)
    assert (event["detail"]["object"]["key"], event["detail"]["reason"]) == ("a.csv", reason)
    assert "version-id" in event["detail"]["object"]


def test_a_deletion_without_a_version_makes_a_marker_and_says_so(shelf: Shelf):
    shelf.put("a.csv")
    listener = shelf.listener()
    marker = shelf.s3.delete_object(Bucket=shelf.bucket, Key="a.csv")["VersionId"]

    detail = listener.receive_events(1)[0]["detail"]
    assert (detail["reason"], detail["deletion-type"]) == ("DeleteObject", "Delete Marker Created")
    assert detail["object"]["version-id"] == marker
    assert detail["object"]["etag"] == "d41d8cd98f00b204e9800998ecf8427e"


def test_a_deletion_of_a_version_is_for_ever_and_has_neither_size_nor_etag(shelf: Shelf):
    version = shelf.put("a.csv")["VersionId"]
    listener = shelf.listener()
    shelf.s3.delete_object(Bucket=shelf.bucket, Key="a.csv", VersionId=version)

    detail = listener.receive_events(1)[0]["detail"]
    assert (detail["reason"], detail["deletion-type"]) == ("DeleteObject", "Permanently Deleted")
    assert detail["object"].keys() == {"key", "version-id", "sequencer"}
    assert detail["object"]["version-id"] == version


def test_a_deletion_in_a_bucket_without_versions_is_for_ever(make_shelf: Callable[..., Shelf]):
    shelf = make_shelf(versioned=False)
    shelf.put("a.csv")
    listener = shelf.listener()
    shelf.s3.delete_object(Bucket=shelf.bucket, Key="a.csv")

    detail = listener.receive_events(1)[0]["detail"]
    assert (detail["deletion-type"], detail["object"].keys()) == (
        "Permanently Deleted",
        {"key", "sequencer"},
    )


def test_a_batch_of_deletions_sends_one_event_per_key(shelf: Shelf):
    for key in "abc":
        shelf.put(key)
    listener = shelf.listener()
    shelf.s3.delete_objects(
        Bucket=shelf.bucket, Delete={"Objects": [{"Key": key} for key in "abc"]}
    )

    events = listener.receive_events(3)
    assert sorted(event["detail"]["object"]["key"] for event in events) == ["a", "b", "c"]
    assert len({event["detail"]["request-id"] for event in events}) == 3


def test_a_bucket_without_eventbridge_sends_no_event(make_shelf: Callable[..., Shelf]):
    quiet, loud = make_shelf(notifies=False), make_shelf()
    both = {"detail": {"bucket": {"name": [quiet.bucket, loud.bucket]}}}
    listener = make_listener(quiet.sandbox, EventPattern=json.dumps(SOURCES | both))
    quiet.put("a.csv")
    loud.put("b.csv")

    assert [event["detail"]["object"]["key"] for event in listener.receive_events(1)] == ["b.csv"]
    assert listener.drain_events() == []


# The samples in events/ are what the product is tried with: they say nothing that the sandbox would not.


def members(value: Any, name: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {f"{name}: {type(value).__name__}"}
    return {line for key, item in value.items() for line in members(item, f"{name}.{key}")}


@pytest.mark.parametrize(
    ("sample", "change"),
    [
        ("policy_changed", lambda shelf: shelf.put("policy/article.yaml")),
        (
            "policy_deleted",
            lambda shelf: shelf.s3.delete_object(Bucket=shelf.bucket, Key="policy/old.yaml"),
        ),
        ("data_uploaded", lambda shelf: shelf.put("UserA/abalone.csv")),
    ],
)
def test_an_event_has_every_member_of_its_sample(
    shelf: Shelf, sample: str, change: Callable[[Shelf], Any]
):
    shelf.put("policy/old.yaml")
    listener = shelf.listener()
    change(shelf)

    assert (
        members(json.loads((ROOT / f"events/{sample}.json").read_text()))
        - members(listener.receive_events(1)[0])
        == set()
    )


# Who may send to a queue.


def test_a_queue_without_a_policy_receives_nothing_and_the_sandbox_reports_it(shelf: Shelf):
    deaf, listener = shelf.listener(let=False), shelf.listener()
    shelf.put("a.csv")

    listener.receive_events(1)
    assert deaf.drain_events() == []
    reported = seen(shelf.sandbox, shelf.bucket, targets=2)
    assert reported["delivered"] == [listener.queue_arn]
    assert reported["undelivered"] == [
        f"{deaf.queue_arn}: its policy does not let events.amazonaws.com send for {deaf.rule_arn}"
    ]


@pytest.mark.parametrize(
    "statement",
    [
        {
            "Condition": {
                "ArnEquals": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/another"}
            }
        },
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Action": "sqs:ReceiveMessage"},
        {"Resource": f"arn:aws:sqs:us-east-1:{ACCOUNT}:another"},
        {"Effect": "Deny"},
    ],
    ids=["another rule", "another service", "another action", "another queue", "denied"],
)
def test_a_policy_that_does_not_mean_the_rule_lets_nothing_in(
    shelf: Shelf, statement: dict[str, Any]
):
    listener = shelf.listener(let=False)
    listener.set_queue_policy(**statement)
    shelf.put("a.csv")

    reported = seen(shelf.sandbox, shelf.bucket)
    assert (len(reported["undelivered"]), reported["delivered"], listener.drain_events()) == (
        1,
        [],
        [],
    )


def test_a_policy_may_name_its_rules_by_a_pattern(shelf: Shelf):
    listener = shelf.listener(let=False)
    listener.set_queue_policy(
        Condition={
            "ArnLike": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/listener-*"}
        }
    )
    shelf.put("a.csv")

    assert len(listener.receive_events(1)) == 1


def test_a_missing_queue_is_reported_too(shelf: Shelf):
    listener = shelf.listener()
    shelf.sandbox.client("sqs").delete_queue(QueueUrl=listener.queue)
    shelf.put("a.csv")

    reported = seen(shelf.sandbox, shelf.bucket)
    assert (reported["delivered"], reported["undelivered"]) == (
        [],
        [f"{listener.queue_arn}: there is no such queue"],
    )


def test_the_events_verb_prints_what_was_not_delivered_and_why(shelf: Shelf):
    deaf = shelf.listener(let=False)
    key = f"{shelf.bucket}.csv"
    shelf.put(key)
    seen(shelf.sandbox, key)

    lines = said(shelf.sandbox, "events").stdout.splitlines()
    at = next(
        n
        for n, line in enumerate(lines)
        if line.endswith(f"aws.s3  Object Created {key}  → 0 target(s)")
    )
    assert (
        abs(datetime.now(UTC) - datetime.fromisoformat(lines[at].split()[0])).total_seconds() < 60
    )
    why = f"its policy does not let events.amazonaws.com send for {deaf.rule_arn}"
    assert lines[at + 1] == f"  NOT DELIVERED to {deaf.queue_arn}: {why}"


def test_a_function_too_must_let_eventbridge_in(shelf: Shelf):
    functions, name = shelf.sandbox.client("lambda"), unique_name("function")
    made = functions.create_function(
        FunctionName=name, Runtime="python3.12", Handler="app.handler", Role=make_role(shelf.sandbox, "lambda.amazonaws.com"),
        Code={"ZipFile": make_zip({"app.py": "def handler(event, context): pass"})},
    )  # fmt: skip
    listener = shelf.listener()
    shelf.sandbox.client("events").put_targets(
        Rule=listener.rule, Targets=[{"Id": "function", "Arn": made["FunctionArn"]}]
    )
    shelf.put("before.csv")

    (why,) = seen(shelf.sandbox, "before.csv", targets=2)["undelivered"]
    assert (
        why
        == f"{made['FunctionArn']}: its policy does not let events.amazonaws.com send for {listener.rule_arn}"
    )
    functions.add_permission(
        FunctionName=name, StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceArn=listener.rule_arn
    )  # fmt: skip
    shelf.put("after.csv")
    assert sorted(seen(shelf.sandbox, "after.csv", targets=2)["delivered"]) == sorted(
        [listener.queue_arn, made["FunctionArn"]]
    )


def test_reset_forgets_the_events(start_sandbox: Callable[..., Sandbox]):
    sandbox = start_sandbox()
    make_listener(sandbox, ScheduleExpression="rate(1 day)")
    said(sandbox, "fire-schedules")
    assert "Scheduled Event" in said(sandbox, "events").stdout

    said(sandbox, "reset")
    assert said(sandbox, "events").stdout == "no event yet\n"


# Rules that rest, and the clock.


def test_a_disabled_rule_sends_nothing_until_it_is_enabled(shelf: Shelf):
    asleep, awake = shelf.listener(State="DISABLED"), shelf.listener()
    shelf.put("a.csv")
    awake.receive_events(1)

    assert asleep.drain_events() == []
    shelf.sandbox.client("events").enable_rule(Name=asleep.rule)
    shelf.put("b.csv")
    assert [event["detail"]["object"]["key"] for event in asleep.receive_events(1)] == ["b.csv"]


@pytest.mark.parametrize("when", ["rate(1 hour)", "cron(0 3 * * ? *)"])
def test_fire_schedules_fires_a_schedule_now(server: Sandbox, when: str):
    listener = make_listener(server, ScheduleExpression=when)

    assert said(server, "fire-schedules", listener.rule).stdout == f"fired {listener.rule}\n"
    (event,) = listener.receive_events(1)
    assert (event["source"], event["detail-type"], event["resources"]) == (
        "aws.events",
        "Scheduled Event",
        [listener.rule_arn],
    )
    assert abs(datetime.now(UTC) - datetime.fromisoformat(event["time"])).total_seconds() < 60
    sample = json.loads((ROOT / "events/schedule_fired.json").read_text())
    assert members(sample) == members(event)
    reported = seen(server, listener.rule_arn)
    assert (reported["time"], reported["delivered"]) == (event["time"], [listener.queue_arn])


def test_fire_schedules_fires_once_and_only_the_rules_named(server: Sandbox):
    fired, other = (
        make_listener(server, ScheduleExpression="rate(1 day)"),
        make_listener(server, ScheduleExpression="rate(1 day)"),
    )
    said(server, "fire-schedules", fired.rule)

    assert len(fired.receive_events(1)) == 1
    assert (fired.drain_events(), other.drain_events()) == ([], [])


def test_fire_schedules_does_not_fire_a_disabled_rule(server: Sandbox):
    listener = make_listener(server, ScheduleExpression="rate(1 day)", State="DISABLED")

    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(
            ask_control(server, f"/_sandbox/fire-schedules?rule={listener.rule}")
        )
    assert f"no enabled schedule rule is named {listener.rule}" in json.load(refused.value)["error"]
    assert listener.drain_events() == []


@pytest.mark.parametrize(
    ("sources", "allowed"),
    [(["mine"], True), (["theirs"], False), (["mine", "mine"], True), (["mine", "theirs"], False)],
    ids=["its own", "another's", "its own twice", "another's among them"],
)
def test_a_role_may_be_bound_to_the_source_of_its_events(
    server: Sandbox, sources: list[str], allowed: bool
) -> None:
    bound = {
        "Action": "events:PutEvents",
        "Resource": "*",
        "Condition": {"ForAllValues:StringEquals": {"events:source": "mine"}},
    }
    _, keys = make_user(server, bound)
    events = server.client("events", keys)
    entries = [{"Source": source, "DetailType": "Something", "Detail": "{}"} for source in sources]

    with nullcontext() if allowed else pytest.raises(ClientError, match="AccessDenied"):
        events.put_events(Entries=entries)
