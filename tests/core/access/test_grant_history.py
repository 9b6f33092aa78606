"""Events of the history: what is written is read again, repeats change nothing, and what was held
follows from them in any order.

CASES=20000 folds as many random histories.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from grantor.core.access.access_index import Principal
from grantor.core.access.grant_history import (
    EventKind,
    GrantEvent,
    HistoryUnreadable,
    encode_event,
    fold_events,
    parse_events,
    settle_events,
)
from grantor.core.access.history_text import (
    build_changes_table,
    describe_event,
    encode_change,
    list_versions,
)
from grantor.core.access.past_access import PastAccess, select_events
from grantor.core.grant import Grant, Grantee, Permission, Reason, iam_grantee
from grantor.core.planning.rendering import Home

CASES = int(os.environ.get("CASES", "300"))
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/ana"
ANA = iam_grantee(ROLE)
HOME = Home("aws", "111122223333")
GRANT = Grant(ANA, Permission.READ, "s3://data/docs/*")
OWN = Reason("policy/a.yaml#own", ("profile D/ana",), NOON + timedelta(days=9), additive=True)
TEAM = Reason("policy/b.yaml#team")
VERSIONS = {"policy/a.yaml": "v1"}
MADE = GrantEvent(EventKind.MADE, NOON, "g1", GRANT, (OWN, TEAM), VERSIONS, run="r1")


def at(event: GrantEvent, hours: float, **changes: Any) -> GrantEvent:
    return replace(event, at=NOON + timedelta(hours=hours), **changes)


REVOKED = at(MADE, 5, kind=EventKind.REVOKED, why="no rule gives it any more")


def fold(*events: GrantEvent, hours: float) -> Mapping[str, Any]:
    return fold_events(settle_events(events), NOON + timedelta(hours=hours))


def write(*events: GrantEvent) -> bytes:
    return "".join(f"{encode_event(event)}\n" for event in events).encode()


def test_what_is_written_is_read_again() -> None:
    through = replace(GRANT, application="arn:aws:sso::1:application/x", scope='s3://data/ü"\n/*')
    events = [
        MADE,
        at(MADE, 1, kind=EventKind.HELD, since=NOON, grant=through, is_exact=False),
        GrantEvent(EventKind.APPROVED, NOON, why="it is meant", who="AROA1:ben", version="abc"),
        GrantEvent(EventKind.WRITTEN, NOON, who="AROA1:ben", file="policy/a.yaml", version="v1"),
    ]
    assert parse_events("s3://o/k", write(*events)) == events
    assert parse_events("s3://o/k", b"") == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (write(MADE)[:-1], "line 1: the line is cut off"),
        (write(MADE) + b"{}\n", r"line 2: it is no event of the history \(KeyError: "),
        (b"[]\n", "line 1: it is no event of the history"),
        (b"{\n", "line 1: it is no event of the history"),
        (b"\xff\n", "line 1: it is no event of the history"),
        (
            write(MADE).replace(b'"schema_version":1', b'"schema_version":2'),
            "line 1: it has the schema version 2, and this version of Grantor reads 1",
        ),
        (write(MADE).replace(b'"s3://data/docs/*"', b"null"), "the kind made names a grant"),
        (write(MADE).replace(b'"kind":"made"', b'"kind":"eaten"'), "'eaten' is not a valid"),
        (write(MADE).replace(b"12:00:00.000000Z", b"12:00:00"), "has no zone"),
    ],
    ids=range(9),
)
def test_what_cannot_be_read_is_an_error_that_names_object_and_line(body: bytes, why: str) -> None:
    with pytest.raises(HistoryUnreadable, match=f"s3://o/k, .*{why}"):
        parse_events("s3://o/k", body)


def test_a_grant_is_held_from_its_begin_to_its_end() -> None:
    for hours, is_held in ((-1, False), (0, True), (4.9, True), (5, False)):
        assert bool(fold(MADE, REVOKED, hours=hours)) is is_held
    (held,) = fold(MADE, REVOKED, hours=1).values()
    assert (held.since, held.reasons, held.versions) == (NOON, MADE.reasons, VERSIONS)


def test_a_change_gives_other_reasons_and_keeps_the_begin() -> None:
    changed = at(MADE, 1, kind=EventKind.CHANGED, reasons=(TEAM,), versions={}, run="r2")
    unknown = at(MADE, 1, kind=EventKind.CHANGED, grant_id="g9")
    (held,) = fold(MADE, changed, unknown, hours=2).values()
    assert (held.since, held.reasons, held.run) == (NOON, (TEAM,), "r2")
    assert settle_events([MADE, changed, at(changed, 2)]) == (MADE, changed)
    assert settle_events([REVOKED, at(changed, 9)]) == (REVOKED,)


def test_what_a_run_has_written_twice_counts_once() -> None:
    again = at(MADE, -0.5, is_exact=False, run="r2")
    assert settle_events([again, MADE, REVOKED, at(REVOKED, 6, is_exact=False)]) == (MADE, REVOKED)
    assert settle_events([again]) == (again,)
    said = GrantEvent(EventKind.APPROVED, NOON, who="ana", why="so")
    assert settle_events([said, said, replace(said, who="ben")]) == (said, replace(said, who="ben"))


def test_a_grant_that_a_run_has_deleted_never_comes_back_under_its_old_id() -> None:
    late = at(MADE, 6, kind=EventKind.FOUND)
    assert not fold(MADE, REVOKED, late, hours=7)


def test_a_grant_that_a_list_lacked_for_a_while_is_held_again() -> None:
    missing = at(MADE, 5, kind=EventKind.GONE, is_exact=False)
    seen = at(MADE, 6, kind=EventKind.FOUND)
    for hours, is_held in ((5, False), (6, True), (7, False)):
        assert bool(fold(MADE, missing, seen, at(missing, 7), hours=hours)) is is_held


def test_a_grant_of_others_may_be_adopted_and_a_lost_one_stays_what_it_was() -> None:
    found = at(MADE, 0, kind=EventKind.FOUND, reasons=())
    adopted = at(MADE, 1, kind=EventKind.ADOPTED)
    (held,) = fold(found, hours=0).values()
    assert not held.is_managed
    (held,) = fold(found, adopted, hours=1).values()
    assert (held.is_managed, held.since, held.reasons) == (True, NOON, MADE.reasons)
    assert settle_events([MADE, at(found, 1)]) == (MADE,)


def test_a_checkpoint_says_since_when() -> None:
    line = at(MADE, 0, kind=EventKind.HELD, since=NOON - timedelta(days=9))
    (held,) = fold(line, hours=0).values()
    assert held.since == NOON - timedelta(days=9)
    (held,) = fold(replace(line, since=None), hours=0).values()
    assert held.since is None


def test_an_event_without_its_grant_cannot_be_folded() -> None:
    with pytest.raises(ValueError, match="has a grant"):
        fold_events([GrantEvent(EventKind.MADE, NOON, "g1")], NOON)


def test_random_histories_fold_to_what_was_held_whatever_is_repeated_and_in_any_order() -> None:
    for number in range(CASES):
        random = Random(number)
        lives = [(f"g{each}", sorted(random.sample(range(20), 2))) for each in range(8)]
        events = []
        for grant_id, (begin, end) in lives:
            events.append(at(MADE, begin, grant_id=grant_id))
            if end < 18:
                events.append(at(REVOKED, end, grant_id=grant_id))
        repeated = [
            at(event, random.randint(0, 3) + (event.at - NOON).seconds / 3600, is_exact=False)
            for event in random.choices(events, k=3)
        ]
        checkpoint = [
            at(MADE, 10, kind=EventKind.HELD, grant_id=grant_id, since=NOON)
            for grant_id, (begin, end) in lives
            if begin <= 10 < end
        ]
        written = [*events, *repeated, *checkpoint]
        random.shuffle(written)
        for hour in range(20):
            held = {one for one, (begin, end) in lives if begin <= hour < (end if end < 18 else 99)}
            assert fold(*written, hours=hour).keys() == held, (number, hour)


def test_past_access_has_the_grants_the_profiles_and_the_versions_of_then() -> None:
    others = at(MADE, 0, kind=EventKind.FOUND, grant_id="g2", reasons=(),
                grant=replace(GRANT, scope="s3://data/x/*"))  # fmt: skip
    past = PastAccess(NOON + timedelta(hours=1), settle_events([MADE, others, REVOKED]))
    snapshot = past.build_snapshot()
    assert snapshot.actual == {GRANT: "g1", others.grant: "g2"}
    assert [entry.grant for entry in snapshot.entries.values()] == [GRANT]
    assert snapshot.entries[GRANT].since == "2026-12-01T12:00:00Z"
    (profile,) = snapshot.inventory.profiles
    assert (profile.domain, profile.name, profile.role) == ("D", "ana", ROLE)
    assert snapshot.inventory.sharing == {ROLE: frozenset(["profile D/ana"])}
    sources = past.find_sources()
    assert (sources[OWN.rule].version, sources[TEAM.rule].version) == ("v1", "")
    line = at(MADE, 0, kind=EventKind.HELD, reasons=(Reason("policy/a.yaml#x", ("prefix p",)),))
    unknown = PastAccess(NOON, (replace(line, since=None),)).build_snapshot()
    assert unknown.entries[GRANT].since == ""


def test_near_a_refusal_are_the_last_ends_before_and_the_first_begins_after_it() -> None:
    made_again = at(MADE, 9, grant_id="g2")
    elsewhere = at(REVOKED, 5, grant_id="g3", grant=replace(GRANT, scope="s3://data/other/*"))
    approval = GrantEvent(EventKind.APPROVED, NOON, who="ben")
    past = PastAccess(NOON + timedelta(hours=6), (approval, MADE, REVOKED, elsewhere, made_again))
    asked = Principal((ANA,)), Permission.READ
    assert past.list_near(*asked, "s3://data/docs/x") == (REVOKED, made_again)
    assert past.list_near(Principal((ANA,)), Permission.WRITE, "s3://data/docs/x") == ()
    assert past.list_near(Principal((Grantee("IAM", "b"),)), asked[1], "s3://data/docs/x") == ()


def test_events_are_selected_by_place_or_by_whose_grants_they_are_about() -> None:
    approval = GrantEvent(EventKind.APPROVED, NOON, who="ben")
    events = [MADE, REVOKED, approval]
    assert select_events(events) == [REVOKED, approval, MADE]
    assert select_events(events, place="s3://data/*") == [REVOKED, MADE]
    assert select_events(events, place="s3://data/docs/x") == [REVOKED, MADE]
    assert select_events(events, place="s3://data/other/*") == []
    assert select_events(events, grants_of=frozenset([ANA])) == [REVOKED, MADE]
    assert select_events(events, grants_of=frozenset([Grantee("IAM", "b")])) == []


def test_an_event_as_a_line_names_the_version_and_who_has_written_it() -> None:
    writers = {("policy/a.yaml", "v1"): "AROA1:ben"}
    assert describe_event(MADE, HOME, writers) == (
        "2026-12-01T12:00:00Z  + READ s3://data/docs/* to role/ana, made because of "
        "policy/a.yaml#own (version v1, written by AROA1:ben) and policy/b.yaml#team"
    )
    plain = replace(REVOKED, reasons=(OWN,), is_exact=False)
    assert describe_event(plain, HOME, {}) == (
        "2026-12-01T17:00:00Z (about)  - READ s3://data/docs/* to role/ana, revoked: no rule gives it "
        "any more, held because of policy/a.yaml#own (version v1)"
    )
    approval = GrantEvent(EventKind.APPROVED, NOON, who="AROA1:ben", why="it is meant")
    assert describe_event(approval, HOME, {}) == (
        "2026-12-01T12:00:00Z  a plan was approved by AROA1:ben: it is meant"
    )
    gone = replace(REVOKED, kind=EventKind.GONE, reasons=(), why="")
    assert describe_event(gone, HOME, {}).endswith("to role/ana, deleted by somebody else")


def test_events_as_a_table_and_as_json() -> None:
    approval = GrantEvent(EventKind.APPROVED, NOON, who="AROA1:ben", why="it is meant")
    head, made, approved = build_changes_table([MADE, approval], HOME, {})
    assert len(head) == len(made) == len(approved)
    assert (made[1], made[4], approved[4], approved[7]) == ("made", "role/ana", "", "AROA1:ben")
    assert list_versions([MADE, approval]) == {("policy/a.yaml", "v1")}
    encoded = encode_change(MADE, {("policy/a.yaml", "v1"): "AROA1:ben"})
    assert [one["written_by"] for one in encoded["reasons"]] == ["AROA1:ben", None]
    assert json.loads(encode_event(MADE))["scope"] == encoded["scope"]
