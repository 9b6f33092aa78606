"""ListAccessGrants may show what stood a moment ago: what it does not show yet is not gone, and
what it still shows is not there.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.engine.change import AFTER, THEIRS, unmanaged
from tests.engine.watch import ahead, at_rest, fault, hasty, quiet, rules, said, struck
from tests.estate import HOME, Estate, sentences

ONE, TWO, THREE = (f"READ s3://data/0{n}/* to role/auditor" for n in range(3))


@pytest.fixture
def auditor(estate: Estate) -> Estate:
    estate.role("auditor")
    estate.policy("many", rules(2))
    return estate


@pytest.mark.parametrize("changes", [1, 2, 4, 10])
def test_lists_that_lag_behind_their_changes_lose_nothing(changing: Estate, changes: int) -> None:
    """Sieve's stale reads: decided on what was, not on what is."""
    changing.switches(stale_changes=changes)
    for _ in range(3):
        changing.run()
        changing.upload("nothing/of/it.csv")
    assert unmanaged_now(changing) == {THEIRS}

    changing.switches(stale_changes=0)
    at_rest(changing, AFTER, {THEIRS})


def unmanaged_now(estate: Estate) -> set[str]:
    estate.switches(stale_changes=0)
    return unmanaged(estate)


def test_a_grant_that_the_list_does_not_show_yet_goes_with_its_rule_all_the_same(
    auditor: Estate,
) -> None:
    auditor.run()
    auditor.policy("many", rules(3))
    auditor.run()
    auditor.policy("many", rules(2))
    auditor.switches(stale_changes=1)
    report = auditor.run()
    auditor.switches(stale_changes=0)

    assert sentences(report.done) == [f"- {THREE}, no longer because policy/many.yaml#r02"]
    assert auditor.grants() == {ONE, TWO}
    quiet(auditor)


def test_a_grant_that_the_list_does_not_show_yet_is_not_made_twice(auditor: Estate) -> None:
    auditor.run()
    auditor.policy("many", rules(3))
    auditor.run()
    before = auditor.actual()
    auditor.switches(stale_changes=1)
    report = auditor.run()
    auditor.switches(stale_changes=0)

    assert (report.done, auditor.actual()) == ([], before)
    assert set(auditor.entries()) == set(before)
    auditor.run()
    quiet(auditor)


def test_a_grant_that_was_made_anew_is_ours_though_the_list_still_shows_the_one_before(
    auditor: Estate,
) -> None:
    auditor.run()
    for count in (1, 2):
        auditor.policy("many", rules(count))
        auditor.run()
    new = auditor.actual()
    auditor.switches(stale_changes=2)
    auditor.run()
    auditor.switches(stale_changes=0)
    assert (auditor.actual(), unmanaged(auditor)) == (new, set())
    auditor.policy("many", rules(1))
    auditor.switches(stale_changes=2)
    auditor.run()
    auditor.switches(stale_changes=0)

    at_rest(auditor, {ONE})


def test_a_grant_whose_making_was_not_answered_and_is_not_listed_yet_is_not_forgotten(
    auditor: Estate,
) -> None:
    """ldap2pg #422, seen through a stale list: the run before died, the rule went, the list lags."""
    auditor.run()
    auditor.policy("many", rules(3))
    with struck(auditor, fault("s3control/CreateAccessGrant", "lost")):
        auditor.run(world=hasty(auditor))
    auditor.policy("many", rules(2))
    auditor.switches(stale_changes=1)
    waiting = auditor.run()
    auditor.switches(stale_changes=0)

    assert [describe_grant(held.grant, HOME) for held in waiting.on_hold] == [THREE]
    at_rest(auditor, {ONE, TWO})


def test_a_grant_whose_making_was_not_answered_is_not_taken_for_the_one_before_it(
    auditor: Estate,
) -> None:
    auditor.run()
    auditor.policy("many", rules(1))
    auditor.run()
    auditor.policy("many", rules(2))
    with struck(auditor, fault("s3control/CreateAccessGrant", "lost")):
        auditor.run(world=hasty(auditor))
    auditor.switches(stale_changes=2)
    report = auditor.run()
    auditor.switches(stale_changes=0)

    assert said(report, "deferred") == [
        f"+ {TWO}, because policy/many.yaml#r01: Access Grants reports that it exists but does not list it yet"
    ]
    assert (report.unmanaged, unmanaged(auditor)) == ([], set())
    at_rest(auditor, {ONE, TWO})


def test_an_intent_of_which_nothing_came_is_forgotten_in_the_end(auditor: Estate) -> None:
    auditor.run()
    auditor.policy("many", rules(3))
    with struck(auditor, fault("s3control/CreateAccessGrant", "error")):
        auditor.run(world=hasty(auditor))
    auditor.policy("many", rules(2))
    auditor.run()
    assert len(auditor.entries()) == 3

    assert len(auditor.run(world=ahead(auditor, 601)).on_hold) == 0
    at_rest(auditor, {ONE, TWO})


@pytest.mark.parametrize(
    "switches",
    [{"longest_page": 1}, {"empty_page_every": 2}, {"longest_page": 2, "empty_page_every": 3}],
    ids=str,
)
def test_short_and_empty_pages_are_read_to_the_end(changing: Estate, switches: dict) -> None:
    """external-dns, Route 53: the service caps pages below what was asked for."""
    changing.switches(**switches)
    report = changing.run()

    assert report.is_finished
    assert changing.grants() == AFTER | {THEIRS}
    changing.switches(longest_page=1000, empty_page_every=0)
    at_rest(changing, AFTER, {THEIRS})
