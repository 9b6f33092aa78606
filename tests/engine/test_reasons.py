"""A grant has a set of reasons and is deleted with the last one. Unmanaged grants are reported and
never changed.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.conftest import ACCOUNT
from tests.engine.helpers import assert_run_changes_nothing, assert_settled, find_report_lines
from tests.grantor_setup import HOME, GrantorSetup, describe_changes

AUDITOR = """\
version: 1
rules:
  - name: auditors
    to: {role: "arn:aws:iam::000000000000:role/auditor"}
    on: s3://{data_bucket}/Product/*
    allow: READ
"""
OTHER = AUDITOR.replace("Product", "other")
WANTED = "READ s3://data/Product/* to role/auditor"
ELSEWHERE = "READ s3://data/other/* to role/auditor"


def test_a_grant_of_two_rules_is_deleted_with_the_last_of_them(setup: GrantorSetup) -> None:
    """TEAM #279 and PR 541: the end of one request removed access that another still needed."""
    setup.create_role("auditor")
    for name in ("one", "two", "else"):
        setup.put_policy(name, OTHER if name == "else" else AUDITOR)
    assert_settled(setup, {WANTED, ELSEWHERE})
    before = setup.list_grants()

    setup.delete_policy("one")
    assert describe_changes(setup.reconcile().done) == [
        f"~ {WANTED}: no longer because policy/one.yaml#auditors"
    ]
    assert setup.list_grants() == before
    setup.delete_policy("two")
    assert describe_changes(setup.reconcile().done) == [
        f"- {WANTED}, no longer because policy/two.yaml#auditors"
    ]
    assert_settled(setup, {ELSEWHERE})


def test_an_unmanaged_grant_is_reported_and_stays(setup: GrantorSetup) -> None:
    """ssosync PR 105 and #179: groups were deleted that the tool never made."""
    setup.create_unmanaged_grant("theirs/*", role := setup.create_role("auditor"))
    setup.put_policy("else", OTHER)
    assert_settled(setup, {ELSEWHERE}, unmanaged={"READ s3://data/theirs/* to role/auditor"})

    assert find_report_lines(assert_run_changes_nothing(setup), "unmanaged") == [
        "READ s3://data/theirs/* to role/auditor is unmanaged: Grantor did not create it and leaves it as it is"
    ]
    assert role.endswith("role/auditor")


def test_an_unmanaged_grant_that_a_rule_wanted_for_a_while_stays_unmanaged(
    setup: GrantorSetup,
) -> None:
    """ssosync PR 105: the last rule that wants it goes, and the grant was never ours to take away."""
    theirs = setup.create_unmanaged_grant("Product/*", setup.create_role("auditor"))
    setup.put_policy("else", OTHER)
    setup.put_policy("wants", AUDITOR)
    report = setup.reconcile()
    assert find_report_lines(report, "unmanaged") == [
        f"{WANTED} is unmanaged, and already gives what policy/wants.yaml#auditors asks for"
    ]
    assert {describe_grant(grant, HOME) for grant in setup.read_ledger()} == {ELSEWHERE}

    setup.delete_policy("wants")
    setup.reconcile()
    assert theirs in setup.list_grants().values()
    assert_settled(setup, {ELSEWHERE}, unmanaged={WANTED})


def test_a_grant_of_ours_that_somebody_replaced_is_unmanaged_from_then_on(
    setup: GrantorSetup,
) -> None:
    setup.create_role("auditor")
    setup.put_policy("wants", AUDITOR)
    setup.put_policy("else", OTHER)
    setup.reconcile()
    ours = next(
        grant_id
        for grant, grant_id in setup.list_grants().items()
        if describe_grant(grant, HOME) == WANTED
    )
    setup.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=ours)
    theirs = setup.create_unmanaged_grant("Product/*", setup.create_role("auditor"))
    assert_settled(setup, {ELSEWHERE}, unmanaged={WANTED})

    setup.delete_policy("wants")
    setup.reconcile()
    assert theirs in setup.list_grants().values()


def test_a_grant_that_somebody_deleted_is_created_again(setup: GrantorSetup) -> None:
    """Argo CD #3465: drift is healed to what was accepted."""
    setup.create_role("auditor")
    setup.put_policy("wants", AUDITOR)
    setup.reconcile()
    gone = setup.list_grants().popitem()[1]
    setup.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=gone)

    assert describe_changes(setup.reconcile().done) == [
        f"+ {WANTED}, because policy/wants.yaml#auditors, again: somebody deleted it"
    ]
    assert_settled(setup, {WANTED})


@pytest.mark.parametrize("kind", ["wider", "narrower", "other permission"])
def test_a_change_of_scope_or_permission_replaces_the_grant_in_one_run(
    setup: GrantorSetup, kind: str
) -> None:
    """ldap2pg #674: two runs were needed to converge."""
    changed = {
        "wider": ("Product/a/*", "Product/*"),
        "narrower": ("Product/a/*", "Product/a/b/*"),
        "other permission": (" READWRITE", " READ"),
    }
    before = AUDITOR.replace("Product/*", "Product/a/*").replace(" READ", " READWRITE")
    setup.create_role("auditor")
    setup.put_policy("wants", before)
    setup.reconcile()
    setup.put_policy("wants", before.replace(*changed[kind]))

    report = setup.reconcile()
    assert (report.created, report.deleted) == (1, 1)
    assert_run_changes_nothing(setup)
