"""What runs record: accepted versions, pending plans and approvals, the last sweep, past runs."""

import secrets
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grantor.aws.clients import LeaseLost
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.lease import Lease, LeaseStore
from grantor.aws.ledger import Ledger
from grantor.aws.policy_store import AcceptedVersion, PolicyStore, encode_acceptance
from grantor.aws.run_store import PlanAltered, RunRecord, RunStore, Sweep, encode_sweep
from grantor.core.planning.approvals import Decision, PendingPlan
from grantor.core.planning.guard import Baseline
from grantor.core.planning.rendering import format_timestamp
from grantor.core.snapshot import TOTAL, Window
from grantor.core.triggers import PolicyWrite

NOW = datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)
FIRST = AcceptedVersion("v1", '"e1"', "2026-11-24T10:00:00Z", "r-1")


@pytest.fixture
def records(table: DynamoDBTable) -> RunStore:
    return RunStore(table)


def test_a_holder_that_has_lost_the_lease_accepts_nothing(
    table: DynamoDBTable, records: RunStore, lease: Lease
):
    LeaseStore(table).acquire("faster", {}, 61, 60)

    ledger = Ledger(table).with_lease(lease)
    with pytest.raises(LeaseLost):
        ledger.write_actions(encode_acceptance({"policy/a.yaml": FIRST}, gone=[]))
    with pytest.raises(LeaseLost):
        ledger.write_actions([encode_sweep(Sweep("2026-11-24"))])
    assert (PolicyStore(table).read_accepted(), records.read_last_sweep()) == ({}, Sweep())


def plan_document(number: int) -> dict[str, Any]:
    """A plan that deletes so many grants, as far as the store looks at it."""
    return {
        "changes": [{"scope": f"s3://data/Größe/{n}/*"} for n in range(number)],
        "approval": {"causes": ["it deletes much"]},
        "policy": {"accepted": [], "deleted": []},
        "unmanaged": list(range(number)),
        "counts": {"to_create": 0, "to_delete": number, "to_update": 0},
        "truncated": {},
    }


def build_plan(plan_hash: str, number: int, now: datetime = NOW) -> PendingPlan:
    at, counts = format_timestamp(now), plan_document(number)["counts"]
    return PendingPlan(plan_hash, "n1", at, at, ("it deletes much",), counts)


def record_plan(records: RunStore, lease: Lease, plan_hash: str, number: int) -> PendingPlan:
    records.record_pending_plan(lease, build_plan(plan_hash, number), plan_document(number), NOW)
    found = records.read_pending_plan(plan_hash)
    assert found
    return found


def test_a_pending_plan_can_be_read_again(records: RunStore, lease: Lease):
    plan = record_plan(records, lease, "abc", 2)

    assert records.list_pending_plans() == (plan,)
    assert replace(plan, content="", parts=0) == build_plan("abc", 2)
    assert records.read_plan_document(plan) == {**plan_document(2), "started_at": plan.at}


def test_every_change_of_a_large_plan_is_kept(records: RunStore, lease: Lease):
    """Its other lists are shortened: what is approved is not."""
    document = plan_document(60_000)
    for change in document["changes"]:
        change["grant_id"] = secrets.token_hex(16)  # as compressible as it is on AWS
    records.record_pending_plan(lease, build_plan("abc", 60_000), document, NOW)
    (plan,) = records.list_pending_plans()
    read = records.read_plan_document(plan)

    assert plan.parts > 1
    assert read["changes"] == document["changes"]
    assert (len(read["unmanaged"]), read["truncated"]) == (100, {"unmanaged": 59_900})


def test_a_plan_that_is_too_large_is_kept_without_its_changes(
    records: RunStore, lease: Lease, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("grantor.aws.run_store.MAX_PLAN_PARTS", 0)

    assert record_plan(records, lease, "abc", 2).parts == 0


def test_the_parts_of_an_older_record_are_removed(
    table: DynamoDBTable, records: RunStore, lease: Lease
):
    record_plan(records, lease, "abc", 1)
    plan = record_plan(records, lease, "abc", 2)

    assert [item["sk"] for item in table.query_partition("plan abc")] == [f"{plan.content} 000"]


@pytest.mark.parametrize("data", [b"", b"not compressed", zlib.compress(b"[1")])
def test_a_record_that_was_changed_is_not_read(
    table: DynamoDBTable, records: RunStore, lease: Lease, data: bytes
):
    plan = record_plan(records, lease, "abc", 2)
    table.put_item({"pk": "plan abc", "sk": f"{plan.content} 000", "data": data})

    with pytest.raises(PlanAltered):
        records.read_plan_document(plan)


def test_plans_and_approvals_of_version_0_2_0_do_not_count(
    table: DynamoDBTable, records: RunStore, lease: Lease
):
    table.put_item({"pk": "plan", "sk": "abc", "document": "{}", "at": "2026-11-24T10:00:00Z"})
    table.put_item({"pk": "approval", "sk": "abc", "by": "ana", "ttl": 1 << 33})

    assert (records.list_pending_plans(), records.read_pending_plan("abc")) == ((), None)
    assert records.read_decisions("abc") == ()
    records.close_other_plans(lease, "")
    assert list(table.query_partition("plan")) == []


def test_pending_plans_are_listed_newest_first(records: RunStore, lease: Lease):
    for minutes, plan_hash in enumerate(("abc", "def", "abc")):
        plan = build_plan(plan_hash, 1, NOW + timedelta(minutes=minutes))
        records.record_pending_plan(lease, plan, plan_document(1), NOW)

    assert [(plan.hash, plan.at) for plan in records.list_pending_plans()] == [
        ("abc", "2026-11-24T10:02:00Z"),
        ("def", "2026-11-24T10:01:00Z"),
    ]


def test_plans_that_are_no_longer_computed_are_removed(
    table: DynamoDBTable, records: RunStore, lease: Lease
):
    record_plan(records, lease, "abc", 1)
    kept = record_plan(records, lease, "def", 1)
    records.close_other_plans(lease, "def")

    assert records.list_pending_plans() == (kept,)
    assert list(table.query_partition("plan abc")) == []


ANA = Decision("AROA1:ana", "n1", True, "it is meant", "arn:ana", "d1", frozenset({"d0"}))


def test_what_people_say_about_a_plan_is_found_by_its_hash(records: RunStore):
    ben = Decision("AROA1:ben", "n1", False, "not now", "arn:ben", "d2")
    for plan_hash, decision in (("abc", ben), ("abc", ANA), ("other", ANA)):
        records.record_decision(plan_hash, decision, NOW)

    assert records.read_decisions("abc") == (ANA, ben)
    assert records.is_decision_listed("abc", "AROA1:ana")
    assert not records.is_decision_listed("abc", "AROA1:eva")


def test_a_person_says_one_thing_at_a_time(records: RunStore):
    records.record_decision("abc", replace(ANA, approves=False), NOW)
    records.record_decision("abc", ANA, NOW)

    assert records.read_decisions("abc") == (ANA,)


def test_what_is_said_goes_with_the_plan(records: RunStore, lease: Lease):
    plan = record_plan(records, lease, "abc", 1)
    records.record_decision("abc", ANA, NOW)
    records.close_plan(lease, plan, [ANA.user])

    assert (records.list_pending_plans(), records.read_decisions("abc")) == ((), ())


@pytest.mark.parametrize(
    "change",
    [
        {"approves": "abc", "sk": "another plan"},
        {"pk": "somebody"},
        {"nonce": None, "says": 1, "despite": "x", "because": "y" * 5_000},
        {"despite": 7},
    ],
    ids=["under another key", "not a person", "of other types", "no ids"],
)
def test_what_no_client_of_ours_has_written_stops_no_run(
    table: DynamoDBTable, records: RunStore, change: dict[str, Any]
):
    records.record_decision("abc", ANA, NOW)
    item = table.get_item("approval AROA1:ana", "abc")
    assert item
    table.delete_item("approval AROA1:ana", "abc")
    table.put_item({**item, **change})

    assert all(not one.approves for one in records.read_decisions("abc"))


def test_an_item_without_its_values_counts_as_not_said(table: DynamoDBTable, records: RunStore):
    table.put_item({"pk": "approval AROA1:ana", "sk": "abc", "approves": "abc"})

    assert records.read_decisions("abc") == ()


def test_it_is_kept_who_wrote_a_policy_file(records: RunStore):
    first = PolicyWrite("policy/a.yaml", "v1", "2026-11-24T09:00:00Z", "AROA1:ana", "arn:ana")
    deleted = replace(first, version="", at="2026-11-24T09:30:00Z")
    for write in (deleted, first, first, replace(first, file="policy/b.yaml")):
        records.record_write(write, NOW)

    assert list(records.read_writes(["policy/a.yaml", "policy/c.yaml"])) == [first, deleted]


def test_an_alert_is_about_each_of_its_problems_for_a_day(records: RunStore):
    records.record_alert(["one", "two"], NOW)
    records.record_alert(["three"], NOW + timedelta(hours=1))

    assert records.was_alerted(["three", "one"], NOW + timedelta(hours=23))
    assert not records.was_alerted(["one", "four"], NOW + timedelta(hours=23))
    assert not records.was_alerted(["one"], NOW + timedelta(hours=25))


def test_the_last_sweep_is_known(table: DynamoDBTable, records: RunStore, lease: Lease):
    owned = {TOTAL: (40, 3), "policy/a.yaml": (40, 3)}
    baseline = Baseline(owned, {"policy/a.yaml#team": 12}, {"Product-Domain": 2})
    sweep = Sweep("2026-11-24T10:00:00Z", baseline)
    Ledger(table).with_lease(lease).write_actions([encode_sweep(sweep)])

    assert records.read_last_sweep() == sweep
    assert records.read_guard() == (sweep, Window())
    assert records.read_last_sweep().owned == 40


def test_a_sweep_that_version_0_2_0_has_recorded_is_known(records: RunStore, table: DynamoDBTable):
    item = {"pk": "meta", "sk": "sweep", "at": "2026-11-24T10:00:00Z", "owned": 40}
    table.put_item({**item, "profiles": {"Product-Domain": 2}})

    assert records.read_last_sweep().baseline == Baseline(
        {TOTAL: (40, 40)}, {}, {"Product-Domain": 2}
    )


def test_runs_are_listed_newest_first(records: RunStore):
    for n in range(3):
        records.record_run(RunRecord(f"2026-11-24T10:0{n}:00Z", f"r-{n}", {"created": n}), NOW)

    assert records.list_runs(2) == (
        RunRecord("2026-11-24T10:02:00Z", "r-2", {"created": 2}),
        RunRecord("2026-11-24T10:01:00Z", "r-1", {"created": 1}),
    )


def test_the_longest_lists_of_a_summary_are_cut_and_counted(records: RunStore):
    done = [f"+ READ s3://data/{n}/* to role/ana" for n in range(20_000)]
    records.record_run(
        RunRecord(
            "2026-11-24T10:00:00Z", "r-1", {"run_id": "r-1", "changes": done, "unread": ["one"]}
        ),
        NOW,
    )
    summary = records.list_runs(1)[0].document

    assert (summary["unread"], summary["changes"]) == (["one"], done[:5000])
    assert summary["truncated"] == {"changes": 15_000}


@pytest.mark.parametrize(
    ("pk", "days"),
    [("approval AROA1:ana", 30), ("plan", 30), ("plan abc", 30), ("author a", 90), ("run", 90)],
    ids=["decisions", "plans", "their parts", "authors", "runs"],
)
def test_temporary_items_expire(
    table: DynamoDBTable, records: RunStore, lease: Lease, pk: str, days: int
):
    records.record_decision("abc", ANA, NOW)
    records.record_pending_plan(lease, build_plan("abc", 1), plan_document(1), NOW)
    records.record_write(PolicyWrite("a", "v1", "", "AROA1:ana"), NOW)
    records.record_run(RunRecord("2026-11-24", "abc", {}), NOW)

    assert [item["ttl"] for item in table.query_partition(pk)] == [
        int((NOW + timedelta(days=days)).timestamp())
    ]
