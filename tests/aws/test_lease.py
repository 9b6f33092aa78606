"""The lease: one holder at a time, and no bell is lost whoever rings when."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import pytest

from grantor.aws.clients import NotYet, Overtaken
from grantor.aws.dynamodb import Table
from grantor.aws.lease import Lease, Leases, Standing
from tests.aws.conftest import answering, counted, lost, refusing
from tests.conftest import Sandbox
from tests.sandbox.desk import make_table

ANA, BEN = "profile D/ana", "profile D/ben"


@pytest.fixture
def leases(table: Table) -> Leases:
    return Leases(table)


def held(lease: Lease | None) -> Lease:
    assert lease
    return lease


def test_the_first_to_ring_takes_the_lease_with_its_bells(leases: Leases):
    lease = held(leases.ring("a", {ANA: 5.0}, now=100, seconds=60))

    assert lease == Lease(token=1, holder="a", expires=160, bells={ANA: 5.0})


def test_who_rings_while_a_run_is_going_on_leaves_the_bells_and_goes_home(leases: Leases):
    lease = held(leases.ring("a", {ANA: 5.0}, 100, 60))

    assert leases.ring("b", {BEN: 7.0}, 101, 60) is None
    assert leases.ring("c", {BEN: 6.0, ANA: None}, 102, 60) is None
    assert leases.take(lease) == {BEN: 6.0, ANA: None}
    assert leases.take(lease) == {}


def test_it_is_not_let_go_while_bells_wait(leases: Leases):
    lease = held(leases.ring("a", {ANA: 5.0}, 100, 60))
    leases.ring("b", {BEN: 7.0}, 101, 60)

    assert not leases.release(lease)
    assert leases.take(lease) == {BEN: 7.0}
    assert leases.release(lease)
    assert leases.ring("c", {}, 102, 60) == Lease(2, "c", 162, {})


def test_what_a_holder_that_died_left_is_found_by_who_rings_after_its_lease(leases: Leases):
    dead = held(leases.ring("dead", {ANA: 5.0}, 100, 60))
    leases.ring("b", {BEN: 7.0}, 101, 60)
    leases.take(dead)
    leases.ring("c", {"profile D/cy": 8.0}, 102, 60)

    assert leases.ring("d", {}, 159.9, 60) is None
    assert leases.ring("e", {}, 160, 60) == Lease(2, "e", 220, {ANA: 5.0, BEN: 7.0, "profile D/cy": 8.0})


@pytest.mark.parametrize("word", ["take", "release", "abandon", "renew"])
def test_a_holder_that_was_overtaken_can_do_nothing_more(leases: Leases, word: str):
    old = held(leases.ring("old", {ANA: 5.0}, 100, 60))
    new = held(leases.ring("new", {}, 160, 60))

    with pytest.raises(Overtaken, match="the lease of old has passed to new"):
        getattr(leases, word)(old, *([200, 60] if word == "renew" else []))
    assert leases.release(new)


def test_a_lease_that_is_renewed_in_time_is_kept(leases: Leases):
    lease = leases.renew(held(leases.ring("a", {ANA: 5.0}, 100, 60)), now=159, seconds=60)

    assert lease == Lease(1, "a", 219, {ANA: 5.0})
    assert leases.ring("b", {}, 218, 60) is None


def test_what_could_not_be_finished_waits_for_who_rings_next(leases: Leases):
    lease = held(leases.ring("a", {ANA: 5.0}, 100, 60))
    leases.ring("b", {BEN: 7.0}, 101, 60)
    leases.abandon(lease)

    assert leases.ring("c", {}, 102, 60) == Lease(2, "c", 162, {ANA: 5.0, BEN: 7.0})


def test_who_looks_sees_the_holder_and_every_bell_that_is_not_answered_and_changes_nothing(leases: Leases):
    lease = held(leases.ring("a", {ANA: 5.0}, now=100, seconds=60))
    leases.ring("b", {BEN: 7.0}, 101, 60)

    assert leases.standing(159) == Standing("a", 100, 160, {ANA: 5.0, BEN: 7.0})
    assert leases.standing(160) == Standing("", 100, 160, {ANA: 5.0, BEN: 7.0})
    assert leases.take(lease) == {BEN: 7.0}
    leases.release(lease)
    assert leases.standing(102) == Standing("", 100, 0, {})


def test_who_looks_at_a_table_where_nobody_ever_rang_sees_nobody(leases: Leases):
    assert leases.standing(100) == Standing("", 0, 0, {})


def test_more_than_two_hundred_subjects_become_everything(leases: Leases):
    lease = held(leases.ring("a", {}, 100, 60))
    for part in range(3):
        leases.ring("b", {f"profile D/{part}-{n}": 9.0 - part for n in range(70)}, 101, 60)

    assert leases.take(lease) == {"everything": 7.0}


def test_a_few_subjects_that_fill_an_item_become_everything(leases: Leases):
    lease = held(leases.ring("a", {f"prefix s3://data/{n}{'ü' * 1000}/": 5.0 for n in range(150)}, 100, 60))

    assert lease.bells == {"everything": 5.0}


def test_another_process_may_go_on_with_a_lease(table: Table, leases: Leases):
    lease = held(leases.ring("a", {ANA: 5.0}, 100, 60))
    elsewhere = Leases(table)

    assert elsewhere.take(lease) == {}
    assert elsewhere.release(lease)


def test_a_lease_whose_answer_was_lost_is_held(table: Table, leases: Leases):
    answering(table._client, "PutItem", lost)
    lease = held(leases.ring("a", {ANA: 5.0}, 100, 60))

    assert lease == Lease(1, "a", 160, {ANA: 5.0})
    assert leases.release(lease)  # its bells did not ring twice


def test_bells_whose_taking_was_not_answered_are_taken_all_the_same(server: Sandbox, table: Table, leases: Leases):
    others = Leases(Table(server.client("dynamodb"), table.name))
    lease = held(leases.ring("a", {}, 100, 60))
    others.ring("b", {BEN: 7.0}, 101, 60)
    assert not leases.release(lease)  # so it has seen that one waits

    answering(table._client, "PutItem", partial(lost, then=lambda: others.ring("c", {ANA: 8.0}, 102, 60)))
    assert leases.take(lease) == {BEN: 7.0, ANA: 8.0}


def test_a_ring_that_crosses_a_transaction_is_tried_again(table: Table, leases: Leases):
    answering(table._client, "PutItem", *[refusing("TransactionConflictException")] * 3)
    assert leases.ring("a", {ANA: 5.0}, 100, 60) == Lease(1, "a", 160, {ANA: 5.0})


def test_without_any_answer_it_says_not_yet(table: Table, leases: Leases):
    answering(table._client, "PutItem", *[refusing("InternalServerError", 500)] * 9)
    with pytest.raises(NotYet, match="InternalServerError"):
        leases.ring("a", {ANA: 5.0}, 100, 60)


def test_a_run_with_nobody_else_about_costs_one_call_a_word(table: Table, leases: Leases):
    calls = counted(table._client)
    for turn in range(3):
        lease = held(leases.ring(f"run-{turn}", {ANA: 5.0}, 100, 60))
        leases.take(lease)
        leases.release(lease)

    assert calls == {"PutItem": 9}


@dataclass
class Crowd:
    """Many that ring at once, each with a view of its own; each holder looks for bells until none waits."""

    server: Sandbox
    table: str
    seen: Counter[str] = field(default_factory=Counter)
    tokens: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    holding: int = 0
    most: int = 0

    def person(self, number: int) -> None:
        leases = Leases(Table(self.server.client("dynamodb"), self.table))
        for turn in range(8):
            lease = leases.ring(f"{number}-{turn}", {f"profile D/{number}-{turn}": float(turn)}, 100, 60)
            if lease:
                self.hold(leases, lease)

    def hold(self, leases: Leases, lease: Lease) -> None:
        self.change(1, lease.bells, [lease.token])
        while True:
            self.change(0, leases.take(lease))
            with self.lock:  # nobody else can hold it before it is let go, so this is never late
                self.holding -= 1
            if leases.release(lease):
                return
            self.change(1)

    def change(self, holding: int, bells: object = (), tokens: list[int] | None = None) -> None:
        with self.lock:
            self.seen.update(dict.fromkeys(bells, 1))
            self.tokens += tokens or []
            self.holding += holding
            self.most = max(self.most, self.holding)


def test_in_a_crowd_every_bell_is_seen_by_exactly_one_holder(server: Sandbox):
    crowd = Crowd(server, make_table(server))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(crowd.person, range(8)))

    assert crowd.seen == {f"profile D/{number}-{turn}": 1 for number in range(8) for turn in range(8)}
    assert crowd.tokens == sorted(set(crowd.tokens))
    assert crowd.most == 1
