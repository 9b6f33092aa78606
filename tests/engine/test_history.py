"""The history of grants says what the service held at any moment, whatever has happened to runs and
to the ledger.

CASES=1000 asks about as many moments of a longer history.
"""

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.aws.history_store import CHECKPOINTS, EVENTS, HistoryStore, NoHistory
from grantor.core.access.grant_history import (
    EventKind,
    GrantEvent,
    HistoryUnreadable,
    fold_events,
)
from grantor.core.triggers import PolicyWrite, Trigger
from grantor.reconcile.record_history import record_writes
from sandbox.testing.helpers import call_control
from tests.engine.helpers import (
    assert_run_changes_nothing,
    build_fault,
    build_rules,
    build_services_ahead,
    expected_grants,
    injected_faults,
)
from tests.engine.random_history import RandomHistory
from tests.grantor_setup import OPERATIONS, GrantorSetup

CASES = int(os.environ.get("CASES", "40"))
DAY = 86_400.0


@pytest.mark.timeout(3_600)
def test_at_any_moment_of_a_random_history_the_answer_is_what_the_service_held(
    setup: GrantorSetup,
) -> None:
    history = RandomHistory(setup, Random(15))
    history.take_steps(max(10, CASES // 12))
    store = history.services().history

    wrong = [
        (time, found, held)
        for time in history.choose_moments(CASES)
        if (found := read_held(store, time)) != (held := history.find_held(time))
    ]

    assert wrong == []
    assert len(history.kinds) >= 4, history.kinds


def read_held(store: HistoryStore, time: datetime) -> frozenset[Any]:
    held = fold_events(store.read_state(time), time).values()
    return frozenset((one.id, one.grant) for one in held)


def read_kinds(setup: GrantorSetup) -> Counter[str]:
    """How many events of each kind the history has."""
    return Counter(str(event.kind) for event in read_events(setup))


def read_events(setup: GrantorSetup) -> list[GrantEvent]:
    return setup.build_services().history.read_events(datetime(2020, 1, 1, tzinfo=UTC))


def list_keys(setup: GrantorSetup, prefix: str) -> list[str]:
    found = setup.client("s3").list_objects_v2(Bucket=OPERATIONS, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


def count_puts(setup: GrantorSetup) -> int:
    return setup.count_calls("s3").get("PutObject", 0)


def put_rules(setup: GrantorSetup, count: int) -> None:
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(count))


def test_a_run_with_changes_writes_one_object_for_each_25_and_one_without_changes_none(
    setup: GrantorSetup,
) -> None:
    setup.reconcile()
    put_rules(setup, 30)
    setup.reset_call_counts()
    setup.reconcile()

    assert (count_puts(setup), read_kinds(setup)) == (2, {"made": 30})
    setup.reset_call_counts()
    assert_run_changes_nothing(setup)
    assert count_puts(setup) == 0


def test_an_event_names_the_rule_the_version_of_its_file_and_the_run(setup: GrantorSetup) -> None:
    put_rules(setup, 1)
    report = setup.reconcile()
    (made,) = read_events(setup)

    (reason,) = made.reasons
    assert (made.kind, made.run, reason.rule) == (
        EventKind.MADE, report.run_id, "policy/many.yaml#r00",
    )  # fmt: skip
    assert made.versions == {"policy/many.yaml": report.accepted["policy/many.yaml"]}
    assert {made.grant: made.grant_id} == setup.list_grants()


def test_the_first_sweep_of_a_newer_version_begins_the_history_with_what_is_held(
    setup: GrantorSetup,
) -> None:
    """As after an upgrade: the ledger has grants, and there is no history yet."""
    put_rules(setup, 3)
    setup.reconcile()
    forget_history(setup)
    setup.reconcile()

    now = datetime.now(UTC)
    held = fold_events(setup.build_services().history.read_state(now), now).values()
    assert {one.grant for one in held} == setup.list_grants().keys()
    assert all(one.since and one.since <= now for one in held)
    with pytest.raises(NoHistory, match="the history begins at"):
        setup.build_services().history.read_state(now - timedelta(days=1))


def forget_history(setup: GrantorSetup) -> None:
    s3 = setup.client("s3")
    for key in list_keys(setup, "history/"):
        s3.delete_object(Bucket=OPERATIONS, Key=key)
    setup.client("dynamodb").delete_item(
        TableName=setup.names.ledger_table, Key={"pk": {"S": "meta"}, "sk": {"S": "history"}}
    )


def test_a_revocation_says_why(setup: GrantorSetup) -> None:
    put_rules(setup, 2)
    setup.reconcile()
    text = build_rules(2).replace("allow: READ", "allow: READ\n    until: 2099-12-31")
    setup.put_policy("many", text.replace("  - name: r00", "  - name: other"))
    setup.reconcile()
    in_2100 = datetime(2100, 1, 1, tzinfo=UTC).timestamp() - datetime.now(UTC).timestamp()
    setup.reconcile(services=build_services_ahead(setup, in_2100))

    events = setup.build_services().history.read_events(datetime(2020, 1, 1, tzinfo=UTC))
    assert Counter(event.kind for event in events)[EventKind.CHANGED] == 2
    revoked = {event.why for event in events if event.kind is EventKind.REVOKED}
    assert revoked == {"its reasons have ended"}


def test_grants_of_others_are_found_and_their_end_is_noticed(setup: GrantorSetup) -> None:
    setup.reconcile()
    grant_id = setup.create_unmanaged_grant("x/*", setup.create_role("ana"))
    setup.reconcile()
    setup.client("s3control").delete_access_grant(AccountId="000000000000", AccessGrantId=grant_id)
    setup.reconcile()

    kinds = [(str(event.kind), event.grant_id) for event in read_events(setup)]
    assert kinds == [("found", grant_id), ("gone", grant_id)]


def test_a_checkpoint_follows_a_day_with_changes_and_no_day_without(setup: GrantorSetup) -> None:
    setup.reconcile()
    put_rules(setup, 2)
    setup.reconcile()
    assert len(list_keys(setup, CHECKPOINTS)) == 1
    setup.reconcile(services=build_services_ahead(setup, 1.1 * DAY))
    assert len(list_keys(setup, CHECKPOINTS)) == 2
    setup.reconcile(services=build_services_ahead(setup, 5 * DAY))
    assert len(list_keys(setup, CHECKPOINTS)) == 2


def test_while_s3_refuses_the_history_grants_change_and_the_next_run_records_them(
    setup: GrantorSetup,
) -> None:
    setup.reconcile()
    put_rules(setup, 3)
    refused = build_fault(
        "s3/PutObject", "refuse", code="AccessDenied", status=403, message="not now"
    )
    with injected_faults(setup, refused), pytest.raises(ClientError, match="AccessDenied"):
        setup.reconcile()

    assert setup.describe_grants() == expected_grants(3)
    states = {str(entry.state) for entry in setup.read_ledger().values()}
    assert (states, read_kinds(setup)) == ({"intended"}, {})
    setup.reconcile()
    assert read_kinds(setup) == {"made": 3}
    assert not any(event.is_exact for event in read_events(setup))
    assert_run_changes_nothing(setup)


def test_a_grant_whose_reasons_change_before_its_record_is_repaired_was_made_first(
    setup: GrantorSetup,
) -> None:
    setup.reconcile()
    put_rules(setup, 1)
    refused = build_fault(
        "s3/PutObject", "refuse", code="AccessDenied", status=403, message="not now"
    )
    with injected_faults(setup, refused), pytest.raises(ClientError, match="AccessDenied"):
        setup.reconcile()
    setup.put_policy("many", build_rules(1).replace("name: r00", "name: renamed"))
    setup.reconcile()

    made, changed = read_events(setup)
    assert (made.kind, changed.kind) == (EventKind.MADE, EventKind.CHANGED)
    assert made.grant_id == changed.grant_id
    assert_run_changes_nothing(setup)


def test_nothing_is_written_to_s3_before_the_first_grant_is_made(setup: GrantorSetup) -> None:
    setup.reconcile()
    put_rules(setup, 2)
    setup.reset_call_counts()
    setup.reconcile()

    made = [call["operation"] for call in call_control(setup.sandbox, "calls?record=1")]
    assert made.index("CreateAccessGrant") < made.index("PutObject")
    confirmed = len(made) - 1 - made[::-1].index("TransactWriteItems")
    assert made.index("PutObject") < confirmed


def test_what_people_decide_about_a_plan_is_in_the_history(setup: GrantorSetup) -> None:
    put_rules(setup, 25)
    setup.reconcile()
    put_rules(setup, 3)
    pending = setup.reconcile()
    setup.decide(pending, approves=False, user="AROABEN:ben", because="not yet")
    setup.reconcile()
    despite = frozenset(one.id for one in setup.reconcile().approval.rejections)
    setup.decide(pending, because="it is meant", despite=despite)
    run = setup.reconcile().run_id

    events = read_events(setup)
    said = [(str(one.kind), one.who, one.why) for one in events if one.grant is None]
    assert said == [
        ("rejected", "AROABEN:ben", "not yet"),
        ("approved", "AROAANA:ana", "it is meant"),
    ]
    revoked = [one.run for one in events if one.kind is EventKind.REVOKED]
    assert revoked == [run] * 22


def test_a_broken_line_is_an_error_that_names_object_and_line(setup: GrantorSetup) -> None:
    put_rules(setup, 2)
    setup.reconcile()
    (key,) = list_keys(setup, EVENTS)
    s3 = setup.client("s3")
    body = s3.get_object(Bucket=OPERATIONS, Key=key)["Body"].read().splitlines(keepends=True)
    s3.put_object(Bucket=OPERATIONS, Key=key, Body=body[0] + b'{"schema_version":1}\n')

    with pytest.raises(HistoryUnreadable, match=rf"s3://{OPERATIONS}/{key}, line 2: it is no"):
        read_events(setup)
    s3.put_object(Bucket=OPERATIONS, Key=key, Body=body[0][:-9])
    with pytest.raises(HistoryUnreadable, match="line 1: the line is cut off"):
        read_events(setup)


def test_who_has_written_a_version_is_kept_without_end(setup: GrantorSetup) -> None:
    write = PolicyWrite(
        "policy/sagemaker team.yaml", "v1", "2026-12-01T09:00:00Z", "AROA1:ana@example.org"
    )
    store = setup.build_services().history
    record_writes(store, [Trigger("author", (), write=write), Trigger("clock", ("everything",))])

    asked = [("policy/sagemaker team.yaml", "v1"), ("policy/sagemaker team.yaml", "v2")]
    assert store.read_writers(asked) == {asked[0]: "AROA1:ana@example.org"}
    assert not any("sagemaker" in key for key in list_keys(setup, "history/"))


def test_every_line_is_json_with_the_documented_members(setup: GrantorSetup) -> None:
    put_rules(setup, 1)
    setup.reconcile()
    (key,) = list_keys(setup, EVENTS)
    body = setup.client("s3").get_object(Bucket=OPERATIONS, Key=key)["Body"].read()
    assert [json.loads(line)["kind"] for line in body.splitlines()] == ["made"]
