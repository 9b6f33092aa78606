"""The ledger: entries are read as they were written, and only a lease holder writes."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grantor.aws.clients import LeaseLost, RetryableError
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.lease import Lease, LeaseStore
from grantor.aws.ledger import Ledger, pack_reasons, unpack_reasons
from grantor.core.grant import (
    Grant,
    Grantee,
    Identity,
    LedgerEntry,
    Permission,
    Reason,
    State,
)
from tests.aws.conftest import count_calls, refuse_with, replace_answers

ANA, BEN = (
    Grantee("IAM", f"arn:aws:iam::111122223333:role/studio/{name}") for name in ("ana", "ben")
)
READ, WRITE = Permission.READ, Permission.WRITE
OWN = Reason("policy/a.yaml#own", ("profile D/ana",))
TEAM = Reason("policy/a.yaml#team")
STATES = {
    "write_intent": State.INTENDED,
    "confirm_entries": State.LIVE,
    "mark_leaving": State.LEAVING,
}


def entry(
    grantee: Grantee = ANA, scope: str = "s3://data/Ana/*", *reasons: Reason, **more: str
) -> LedgerEntry:
    rest = {"id": "g-1", "since": "2026-11-24T10:00:00+00:00", "run": "r-1"} | more
    return LedgerEntry(Grant(grantee, READ, scope), State.LIVE, frozenset(reasons or {OWN}), **rest)


@pytest.fixture
def ledger(table: DynamoDBTable, lease: Lease) -> Ledger:
    return Ledger(table).with_lease(lease)


@pytest.mark.parametrize(("method", "state"), list(STATES.items()))
def test_each_method_writes_its_state(ledger: Ledger, method: str, state: State):
    getattr(ledger, method)([entry()])

    assert list(ledger.iterate_entries()) == [entry().with_state(state)]


def test_one_query_of_a_grantee_returns_its_grants_and_their_subjects(ledger: Ledger):
    ledger.write_intent(
        [entry(ANA), entry(ANA, "s3://data/Product/*", TEAM), entry(BEN, "s3://data/Ben/*", TEAM)]
    )
    calls = count_calls(ledger.table._client)
    grants, subjects = ledger.read_grantee(ANA)

    assert {found.grant.scope for found in grants} == {"s3://data/Ana/*", "s3://data/Product/*"}
    assert subjects == {"profile D/ana"}
    assert ledger.find_grantees("profile D/ana") == {ANA}
    assert ledger.find_grantees("profile D/nobody") == frozenset()
    assert calls == {"Query": 3}


def test_the_subjects_behind_new_reasons_are_known_too(ledger: Ledger):
    ledger.write_intent([entry()])
    ledger.confirm_entries(
        [
            entry(
                ANA,
                "s3://data/Ana/*",
                OWN,
                Reason("policy/b.yaml#x", ("prefix s3://data/p/x/", "profile D/ana2")),
            )
        ]
    )

    assert ledger.read_grantee(ANA)[1] == {
        "profile D/ana",
        "profile D/ana2",
        "prefix s3://data/p/x/",
    }
    assert ledger.find_grantees("prefix s3://data/p/x/") == {ANA}


def test_a_removed_entry_is_gone_and_its_subjects_stay(ledger: Ledger):
    ledger.write_intent([entry(), entry(BEN)])
    ledger.forget_grants([entry().grant])

    assert [found.grant.grantee for found in ledger.iterate_entries()] == [BEN]
    assert ledger.read_grantee(ANA) == ([], {"profile D/ana"})


def test_no_subject_of_a_grant_is_written_twice(ledger: Ledger):
    ledger.write_intent([entry()])
    ledger.forget_grants([entry().grant])
    before = list(ledger.table.query_partition("profile D/ana"))
    ledger.table._client.delete_item(
        TableName=ledger.table.name,
        Key={"pk": {"S": "profile D/ana"}, "sk": {"S": before[0]["sk"]}},
    )
    ledger.confirm_entries([entry()])

    assert ledger.find_grantees("profile D/ana") == frozenset()


SCOPES = {
    "with a space": "s3://data/my folder/*",
    "with every letter": "s3://data/Ünïcödé 🦪/*",
    "of the longest key": f"s3://data/{'x' * 1010}/*",
    "longer than a sort key": f"s3://data/{'ü' * 900}/*",
    "that ends like an application": "s3://data/x arn:aws:sso::111122223333:application/y",
}


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES.keys())
@pytest.mark.parametrize(
    "application",
    ["", "arn:aws:sso::111122223333:application/y"],
    ids=["for all", "for one application"],
)
def test_every_scope_survives_the_ledger(ledger: Ledger, scope: str, application: str):
    wanted = LedgerEntry(Grant(ANA, WRITE, scope, application), State.INTENDED, frozenset({OWN}))
    ledger.write_intent([wanted])

    assert ledger.read_grantee(ANA)[0] == [wanted]
    ledger.forget_grants([wanted.grant])
    assert ledger.read_grantee(ANA)[0] == []


def test_grants_that_read_alike_are_different_items(ledger: Ledger):
    end = " arn:aws:sso::111122223333:application/y"
    alike = [
        Grant(ANA, READ, f"s3://b/x{end}"),
        Grant(ANA, READ, "s3://b/x", end.strip()),
        Grant(ANA, READ, "s3://b/x"),
    ]
    ledger.write_intent(LedgerEntry(grant, State.INTENDED, frozenset({TEAM})) for grant in alike)

    assert {found.grant for found in ledger.iterate_entries()} == set(alike)


def test_a_prefix_longer_than_a_sort_key_is_a_subject_like_any_other(ledger: Ledger):
    long = f"prefix s3://data/{'x' * 1000}/"
    ledger.write_intent([entry(ANA, "s3://data/Ana/*", Reason("policy/a.yaml#each", (long,)))])

    assert (ledger.read_grantee(ANA)[1], ledger.find_grantees(long)) == ({long}, {ANA})


TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
SUBJECTS = st.lists(st.text(max_size=20), max_size=3).map(tuple)
REASONS = st.frozensets(
    st.builds(Reason, st.text(max_size=30), SUBJECTS, TIMES, st.booleans()), max_size=60
)


@given(REASONS)
def test_reasons_come_back_exactly_as_they_were(reasons: frozenset[Reason]):
    assert unpack_reasons(pack_reasons(reasons)) == reasons


@given(st.sets(st.builds(Reason, st.text(max_size=9), SUBJECTS, TIMES, st.booleans()), max_size=9))
def test_the_same_reasons_in_any_order_are_written_alike(reasons: set[Reason]):
    assert pack_reasons(sorted(reasons, key=str)) == pack_reasons(
        sorted(reasons, key=str, reverse=True)
    )


def test_ten_thousand_reasons_fit_into_an_item(ledger: Ledger):
    many = [
        Reason(f"policy/teams/product-{n}.yaml#everybody-in-product-{n}") for n in range(10_000)
    ]
    ledger.write_intent([entry(ANA, "s3://data/Product/*", *many)])

    assert next(iter(ledger.iterate_entries())).reasons == frozenset(many)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.frozensets(
        st.builds(Reason, st.text(max_size=30), SUBJECTS.filter(all), TIMES, st.booleans()),
        min_size=1,
        max_size=9,
    )
)
def test_reasons_come_back_through_the_table(ledger: Ledger, reasons: frozenset[Reason]):
    ledger.confirm_entries([entry(BEN, "s3://data/any/*", *reasons)])

    assert ledger.read_grantee(BEN)[0][0].reasons == reasons


def test_many_grants_are_written_in_their_order_in_transactions_of_ninety(ledger: Ledger):
    calls = count_calls(ledger.table._client)
    ledger.write_intent(entry(ANA, f"s3://data/{n:04}/*") for n in range(300))

    assert calls == {"TransactWriteItems": 4}  # 300 grants and a pair both ways
    assert sorted(found.grant.scope for found in ledger.iterate_entries()) == [
        f"s3://data/{n:04}/*" for n in range(300)
    ]


def test_writes_that_are_joined_share_a_transaction_and_the_last_one_on_an_item_counts(
    table: DynamoDBTable, lease: Lease
):
    joining, calls = Ledger(table).joining(lease), count_calls(table._client)
    joining.mark_leaving([entry()])
    joining.write_intent([entry(), entry(BEN)])
    joining.forget_grants([entry(BEN).grant])
    before = dict(calls)
    joining.flush()
    joining.flush()

    assert (before, dict(calls)) == ({}, {"TransactWriteItems": 1})
    assert list(joining.iterate_entries()) == [entry().with_state(State.INTENDED)]


def test_joined_writes_wait_for_no_more_than_a_transaction_takes(
    table: DynamoDBTable, lease: Lease
):
    joining, calls = Ledger(table).joining(lease), count_calls(table._client)
    joining.mark_leaving(entry(ANA, f"s3://data/{n:04}/*") for n in range(300))

    assert calls["TransactWriteItems"] == 4


def test_a_pair_is_known_once_it_is_written(table: DynamoDBTable, lease: Lease):
    ledger = Ledger(table)
    joining = ledger.joining(lease)
    joining.write_intent([entry()])
    known_before = set(ledger.paired)
    LeaseStore(table).acquire("faster", {}, 61, 60)
    with pytest.raises(LeaseLost):
        joining.flush()

    assert (known_before, ledger.paired) == (set(), set())


def test_no_transaction_is_larger_than_dynamodb_takes(ledger: Ledger):
    # 130 KB, packed
    noise = [
        Reason(f"policy/a.yaml#{hashlib.sha256(str(n).encode()).hexdigest()}") for n in range(3000)
    ]
    ledger.confirm_entries(entry(ANA, f"s3://data/{n:04}/*", *noise) for n in range(60))

    assert len(ledger.read_grantee(ANA)[0]) == 60


def test_all_pages_are_read_whatever_stands_between_the_grants(ledger: Ledger):
    until = datetime(2027, 3, 31, tzinfo=UTC)
    wide = [
        Reason(f"policy/a.yaml#{'x' * 200}{n}", ("profile D/ana",), until + timedelta(hours=n))
        for n in range(12)
    ]
    # Three megabytes
    ledger.confirm_entries(entry(ANA, f"s3://data/{n:04}/*", *wide) for n in range(500))
    ledger.confirm_entries([entry(BEN)])
    calls = count_calls(ledger.table._client)
    found = list(ledger.iterate_entries())

    assert (len(found), {one.grant.grantee for one in found}) == (501, {ANA, BEN})
    assert calls["Scan"] > 1


@pytest.mark.parametrize(
    "method", ["write_intent", "confirm_entries", "mark_leaving", "forget_grants"]
)
def test_a_holder_that_lost_the_lease_writes_nothing(
    table: DynamoDBTable, ledger: Ledger, method: str
):
    ledger.confirm_entries([entry()])
    LeaseStore(table).acquire("faster", {}, 61, 60)

    with pytest.raises(LeaseLost):
        getattr(ledger, method)(
            [entry().grant] if method == "forget_grants" else [entry(run="r-2")]
        )
    assert list(ledger.iterate_entries()) == [entry()]


def test_a_holder_that_released_the_lease_writes_nothing(table: DynamoDBTable, lease: Lease):
    LeaseStore(table).release(lease)

    with pytest.raises(LeaseLost):
        Ledger(table).with_lease(lease).write_intent([entry()])


def test_without_a_lease_nothing_is_written(table: DynamoDBTable):
    with pytest.raises(RuntimeError, match="only under a lease"):
        Ledger(table).write_intent([entry()])


def cancelled(*reasons: str) -> Callable[[Any], AWSResponse]:
    return refuse_with(
        "TransactionCanceledException", CancellationReasons=[{"Code": reason} for reason in reasons]
    )


def test_a_write_that_conflicts_with_another_is_tried_again(ledger: Ledger):
    replace_answers(
        ledger.table._client, "TransactWriteItems", *[cancelled("TransactionConflict", "None")] * 3
    )
    ledger.confirm_entries([entry()])

    assert list(ledger.iterate_entries()) == [entry()]


def test_a_write_that_keeps_conflicting_is_a_retryable_error(ledger: Ledger):
    replace_answers(
        ledger.table._client, "TransactWriteItems", *[cancelled("TransactionConflict", "None")] * 99
    )

    with pytest.raises(RetryableError, match="keep conflicting"):
        ledger.confirm_entries([entry()])


def test_items_that_others_write_meanwhile_are_read_again(table: DynamoDBTable):
    table.put_item({"pk": "meta", "sk": "sweep", "at": "now"})
    conflict = cancelled("TransactionConflict", "None")
    replace_answers(table._client, "TransactGetItems", *[conflict] * 3)

    assert table.get_items(("meta", "sweep"), ("meta", "guard")) == [
        {"pk": "meta", "sk": "sweep", "at": "now"},
        None,
    ]


READS: dict[str, Callable[[Ledger], object]] = {
    "Scan": lambda ledger: list(ledger.iterate_entries()),
    "Query": lambda ledger: ledger.read_grantee(ANA),
    "GetItem": lambda ledger: ledger.table.get_item("meta", "sweep"),
}


@pytest.mark.parametrize(("operation", "read"), READS.items(), ids=READS.keys())
def test_a_failed_read_is_not_an_empty_ledger(
    ledger: Ledger, operation: str, read: Callable[[Ledger], object]
):
    replace_answers(ledger.table._client, operation, *[refuse_with("InternalServerError", 500)] * 9)

    with pytest.raises(RetryableError, match="InternalServerError"):
        read(ledger)


def test_who_a_grantee_is_is_read_with_its_grants_and_forgotten_on_request(ledger: Ledger):
    ledger.write_intent([entry()])
    seen = Identity("AROA1", "AROA2")
    ledger.record_identities({ANA: seen, BEN: Identity("AROA3", "AROA3")})

    def read(how: Callable[[Ledger], Any]) -> dict[Grantee, Identity]:
        fresh = Ledger(ledger.table)
        how(fresh)
        return fresh.identities

    assert read(lambda fresh: fresh.read_all())[ANA] == seen
    assert read(lambda fresh: list(fresh.iterate_entries()))[ANA] == seen
    assert read(lambda fresh: fresh.read_grantee(ANA)) == {ANA: seen}
    assert [found.grant for found in ledger.read_all()[0]] == [entry().grant]
    ledger.record_identities({ANA: None})
    assert read(lambda fresh: fresh.read_all()).keys() == {BEN}


def test_since_when_and_why_a_grant_was_refused_is_kept(ledger: Ledger):
    refused = entry(tried="2026-11-24T09:00:00+00:00", refusal="UnknownGrantee: there is no role")
    ledger.write_intent([refused])

    assert list(ledger.iterate_entries()) == [refused.with_state(State.INTENDED)]
