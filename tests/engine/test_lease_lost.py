"""A run that is suspended past its lease loses it: it writes nothing more, and leaves no grant
behind that the ledger does not know.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sandbox.testing.helpers import call_control
from tests.engine.change import AFTER, BEFORE, FILE, THEIRS, C, unmanaged
from tests.engine.other_process import Process
from tests.engine.watch import ahead, at_rest, count_enqueued, fault, wait_until
from tests.estate import Estate


@contextmanager
def stopped(
    estate: Estate, elsewhere: Callable[[], Process], operation: str, after: int
) -> Iterator[Process]:
    """A run that stands still, its process stopped, right after one of its calls was done; at the
    end it goes on.
    """
    estate.faults(fault(operation, "stall", after=after, times=1))
    process = elsewhere()
    wait_until(lambda: call_control(estate.sandbox, "faults")["rules"][0]["struck"] == 1)
    process.started.send_signal(signal.SIGSTOP)
    yield process
    estate.faults()
    process.started.send_signal(signal.SIGCONT)


STALLS = [
    *(("dynamodb/TransactWriteItems", n) for n in (1, 2, 4)),
    *(("s3control/CreateAccessGrant", n) for n in (0, 2)),
    ("s3control/DeleteAccessGrant", 0),
]


@pytest.mark.parametrize(
    ("operation", "after"), STALLS, ids=[f"{name.partition('/')[2]} {n}" for name, n in STALLS]
)
def test_a_run_that_is_suspended_past_its_lease_loses_it_and_leaves_nothing_behind(
    changing: Estate, elsewhere: Callable[[], Process], operation: str, after: int
) -> None:
    with stopped(changing, elsewhere, operation, after) as process:
        report = changing.run(world=ahead(changing, 61))
        assert (report.is_finished, changing.grants()) == (True, AFTER | {THEIRS})
        entries = changing.entries()

    assert process.outcome() == "lease lost"
    assert (changing.entries(), unmanaged(changing)) == (entries, {THEIRS})
    assert count_enqueued(changing) >= 1
    at_rest(changing, AFTER, {THEIRS})


@pytest.mark.parametrize(
    ("operation", "after"),
    STALLS[1:],
    ids=[f"{name.partition('/')[2]} {n}" for name, n in STALLS[1:]],
)
def test_a_run_that_loses_its_lease_to_other_policies_leaves_nothing_behind(
    changing: Estate, elsewhere: Callable[[], Process], operation: str, after: int
) -> None:
    """What the first wanted the second does not, so nobody would ever look for what the first still
    makes.
    """
    with stopped(changing, elsewhere, operation, after) as process:
        changing.policy("first", FILE.format(name="old"))
        changing.no_policy("second")
        changing.run(world=ahead(changing, 61))

    assert process.outcome() == "lease lost"
    assert unmanaged(changing) == {THEIRS}
    changing.run(
        world=ahead(changing, 660)
    )  # by when even an intent of which nothing came is forgotten
    at_rest(changing, BEFORE | {C}, {THEIRS})
