"""A plan's hash stands for every value of its changes, and for nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from grantor.core.grant import Grant, Grantee, LedgerEntry, Permission, Reason, State
from grantor.core.planning.plan import Action, Change, Plan

texts = st.text(min_size=1, max_size=8)
FIRST, LAST = datetime(2026, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001
ends = st.none() | st.datetimes(FIRST, LAST, timezones=st.just(UTC))
reasons = st.builds(Reason, texts, st.lists(texts, max_size=2).map(tuple), ends, st.booleans())
grantees = st.builds(Grantee, st.sampled_from(["IAM", "DIRECTORY_USER", "DIRECTORY_GROUP"]), texts)
grants = st.builds(Grant, grantees, st.sampled_from(Permission), texts, st.text(max_size=4))
lists = st.lists(reasons, max_size=3).map(tuple)
changes = st.builds(Change, st.just(Action.CREATE), grants, lists)
updates = st.builds(Change, st.just(Action.UPDATE), grants, lists, before=lists)
deletes = st.builds(Change, st.just(Action.DELETE), grants, lists)
plans = st.builds(
    Plan,
    create=st.lists(changes, max_size=3).map(tuple),
    update=st.lists(updates, max_size=3).map(tuple),
    delete=st.lists(deletes, max_size=3).map(tuple),
).filter(lambda plan: bool(plan.changes))


def replace_change(plan: Plan, place: int, change: Change) -> Plan:
    """The plan with another change at this place."""
    every = list(plan.changes)
    every[place] = change
    kinds = {
        name: tuple(one for one in every if one.action is action)
        for name, action in (
            ("create", Action.CREATE),
            ("update", Action.UPDATE),
            ("delete", Action.DELETE),
        )
    }
    return Plan(**kinds)


@given(plans, st.data())
def test_another_value_of_any_change_gives_another_hash(plan: Plan, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(plan.changes) - 1))
    first, other = plan.changes[place], data.draw(grants)
    altered = {
        "grantee type": first._replace(
            grant=replace(
                first.grant, grantee=replace(first.grant.grantee, kind=other.grantee.kind)
            )
        ),
        "identifier": first._replace(
            grant=replace(
                first.grant,
                grantee=replace(first.grant.grantee, identifier=other.grantee.identifier),
            )
        ),
        "permission": first._replace(grant=replace(first.grant, permission=other.permission)),
        "scope": first._replace(grant=replace(first.grant, scope=other.scope)),
        "application": first._replace(grant=replace(first.grant, application=other.application)),
        "reasons": first._replace(reasons=data.draw(lists)),
        "before": first._replace(before=data.draw(lists)),
        "reasons and before": first._replace(reasons=first.before, before=first.reasons),
    }
    for change in altered.values():
        assert (replace_change(plan, place, change).hash == plan.hash) is (change == first)


@given(updates, reasons, st.data())
def test_another_value_of_any_reason_now_or_before_gives_another_hash(
    change: Change, reason: Reason, data: st.DataObject
) -> None:
    other = data.draw(reasons)
    for kind in ("reasons", "before"):
        plan = Plan(update=(change._replace(**{kind: (reason,)}),))
        for name in ("rule", "subjects", "until", "additive"):
            altered = replace(reason, **{name: getattr(other, name)})
            changed = Plan(update=(change._replace(**{kind: (altered,)}),))
            assert (changed.hash == plan.hash) is (altered == reason)


@given(changes)
def test_an_end_that_differs_by_a_microsecond_gives_another_hash(change: Change) -> None:
    assume(change.reasons and change.reasons[0].until)
    until = change.reasons[0].until
    assert until
    later = replace(change.reasons[0], until=until + timedelta(microseconds=1))

    assert (
        Plan(create=(change._replace(reasons=(later, *change.reasons[1:])),)).hash
        != Plan(create=(change,)).hash
    )


@given(plans, changes)
def test_a_further_change_or_a_missing_one_gives_another_hash(plan: Plan, change: Change) -> None:
    assert replace(plan, create=(*plan.create, change)).hash != plan.hash
    for name in ("create", "update", "delete"):
        if found := getattr(plan, name):
            assert replace(plan, **{name: found[1:]}).hash != plan.hash


@given(changes)
def test_a_delete_and_a_create_have_different_hashes(change: Change) -> None:
    delete = change._replace(action=Action.DELETE)

    assert Plan(create=(change,)).hash != Plan(delete=(delete,)).hash


@given(changes)
def test_the_id_of_a_grant_and_the_guards_note_are_not_part_of_it(change: Change) -> None:
    """A grant that is created again meanwhile has another id; deleting it is the same change."""
    assert (
        Plan(create=(change._replace(grant_id="g-2", agreed=True),)).hash
        == Plan(create=(change,)).hash
    )


def test_a_correction_of_the_ledger_is_not_part_of_it() -> None:
    entry = LedgerEntry(
        Grant(Grantee("IAM", "a"), Permission.READ, "s3://b/*"), State.LIVE, frozenset()
    )

    assert Plan(ledger_updates=(entry,), ledger_removals=(entry.grant,)).hash == Plan().hash


def test_a_hash_has_256_bits() -> None:
    assert len(Plan().hash) == 64
