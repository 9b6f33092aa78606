"""The ledger can't be written, at the beginning or in the middle: no grant is left that it does not
know, and a clean run puts it right.
"""

import pytest

from tests.engine.change import AFTER, BEFORE, KEPT, THEIRS, A, B, run, unmanaged
from tests.engine.watch import ahead, at_rest, count_enqueued, fault, struck
from tests.estate import Estate

FROM_THE_START = {
    "the ledger can't be written": fault("dynamodb/TransactWriteItems", "error"),
    "the ledger is throttled": fault("dynamodb/TransactWriteItems", "throttle"),
    "no item can be put": fault("dynamodb/PutItem", "error"),
}


@pytest.mark.parametrize("rule", FROM_THE_START.values(), ids=FROM_THE_START)
def test_without_its_ledger_a_run_changes_nothing(changing: Estate, rule: dict) -> None:
    with struck(changing, rule):
        assert run(changing) is not None

    assert changing.grants() == BEFORE | {THEIRS}
    at_rest(changing, AFTER, {THEIRS})


@pytest.mark.parametrize(
    ("kind", "done"), [*(("error", n) for n in range(7)), ("lost", 2), ("lost", 4), ("cut", 3)]
)
def test_a_ledger_that_fails_in_the_middle_leaves_nothing_unmanaged(
    changing: Estate, kind: str, done: int
) -> None:
    """ldap2pg #422: the mark went before the object."""
    with struck(changing, fault("dynamodb/TransactWriteItems", kind, after=done)):
        run(changing)

    assert unmanaged(changing) == {THEIRS}
    assert {KEPT, A, B, THEIRS} <= changing.grants()
    at_rest(changing, AFTER, {THEIRS})


def test_a_ledger_whose_condition_fails_for_no_reason_costs_a_lease_and_nothing_else(
    changing: Estate,
) -> None:
    """The run believes that it has lost its lease, and enqueues its triggers before it stops."""
    with struck(changing, fault("dynamodb/TransactWriteItems", "conditional", times=1)):
        run(changing)
    assert (changing.grants(), count_enqueued(changing)) == (BEFORE | {THEIRS}, 1)
    assert changing.run(world=ahead(changing, 61)).is_finished

    at_rest(changing, AFTER, {THEIRS})


def test_a_lease_whose_condition_fails_for_no_reason_is_looked_at_again(changing: Estate) -> None:
    with struck(changing, fault("dynamodb/PutItem", "conditional", times=1)):
        report = changing.run()

    assert report.is_finished
    at_rest(changing, AFTER, {THEIRS})
