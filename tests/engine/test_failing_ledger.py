"""Writes to the ledger fail at the start of a run or during it: it still knows every grant, and a
run without faults repairs the rest.
"""

import pytest

from tests.engine.helpers import (
    assert_settled,
    build_fault,
    build_services_ahead,
    count_enqueued,
    injected_faults,
)
from tests.engine.policy_change import (
    AFTER,
    BEFORE,
    KEPT,
    TEAM_A,
    TEAM_B,
    UNMANAGED,
    list_unmanaged_grants,
    run_impatiently,
)
from tests.grantor_setup import GrantorSetup

FROM_THE_START = {
    "the ledger can't be written": build_fault("dynamodb/TransactWriteItems", "error"),
    "the ledger is throttled": build_fault("dynamodb/TransactWriteItems", "throttle"),
    "no item can be put": build_fault("dynamodb/PutItem", "error"),
}


@pytest.mark.parametrize("rule", FROM_THE_START.values(), ids=FROM_THE_START)
def test_without_its_ledger_a_run_changes_nothing(changed_setup: GrantorSetup, rule: dict) -> None:
    with injected_faults(changed_setup, rule):
        assert run_impatiently(changed_setup) is not None

    assert changed_setup.describe_grants() == BEFORE | {UNMANAGED}
    assert_settled(changed_setup, AFTER, {UNMANAGED})


@pytest.mark.parametrize(
    ("kind", "done"), [*(("error", n) for n in range(7)), ("lost", 2), ("lost", 4), ("cut", 3)]
)
def test_a_ledger_that_fails_during_a_run_leaves_no_grant_unmanaged(
    changed_setup: GrantorSetup, kind: str, done: int
) -> None:
    """ldap2pg #422: the mark went before the object."""
    with injected_faults(
        changed_setup, build_fault("dynamodb/TransactWriteItems", kind, after=done)
    ):
        run_impatiently(changed_setup)

    assert list_unmanaged_grants(changed_setup) == {UNMANAGED}
    assert {KEPT, TEAM_A, TEAM_B, UNMANAGED} <= changed_setup.describe_grants()
    assert_settled(changed_setup, AFTER, {UNMANAGED})


def test_a_spurious_condition_failure_of_the_ledger_costs_only_the_lease(
    changed_setup: GrantorSetup,
) -> None:
    """The run believes that it has lost its lease, and enqueues its triggers before it stops."""
    with injected_faults(
        changed_setup, build_fault("dynamodb/TransactWriteItems", "conditional", times=1)
    ):
        run_impatiently(changed_setup)
    assert (changed_setup.describe_grants(), count_enqueued(changed_setup)) == (
        BEFORE | {UNMANAGED},
        1,
    )
    assert changed_setup.reconcile(services=build_services_ahead(changed_setup, 61)).is_finished

    assert_settled(changed_setup, AFTER, {UNMANAGED})


def test_after_a_spurious_condition_failure_the_lease_is_read_again(
    changed_setup: GrantorSetup,
) -> None:
    with injected_faults(changed_setup, build_fault("dynamodb/PutItem", "conditional", times=1)):
        report = changed_setup.reconcile()

    assert report.is_finished
    assert_settled(changed_setup, AFTER, {UNMANAGED})
