"""The ledger: what is written comes back as it was, a grantee's partition tells all of it, and only a holder writes."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grantor.aws.clients import NotYet, Overtaken
from grantor.aws.dynamodb import Table
from grantor.aws.lease import Lease, Leases
from grantor.aws.ledger import Ledger, packed, unpacked
from grantor.core.grant import Entry, Grant, Grantee, Permission, Reason, State
from tests.aws.conftest import answering, counted, refusing

ANA, BEN = (Grantee("IAM", f"arn:aws:iam::111122223333:role/studio/{name}") for name in ("ana", "ben"))
READ, WRITE = Permission.READ, Permission.WRITE
OWN = Reason("policy/a.yaml#own", ("profile D/ana",))
TEAM = Reason("policy/a.yaml#team")
STATES = {"intend": State.INTENDED, "confirm": State.LIVE, "leave": State.LEAVING}


def entry(grantee: Grantee = ANA, scope: str = "s3://data/Ana/*", *reasons: Reason, **more: str) -> Entry:
    told = {"id": "g-1", "since": "2026-11-24T10:00:00+00:00", "run": "r-1"} | more
    return Entry(Grant(grantee, READ, scope), State.LIVE, frozenset(reasons or {OWN}), **told)


@pytest.fixture
def ledger(table: Table, lease: Lease) -> Ledger:
    return Ledger(table).under(lease)


@pytest.mark.parametrize(("word", "state"), list(STATES.items()))
def test_each_word_writes_its_state(ledger: Ledger, word: str, state: State):
    getattr(ledger, word)([entry()])

    assert list(ledger.entries()) == [entry().becomes(state)]


def test_one_look_at_a_grantee_tells_its_grants_and_the_subjects_behind_them(ledger: Ledger):
    ledger.intend([entry(ANA), entry(ANA, "s3://data/Product/*", TEAM), entry(BEN, "s3://data/Ben/*", TEAM)])
    calls = counted(ledger.table._client)
    grants, subjects = ledger.of(ANA)

    assert {found.grant.scope for found in grants} == {"s3://data/Ana/*", "s3://data/Product/*"}
    assert subjects == {"profile D/ana"}
    assert ledger.grantees("profile D/ana") == {ANA}
    assert ledger.grantees("profile D/nobody") == frozenset()
    assert calls == {"Query": 3}


def test_the_subjects_behind_new_reasons_are_known_too(ledger: Ledger):
    ledger.intend([entry()])
    ledger.confirm([entry(ANA, "s3://data/Ana/*", OWN, Reason("policy/b.yaml#x", ("prefix s3://data/p/x/", "profile D/ana2")))])

    assert ledger.of(ANA)[1] == {"profile D/ana", "profile D/ana2", "prefix s3://data/p/x/"}
    assert ledger.grantees("prefix s3://data/p/x/") == {ANA}


def test_what_is_forgotten_is_gone_and_its_subjects_stay(ledger: Ledger):
    ledger.intend([entry(), entry(BEN)])
    ledger.forget([entry().grant])

    assert [found.grant.grantee for found in ledger.entries()] == [BEN]
    assert ledger.of(ANA) == ([], {"profile D/ana"})


def test_no_pair_is_written_twice(ledger: Ledger):
    ledger.intend([entry()])
    ledger.forget([entry().grant])
    before = list(ledger.table.query("profile D/ana"))
    ledger.table._client.delete_item(
        TableName=ledger.table.name, Key={"pk": {"S": "profile D/ana"}, "sk": {"S": before[0]["sk"]}}
    )
    ledger.confirm([entry()])

    assert ledger.grantees("profile D/ana") == frozenset()


SCOPES = {
    "with a space": "s3://data/my folder/*",
    "with every letter": "s3://data/Ünïcödé 🦪/*",
    "of the longest key": f"s3://data/{'x' * 1010}/*",
    "longer than a sort key": f"s3://data/{'ü' * 900}/*",
    "that ends like an application": "s3://data/x arn:aws:sso::111122223333:application/y",
}


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES.keys())
@pytest.mark.parametrize("application", ["", "arn:aws:sso::111122223333:application/y"], ids=["for all", "for one application"])
def test_every_scope_comes_back_as_it_was(ledger: Ledger, scope: str, application: str):
    wanted = Entry(Grant(ANA, WRITE, scope, application), State.INTENDED, frozenset({OWN}))
    ledger.intend([wanted])

    assert ledger.of(ANA)[0] == [wanted]
    ledger.forget([wanted.grant])
    assert ledger.of(ANA)[0] == []


def test_grants_that_read_alike_are_different_items(ledger: Ledger):
    end = " arn:aws:sso::111122223333:application/y"
    alike = [Grant(ANA, READ, f"s3://b/x{end}"), Grant(ANA, READ, "s3://b/x", end.strip()), Grant(ANA, READ, "s3://b/x")]
    ledger.intend(Entry(grant, State.INTENDED, frozenset({TEAM})) for grant in alike)

    assert {found.grant for found in ledger.entries()} == set(alike)


def test_a_prefix_longer_than_a_sort_key_is_a_subject_like_any_other(ledger: Ledger):
    long = f"prefix s3://data/{'x' * 1000}/"
    ledger.intend([entry(ANA, "s3://data/Ana/*", Reason("policy/a.yaml#each", (long,)))])

    assert (ledger.of(ANA)[1], ledger.grantees(long)) == ({long}, {ANA})


TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
SUBJECTS = st.lists(st.text(max_size=20), max_size=3).map(tuple)
REASONS = st.frozensets(st.builds(Reason, st.text(max_size=30), SUBJECTS, TIMES, st.booleans()), max_size=60)


@given(REASONS)
def test_reasons_come_back_exactly_as_they_were(reasons: frozenset[Reason]):
    assert unpacked(packed(reasons)) == reasons


@given(st.sets(st.builds(Reason, st.text(max_size=9), SUBJECTS, TIMES, st.booleans()), max_size=9))
def test_the_same_reasons_in_any_order_are_written_alike(reasons: set[Reason]):
    assert packed(sorted(reasons, key=str)) == packed(sorted(reasons, key=str, reverse=True))


def test_ten_thousand_reasons_fit_into_an_item(ledger: Ledger):
    many = [Reason(f"policy/teams/product-{n}.yaml#everybody-in-product-{n}") for n in range(10_000)]
    ledger.intend([entry(ANA, "s3://data/Product/*", *many)])

    assert next(iter(ledger.entries())).reasons == frozenset(many)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.frozensets(st.builds(Reason, st.text(max_size=30), SUBJECTS.filter(all), TIMES, st.booleans()), min_size=1, max_size=9))
def test_reasons_come_back_through_the_table(ledger: Ledger, reasons: frozenset[Reason]):
    ledger.confirm([entry(BEN, "s3://data/any/*", *reasons)])

    assert ledger.of(BEN)[0][0].reasons == reasons


def test_many_grants_are_written_in_their_order_in_transactions_of_ninety(ledger: Ledger):
    calls = counted(ledger.table._client)
    ledger.intend(entry(ANA, f"s3://data/{n:04}/*") for n in range(300))

    assert calls == {"TransactWriteItems": 4}  # 300 grants and a pair both ways
    assert sorted(found.grant.scope for found in ledger.entries()) == [f"s3://data/{n:04}/*" for n in range(300)]


def test_no_transaction_is_larger_than_dynamodb_takes(ledger: Ledger):
    noise = [Reason(f"policy/a.yaml#{hashlib.sha256(str(n).encode()).hexdigest()}") for n in range(3000)]  # 130 KB, packed
    ledger.confirm(entry(ANA, f"s3://data/{n:04}/*", *noise) for n in range(60))

    assert len(ledger.of(ANA)[0]) == 60


def test_all_pages_are_read_whatever_stands_between_the_grants(ledger: Ledger):
    until = datetime(2027, 3, 31, tzinfo=UTC)
    wide = [Reason(f"policy/a.yaml#{'x' * 200}{n}", ("profile D/ana",), until + timedelta(hours=n)) for n in range(12)]
    ledger.confirm(entry(ANA, f"s3://data/{n:04}/*", *wide) for n in range(500))  # three megabytes
    ledger.confirm([entry(BEN)])
    calls = counted(ledger.table._client)
    found = list(ledger.entries())

    assert (len(found), {one.grant.grantee for one in found}) == (501, {ANA, BEN})
    assert calls["Scan"] > 1


@pytest.mark.parametrize("word", ["intend", "confirm", "leave", "forget"])
def test_a_holder_that_was_overtaken_writes_nothing(table: Table, ledger: Ledger, word: str):
    ledger.confirm([entry()])
    Leases(table).ring("faster", {}, 61, 60)

    with pytest.raises(Overtaken):
        getattr(ledger, word)([entry().grant] if word == "forget" else [entry(run="r-2")])
    assert list(ledger.entries()) == [entry()]


def test_a_holder_that_has_let_go_writes_nothing(table: Table, lease: Lease):
    Leases(table).release(lease)

    with pytest.raises(Overtaken):
        Ledger(table).under(lease).intend([entry()])


def test_without_a_lease_nothing_is_written(table: Table):
    with pytest.raises(RuntimeError, match="under a lease only"):
        Ledger(table).intend([entry()])


def cancelled(*reasons: str) -> Callable[[object], object]:
    return refusing("TransactionCanceledException", CancellationReasons=[{"Code": reason} for reason in reasons])


def test_a_write_that_a_bell_crosses_is_tried_again(ledger: Ledger):
    answering(ledger.table._client, "TransactWriteItems", *[cancelled("TransactionConflict", "None")] * 3)
    ledger.confirm([entry()])

    assert list(ledger.entries()) == [entry()]


def test_a_write_that_is_crossed_without_end_says_not_yet(ledger: Ledger):
    answering(ledger.table._client, "TransactWriteItems", *[cancelled("TransactionConflict", "None")] * 99)

    with pytest.raises(NotYet, match="kept crossing"):
        ledger.confirm([entry()])


READS: dict[str, Callable[[Ledger], object]] = {
    "Scan": lambda ledger: list(ledger.entries()),
    "Query": lambda ledger: ledger.of(ANA),
    "GetItem": lambda ledger: ledger.table.get("meta", "sweep"),
}


@pytest.mark.parametrize(("operation", "read"), READS.items(), ids=READS.keys())
def test_what_can_not_be_read_now_is_not_empty(ledger: Ledger, operation: str, read: Callable[[Ledger], object]):
    answering(ledger.table._client, operation, *[refusing("InternalServerError", 500)] * 9)

    with pytest.raises(NotYet, match="InternalServerError"):
        read(ledger)
