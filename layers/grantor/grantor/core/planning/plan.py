"""A plan as a value: which grants to create and delete, what to write to the ledger, and what stays
as it is and why.

Access Grants has no call that changes a grant, so the grants change by creates and deletes. Creates
come first: a grantee whose permission moves from one grant to another keeps access throughout, and
holds at most the old and the new grant together. An update changes only why a grant stays, and
until when.

The values here are the only source of a plan's hash, of counts, and of every text and JSON document
(rendering.py).
"""

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from grantor.core.grant import Grant, LedgerEntry, Reason, State, sort_reasons
from grantor.core.rules import Mode
from grantor.core.snapshot import Authority
from grantor.settings import INTENT_GRACE


class Action(StrEnum):
    """What a change does. A plan has creates, updates and deletes; `grantor adopt` and `grantor
    rebuild` only write to the ledger.
    """

    CREATE = "create"
    DELETE = "delete"
    UPDATE = "update"  # the grant stays, for other reasons or until another time
    ADOPT = "adopt"  # an unmanaged grant becomes managed
    RESTORE = "restore"  # a managed grant that the ledger had lost is entered again


class Change(NamedTuple):
    """One grant to create because of `reasons`, to delete because these no longer hold, or to keep
    because of these instead of those `before`; `grant_id` is the service's.

    A delete is `agreed` if an earlier run began it, or all its reasons are over, as
    Authority.is_over says: the guard does not ask about it. A create is `drift` if the ledger knew
    the grant as live, so that somebody else has deleted it.

    A named tuple, because a plan may have 200,000: to make one takes a third of the time that a
    frozen dataclass takes.
    """

    action: Action
    grant: Grant
    reasons: tuple[Reason, ...]
    grant_id: str = ""
    agreed: bool = False
    before: tuple[Reason, ...] = ()  # of an update: the reasons until now
    suspended_by: str = ""  # of a delete: the suspension that takes the grant away
    drift: bool = False

    def identity(self) -> list[Any]:
        """What makes this change the same one in every run: all but `agreed`, `drift` and
        `grant_id`.

        A grant's identity is its whole value. A grant that is created again while its plan waits
        for approval gets another id, and deleting it remains the same change.
        """
        return [
            str(self.action),
            *(self.grant.grantee.kind, self.grant.grantee.identifier),
            *(str(self.grant.permission), self.grant.scope, self.grant.application),
            [_reason_identity(reason) for reason in self.reasons],
            [_reason_identity(reason) for reason in self.before],
            self.suspended_by,
        ]


def _reason_identity(reason: Reason) -> list[Any]:
    until = reason.until.isoformat() if reason.until else None
    return [reason.rule, list(reason.subjects), until, reason.additive]


@dataclass(frozen=True, slots=True)
class FailedChange:
    """A change that AWS has refused for good, with its error code and message; `since` is when a
    run tried it first, if that was an earlier one.
    """

    change: Change
    code: str
    message: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class DeferredChange:
    """A change that is not possible yet, and why; a delete may wait for its replacement."""

    change: Change
    cause: str
    waits_for: Grant | None = None
    since: str = ""  # as that of FailedChange


@dataclass(frozen=True, slots=True)
class GrantOnHold:
    """A grant that stays as it is until its rule can be judged again, and why."""

    grant: Grant
    why: str


@dataclass(frozen=True, slots=True)
class UnmanagedGrant:
    """A grant that exists and is not in the ledger; `reasons` are those for which a rule asks for
    exactly this grant.
    """

    grant: Grant
    reasons: tuple[Reason, ...] = ()
    grant_id: str = ""


@dataclass(frozen=True, slots=True)
class LeftoverGrant:
    """A managed grant that no rule gives any more; it stays because additive files gave it."""

    grant: Grant
    reasons: tuple[Reason, ...]
    grant_id: str = ""


@dataclass(frozen=True)
class Plan:
    """What to do, in this order: ledger updates, updates, creates, deletes, ledger removals; and
    what is only reported.
    """

    create: tuple[Change, ...] = ()
    delete: tuple[Change, ...] = ()
    update: tuple[Change, ...] = ()  # no call to Access Grants
    # Corrections of state or id, written as they are here; no call to Access Grants
    ledger_updates: tuple[LedgerEntry, ...] = ()
    ledger_removals: tuple[Grant, ...] = ()
    unmanaged: tuple[UnmanagedGrant, ...] = ()
    on_hold: tuple[GrantOnHold, ...] = ()
    leftover: tuple[LeftoverGrant, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change, in the service or in the ledger."""
        return not (self.changes or self.ledger_updates or self.ledger_removals)

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, in the order in which they are made."""
        return self.update + self.create + self.delete

    @cached_property
    def hash(self) -> str:
        """SHA-256 over every value of every change, as 64 hex digits; an approval names exactly
        this.

        >>> Plan().hash[:12]
        '4f53cda18c2b'
        """
        return hash_changes(self.changes)


def hash_changes(changes: Iterable[Change]) -> str:
    """The hash of a plan with these changes, in their order; also of those that a person sees."""
    identities = [change.identity() for change in changes]
    canonical = json.dumps(identities, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


WITHHELD = "its role was deleted and made again, and nobody has said that it may have the grants"
Reasons = frozenset[Reason]
NO_REASONS: Reasons = frozenset()


def find_doubtful(
    entries: Mapping[Grant, LedgerEntry], actual: Mapping[Grant, str]
) -> tuple[Grant, ...]:
    """The grants that exist under another id than the ledger's: only their tags say whether they
    are ours.
    """
    doubtful = (
        grant
        for grant, entry in entries.items()
        if (found := actual.get(grant)) is not None and found != entry.id
    )
    return tuple(sorted(doubtful, key=Grant.sort_key))


def find_leftovers(
    wanted: Mapping[Grant, Reasons],
    entries: Mapping[Grant, LedgerEntry],
    actual: Mapping[Grant, str],
    ours: Container[Grant],
    authority: Authority,
) -> tuple[LeftoverGrant, ...]:
    """The grants of ours that only additive files keep, whose rules are gone. Parameters as in
    compute_plan.
    """
    found: list[LeftoverGrant] = []
    if all(mode is Mode.AUTHORITATIVE for mode in authority.files.values()):
        return ()
    for grant, entry in entries.items():
        is_ours = grant in actual and (entry.id == actual[grant] or grant in ours)
        if is_ours and grant not in wanted:
            kept = [one for one in entry.reasons if not authority.may_revoke(one, grant)]
            if kept and all(authority.is_leftover(one, grant) for one in kept):
                found.append(LeftoverGrant(grant, sort_reasons(kept), actual[grant]))
    return tuple(sorted(found, key=lambda one: one.grant.sort_key()))


def compute_plan(
    wanted: Mapping[Grant, Reasons],
    entries: Mapping[Grant, LedgerEntry],
    actual: Mapping[Grant, str],
    ours: Iterable[Grant],
    authority: Authority,
) -> Plan:
    """The plan that makes `actual` and the ledger what the rules want; any order of the inputs
    gives the same plan.

    `ours` are the doubtful grants (find_doubtful) that carry our tag.
    """
    doubtful = frozenset(ours)
    withheld: list[GrantOnHold] = []
    if authority.withheld:  # else 100,000 grants are not looked at
        withheld = [GrantOnHold(one, WITHHELD) for one in wanted if authority.withholds(one)]
        wanted = {one: why for one, why in wanted.items() if not authority.withholds(one)}
    builder = _PlanBuilder(wanted, actual, doubtful, authority)
    builder.on_hold += withheld
    for grant, entry in entries.items():
        builder.judge_entry(grant, entry)
    for grant, reasons in wanted.items():
        if grant not in entries:
            builder.judge_unrecorded(grant, reasons)
    for grant, grant_id in actual.items():
        if grant not in entries and grant not in wanted:
            builder.add_unmanaged(grant, NO_REASONS, grant_id)
    leftover = find_leftovers(wanted, entries, actual, doubtful, authority)
    return replace(builder.build(), leftover=leftover)


class _PlanBuilder:
    """Decides grant by grant, and collects what is to be done."""

    def __init__(
        self,
        wanted: Mapping[Grant, Reasons],
        actual: Mapping[Grant, str],
        ours: frozenset[Grant],
        authority: Authority,
    ) -> None:
        self.wanted, self.actual, self.ours, self.authority = wanted, actual, ours, authority
        self.create: list[Change] = []
        self.delete: list[Change] = []
        self.update: list[Change] = []
        self.corrections: list[LedgerEntry] = []
        self.removals: list[Grant] = []
        self.unmanaged: list[UnmanagedGrant] = []
        self.on_hold: list[GrantOnHold] = []

    def judge_entry(self, grant: Grant, entry: LedgerEntry) -> None:
        """Decide on a grant that is in the ledger. Each mapping is asked once: there may be 100,000
        grants.
        """
        found, wanted = self.actual.get(grant), self.wanted.get(grant, NO_REASONS)
        over, reasons = NO_REASONS, wanted
        if entry.reasons != wanted:
            gone = entry.reasons - wanted
            over = frozenset([one for one in gone if self.authority.is_over(one, grant)])
            reasons = wanted | self._find_kept(grant, gone - over, found)
        if reasons:
            self._keep_entry(entry, reasons, wanted, found)
        elif found is not None and self._is_ours(entry, found):
            self.delete.append(self._make_delete(entry, found, over))
        elif found is None and self._was_intended_lately(entry):
            why = f"a run began to create it at {entry.since}, and it may not be listed yet"
            self.on_hold.append(GrantOnHold(grant, why))
        else:
            self.removals.append(grant)
            if found is not None:
                self.add_unmanaged(grant, wanted, found)

    def judge_unrecorded(self, grant: Grant, wanted: Reasons) -> None:
        """Decide on a wanted grant that is not in the ledger."""
        if (found := self.actual.get(grant)) is not None:
            self.add_unmanaged(grant, wanted, found)
        else:
            self._add_create(grant, wanted)

    def add_unmanaged(self, grant: Grant, wanted: Reasons, grant_id: str) -> None:
        """Note an existing grant that is not ours."""
        self.unmanaged.append(UnmanagedGrant(grant, sort_reasons(wanted), grant_id))

    def _find_kept(self, grant: Grant, left: Reasons, found: str | None) -> Reasons:
        """Those of the reasons, which no rule wants and which are not over, that this run may not
        revoke.
        """
        if not left:  # nearly always
            return NO_REASONS
        kept = {reason for reason in left if not self.authority.may_drop(reason)}
        if found is None:
            kept = {reason for reason in kept if not self.authority.is_leftover(reason, grant)}
        holds = filter(None, map(self.authority.hold_reason, kept))
        self.on_hold += [GrantOnHold(grant, why) for why in holds]
        return frozenset(kept)

    def _is_ours(self, entry: LedgerEntry, found: str) -> bool:
        return found == entry.id or entry.grant in self.ours

    def _make_delete(self, entry: LedgerEntry, grant_id: str, over: Reasons) -> Change:
        """Nobody is asked about a delete that was begun, or whose reasons are all over."""
        grant, suspensions = entry.grant, self.authority.find_suspension
        agreed = entry.state is State.LEAVING or over >= entry.reasons
        because = sort_reasons(entry.reasons)
        suspension = next(filter(None, (suspensions(one, grant) for one in because)), None)
        by = suspension.id if suspension else ""
        return Change(Action.DELETE, grant, because, grant_id, agreed, suspended_by=by)

    def _was_intended_lately(self, entry: LedgerEntry) -> bool:
        intended = entry.state is State.INTENDED and bool(entry.since)
        return intended and datetime.fromisoformat(entry.since) > self.authority.now - INTENT_GRACE

    def _keep_entry(
        self, entry: LedgerEntry, reasons: Reasons, wanted: Reasons, found: str | None
    ) -> None:
        grant = entry.grant
        if found is None:
            # An additive reason that no rule is known to want keeps a grant, and never makes one.
            if any(reason in wanted or not reason.additive for reason in reasons):
                self._add_create(grant, reasons, drift=entry.state is State.LIVE)
        elif not self._is_ours(entry, found):
            self.removals.append(grant)
            self.add_unmanaged(grant, reasons, found)
        elif self.authority.renewed and grant.grantee in self.authority.renewed:
            # A grant for the role that was there before may be dead.
            self.delete.append(self._make_delete(entry, found, over=entry.reasons))
            self._add_create(grant, reasons)
        elif entry.reasons != reasons:
            because, before = sort_reasons(reasons), sort_reasons(entry.reasons)
            change = Change(Action.UPDATE, grant, because, found, before=before)
            self.update.append(change)
        elif entry.state is not State.LIVE or entry.id != found:
            self.corrections.append(entry.with_state(State.LIVE, found))

    def _add_create(self, grant: Grant, reasons: Reasons, *, drift: bool = False) -> None:
        self.create.append(Change(Action.CREATE, grant, sort_reasons(reasons), drift=drift))

    def build(self) -> Plan:
        """What was collected, in the order in which it is done; of unmanaged grants, the wanted
        ones come first.
        """
        return Plan(
            create=_sort_changes(self.create),
            delete=_sort_changes(self.delete),
            update=_sort_changes(self.update),
            ledger_updates=tuple(
                sorted(self.corrections, key=lambda entry: entry.grant.sort_key())
            ),
            ledger_removals=tuple(sorted(self.removals, key=Grant.sort_key)),
            unmanaged=tuple(
                sorted(self.unmanaged, key=lambda one: (not one.reasons, one.grant.sort_key()))
            ),
            on_hold=tuple(
                sorted(set(self.on_hold), key=lambda held: (held.grant.sort_key(), held.why))
            ),
        )


def _sort_changes(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: change.grant.sort_key()))
