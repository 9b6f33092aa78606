"""What runs remember: accepted versions, refused plans and approvals, the last sweep, past runs."""

from datetime import UTC, datetime, timedelta

import pytest

from grantor.aws.clients import Overtaken
from grantor.aws.dynamodb import Table
from grantor.aws.lease import Lease, Leases
from grantor.aws.run_store import Accepted, Approval, Records, RefusedPlan, Run, Sweep

NOW = datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)
FIRST = Accepted("v1", '"e1"', "2026-11-24T10:00:00+00:00", "r-1")


@pytest.fixture
def records(table: Table) -> Records:
    return Records(table)


def test_the_accepted_version_of_each_policy_file_is_known(records: Records, lease: Lease):
    records.accept(lease, {"policy/a.yaml": FIRST, "policy/b.yaml": Accepted("v7", '"e7"')})
    records.accept(lease, {"policy/b.yaml": Accepted("v8", '"e8"')}, gone=["policy/a.yaml"])

    assert records.accepted() == {"policy/b.yaml": Accepted("v8", '"e8"')}


def test_a_holder_that_was_overtaken_accepts_nothing(table: Table, records: Records, lease: Lease):
    Leases(table).ring("faster", {}, 61, 60)

    with pytest.raises(Overtaken):
        records.accept(lease, {"policy/a.yaml": FIRST})
    with pytest.raises(Overtaken):
        records.swept(lease, Sweep("2026-11-24", 1))
    assert (records.accepted(), records.last_sweep()) == ({}, Sweep())


def test_an_approval_lasts_a_day_whenever_dynamodb_deletes_it(records: Records):
    records.approve("abc", "arn:aws:iam::111122223333:user/ana", NOW)

    assert records.approval("abc", NOW + timedelta(hours=23)) == Approval(
        "arn:aws:iam::111122223333:user/ana", "2026-11-24T10:00:00+00:00"
    )
    assert records.approval("abc", NOW + timedelta(days=1)) is None
    assert records.approval("other", NOW) is None


def test_a_refused_plan_can_be_read_again(records: Records):
    records.refuse("abc", "- READ s3://data/* to role/ana", NOW)

    assert records.refused("abc") == "- READ s3://data/* to role/ana"
    assert records.refused("other") is None


def test_a_refused_plan_of_any_size_is_kept_as_far_as_it_fits(records: Records):
    records.refuse("abc", "\n".join(f"- READ s3://data/Größe/{n}/* to role/ana" for n in range(20_000)), NOW)
    kept = str(records.refused("abc")).split("\n")

    assert kept[-1] == f"… and {20_000 - len(kept) + 1} more lines, cut for size"
    assert 290_000 < len("\n".join(kept).encode()) <= 300_000


def test_refused_plans_are_listed_the_last_first(records: Records):
    records.refuse("abc", "- READ s3://data/* to role/ana", NOW)
    records.refuse("def", "- READ s3://data/* to role/ben", NOW + timedelta(minutes=1))
    records.refuse("abc", "- READ s3://data/* to role/ana", NOW + timedelta(minutes=2))

    assert records.all_refused() == (
        RefusedPlan("abc", "2026-11-24T10:02:00+00:00", "- READ s3://data/* to role/ana"),
        RefusedPlan("def", "2026-11-24T10:01:00+00:00", "- READ s3://data/* to role/ben"),
    )


def test_the_last_sweep_is_known(records: Records, lease: Lease):
    records.swept(lease, Sweep("2026-11-24T10:00:00+00:00", 40, {"Product-Domain": 2}))

    assert records.last_sweep() == Sweep("2026-11-24T10:00:00+00:00", 40, {"Product-Domain": 2})


def test_runs_are_listed_the_newest_first(records: Records):
    for n in range(3):
        records.ran(Run(f"2026-11-24T10:0{n}:00+00:00", f"r-{n}", {"created": n}), NOW)

    assert records.runs(2) == (
        Run("2026-11-24T10:02:00+00:00", "r-2", {"created": 2}),
        Run("2026-11-24T10:01:00+00:00", "r-1", {"created": 1}),
    )


def test_the_longest_lists_of_a_summary_are_cut_and_counted(records: Records):
    done = [f"+ READ s3://data/{n}/* to role/ana" for n in range(20_000)]
    records.ran(Run("2026-11-24T10:00:00+00:00", "r-1", {"run": "r-1", "done": done, "refused": ["one"]}), NOW)
    summary = records.runs(1)[0].summary

    assert (summary["refused"], summary["done"]) == (["one"], done[:5000])
    assert summary["left_out"] == {"done": 15_000}


@pytest.mark.parametrize(
    ("pk", "days"), [("approval", 1), ("plan", 30), ("run", 90)], ids=["approvals a day", "plans a month", "runs a quarter"]
)
def test_what_is_only_remembered_ends_by_itself(table: Table, records: Records, pk: str, days: int):
    records.approve("abc", "ana", NOW)
    records.refuse("abc", "text", NOW)
    records.ran(Run("2026-11-24", "abc", {}), NOW)

    assert [item["ttl"] for item in table.query(pk)] == [int((NOW + timedelta(days=days)).timestamp())]
