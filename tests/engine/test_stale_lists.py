"""ListAccessGrants can be stale: a grant that is missing from it can exist, and one that it shows
can be deleted.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.engine.helpers import (
    assert_run_changes_nothing,
    assert_settled,
    build_fault,
    build_impatient_services,
    build_rules,
    build_services_ahead,
    find_report_lines,
    injected_faults,
)
from tests.engine.policy_change import AFTER, UNMANAGED, list_unmanaged_grants
from tests.grantor_setup import HOME, GrantorSetup, describe_changes

ONE, TWO, THREE = (f"READ s3://data/0{n}/* to role/auditor" for n in range(3))


@pytest.fixture
def auditor(setup: GrantorSetup) -> GrantorSetup:
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(2))
    return setup


@pytest.mark.parametrize("changes", [1, 2, 4, 10])
def test_stale_lists_lose_no_grant(changed_setup: GrantorSetup, changes: int) -> None:
    """Sieve's stale reads: decided on what was, not on what is."""
    changed_setup.set_switches(stale_changes=changes)
    for _ in range(3):
        changed_setup.reconcile()
        changed_setup.upload("nothing/of/it.csv")
    assert describe_unmanaged_grants(changed_setup) == {UNMANAGED}

    changed_setup.set_switches(stale_changes=0)
    assert_settled(changed_setup, AFTER, {UNMANAGED})


def describe_unmanaged_grants(setup: GrantorSetup) -> set[str]:
    setup.set_switches(stale_changes=0)
    return list_unmanaged_grants(setup)


def test_a_grant_that_is_not_listed_yet_is_still_deleted_with_its_rule(
    auditor: GrantorSetup,
) -> None:
    auditor.reconcile()
    auditor.put_policy("many", build_rules(3))
    auditor.reconcile()
    auditor.put_policy("many", build_rules(2))
    auditor.set_switches(stale_changes=1)
    report = auditor.reconcile()
    auditor.set_switches(stale_changes=0)

    assert describe_changes(report.done) == [f"- {THREE}, no longer because policy/many.yaml#r02"]
    assert auditor.describe_grants() == {ONE, TWO}
    assert_run_changes_nothing(auditor)


def test_a_grant_that_is_not_listed_yet_is_not_created_twice(auditor: GrantorSetup) -> None:
    auditor.reconcile()
    auditor.put_policy("many", build_rules(3))
    auditor.reconcile()
    before = auditor.list_grants()
    auditor.set_switches(stale_changes=1)
    report = auditor.reconcile()
    auditor.set_switches(stale_changes=0)

    assert (report.done, auditor.list_grants()) == ([], before)
    assert [(one.change.grant.scope, one.change.drift) for one in report.deferred] == [
        ("s3://data/02/*", False)
    ]
    assert set(auditor.read_ledger()) == set(before)
    auditor.reconcile()
    assert_run_changes_nothing(auditor)


def test_a_recreated_grant_is_ours_although_the_list_still_shows_the_old_one(
    auditor: GrantorSetup,
) -> None:
    auditor.reconcile()
    for count in (1, 2):
        auditor.put_policy("many", build_rules(count))
        auditor.reconcile()
    new = auditor.list_grants()
    auditor.set_switches(stale_changes=2)
    auditor.reconcile()
    auditor.set_switches(stale_changes=0)
    assert (auditor.list_grants(), list_unmanaged_grants(auditor)) == (new, set())
    auditor.put_policy("many", build_rules(1))
    auditor.set_switches(stale_changes=2)
    auditor.reconcile()
    auditor.set_switches(stale_changes=0)

    assert_settled(auditor, {ONE})


def test_a_grant_whose_creation_got_no_response_is_not_forgotten_before_it_is_listed(
    auditor: GrantorSetup,
) -> None:
    """ldap2pg #422, seen through a stale list: the run before died, the rule went, the list lags."""
    auditor.reconcile()
    auditor.put_policy("many", build_rules(3))
    with injected_faults(auditor, build_fault("s3control/CreateAccessGrant", "lost")):
        auditor.reconcile(services=build_impatient_services(auditor))
    auditor.put_policy("many", build_rules(2))
    auditor.set_switches(stale_changes=1)
    waiting = auditor.reconcile()
    auditor.set_switches(stale_changes=0)

    assert [describe_grant(held.grant, HOME) for held in waiting.on_hold] == [THREE]
    assert_settled(auditor, {ONE, TWO})


def test_a_grant_whose_creation_got_no_response_is_not_taken_for_the_old_one(
    auditor: GrantorSetup,
) -> None:
    auditor.reconcile()
    auditor.put_policy("many", build_rules(1))
    auditor.reconcile()
    auditor.put_policy("many", build_rules(2))
    with injected_faults(auditor, build_fault("s3control/CreateAccessGrant", "lost")):
        began = auditor.reconcile(services=build_impatient_services(auditor)).timestamp
    auditor.set_switches(stale_changes=2)
    report = auditor.reconcile()
    auditor.set_switches(stale_changes=0)

    why = "Access Grants reports that it exists but does not list it yet"
    assert find_report_lines(report, "deferred") == [
        f"+ {TWO}, because policy/many.yaml#r01: since {began}: {why}"
    ]
    assert (report.unmanaged, list_unmanaged_grants(auditor)) == ([], set())
    assert_settled(auditor, {ONE, TWO})


def test_an_intent_without_a_grant_is_removed_in_the_end(auditor: GrantorSetup) -> None:
    auditor.reconcile()
    auditor.put_policy("many", build_rules(3))
    with injected_faults(auditor, build_fault("s3control/CreateAccessGrant", "error")):
        auditor.reconcile(services=build_impatient_services(auditor))
    auditor.put_policy("many", build_rules(2))
    auditor.reconcile()
    assert len(auditor.read_ledger()) == 3

    assert len(auditor.reconcile(services=build_services_ahead(auditor, 601)).on_hold) == 0
    assert_settled(auditor, {ONE, TWO})


@pytest.mark.parametrize(
    "switches",
    [{"longest_page": 1}, {"empty_page_every": 2}, {"longest_page": 2, "empty_page_every": 3}],
    ids=str,
)
def test_short_and_empty_pages_are_read_to_the_end(
    changed_setup: GrantorSetup, switches: dict
) -> None:
    """external-dns, Route 53: the service caps pages below what was asked for."""
    changed_setup.set_switches(**switches)
    report = changed_setup.reconcile()

    assert report.is_finished
    assert changed_setup.describe_grants() == AFTER | {UNMANAGED}
    changed_setup.set_switches(longest_page=1000, empty_page_every=0)
    assert_settled(changed_setup, AFTER, {UNMANAGED})
