"""A grant stands on a set of reasons and goes with the last; a grant that somebody else made is
reported and never touched.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.conftest import ACCOUNT
from tests.engine.watch import at_rest, quiet, said
from tests.estate import HOME, Estate, sentences

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


def test_a_grant_of_two_rules_goes_with_the_last_of_them(estate: Estate) -> None:
    """TEAM #279 and PR 541: the end of one request removed access that another still needed."""
    estate.role("auditor")
    for name in ("one", "two", "else"):
        estate.policy(name, OTHER if name == "else" else AUDITOR)
    at_rest(estate, {WANTED, ELSEWHERE})
    before = estate.actual()

    estate.no_policy("one")
    assert (estate.run().done, estate.actual()) == ([], before)
    estate.no_policy("two")
    assert sentences(estate.run().done) == [
        f"- {WANTED}, no longer because policy/two.yaml#auditors"
    ]
    at_rest(estate, {ELSEWHERE})


def test_an_unmanaged_grant_is_reported_and_stays(estate: Estate) -> None:
    """ssosync PR 105 and #179: groups were deleted that the tool never made."""
    estate.foreign("theirs/*", role := estate.role("auditor"))
    estate.policy("else", OTHER)
    at_rest(estate, {ELSEWHERE}, foreign={"READ s3://data/theirs/* to role/auditor"})

    assert said(quiet(estate), "unmanaged") == [
        "READ s3://data/theirs/* to role/auditor is unmanaged: Grantor did not create it and leaves it as it is"
    ]
    assert role.endswith("role/auditor")


def test_an_unmanaged_grant_that_a_rule_wanted_for_a_while_stays_unmanaged(estate: Estate) -> None:
    """ssosync PR 105: the last rule that wants it goes, and the grant was never ours to take away."""
    theirs = estate.foreign("Product/*", estate.role("auditor"))
    estate.policy("else", OTHER)
    estate.policy("wants", AUDITOR)
    report = estate.run()
    assert said(report, "unmanaged") == [
        f"{WANTED} is unmanaged, and already gives what policy/wants.yaml#auditors asks for"
    ]
    assert {describe_grant(grant, HOME) for grant in estate.entries()} == {ELSEWHERE}

    estate.no_policy("wants")
    estate.run()
    assert theirs in estate.actual().values()
    at_rest(estate, {ELSEWHERE}, foreign={WANTED})


def test_a_grant_of_ours_that_somebody_replaced_by_their_own_is_theirs_from_then_on(
    estate: Estate,
) -> None:
    estate.role("auditor")
    estate.policy("wants", AUDITOR)
    estate.policy("else", OTHER)
    estate.run()
    ours = next(
        grant_id
        for grant, grant_id in estate.actual().items()
        if describe_grant(grant, HOME) == WANTED
    )
    estate.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=ours)
    theirs = estate.foreign("Product/*", estate.role("auditor"))
    at_rest(estate, {ELSEWHERE}, foreign={WANTED})

    estate.no_policy("wants")
    estate.run()
    assert theirs in estate.actual().values()


def test_a_grant_that_somebody_deleted_is_made_again(estate: Estate) -> None:
    """Argo CD #3465: drift is healed to what was accepted."""
    estate.role("auditor")
    estate.policy("wants", AUDITOR)
    estate.run()
    gone = estate.actual().popitem()[1]
    estate.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=gone)

    assert sentences(estate.run().done) == [f"+ {WANTED}, because policy/wants.yaml#auditors"]
    at_rest(estate, {WANTED})


@pytest.mark.parametrize("kind", ["wider", "narrower", "other permission"])
def test_a_change_of_scope_or_permission_gives_the_new_right_and_takes_the_old_in_one_run(
    estate: Estate, kind: str
) -> None:
    """ldap2pg #674: two runs were needed to converge."""
    changed = {
        "wider": ("Product/*", "*"),
        "narrower": ("Product/*", "Product/a/*"),
        "other permission": (" READ", " READWRITE"),
    }
    estate.role("auditor")
    estate.policy("wants", AUDITOR)
    estate.run()
    estate.policy("wants", AUDITOR.replace(*changed[kind]))

    report = estate.run()
    assert (report.created, report.deleted) == (1, 1)
    quiet(estate)
