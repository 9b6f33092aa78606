"""Which plans require an approval, why, and what is done meanwhile: a table of situations, and the
ways around the guard that were tried.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.grant import Grant, Grantee, LedgerEntry, Permission, Reason, State, iam_grantee
from grantor.core.planning.approvals import PlanApproval, describe_objection, encode_objection
from grantor.core.planning.guard import (
    Baseline,
    GuardContext,
    GuardLimits,
    find_losses,
    judge_plan,
    remove_objected,
    tally_plan,
)
from grantor.core.planning.plan import Action, Change, Plan
from grantor.core.snapshot import TOTAL, Tally, Window
from grantor.settings import MAX_GUARD_COUNTS
from tests.conftest import ROOT

OWN = "111122223333"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TABLE = yaml.safe_load((ROOT / "tests/core/guard_situations.yaml").read_text())
WORDS = {
    *("what", "had", "today", "loses", "agreed", "ends", "gets", "moves", "heals", "removed"),
    *("earlier", "gone", "changed", "domains", "limits", "asks", "waits"),
}


def name_file(short: str) -> str:
    return f"policy/{short}.yaml"


def name_rule(short: str) -> str:
    """The id of a rule that the table calls a#team."""
    file, _, rule = short.partition("#")
    return f"{name_file(file)}#{rule}"


def build_change(action: Action, short: str, person: str, spec: Any = None) -> Change:
    """A change of one person's grant by a rule; the specification is that of the table."""
    given: Mapping[str, Any] = spec if isinstance(spec, dict) else {}
    account, rule = given.get("account", OWN), short.partition("#")[2]
    grant = Grant(
        iam_grantee(f"arn:aws:iam::{account}:role/{person}"),
        Permission(given.get("permission", "READ")),
        given.get("scope", f"s3://data/{rule}/*"),
    )
    reason = Reason(name_rule(short), (f"profile Lab/{person.removeprefix('moved-')}",))
    return Change(action, grant, (reason,), "id")


def count_people(spec: Any) -> int:
    return int(spec["count"]) if isinstance(spec, dict) else int(spec)


def list_people(count: int, start: int = 0) -> list[str]:
    return [f"p{number}" for number in range(start, start + count)]


@dataclass
class Situation:
    """One row of the table as values."""

    row: Mapping[str, Any]
    entries: dict[Grant, LedgerEntry] = field(default_factory=dict)
    create: list[Change] = field(default_factory=list)
    delete: list[Change] = field(default_factory=list)
    update: list[Change] = field(default_factory=list)
    removed: list[Grant] = field(default_factory=list)

    def __post_init__(self) -> None:
        for short, spec in self.row.get("had", {}).items():
            for place, person in enumerate(list_people(count_people(spec))):
                self._enter(build_change(Action.CREATE, short, person, spec), short, place)
        for word in ("loses", "agreed", "ends", "removed", "heals", "moves"):
            for short, spec in self.row.get(word, {}).items():
                getattr(self, f"_{word}")(short, spec)
        for short, spec in self.row.get("gets", {}).items():
            is_same = isinstance(spec, dict) and spec.get("same")
            people = list_people(count_people(spec), 0 if is_same else 10_000)
            self.create += [build_change(Action.CREATE, short, who, spec) for who in people]

    def _enter(self, change: Change, short: str, place: int) -> None:
        is_new = place < self.row.get("today", {}).get(short, 0)
        since = NOW - timedelta(hours=1 if is_new else 240)
        self.entries[change.grant] = LedgerEntry(
            change.grant, State.LIVE, frozenset(change.reasons), "id", since.isoformat()
        )

    def _had(self, short: str, person: str) -> Change:
        return build_change(Action.DELETE, short, person, self.row["had"][short])

    def _loses(self, short: str, count: int) -> None:
        self.delete += [self._had(short, person) for person in list_people(count)]

    def _agreed(self, short: str, count: int) -> None:
        losses = [self._had(short, person) for person in list_people(count)]
        self.delete += [
            Change(Action.DELETE, one.grant, one.reasons, "id", agreed=True) for one in losses
        ]

    def _ends(self, short: str, spec: tuple[int, float]) -> None:
        start = self.row.get("loses", {}).get(short, 0)
        for person in list_people(spec[0], start):
            before = self._had(short, person)
            reason = before.reasons[0]
            end = Reason(reason.rule, reason.subjects, NOW + timedelta(days=spec[1]))
            self.update.append(
                Change(Action.UPDATE, before.grant, (end,), "id", before=before.reasons)
            )

    def _removed(self, short: str, count: int) -> None:
        start = self.row.get("loses", {}).get(short, 0)
        self.removed += [self._had(short, who).grant for who in list_people(count, start)]

    def _heals(self, short: str, count: int) -> None:
        spec = self.row["had"][short]
        people = list_people(count)
        self.create += [build_change(Action.CREATE, short, who, spec) for who in people]

    def _moves(self, short: str, count: int) -> None:
        for person in list_people(count, self.row.get("loses", {}).get(short, 0)):
            old = self._had(short, person)
            self.delete.append(Change(Action.DELETE, old.grant, old.reasons, "id", agreed=True))
            self.create.append(build_change(Action.CREATE, short, f"moved-{person}"))

    @property
    def plan(self) -> Plan:
        return Plan(
            tuple(self.create),
            tuple(self.delete),
            tuple(self.update),
            ledger_removals=tuple(self.removed),
        )

    @property
    def context(self) -> GuardContext:
        row = self.row
        domains = row.get("domains", {})
        window = Window()
        for hours, files in sorted(row.get("earlier", {}).items(), reverse=True):
            tallies = {name_file(file): build_tally(**counts) for file, counts in files.items()}
            total = sum(tallies.values(), Tally())
            window = window.add({TOTAL: total, **tallies}, NOW - timedelta(hours=hours))
        gone = row.get("gone", [])
        rules = {name_rule(one) for word in ("had", "gets") for one in row.get(word, {})}
        profiles = {name: had for name, (had, _) in domains.items()}
        return GuardContext(
            NOW,
            OWN,
            GuardLimits.parse(row.get("limits", "")),
            self.entries,
            Baseline.count(self.entries.values(), profiles, NOW),
            window,
            rules=frozenset(
                rule
                for rule in rules - {name_rule(one) for one in gone if "#" in one}
                if rule.partition("#")[0] not in map(name_file, gone)
            ),
            deleted_files=frozenset(name_file(one) for one in gone if "#" not in one),
            profiles={name: has for name, (_, has) in domains.items()},
            changed_files=frozenset(map(name_file, row.get("changed", []))),
        )


def build_tally(deleted: int = 0, ending: int = 0, given: int = 0) -> Tally:
    return Tally(deleted, ending, deleted, ending, given)


def count_changes(plans: Iterable[Plan]) -> list[int]:
    return [len(plan.changes) for plan in plans]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["what"])
def test_the_guard_says_what_the_table_says(row: Mapping[str, Any]) -> None:
    situation = Situation(row)
    plan, context = situation.plan, situation.context
    objections = judge_plan(plan, context)
    meanwhile = remove_objected(plan, objections, context)
    whole, rest = count_changes((plan, meanwhile))

    said = [describe_objection(one, context.limits) for one in objections]
    assert (said, whole - rest) == (row.get("asks", []), row.get("waits", 0))
    assert judge_plan(meanwhile, context) == ()


def test_the_table_has_forty_situations_and_only_known_words() -> None:
    assert len(TABLE) >= 40
    assert len({row["what"] for row in TABLE}) == len(TABLE)
    assert set().union(*TABLE) <= WORDS
    assert sum(not row.get("asks") for row in TABLE) >= 15


def test_an_objection_is_written_as_values() -> None:
    row = next(row for row in TABLE if row["what"] == "twenty more, an hour after twenty")
    situation = Situation(row)

    assert [encode_objection(one) for one in judge_plan(situation.plan, situation.context)] == [
        {
            "kind": "many_deletes",
            "about": None,
            "count": 40,
            "of": 60,
            "ending": 0,
            "recent": 20,
            "settled": False,
        }
    ]


def test_an_approval_keeps_its_objections_as_values() -> None:
    row = next(row for row in TABLE if row["what"] == "a domain loses its last profile")
    situation = Situation(row)
    objections = judge_plan(situation.plan, situation.context)
    approval = PlanApproval("0" * 64, ("it is asked",), objections=objections)

    assert objections
    assert PlanApproval.from_json(approval.to_json()).objections == objections


def walk(row: Mapping[str, Any], steps: int, word: str, size: int) -> list[tuple[int, bool]]:
    """Take or give so many a run, one run a minute; how many until now, and whether it was asked."""
    window, done = Window(), []
    for step in range(steps):
        now = NOW + timedelta(minutes=step)
        had = {rule: count - step * size for rule, count in row["had"].items()}
        situation = Situation({"had": had, word: {"a#team": size}})
        found = situation.context
        context = GuardContext(
            now,
            OWN,
            entries=found.entries,
            baseline=found.baseline,
            window=window,
            rules=found.rules,
        )
        asked = bool(judge_plan(situation.plan, context))
        done.append(((step + 1) * size, asked))
        if asked:
            break
        window = window.add(tally_plan(situation.plan, situation.entries, now, context.limits), now)
    return done


def test_twenty_at_a_time_ends_at_an_approval() -> None:
    assert walk({"had": {"a#team": 80}}, 4, "loses", 20) == [(20, False), (40, True)]


def test_one_at_a_time_ends_at_an_approval() -> None:
    assert walk({"had": {"a#team": 80}}, 40, "loses", 1)[-1] == (21, True)


def test_gifts_in_small_steps_end_at_an_approval() -> None:
    assert walk({"had": {}}, 60, "gets", 20)[-1] == (520, True)


def test_ends_in_small_steps_end_at_an_approval() -> None:
    window, asked = Window(), []
    for step in range(6):
        situation = Situation({"had": {"a#team": 200}, "ends": {"a#team": (20, 1)}})
        now = NOW + timedelta(hours=step)
        context = GuardContext(
            now, OWN, entries=situation.entries, baseline=situation.context.baseline,
            window=window, rules=frozenset({name_rule("a#team")}),
        )  # fmt: skip
        asked.append(bool(judge_plan(situation.plan, context)))
        window = window.add(tally_plan(situation.plan, situation.entries, now, GuardLimits()), now)

    assert asked == [False, False, True, True, True, True]


def test_without_its_baseline_a_run_asks_before_it_takes_much() -> None:
    """After an upgrade, and after a rebuild, nobody knows how much there was."""
    situation = Situation({"had": {"a#team": 21}, "loses": {"a#team": 21}})
    context = GuardContext(NOW, OWN, rules=frozenset({name_rule("a#team")}))

    assert [one.kind for one in judge_plan(situation.plan, context)] == [
        "many_deletes",
        "rule_emptied",
    ]


def test_a_focused_run_knows_from_the_last_sweep_that_a_rule_is_empty() -> None:
    situation = Situation({"had": {"a#by-tag": 5, "a#team": 60}, "loses": {"a#by-tag": 5}})
    baseline = Baseline.count(situation.entries.values(), {}, NOW)
    few = {change.grant: situation.entries[change.grant] for change in situation.delete}
    context = GuardContext(
        NOW, OWN, entries=few, baseline=baseline, rules=frozenset({name_rule("a#by-tag")})
    )

    assert [one.kind for one in judge_plan(situation.plan, context)] == ["rule_emptied"]


def test_a_rule_whose_grants_another_rule_still_gives_loses_none() -> None:
    situation = Situation({"had": {"a#by-tag": 4, "a#team": 60}})
    other = Reason(name_rule("a#other"))
    updates = [
        Change(Action.UPDATE, grant, (other,), "id", before=tuple(entry.reasons))
        for grant, entry in situation.entries.items()
        if "by-tag" in grant.scope
    ]

    assert find_losses(Plan(update=tuple(updates)), NOW, GuardLimits()) == ()
    assert judge_plan(Plan(update=tuple(updates)), situation.context) == ()


def test_a_rule_that_gets_what_another_gave_is_not_empty() -> None:
    """Three lose a rule's grant, and the rule takes over a grant of another rule."""
    situation = Situation({"had": {"a#by-tag": 3, "a#team": 60}, "loses": {"a#by-tag": 3}})
    grant = next(grant for grant in situation.entries if "team" in grant.scope)
    old, new = situation.entries[grant].reasons, Reason(name_rule("a#by-tag"))
    taken = Change(Action.UPDATE, grant, (new,), "id", before=tuple(old))
    situation.update.append(taken)

    assert judge_plan(situation.plan, situation.context) == ()


def test_people_of_the_directory_belong_to_no_other_account() -> None:
    grant = Grant(Grantee("DIRECTORY_USER", "9067642a-1"), Permission.READ, "s3://data/x/*")
    plan = Plan(create=(Change(Action.CREATE, grant, (Reason(name_rule("a#team")),)),))

    assert judge_plan(plan, GuardContext(NOW, OWN)) == ()


def test_a_window_forgets_what_is_older_than_a_day() -> None:
    window = Window().add({TOTAL: Tally(deleted=5)}, NOW)

    assert window.forget_old(NOW + timedelta(hours=24)).sums == {TOTAL: Tally(deleted=5)}
    assert window.forget_old(NOW + timedelta(hours=25)).sums == {}


def test_a_window_with_very_many_counts_forgets_hours_and_no_count() -> None:
    tallies = {name_file(str(number)): Tally(given=1) for number in range(MAX_GUARD_COUNTS)}
    window = Window().add(tallies, NOW).add(tallies, NOW + timedelta(hours=1))

    assert len(window.hours) == 1
    assert window.sums == dict.fromkeys(tallies, Tally(given=2))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=8))
def test_a_window_sums_what_was_added_in_the_last_day(added: list[tuple[int, int]]) -> None:
    window = Window()
    for hour, count in sorted(added):
        window = window.add({TOTAL: Tally(deleted=count)}, NOW + timedelta(hours=hour))
    last = max((hour for hour, _ in added), default=0)

    found = window.forget_old(NOW + timedelta(hours=last)).sums.get(TOTAL, Tally())
    assert found.deleted == sum(count for hour, count in added if hour >= last - 24)


@pytest.mark.parametrize("text", ["deltes=5", "deletes=many", "deletes"])
def test_limits_that_nobody_knows_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"limit|invalid literal"):
        GuardLimits.parse(text)
