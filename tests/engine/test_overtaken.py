"""Who stands still past its lease is overtaken: it writes nothing more, and leaves nothing behind that nobody knows of."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.engine.change import AFTER, BEFORE, FILE, THEIRS, C, unmanaged
from tests.engine.other_process import Process
from tests.engine.watch import ahead, at_rest, fault, rings_again, wait_until
from tests.estate import Estate
from tests.sandbox.desk import ask


@contextmanager
def stopped(estate: Estate, elsewhere: Callable[[], Process], operation: str, after: int) -> Iterator[Process]:
    """A run that stands still, its process stopped, right after one of its calls was done; at the end it goes on."""
    estate.faults(fault(operation, "stall", after=after, times=1))
    process = elsewhere()
    wait_until(lambda: ask(estate.sandbox, "faults")["rules"][0]["struck"] == 1)
    process.started.send_signal(signal.SIGSTOP)
    yield process
    estate.faults()
    process.started.send_signal(signal.SIGCONT)


STALLS = [
    *(("dynamodb/TransactWriteItems", n) for n in (1, 2, 4)),
    *(("s3control/CreateAccessGrant", n) for n in (0, 2)),
    ("s3control/DeleteAccessGrant", 0),
]


@pytest.mark.parametrize(("operation", "after"), STALLS, ids=[f"{name.partition('/')[2]} {n}" for name, n in STALLS])
def test_who_stands_still_past_its_lease_is_overtaken_and_leaves_nothing_behind(
    changing: Estate, elsewhere: Callable[[], Process], operation: str, after: int
) -> None:
    with stopped(changing, elsewhere, operation, after) as process:
        report = changing.run(world=ahead(changing, 61))
        assert (report.finished, changing.grants()) == (True, AFTER | {THEIRS})
        entries = changing.entries()

    assert process.outcome() == "overtaken"
    assert (changing.entries(), unmanaged(changing)) == (entries, {THEIRS})
    assert rings_again(changing) >= 1
    at_rest(changing, AFTER, {THEIRS})


@pytest.mark.parametrize(("operation", "after"), STALLS[1:], ids=[f"{name.partition('/')[2]} {n}" for name, n in STALLS[1:]])
def test_who_was_overtaken_by_a_change_of_mind_leaves_nothing_behind(
    changing: Estate, elsewhere: Callable[[], Process], operation: str, after: int
) -> None:
    """What the first wanted the second does not, so nobody would ever look for what the first still makes."""
    with stopped(changing, elsewhere, operation, after) as process:
        changing.policy("first", FILE.format(name="old"))
        changing.no_policy("second")
        changing.run(world=ahead(changing, 61))

    assert process.outcome() == "overtaken"
    assert unmanaged(changing) == {THEIRS}
    changing.run(world=ahead(changing, 660))  # by when even an intent of which nothing came is forgotten
    at_rest(changing, BEFORE | {C}, {THEIRS})
