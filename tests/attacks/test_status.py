"""Somebody switches off what drives Grantor: `grantor status` says so to a reader, and fails."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from grantor.aws.clients import Clients
from grantor.aws.stack_health import StackHealth, read_stack_health
from grantor.cli.status import judge_health
from tests.attacks.conftest import AttackedStack, Session
from tests.grantor_setup import build_session

ReadHealth = Callable[[], StackHealth]


@pytest.fixture
def read_health(attacked: AttackedStack, tmp_path: Path) -> ReadHealth:
    """Reads the health of the stack as somebody with the policy Reader and nothing else."""
    return build_reading(attacked, attacked.create_person("Reader"), tmp_path)


def build_reading(attacked: AttackedStack, person: Session, folder: Path) -> ReadHealth:
    config, clients = folder / "aws-config", Clients()
    config.write_text(f"[default]\nregion = us-east-1\nendpoint_url = {attacked.sandbox.url}\n")
    clients.session = build_session(config, person.keys)
    return lambda: read_stack_health(clients, attacked.stack.name, datetime.now(UTC))


def switch_mapping(attacked: AttackedStack, *, enabled: bool) -> None:
    mapping = attacked.stack.find_physical_id("ReconcileGrantsEventQueue")
    attacked.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=enabled)


def find_wrong(health: StackHealth) -> set[tuple[str, str]]:
    return {(one.kind, one.about) for one in judge_health(health)}


def test_a_reader_reads_all_triggers_queues_and_alarms(read_health: ReadHealth):
    health = read_health()

    assert health.unread == {}
    assert [rule.name for rule in health.rules if rule.is_enabled] == [
        *("DataChanged", "DataUploaded", "GrantsChanged", "JobEnded", "PolicyChanged"),
        *("PolicyWritten", "ProfileChanged", "Schedule"),
    ]
    assert [(one.name, one.is_enabled) for one in health.mappings] == [
        ("ReconcileGrantsEventQueue", True),
        ("StartSparkJobUploadQueue", True),
    ]
    assert [one.name for one in health.queues] == [
        *("EventDLQ", "EventQueue", "UploadDLQ", "UploadQueue")
    ]
    assert len(health.alarms) == 14


def test_whatever_is_switched_off_is_named(attacked: AttackedStack, read_health: ReadHealth):
    events, cloudwatch, sqs = (attacked.client(name) for name in ("events", "cloudwatch", "sqs"))
    schedule, dlq = attacked.stack.find_physical_id("Schedule"), attacked.outputs["EventDLQ"]
    alarm = {"AlarmName": f"{attacked.stack.name}-sweep-overdue", "StateReason": "the test"}
    before = find_wrong(read_health())
    events.disable_rule(Name=schedule)
    switch_mapping(attacked, enabled=False)
    sqs.send_message(QueueUrl=dlq, MessageBody="not an event")
    cloudwatch.set_alarm_state(StateValue="ALARM", **alarm)
    health = read_health()
    events.enable_rule(Name=schedule)
    switch_mapping(attacked, enabled=True)
    sqs.purge_queue(QueueUrl=dlq)
    cloudwatch.set_alarm_state(StateValue="OK", **alarm)

    assert find_wrong(health) - before == {
        ("trigger", "Schedule"),
        ("trigger", "ReconcileGrantsEventQueue"),
        ("dead_letters", "EventDLQ"),
        ("alarm", f"{attacked.stack.name}-sweep-overdue"),
    }
    ages = {one.name: one.oldest_seconds for one in health.queues}
    assert ages["EventDLQ"] is not None
    assert ages["UploadDLQ"] is None
    assert find_wrong(read_health()) == before


def test_what_a_person_may_not_read_is_named_and_counts_as_wrong(
    attacked: AttackedStack, tmp_path: Path
):
    allowed: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "cloudformation:ListStackResources", "Resource": "*"}
        ],
    }
    person = attacked.create_role(old=json.dumps(allowed))
    health = build_reading(attacked, person, tmp_path)()

    assert {"Schedule", "alarms", "EventQueue"} <= health.unread.keys()
    assert {kind for kind, _ in find_wrong(health)} == {"unread"}
