"""A run that is suspended past its lease loses it: it writes nothing more, and leaves no grant
behind that the ledger does not know.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sandbox.testing.helpers import call_control
from tests.engine.helpers import (
    assert_settled,
    build_fault,
    build_services_ahead,
    count_enqueued,
    wait_until,
)
from tests.engine.other_process import OtherProcess
from tests.engine.policy_change import (
    AFTER,
    BEFORE,
    FIRST_FILE,
    TEAM_C,
    UNMANAGED,
    list_unmanaged_grants,
)
from tests.grantor_setup import GrantorSetup


@contextmanager
def run_suspended(
    setup: GrantorSetup, start_process: Callable[[], OtherProcess], operation: str, after: int
) -> Iterator[OtherProcess]:
    """A run that stands still, its process stopped, right after one of its calls was done; at the
    end it goes on.
    """
    setup.set_faults(build_fault(operation, "stall", after=after, times=1))
    process = start_process()
    wait_until(lambda: call_control(setup.sandbox, "faults")["rules"][0]["struck"] == 1)
    process.process.send_signal(signal.SIGSTOP)
    yield process
    setup.set_faults()
    process.process.send_signal(signal.SIGCONT)


STALLS = [
    *(("dynamodb/TransactWriteItems", n) for n in (0, 1, 2)),
    *(("s3control/CreateAccessGrant", n) for n in (0, 2)),
    ("s3control/DeleteAccessGrant", 0),
]


@pytest.mark.parametrize(
    ("operation", "after"), STALLS, ids=[f"{name.partition('/')[2]} {n}" for name, n in STALLS]
)
def test_a_run_that_is_suspended_past_its_lease_loses_it_and_leaves_nothing_behind(
    changed_setup: GrantorSetup,
    start_process: Callable[[], OtherProcess],
    operation: str,
    after: int,
) -> None:
    with run_suspended(changed_setup, start_process, operation, after) as process:
        report = changed_setup.reconcile(services=build_services_ahead(changed_setup, 61))
        assert (report.is_finished, changed_setup.describe_grants()) == (True, AFTER | {UNMANAGED})
        entries = changed_setup.read_ledger()

    assert process.read_outcome() == "lease lost"
    assert (changed_setup.read_ledger(), list_unmanaged_grants(changed_setup)) == (
        entries,
        {UNMANAGED},
    )
    assert count_enqueued(changed_setup) >= 1
    assert_settled(changed_setup, AFTER, {UNMANAGED})


@pytest.mark.parametrize(
    ("operation", "after"),
    STALLS[1:],
    ids=[f"{name.partition('/')[2]} {n}" for name, n in STALLS[1:]],
)
def test_a_run_that_loses_its_lease_to_other_policies_leaves_nothing_behind(
    changed_setup: GrantorSetup,
    start_process: Callable[[], OtherProcess],
    operation: str,
    after: int,
) -> None:
    """What the first wanted the second does not, so nobody would ever look for what the first still
    makes.
    """
    with run_suspended(changed_setup, start_process, operation, after) as process:
        changed_setup.put_policy("first", FIRST_FILE.format(name="old"))
        changed_setup.delete_policy("second")
        changed_setup.reconcile(services=build_services_ahead(changed_setup, 61))

    assert process.read_outcome() == "lease lost"
    assert list_unmanaged_grants(changed_setup) == {UNMANAGED}
    changed_setup.reconcile(
        services=build_services_ahead(changed_setup, 660)
    )  # by when even an intent of which nothing came is forgotten
    assert_settled(changed_setup, BEFORE | {TEAM_C}, {UNMANAGED})
