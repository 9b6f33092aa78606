"""The guard judges gifts, too, also those that data causes; and it counts what the runs of the last
24 hours have taken and given.
"""

from dataclasses import replace

from grantor.core.snapshot import TOTAL
from grantor.core.triggers import Trigger
from tests.engine.helpers import (
    assert_run_changes_nothing,
    assert_settled,
    build_rules,
    expected_grants,
)
from tests.engine.test_time import reconcile_for
from tests.grantor_setup import GrantorSetup

FOLDERS = """\
version: 1
rules:
  - name: folders
    to: {role: "arn:aws:iam::000000000000:role/auditor"}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READ
"""


def set_limits(setup: GrantorSetup, limits: str) -> None:
    setup.names = replace(setup.names, guard_limits=limits)


def upload_folder(setup: GrantorSetup, name: str) -> Trigger:
    return setup.upload(f"teams/{name}/a.csv")


def folder_grants(*names: str) -> set[str]:
    return {f"READ s3://data/teams/{name}/* to role/auditor" for name in names}


def test_folders_beyond_the_limit_wait_in_a_focused_run_and_are_made_once_approved(
    setup: GrantorSetup,
) -> None:
    set_limits(setup, "new_grants=2")
    setup.create_role("auditor")
    setup.put_policy("teams", FOLDERS)
    setup.reconcile()
    for name in ("a", "b"):
        assert setup.reconcile(upload_folder(setup, name)).created == 1
    report = setup.reconcile(upload_folder(setup, "c"))

    assert report.approval.causes == (
        "policy/teams.yaml gives 3 new grants in 24 hours: more than 2",
    )
    assert [(one.kind, one.recent) for one in report.approval.objections] == [
        ("many_new_grants", 2)
    ]
    assert setup.describe_grants() == folder_grants("a", "b")
    swept = setup.reconcile()
    setup.decide(swept)
    assert setup.reconcile().created == 1
    assert_settled(setup, folder_grants("a", "b", "c"))
    assert setup.reconcile(upload_folder(setup, "d")).created == 1


def test_other_changes_are_made_while_a_gift_waits(setup: GrantorSetup) -> None:
    set_limits(setup, "new_grants=2")
    setup.create_role("auditor")
    setup.put_policy("teams", FOLDERS)
    for name in ("a", "b"):
        upload_folder(setup, name)
    setup.reconcile()
    for name in ("c", "d", "e"):
        upload_folder(setup, name)
    assert setup.reconcile().approval.is_pending
    setup.client("s3").delete_object(Bucket="data", Key="teams/a/a.csv")
    report = setup.reconcile()

    assert (report.created, report.deleted, report.approval.is_pending) == (0, 1, True)
    assert setup.describe_grants() == folder_grants("b")


def test_an_approved_gift_that_takes_several_runs_needs_one_approval(setup: GrantorSetup) -> None:
    set_limits(setup, "new_grants=10")
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(30))
    waiting = setup.reconcile()
    assert (waiting.created, waiting.approval.is_pending) == (0, True)
    setup.decide(waiting)
    reports = [reconcile_for(setup, 15)]
    assert 0 < reports[0].created < 30
    while reports[-1].cut_short:
        reports.append(reconcile_for(setup, 15))

    assert not any(report.approval.is_pending for report in reports)
    assert_settled(setup, expected_grants(30))


def test_what_a_run_takes_and_gives_is_recorded_and_an_approval_begins_anew(
    thirty_grants: GrantorSetup,
) -> None:
    store = thirty_grants.build_services().run_store
    assert store.read_guard()[1].sums[TOTAL].given == 31
    thirty_grants.put_policy("many", build_rules(20))
    assert thirty_grants.reconcile().deleted == 10
    assert store.read_guard()[1].sums["policy/many.yaml"].deleted == 10
    assert_run_changes_nothing(thirty_grants)

    thirty_grants.put_policy("many", build_rules(5))
    report = thirty_grants.reconcile()
    assert report.approval.causes == (
        "it deletes 25 of 31 grants (10 in the 24 hours before): more than 20 and more than 25%",
    )
    thirty_grants.decide(report)
    assert thirty_grants.reconcile().deleted == 15
    assert store.read_guard()[1].sums == {}
    thirty_grants.put_policy("many", build_rules(4))
    assert thirty_grants.reconcile().deleted == 1


def test_a_longer_stay_is_a_change_that_the_history_counts(setup: GrantorSetup) -> None:
    setup.create_role("auditor")
    until = build_rules(1).replace("READ\n", "READ\n    until: 2098-01-01\n")
    setup.put_policy("visitor", until)
    setup.reconcile()
    before = setup.read_ledger()
    setup.put_policy("visitor", build_rules(1))
    report = setup.reconcile()
    after = setup.read_ledger()

    assert (report.updated, report.created, report.deleted) == (1, 0, 0)
    assert [entry.since for entry in after.values()] == [entry.since for entry in before.values()]
    assert setup.build_services().run_store.list_runs(1)[0].document["counts"]["updated"] == 1
    assert_run_changes_nothing(setup)
