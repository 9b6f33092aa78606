"""The lease has one holder at a time, and no subject is lost, whatever the order of calls."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import pytest

from grantor.aws.clients import LeaseLost, RetryableError
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.lease import Lease, LeaseStatus, LeaseStore
from sandbox.testing.helpers import make_table
from tests.aws.conftest import count_calls, lose_answer, refuse_with, replace_answers
from tests.conftest import Sandbox

ANA, BEN = "profile D/ana", "profile D/ben"


@pytest.fixture
def leases(table: DynamoDBTable) -> LeaseStore:
    return LeaseStore(table)


def require_lease(lease: Lease | None) -> Lease:
    assert lease
    return lease


def test_the_first_run_acquires_the_lease_with_its_subjects(leases: LeaseStore):
    lease = require_lease(leases.acquire("a", {ANA: 5.0}, now=100, seconds=60))

    assert lease == Lease(token=1, holder="a", expires=160, subjects={ANA: 5.0})


def test_a_second_run_leaves_its_subjects_and_gets_no_lease(leases: LeaseStore):
    lease = require_lease(leases.acquire("a", {ANA: 5.0}, 100, 60))

    assert leases.acquire("b", {BEN: 7.0}, 101, 60) is None
    assert leases.acquire("c", {BEN: 6.0, ANA: None}, 102, 60) is None
    assert leases.drain(lease) == {BEN: 6.0, ANA: None}
    assert leases.drain(lease) == {}


def test_it_is_not_released_while_subjects_wait(leases: LeaseStore):
    lease = require_lease(leases.acquire("a", {ANA: 5.0}, 100, 60))
    leases.acquire("b", {BEN: 7.0}, 101, 60)

    assert not leases.release(lease)
    assert leases.drain(lease) == {BEN: 7.0}
    assert leases.release(lease)
    assert leases.acquire("c", {}, 102, 60) == Lease(2, "c", 162, {})


def test_the_next_holder_after_the_lease_of_a_dead_one_gets_its_subjects(leases: LeaseStore):
    dead = require_lease(leases.acquire("dead", {ANA: 5.0}, 100, 60))
    leases.acquire("b", {BEN: 7.0}, 101, 60)
    leases.drain(dead)
    leases.acquire("c", {"profile D/cy": 8.0}, 102, 60)

    assert leases.acquire("d", {}, 159.9, 60) is None
    assert leases.acquire("e", {}, 160, 60) == Lease(
        2, "e", 220, {ANA: 5.0, BEN: 7.0, "profile D/cy": 8.0}
    )


@pytest.mark.parametrize("method", ["drain", "release", "abandon", "renew"])
def test_a_holder_that_lost_the_lease_can_do_nothing_more(leases: LeaseStore, method: str):
    old = require_lease(leases.acquire("old", {ANA: 5.0}, 100, 60))
    new = require_lease(leases.acquire("new", {}, 160, 60))

    with pytest.raises(LeaseLost, match="the lease of old has passed to new"):
        getattr(leases, method)(old, *([200, 60] if method == "renew" else []))
    assert leases.release(new)


def test_a_lease_that_is_renewed_in_time_is_kept(leases: LeaseStore):
    lease = leases.renew(
        require_lease(leases.acquire("a", {ANA: 5.0}, 100, 60)), now=159, seconds=60
    )

    assert lease == Lease(1, "a", 219, {ANA: 5.0})
    assert leases.acquire("b", {}, 218, 60) is None


def test_unfinished_subjects_wait_for_the_next_holder(leases: LeaseStore):
    lease = require_lease(leases.acquire("a", {ANA: 5.0}, 100, 60))
    leases.acquire("b", {BEN: 7.0}, 101, 60)
    leases.abandon(lease)

    assert leases.acquire("c", {}, 102, 60) == Lease(2, "c", 162, {ANA: 5.0, BEN: 7.0})


def test_the_status_has_the_holder_and_every_pending_subject_and_changes_nothing(
    leases: LeaseStore,
):
    lease = require_lease(leases.acquire("a", {ANA: 5.0}, now=100, seconds=60))
    leases.acquire("b", {BEN: 7.0}, 101, 60)

    assert leases.read_status(159) == LeaseStatus("a", 100, 160, {ANA: 5.0, BEN: 7.0})
    assert leases.read_status(160) == LeaseStatus("", 100, 160, {ANA: 5.0, BEN: 7.0})
    assert leases.drain(lease) == {BEN: 7.0}
    leases.release(lease)
    assert leases.read_status(102) == LeaseStatus("", 100, 0, {})


def test_the_status_of_an_unused_table_has_no_holder(leases: LeaseStore):
    assert leases.read_status(100) == LeaseStatus("", 0, 0, {})


def test_more_than_two_hundred_subjects_become_everything(leases: LeaseStore):
    lease = require_lease(leases.acquire("a", {}, 100, 60))
    for part in range(3):
        leases.acquire("b", {f"profile D/{part}-{n}": 9.0 - part for n in range(70)}, 101, 60)

    assert leases.drain(lease) == {"everything": 7.0}


def test_a_few_subjects_that_fill_an_item_become_everything(leases: LeaseStore):
    lease = require_lease(
        leases.acquire(
            "a", {f"prefix s3://data/{n}{'ü' * 1000}/": 5.0 for n in range(150)}, 100, 60
        )
    )

    assert lease.subjects == {"everything": 5.0}


def test_another_process_can_continue_a_lease(table: DynamoDBTable, leases: LeaseStore):
    lease = require_lease(leases.acquire("a", {ANA: 5.0}, 100, 60))
    elsewhere = LeaseStore(table)

    assert elsewhere.drain(lease) == {}
    assert elsewhere.release(lease)


def test_a_lease_whose_answer_was_lost_is_held(table: DynamoDBTable, leases: LeaseStore):
    replace_answers(table._client, "PutItem", lose_answer)
    lease = require_lease(leases.acquire("a", {ANA: 5.0}, 100, 60))

    assert lease == Lease(1, "a", 160, {ANA: 5.0})
    assert leases.release(lease)  # its subjects were not added twice


def test_subjects_are_drained_although_the_answer_was_lost(
    server: Sandbox, table: DynamoDBTable, leases: LeaseStore
):
    others = LeaseStore(DynamoDBTable(server.client("dynamodb"), table.name))
    lease = require_lease(leases.acquire("a", {}, 100, 60))
    others.acquire("b", {BEN: 7.0}, 101, 60)
    assert not leases.release(lease)  # so it has seen that one waits

    replace_answers(
        table._client,
        "PutItem",
        partial(lose_answer, then=lambda: others.acquire("c", {ANA: 8.0}, 102, 60)),
    )
    assert leases.drain(lease) == {BEN: 7.0, ANA: 8.0}


def test_an_acquire_that_conflicts_with_a_transaction_is_tried_again(
    table: DynamoDBTable, leases: LeaseStore
):
    replace_answers(table._client, "PutItem", *[refuse_with("TransactionConflictException")] * 3)
    assert leases.acquire("a", {ANA: 5.0}, 100, 60) == Lease(1, "a", 160, {ANA: 5.0})


def test_without_any_answer_it_raises_retryable_error(table: DynamoDBTable, leases: LeaseStore):
    replace_answers(table._client, "PutItem", *[refuse_with("InternalServerError", 500)] * 9)
    with pytest.raises(RetryableError, match="InternalServerError"):
        leases.acquire("a", {ANA: 5.0}, 100, 60)


def test_a_run_without_competitors_costs_one_call_per_method(
    table: DynamoDBTable, leases: LeaseStore
):
    calls = count_calls(table._client)
    for turn in range(3):
        lease = require_lease(leases.acquire(f"run-{turn}", {ANA: 5.0}, 100, 60))
        leases.drain(lease)
        leases.release(lease)

    assert calls == {"PutItem": 9}


@dataclass
class Competitors:
    """Many that come at once, each with its own LeaseStore; each holder looks for subjects until
    none waits.
    """

    server: Sandbox
    table: str
    seen: Counter[str] = field(default_factory=Counter)
    tokens: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    holding: int = 0
    most: int = 0

    def run_worker(self, number: int) -> None:
        leases = LeaseStore(DynamoDBTable(self.server.client("dynamodb"), self.table))
        for turn in range(8):
            lease = leases.acquire(
                f"{number}-{turn}", {f"profile D/{number}-{turn}": float(turn)}, 100, 60
            )
            if lease:
                self.hold(leases, lease)

    def hold(self, leases: LeaseStore, lease: Lease) -> None:
        self.change(1, lease.subjects, [lease.token])
        while True:
            self.change(0, leases.drain(lease))
            with self.lock:  # nobody else holds it before it is released, so this is never late
                self.holding -= 1
            if leases.release(lease):
                return
            self.change(1)

    def change(
        self, holding: int, subjects: Iterable[str] = (), tokens: list[int] | None = None
    ) -> None:
        with self.lock:
            self.seen.update(dict.fromkeys(subjects, 1))
            self.tokens += tokens or []
            self.holding += holding
            self.most = max(self.most, self.holding)


def test_among_many_competitors_every_subject_is_seen_by_exactly_one_holder(server: Sandbox):
    crowd = Competitors(server, make_table(server))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(crowd.run_worker, range(8)))

    assert crowd.seen == {
        f"profile D/{number}-{turn}": 1 for number in range(8) for turn in range(8)
    }
    assert crowd.tokens == sorted(set(crowd.tokens))
    assert crowd.most == 1
