"""The guard: judges whether a plan requires an approval, because what it takes or gives away is
more likely a mistake or an attack than a decision.

lost      deletes, and updates that bring the end of a grant near; not deletes that were agreed to
given     creates of grants that are not in the ledger; what is in it was given before

Losses and gifts of the last 24 hours count together (Window), so nobody gets past the guard in
small steps. An objection names what it is about, so a run can do everything else meanwhile.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum

from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Permission,
    last_end,
    parse_profile_subject,
)
from grantor.core.planning.plan import Action, Change, Plan
from grantor.core.snapshot import TOTAL, Tally, Window
from grantor.settings import (
    GUARD_DELETES,
    GUARD_END_DAYS,
    GUARD_NEW_GRANTS,
    GUARD_RULE_GRANTS,
    GUARD_SHARE_PERCENT,
    GUARD_SWAP_GRANTEES,
    GUARD_WINDOW_HOURS,
)

WHOLE_BUCKET = re.compile(r"s3://[^/]*/?\*")


class ObjectionKind(StrEnum):
    """What the guard objects to; what `about` and the numbers of the objection are."""

    MANY_DELETES = "many_deletes"  # a file, or all: `count` of `of`
    RULE_EMPTIED = "rule_emptied"  # a rule that gave `count` grants
    FILE_DELETED = "file_deleted"  # a file, with `count` grants
    NO_RULES = "no_rules"
    DOMAIN_EMPTIED = "domain_emptied"  # a Studio domain that had `count` profiles
    SWAP = "swap"  # a permission and a scope: `count` lose it, `of` get it
    OTHER_ACCOUNT = "other_account"  # an account: `count` grants
    WHOLE_BUCKET = "whole_bucket"  # a scope: `count` grants
    MANY_NEW_GRANTS = "many_new_grants"  # a file: `count` grants
    FIRST_WRITES = "first_writes"  # a file that gave READ only: `count` grants


LOSSES = frozenset(
    {ObjectionKind.MANY_DELETES, ObjectionKind.RULE_EMPTIED, ObjectionKind.FILE_DELETED}
) | {ObjectionKind.NO_RULES, ObjectionKind.DOMAIN_EMPTIED}
WINDOWED = frozenset({ObjectionKind.MANY_DELETES, ObjectionKind.MANY_NEW_GRANTS})


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a plan requires an approval; rendering.py has its sentence."""

    kind: ObjectionKind
    about: str = ""
    count: int = 0
    of: int = 0
    ending: int = 0  # how many of `count` only end soon
    recent: int = 0  # how many of `count` earlier runs of the last 24 hours have made
    settled: bool = False  # only grants that are older than 24 hours are counted


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """The thresholds that the stack's parameters set; see docs/deploying.md."""

    deletes: int = GUARD_DELETES  # grants in 24 hours; half as many of a file that is deleted
    share: int = GUARD_SHARE_PERCENT  # percent of the grants
    new_grants: int = GUARD_NEW_GRANTS  # of one file, in 24 hours
    end_days: int = GUARD_END_DAYS  # an end within so many days counts as a delete

    @classmethod
    def parse(cls, text: str) -> "GuardLimits":
        """The limits out of the functions' environment; the defaults for what is missing. Raises
        ValueError.

        >>> GuardLimits.parse("deletes=100,share=10")
        GuardLimits(deletes=100, share=10, new_grants=500, end_days=30)
        """
        parts = [part.partition("=") for part in text.split(",") if part]
        names = {one.name for one in fields(cls)}
        if unknown := sorted({name for name, _, _ in parts} - names):
            raise ValueError(f"the guard has no limit {unknown[0]}: {text}")
        return cls(**{name: int(value) for name, _, value in parts})

    def exceeds(self, count: int, of: int) -> bool:
        """Whether so many are too many to lose at once."""
        return count > self.deletes and 100 * count > self.share * of


@dataclass(frozen=True)
class Baseline:
    """What the ledger holds before the plan, or held after the last sweep: how many grants and how
    many of them older than 24 hours, by policy file and TOTAL; how many by rule, of rules that the
    guard may find empty; and how many profiles each Studio domain had.
    """

    owned: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    profiles: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def count(
        cls, entries: Iterable[LedgerEntry], profiles: Mapping[str, int], now: datetime
    ) -> "Baseline":
        """Of these entries of the ledger."""
        every, settled, rules = Counter[str](), Counter[str](), Counter[str]()
        for entry in entries:
            names = {reason.rule for reason in entry.reasons}
            rules.update(names)
            files = {TOTAL, *(reason.file for reason in entry.reasons)}
            every.update(files)
            if _is_settled(entry, now):
                settled.update(files)
        owned = {file: (number, settled[file]) for file, number in every.items()}
        kept = {rule: number for rule, number in rules.items() if number >= GUARD_RULE_GRANTS}
        return cls(owned, kept, profiles)


@dataclass(frozen=True)
class GuardContext:
    """What a plan is judged by, besides itself."""

    now: datetime  # aware, UTC
    account: str  # the stack's
    limits: GuardLimits = GuardLimits()
    # The ledger, as far as the run has read it: at least the grantees of all changes.
    entries: Mapping[Grant, LedgerEntry] = field(default_factory=dict)
    baseline: Baseline = Baseline()
    window: Window = field(default_factory=Window)
    rules: frozenset[str] = frozenset()  # ids of all that the policy files contain now
    deleted_files: frozenset[str] = frozenset()
    profiles: Mapping[str, int] = field(default_factory=dict)  # of each domain that was read now
    changed_files: frozenset[str] = frozenset()  # that have a new version


def judge_plan(plan: Plan, context: GuardContext) -> tuple[Objection, ...]:
    """Why the plan requires an approval; empty if it does not.

    >>> from datetime import UTC
    >>> judge_plan(Plan(), GuardContext(datetime(2026, 11, 24, tzinfo=UTC), "111122223333"))
    ()
    """
    judge = _Judge(plan, context)
    return (*judge.judge_losses(), *judge.judge_gifts())


def find_losses(plan: Plan, now: datetime, limits: GuardLimits) -> tuple[Change, ...]:
    """The changes by which people lose access, now or soon, and to which nobody has agreed."""
    latest = now + timedelta(days=limits.end_days)
    deletes = tuple(change for change in plan.delete if not change.agreed)
    return deletes + tuple(change for change in plan.update if _ends_sooner(change, latest))


def find_gifts(plan: Plan, entries: Mapping[Grant, LedgerEntry]) -> tuple[Change, ...]:
    """The creates of grants that were not given before."""
    return tuple(change for change in plan.create if change.grant not in entries)


def tally_plan(
    plan: Plan, entries: Mapping[Grant, LedgerEntry], now: datetime, limits: GuardLimits
) -> dict[str, Tally]:
    """What the plan takes and gives, by policy file and in all."""
    deleted, ending, settled_deleted, settled_ending, given = (Counter[str]() for _ in range(5))
    for change in find_losses(plan, now, limits):
        files, entry = (TOTAL, *_list_files(change)), entries.get(change.grant)
        is_delete = change.action is Action.DELETE
        (deleted if is_delete else ending).update(files)
        if entry is None or _is_settled(entry, now):
            (settled_deleted if is_delete else settled_ending).update(files)
    for change in find_gifts(plan, entries):
        given.update((TOTAL, *_list_files(change)))
    counts = (deleted, ending, settled_deleted, settled_ending, given)
    return {file: Tally(*(one[file] for one in counts)) for file in sorted(set().union(*counts))}


def remove_objected(plan: Plan, objections: Iterable[Objection], context: GuardContext) -> Plan:
    """The plan without the changes that these objections are about. If a create is one of them, the
    deletes of what it replaces are, too.
    """
    gifts, losses = (
        find_gifts(plan, context.entries),
        find_losses(plan, context.now, context.limits),
    )
    about: dict[ObjectionKind, set[str]] = defaultdict(set)
    for one in objections:
        about[one.kind].add(one.about)
    swaps = _find_swaps(plan, gifts)
    swapped = [swaps[access] for access in about.pop(ObjectionKind.SWAP, ())]
    waiting = {change for both in swapped for part in both for change in part}
    for change in (*losses, *gifts):
        if any(not about[kind].isdisjoint(_list_concerns(kind, change)) for kind in about):
            waiting.add(change)
    creates: dict[Grantee, list[Grant]] = defaultdict(list)
    for change in waiting.intersection(gifts):
        creates[change.grant.grantee].append(change.grant)
    for change in losses:
        if any(grant.overlaps(change.grant) for grant in creates[change.grant.grantee]):
            waiting.add(change)
    create, delete, update = (
        tuple(change for change in changes if change not in waiting)
        for changes in (plan.create, plan.delete, plan.update)
    )
    return replace(plan, create=create, delete=delete, update=update)


def find_account(grantee: Grantee) -> str:
    """The account of an IAM role or user; empty for a user or group of the directory."""
    return grantee.identifier.split(":")[4] if grantee.kind == "IAM" else ""


def _ends_sooner(change: Change, latest: datetime) -> bool:
    before, after = last_end(change.before), last_end(change.reasons)
    return after is not None and after <= latest and (before is None or after < before)


def _is_settled(entry: LedgerEntry, now: datetime) -> bool:
    since = datetime.fromisoformat(entry.since) if entry.since else None
    return since is None or since <= now - timedelta(hours=GUARD_WINDOW_HOURS)


def _list_files(change: Change) -> frozenset[str]:
    return frozenset(reason.file for reason in change.before or change.reasons)


def _list_rules(change: Change) -> frozenset[str]:
    return frozenset(reason.rule for reason in change.before or change.reasons)


class _Judge:
    """Judges one plan."""

    def __init__(self, plan: Plan, context: GuardContext) -> None:
        self.plan, self.context = plan, context
        self.losses = find_losses(plan, context.now, context.limits)
        self.gifts = find_gifts(plan, context.entries)
        self.tallies = tally_plan(plan, context.entries, context.now, context.limits)
        self.recent = context.window.forget_old(context.now).sums

    def judge_losses(self) -> Iterator[Objection]:
        if not self.losses:
            return
        if not self.context.rules:
            yield Objection(ObjectionKind.NO_RULES)
        # What all files have lost says enough; otherwise one of them may have lost much of its own.
        in_all = list(self._judge_deletes(TOTAL))
        yield from in_all
        for file in sorted(self.tallies.keys() - {TOTAL}) if not in_all else ():
            yield from self._judge_deletes(file)
        lost = Counter(file for change in self.losses for file in _list_files(change))
        for file in sorted(self.context.deleted_files & lost.keys()):
            if 2 * lost[file] >= self.context.limits.deletes:
                yield Objection(ObjectionKind.FILE_DELETED, file, lost[file])
        yield from self._judge_rules()
        for access, parts in _find_swaps(self.plan, self.gifts).items():
            lose, gain = (len({change.grant.grantee for change in part}) for part in parts)
            if min(lose, gain) >= GUARD_SWAP_GRANTEES:
                yield Objection(ObjectionKind.SWAP, access, lose, gain)
        had = self.context.baseline.profiles
        for domain, count in self.context.profiles.items():
            if not count and had.get(domain):
                yield Objection(ObjectionKind.DOMAIN_EMPTIED, domain, had[domain])

    def judge_gifts(self) -> Iterator[Objection]:
        accounts = Counter(find_account(change.grant.grantee) for change in self.gifts)
        for account, count in accounts.items():
            if account not in ("", self.context.account):
                yield Objection(ObjectionKind.OTHER_ACCOUNT, account, count)
        scopes = Counter(change.grant.scope for change in self.gifts)
        for scope, count in scopes.items():
            if WHOLE_BUCKET.fullmatch(scope):
                yield Objection(ObjectionKind.WHOLE_BUCKET, scope, count)
        for file, tally in self.tallies.items():
            before = self.recent.get(file, Tally()).given
            count = tally.given + before
            if file != TOTAL and tally.given and count > self.context.limits.new_grants:
                yield Objection(ObjectionKind.MANY_NEW_GRANTS, file, count, recent=before)
        yield from self._judge_first_writes()

    def _judge_first_writes(self) -> Iterator[Objection]:
        """New versions of files all of whose grants were READ until now."""
        writes = Counter(
            file
            for change in self.gifts
            if change.grant.permission is not Permission.READ
            for file in _list_files(change) & self.context.changed_files
        )
        given: dict[str, set[Permission]] = defaultdict(set)
        for entry in self.context.entries.values() if writes else ():
            for reason in entry.reasons:
                given[reason.file].add(entry.grant.permission)
        for file, count in writes.items():
            if given[file] == {Permission.READ}:
                yield Objection(ObjectionKind.FIRST_WRITES, file, count)

    def _judge_deletes(self, file: str) -> Iterator[Objection]:
        """All grants are compared with all, or those older than 24 hours with each other: grants
        that were added on the same day make a large loss no smaller.
        """
        tally, before = self.tallies[file], self.recent.get(file, Tally())
        kind = ObjectionKind.MANY_DELETES
        if not (tally.deleted or tally.ending):
            return
        owned, settled = self.context.baseline.owned.get(file, (0, 0))
        both, limits = before + tally, self.context.limits
        count, of = both.deleted + both.ending, owned + before.deleted
        if limits.exceeds(count, of):
            yield Objection(kind, file, count, of, both.ending, before.deleted + before.ending)
            return
        count, of = both.settled_deleted + both.settled_ending, settled + before.settled_deleted
        if limits.exceeds(count, of):
            recent = before.settled_deleted + before.settled_ending
            yield Objection(kind, file, count, of, both.settled_ending, recent, settled=True)

    def _judge_rules(self) -> Iterator[Objection]:
        """Rules that are still in the files, gave something, and give nothing any more."""
        lost = Counter(rule for change in self.losses for rule in _list_rules(change))
        emptied = {
            rule
            for rule, count in lost.items()
            if rule in self.context.rules and count >= GUARD_RULE_GRANTS
        }
        if not emptied:
            return
        left = Counter({rule: self.context.baseline.rules.get(rule, 0) for rule in emptied})
        left.update(rule for change in self.gifts for rule in _list_rules(change))
        left.subtract(rule for change in self.plan.delete for rule in _list_rules(change))
        for change in self.plan.update:
            after = {reason.rule for reason in change.reasons}
            left.update(after - _list_rules(change))
            left.subtract(_list_rules(change) - after)
        removed = map(self.context.entries.get, self.plan.ledger_removals)
        left.subtract(
            rule for entry in removed if entry for rule in {one.rule for one in entry.reasons}
        )
        for rule in sorted(emptied):
            if left[rule] <= 0:
                had = max(self.context.baseline.rules.get(rule, 0), lost[rule])
                yield Objection(ObjectionKind.RULE_EMPTIED, rule, had)


def _find_swaps(
    plan: Plan, gifts: Iterable[Change]
) -> dict[str, tuple[list[Change], list[Change]]]:
    """By permission and scope: the deletes to which nobody has agreed, and the gifts. A profile
    that only changed its role loses a grant and gets it again, and is no part of a swap.
    """
    sides: tuple[dict[str, list[Change]], ...] = (defaultdict(list), defaultdict(list))
    for side, changes in zip(sides, (plan.delete, gifts), strict=True):
        for change in changes:
            side[f"{change.grant.permission} {change.grant.scope}"].append(change)
    found = {}
    for access in sorted(sides[0].keys() & sides[1].keys()):
        moved = _list_subjects(sides[0][access]) & _list_subjects(sides[1][access])
        lose, gain = (
            [one for one in side[access] if not (one.agreed or _list_subjects([one]) & moved)]
            for side in sides
        )
        found[access] = lose, gain
    return found


def _list_subjects(changes: Iterable[Change]) -> set[str]:
    return {one for change in changes for reason in change.reasons for one in reason.subjects}


def _list_concerns(kind: ObjectionKind, change: Change) -> Iterable[str]:
    """What an objection of this kind may be about if it concerns this loss or gift."""
    is_gift, grant = change.action is Action.CREATE, change.grant
    is_read = kind is ObjectionKind.FIRST_WRITES and grant.permission is Permission.READ
    if (kind in LOSSES) is is_gift or is_read:
        return ()
    if kind is ObjectionKind.RULE_EMPTIED:
        return _list_rules(change)
    if kind is ObjectionKind.DOMAIN_EMPTIED:
        return _list_domains(change)
    if kind is ObjectionKind.OTHER_ACCOUNT:
        return (find_account(grant.grantee),)
    return (grant.scope,) if kind is ObjectionKind.WHOLE_BUCKET else (TOTAL, *_list_files(change))


def _list_domains(change: Change) -> list[str]:
    profiles = map(parse_profile_subject, _list_subjects([change]))
    return [profile[0] for profile in profiles if profile]
