"""What runs record: accepted versions, pending plans and approvals, the last sweep, past runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grantor.aws.clients import LeaseLost
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.lease import Lease, LeaseStore
from grantor.aws.run_store import AcceptedVersion, Approval, PendingPlan, RunRecord, RunStore, Sweep

NOW = datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)
FIRST = AcceptedVersion("v1", '"e1"', "2026-11-24T10:00:00Z", "r-1")


@pytest.fixture
def records(table: DynamoDBTable) -> RunStore:
    return RunStore(table)


def test_the_accepted_version_of_each_policy_file_is_known(records: RunStore, lease: Lease):
    records.record_accepted(
        lease, {"policy/a.yaml": FIRST, "policy/b.yaml": AcceptedVersion("v7", '"e7"')}
    )
    records.record_accepted(
        lease, {"policy/b.yaml": AcceptedVersion("v8", '"e8"')}, gone=["policy/a.yaml"]
    )

    assert records.read_accepted() == {"policy/b.yaml": AcceptedVersion("v8", '"e8"')}


def test_a_holder_that_has_lost_the_lease_accepts_nothing(
    table: DynamoDBTable, records: RunStore, lease: Lease
):
    LeaseStore(table).acquire("faster", {}, 61, 60)

    with pytest.raises(LeaseLost):
        records.record_accepted(lease, {"policy/a.yaml": FIRST})
    with pytest.raises(LeaseLost):
        records.record_sweep(lease, Sweep("2026-11-24", 1))
    assert (records.read_accepted(), records.read_last_sweep()) == ({}, Sweep())


def test_an_approval_lasts_a_day_whenever_dynamodb_deletes_it(records: RunStore):
    records.record_approval("abc", "arn:aws:iam::111122223333:user/ana", NOW)

    assert records.read_approval("abc", NOW + timedelta(hours=23)) == Approval(
        "arn:aws:iam::111122223333:user/ana", "2026-11-24T10:00:00Z"
    )
    assert records.read_approval("abc", NOW + timedelta(days=1)) is None
    assert records.read_approval("other", NOW) is None


def plan_document(number: int) -> dict[str, Any]:
    """A plan that deletes so many grants, as far as the store looks at it."""
    return {
        "changes": [{"scope": f"s3://data/Größe/{n}/*"} for n in range(number)],
        "truncated": {},
    }


def test_a_pending_plan_can_be_read_again(records: RunStore):
    records.record_pending_plan("abc", plan_document(2), NOW)

    assert records.list_pending_plans() == (
        PendingPlan("abc", "2026-11-24T10:00:00Z", plan_document(2)),
    )


def test_a_pending_plan_is_shortened_to_the_size_of_an_item(records: RunStore):
    records.record_pending_plan("abc", plan_document(20_000), NOW)
    (plan,) = records.list_pending_plans()

    assert plan.document["changes"] == plan_document(5_000)["changes"]
    assert plan.document["truncated"] == {"changes": 15_000}


def test_pending_plans_are_listed_newest_first(records: RunStore):
    records.record_pending_plan("abc", plan_document(1), NOW)
    records.record_pending_plan("def", plan_document(2), NOW + timedelta(minutes=1))
    records.record_pending_plan("abc", plan_document(1), NOW + timedelta(minutes=2))

    assert [(plan.hash, plan.at) for plan in records.list_pending_plans()] == [
        ("abc", "2026-11-24T10:02:00Z"),
        ("def", "2026-11-24T10:01:00Z"),
    ]


def test_an_alert_is_about_each_of_its_problems_for_a_day(records: RunStore):
    records.record_alert(["one", "two"], NOW)
    records.record_alert(["three"], NOW + timedelta(hours=1))

    assert records.was_alerted(["three", "one"], NOW + timedelta(hours=23))
    assert not records.was_alerted(["one", "four"], NOW + timedelta(hours=23))
    assert not records.was_alerted(["one"], NOW + timedelta(hours=25))


def test_the_last_sweep_is_known(records: RunStore, lease: Lease):
    records.record_sweep(lease, Sweep("2026-11-24T10:00:00Z", 40, {"Product-Domain": 2}))

    assert records.read_last_sweep() == Sweep("2026-11-24T10:00:00Z", 40, {"Product-Domain": 2})


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
    [("approval", 1), ("plan", 30), ("run", 90)],
    ids=["approvals a day", "plans a month", "runs a quarter"],
)
def test_temporary_items_expire(table: DynamoDBTable, records: RunStore, pk: str, days: int):
    records.record_approval("abc", "ana", NOW)
    records.record_pending_plan("abc", plan_document(1), NOW)
    records.record_run(RunRecord("2026-11-24", "abc", {}), NOW)

    assert [item["ttl"] for item in table.query_partition(pk)] == [
        int((NOW + timedelta(days=days)).timestamp())
    ]
