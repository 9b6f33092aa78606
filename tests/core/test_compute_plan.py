"""What a plan does with each grant, and the algebra of plans: applying one leaves nothing to do."""

from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.aws.ledger import unpack_reasons
from grantor.core.grant import Grant, Grantee, LedgerEntry, Permission, Reason, State
from grantor.core.planning.plan import (
    Action,
    Change,
    GrantOnHold,
    Plan,
    compute_plan,
    find_doubtful,
)
from grantor.core.rules import Mode
from grantor.core.snapshot import Authority, Focus, Hold

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAST, FUTURE = datetime(2026, 11, 24, 11, tzinfo=UTC), datetime(2026, 12, 24, tzinfo=UTC)
ANA, BEA = (Grantee("IAM", f"arn:aws:iam::111122223333:role/{name}") for name in ("ana", "bea"))
GRANT = Grant(ANA, Permission.READ, "s3://data/Product/*")
TEAM, OWN = Reason("policy/a.yaml#team"), Reason("policy/a.yaml#own", ("profile D/ana",))
ALL = Authority(NOW, Focus(), {"policy/a.yaml": Mode.AUTHORITATIVE})
LIVE, INTENDED, LEAVING = State.LIVE, State.INTENDED, State.LEAVING


def describe_outcome(plan: Plan) -> str:
    """Everything that the plan does or says of GRANT, in one word each."""
    said = {
        "create": plan.create,
        "delete": plan.delete,
        "write": plan.ledger_updates,
        "forget": plan.ledger_removals,
        "unmanaged": [one for one in plan.unmanaged if not one.reasons],
        "matching": [one for one in plan.unmanaged if one.reasons],
        "hold": plan.on_hold,
    }
    return " ".join(word for word, items in said.items() if items)


@pytest.mark.parametrize(
    ("wanted", "actual", "entry", "ours", "done"),
    [
        (True, None, None, False, "create"),
        (True, None, (LIVE, "1"), False, "create"),
        (True, None, (INTENDED, ""), False, "create"),
        (True, None, (LEAVING, "1"), False, "create"),
        (True, "1", None, False, "matching"),
        (True, "1", (LIVE, "1"), False, ""),
        (True, "2", (LIVE, "1"), False, "forget matching"),
        (True, "2", (LIVE, "1"), True, "write"),
        (True, "1", (LEAVING, "1"), False, "write"),
        (True, "1", (INTENDED, ""), False, "forget matching"),
        (True, "1", (INTENDED, ""), True, "write"),
        (False, "1", None, False, "unmanaged"),
        (False, "1", (LIVE, "1"), False, "delete"),
        (False, "2", (LIVE, "1"), False, "forget unmanaged"),
        (False, "2", (LIVE, "1"), True, "delete"),
        (False, "1", (LEAVING, "1"), False, "delete"),
        (False, "1", (INTENDED, ""), False, "forget unmanaged"),
        (False, "1", (INTENDED, ""), True, "delete"),
        (False, None, (LIVE, "1"), False, "forget"),
        (False, None, (INTENDED, ""), False, "forget"),
        (False, None, (LEAVING, "1"), False, "forget"),
    ],
)
def test_each_row_of_wanted_actual_ledger_and_ours(wanted, actual, entry, ours, done) -> None:
    want = {GRANT: frozenset({TEAM})} if wanted else {}
    have = {GRANT: actual} if actual else {}
    known = {GRANT: LedgerEntry(GRANT, entry[0], frozenset({TEAM}), entry[1])} if entry else {}

    assert describe_outcome(compute_plan(want, known, have, [GRANT] if ours else [], ALL)) == done


@pytest.mark.parametrize(
    ("state", "minute", "done"),
    [
        (INTENDED, 51, "hold"),
        (INTENDED, 50, "forget"),
        (LIVE, 51, "forget"),
        (LEAVING, 51, "forget"),
    ],
    ids=[
        "intended nine minutes ago",
        "ten minutes ago",
        "live nine minutes ago",
        "leaving nine minutes ago",
    ],
)
def test_a_recently_intended_grant_may_not_be_listed_yet(state, minute, done) -> None:
    entry = LedgerEntry(GRANT, state, frozenset({TEAM}), since=f"2026-11-24T11:{minute}:00+00:00")

    assert describe_outcome(compute_plan({}, {GRANT: entry}, {}, [], ALL)) == done


def test_a_grant_stays_until_its_last_reason_is_gone() -> None:
    entry = LedgerEntry(GRANT, LIVE, frozenset({TEAM, OWN}), "1")

    one_left = compute_plan({GRANT: frozenset({OWN})}, {GRANT: entry}, {GRANT: "1"}, [], ALL)
    assert (one_left.changes, one_left.ledger_updates) == (
        (Change(Action.UPDATE, GRANT, (OWN,), "1", before=(OWN, TEAM)),),
        (),
    )
    none_left = compute_plan({}, {GRANT: entry}, {GRANT: "1"}, [], ALL)
    assert none_left.delete == (Change(Action.DELETE, GRANT, (OWN, TEAM), "1"),)


@pytest.mark.parametrize(
    ("reason", "authority", "stays"),
    [
        (TEAM, ALL, False),
        (
            Reason("policy/a.yaml#own", ("profile D/bea",)),
            Authority(NOW, Focus(("profile D/ana",)), ALL.files),
            True,
        ),
        (OWN, Authority(NOW, Focus(("profile D/ana",)), ALL.files), False),
        (TEAM, Authority(NOW, Focus(("profile D/ana",)), ALL.files), True),
        (TEAM, Authority(NOW, Focus(), {}), True),
        (TEAM, Authority(NOW, Focus(), {"policy/a.yaml": None}), False),
        (TEAM, Authority(NOW, Focus(), {"policy/a.yaml": Mode.ADDITIVE}), False),
        (
            Reason(TEAM.rule, additive=True),
            Authority(NOW, Focus(), {"policy/a.yaml": Mode.ADDITIVE}),
            True,
        ),
        (Reason(TEAM.rule, additive=True), Authority(NOW, Focus(), {"policy/a.yaml": None}), True),
        (Reason(TEAM.rule, additive=True), ALL, False),
        (Reason(TEAM.rule, until=PAST, additive=True), Authority(NOW, Focus(), {}), False),
        (Reason(TEAM.rule, until=FUTURE), Authority(NOW, Focus(), {}), True),
        (
            TEAM,
            Authority.build(
                NOW, Focus(), ALL.files, [Hold(TEAM.rule, "", "its domain was not read")]
            ),
            True,
        ),
        (
            OWN,
            Authority.build(NOW, Focus(), ALL.files, [Hold(OWN.rule, "profile D/bea", "shared")]),
            False,
        ),
        (
            OWN,
            Authority.build(NOW, Focus(), ALL.files, [Hold(OWN.rule, "profile D/ana", "shared")]),
            True,
        ),
    ],
    ids=[
        "read whole",
        "another profile than the focus",
        "the profile in focus",
        "of nobody in focus",
        "its file unread",
        "its file gone",
        "additive now, authoritative when granted",
        "additive",
        "additive file gone",
        "once additive, now authoritative",
        "ended, whoever looks",
        "not ended, file unread",
        "its rule held",
        "held for somebody else",
        "held for its subject",
    ],
)
def test_a_reason_that_no_rule_wants_stays_unless_the_run_may_revoke_it(
    reason, authority, stays
) -> None:
    entry = LedgerEntry(GRANT, LIVE, frozenset({reason}), "1")

    deletes = compute_plan({}, {GRANT: entry}, {GRANT: "1"}, [], authority).delete
    assert [change.grant for change in deletes] == ([] if stays else [GRANT])


@pytest.mark.parametrize(
    ("state", "reason", "agreed"),
    [
        (LIVE, TEAM, False),
        (LEAVING, TEAM, True),
        (LIVE, Reason(TEAM.rule, until=PAST), True),
        (INTENDED, TEAM, False),
    ],
    ids=["a decision", "begun by an earlier run", "its time is over", "not confirmed yet"],
)
def test_an_approved_delete_needs_no_second_approval(state, reason, agreed) -> None:
    plan = compute_plan(
        {}, {GRANT: LedgerEntry(GRANT, state, frozenset({reason}), "1")}, {GRANT: "1"}, [GRANT], ALL
    )

    assert plan.delete == (Change(Action.DELETE, GRANT, (reason,), "1", agreed),)


@pytest.mark.parametrize(
    ("entry", "corrected"),
    [((LIVE, "1"), False), ((LEAVING, "1"), True), ((LIVE, "old"), True), ((INTENDED, ""), True)],
    ids=["as it is", "wanted again", "created again", "not confirmed"],
)
def test_a_correction_of_state_or_id_is_no_change(entry, corrected) -> None:
    reasons = frozenset({TEAM, OWN})
    known = {GRANT: LedgerEntry(GRANT, entry[0], reasons, entry[1])}
    plan = compute_plan({GRANT: reasons}, known, {GRANT: "1"}, [GRANT], ALL)

    assert (plan.changes, bool(plan.ledger_updates)) == ((), corrected)


def test_the_ledger_that_version_0_2_0_has_written_is_no_change() -> None:
    written = '[["policy/a.yaml#own",["profile D/ana"],"2026-12-24T00:00:00.250000+00:00"]]'
    end = datetime(2026, 12, 24, 0, 0, 0, 250_000, tzinfo=UTC)
    entry = LedgerEntry(GRANT, LIVE, unpack_reasons(written), "1", "2026-11-20T10:00:00Z", "r-1")
    wanted = {GRANT: frozenset({Reason("policy/a.yaml#own", ("profile D/ana",), end)})}

    assert compute_plan(wanted, {GRANT: entry}, {GRANT: "1"}, [], ALL).is_empty


def test_another_end_of_a_grant_is_a_change() -> None:
    ends, stays = Reason(TEAM.rule, until=FUTURE), TEAM
    entry = LedgerEntry(GRANT, LIVE, frozenset({ends}), "1")
    plan = compute_plan({GRANT: frozenset({stays})}, {GRANT: entry}, {GRANT: "1"}, [], ALL)

    assert plan.changes == (Change(Action.UPDATE, GRANT, (stays,), "1", before=(ends,)),)


def test_a_grant_on_hold_says_why() -> None:
    authority = Authority.build(
        NOW,
        Focus(),
        ALL.files,
        [Hold(TEAM.rule, "", "domain D could not be read: ThrottlingException")],
    )
    plan = compute_plan(
        {}, {GRANT: LedgerEntry(GRANT, LIVE, frozenset({TEAM}), "1")}, {GRANT: "1"}, [], authority
    )

    assert plan.on_hold == (GrantOnHold(GRANT, "domain D could not be read: ThrottlingException"),)


def test_tags_are_read_only_of_grants_that_the_ledger_is_not_sure_of() -> None:
    other = Grant(BEA, Permission.READ, "s3://data/Product/*")
    entries = {
        GRANT: LedgerEntry(GRANT, LIVE, frozenset({TEAM}), "1"),
        other: LedgerEntry(other, INTENDED, frozenset({TEAM})),
    }

    assert find_doubtful(entries, {GRANT: "1", other: "2"}) == (other,)
    assert find_doubtful(entries, {GRANT: "9"}) == (GRANT,)


GRANTS = [
    Grant(who, permission, f"s3://data/{folder}/*")
    for who in (ANA, BEA)
    for permission in (Permission.READ, Permission.READWRITE)
    for folder in ("Product", "UserA")
]
REASONS = [
    TEAM,
    OWN,
    Reason("policy/b.yaml#own", ("profile D/bea",)),
    Reason("policy/b.yaml#new", until=FUTURE, additive=True),
]
FILES = {"policy/a.yaml": Mode.AUTHORITATIVE, "policy/b.yaml": Mode.AUTHORITATIVE}
EVERYTHING = Authority(NOW, Focus(), FILES)
reasons = st.frozensets(st.sampled_from(REASONS), min_size=1)
wants = st.dictionaries(st.sampled_from(GRANTS), reasons)
actuals = st.sets(st.sampled_from(GRANTS)).map(
    lambda chosen: {grant: f"id-{GRANTS.index(grant)}" for grant in chosen}
)


@st.composite
def draw_ledger(draw: st.DrawFn):
    """Entries in every state; the id is the actual one, another, or not known yet."""
    return {
        grant: LedgerEntry(
            grant,
            draw(st.sampled_from(State)),
            draw(reasons),
            draw(st.sampled_from(["", "old", f"id-{GRANTS.index(grant)}"])),
        )
        for grant in draw(st.sets(st.sampled_from(GRANTS)))
    }


def applied(plan: Plan, entries, actual):
    """What the ledger and the service hold after the plan, every call having gone well."""
    ledger, there = dict(entries), dict(actual)
    ledger |= {entry.grant: entry for entry in plan.ledger_updates}
    ledger |= {
        change.grant: LedgerEntry(change.grant, LIVE, frozenset(change.reasons), change.grant_id)
        for change in plan.update
    }
    for change in plan.create:
        there[change.grant] = f"new-{GRANTS.index(change.grant)}"
        ledger[change.grant] = LedgerEntry(
            change.grant, LIVE, frozenset(change.reasons), there[change.grant]
        )
    for change in plan.delete:
        del there[change.grant], ledger[change.grant]
    for grant in plan.ledger_removals:
        del ledger[grant]
    return ledger, there


@given(wants, draw_ledger(), actuals, st.sets(st.sampled_from(GRANTS)))
def test_an_applied_plan_leaves_nothing_to_do(wanted, entries, actual, tagged) -> None:
    ours = tagged & set(find_doubtful(entries, actual))
    ledger, there = applied(
        compute_plan(wanted, entries, actual, ours, EVERYTHING), entries, actual
    )

    assert find_doubtful(ledger, there) == ()
    assert compute_plan(wanted, ledger, there, (), EVERYTHING).is_empty
    assert wanted.keys() <= there.keys()


@given(wants, draw_ledger(), actuals, st.sets(st.sampled_from(GRANTS)))
def test_an_unmanaged_grant_is_never_deleted(wanted, entries, actual, tagged) -> None:
    ours = tagged & set(find_doubtful(entries, actual))
    plan = compute_plan(wanted, entries, actual, ours, EVERYTHING)

    for change in plan.delete:
        assert change.grant_id == actual[change.grant]
        assert change.grant in ours or entries[change.grant].id == change.grant_id


@given(wants, draw_ledger(), actuals)
def test_the_order_of_what_was_read_makes_no_difference(wanted, entries, actual) -> None:
    wanted_last, entries_last, actual_last = (
        dict(reversed(list(part.items()))) for part in (wanted, entries, actual)
    )

    assert repr(compute_plan(wanted, entries, actual, (), EVERYTHING)) == repr(
        compute_plan(wanted_last, entries_last, actual_last, (), EVERYTHING)
    )


@given(wants, draw_ledger(), actuals, st.sampled_from(["profile D/ana", "profile D/bea"]))
def test_a_focused_run_revokes_nothing_outside_its_focus(wanted, entries, actual, subject) -> None:
    authority = Authority(NOW, Focus((subject,)), FILES)
    seen = {
        grant: frozenset(r for r in why if subject in r.subjects) for grant, why in wanted.items()
    }
    plan = compute_plan(
        {grant: why for grant, why in seen.items() if why}, entries, actual, (), authority
    )

    for change in plan.delete:
        assert all(subject in reason.subjects for reason in change.reasons)


def test_a_plan_has_one_text_and_one_hash_whatever_the_order_of_its_input() -> None:
    changes = [Change(Action.CREATE, grant, (TEAM,)) for grant in GRANTS[:3]]
    plans = {
        compute_plan({change.grant: frozenset({TEAM}) for change in order}, {}, {}, (), ALL).hash
        for order in permutations(changes)
    }

    assert len(plans) == 1
    assert compute_plan({GRANTS[0]: frozenset({TEAM})}, {}, {}, (), ALL).hash not in plans


LEFT = Reason("policy/a.yaml#team", ("profile D/ana",), additive=True)
HOLD = Hold(LEFT.rule, "", "the domain could not be read")


@pytest.mark.parametrize(
    ("reasons", "authority", "exists", "done"),
    [
        pytest.param({LEFT}, ALL, True, "delete", id="the file is authoritative now"),
        pytest.param({LEFT}, None, True, "leftover", id="it keeps a grant that exists"),
        pytest.param({LEFT}, None, False, "forget", id="it makes no grant that is gone"),
        pytest.param({LEFT, TEAM}, None, True, "leftover", id="beside a reason that goes"),
        pytest.param({LEFT, OWN}, HOLD, True, "hold", id="beside reasons on hold"),
        pytest.param({LEFT}, HOLD, False, "hold", id="on hold, it makes none either"),
    ],
)
def test_an_additive_reason_keeps_a_grant_and_makes_none(
    reasons: set[Reason], authority: Authority | Hold | None, exists: bool, done: str
) -> None:
    holds = [authority] if isinstance(authority, Hold) else []
    additive = Authority.build(NOW, Focus(), {"policy/a.yaml": Mode.ADDITIVE}, holds)
    judged = authority if isinstance(authority, Authority) else additive
    entry = LedgerEntry(GRANT, LIVE, frozenset(reasons), "1")
    plan = compute_plan({}, {GRANT: entry}, {GRANT: "1"} if exists else {}, [], judged)

    assert plan.create == ()
    assert ("leftover" if plan.leftover else describe_outcome(plan)) == done


@pytest.mark.parametrize("reasons", [{LEFT}, {LEFT, TEAM}])
def test_a_run_that_does_not_look_at_an_additive_reason_makes_nothing_of_it(
    reasons: set[Reason],
) -> None:
    authority = Authority(NOW, Focus(("profile D/bea",)), {"policy/a.yaml": Mode.ADDITIVE})
    entry = LedgerEntry(GRANT, LIVE, frozenset(reasons), "1")
    plan = compute_plan({}, {GRANT: entry}, {}, [], authority)

    assert len(plan.create) == len(reasons) - 1  # a reason of another mode makes the grant again
    assert (plan.leftover, plan.ledger_removals) == ((), ())


def test_a_leftover_that_exists_under_another_id_is_one_only_with_our_tag() -> None:
    authority = Authority(NOW, Focus(), {"policy/a.yaml": Mode.ADDITIVE})
    entries = {GRANT: LedgerEntry(GRANT, LIVE, frozenset({LEFT}), "1")}

    assert compute_plan({}, entries, {GRANT: "2"}, [], authority).leftover == ()
    (found,) = compute_plan({}, entries, {GRANT: "2"}, [GRANT], authority).leftover
    assert (found.grant, found.reasons, found.grant_id) == (GRANT, (LEFT,), "2")
