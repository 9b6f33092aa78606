"""Records what a run does to grants in the history, before the ledger says so; and after a complete
run, what others have done, and a checkpoint if one is due.

A run writes events after its calls to Access Grants, and before the ledger confirms or forgets the
grants. If it dies in between, the ledger still says what was begun, and the next run finds that and
records it. The table keeps a mark of what the history last had of the whole state: a
complete run that finds the same makes no call.
"""

import hashlib
from collections.abc import (
    Callable,
    Collection,
    Container,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError
from grantor.aws.dynamodb import Action as TableAction
from grantor.aws.dynamodb import Item, put_action
from grantor.aws.history_store import HistoryStore, NoHistory
from grantor.aws.ledger import Ledger
from grantor.core.access.grant_history import (
    EventKind,
    GrantEvent,
    HistoryUnreadable,
    PastGrant,
    fold_events,
)
from grantor.core.grant import Grant, LedgerEntry, Reason, State, sort_reasons
from grantor.core.planning.approvals import PlanApproval
from grantor.core.planning.plan import Action, Change, Plan, UnmanagedGrant
from grantor.core.triggers import Trigger
from grantor.settings import CHECKPOINT_INTERVAL, EVENTS_WITHOUT_CHECKPOINT

ENDED, NOT_WANTED = "its reasons have ended", "no rule gives it any more"
TEARDOWN = "the stack is deleted"
KINDS = {
    Action.CREATE: EventKind.MADE,
    Action.DELETE: EventKind.REVOKED,
    Action.UPDATE: EventKind.CHANGED,
    Action.ADOPT: EventKind.ADOPTED,
    Action.RESTORE: EventKind.RESTORED,
}


@dataclass
class HistoryRecorder:
    """Records for one run; `entries` is the ledger before it, `versions` are those of the policy
    files in force.

    Events are noted as things happen, and `record` writes them as one object. If S3 does not take
    it, the ledger must not say what the events say: then `record` is False, the events wait for the
    next attempt, and `raise_failure` raises why once everything else is done.
    """

    store: HistoryStore
    clock: Callable[[], float]
    run: str
    versions: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[Grant, LedgerEntry] = field(default_factory=dict)
    ending: str = ""  # why everything is deleted, if it is
    failure: ClientError | RetryableError | HistoryUnreadable | None = None
    count: int = 0  # of events that were written
    waiting: list[GrantEvent] = field(default_factory=list)

    def now(self) -> datetime:
        """The time now, aware."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def record(self) -> bool:
        """Write what was noted; whether the history has it all. No call if nothing was."""
        try:
            self.store.put_events(self.waiting, self.run, self.now())
        except (ClientError, RetryableError) as error:
            self.failure = error
            return False
        self.count += len(self.waiting)
        self.waiting = []
        return True

    def raise_failure(self) -> None:
        """Raise why something could not be recorded; the next run records it."""
        if self.failure:
            raise self.failure

    def note_change(self, change: Change) -> None:
        """Note what was done just now. A grant that keeps its id was there all the time."""
        grant, reasons = change.grant, change.reasons
        known = self.entries.get(grant)
        if change.action is Action.CREATE and known:
            if known.state is State.LIVE and known.id == change.grant_id:
                return
            self._note_replaced(known, change.grant_id)
        why = self._explain_delete(change) if change.action is Action.DELETE else ""
        kind = KINDS[change.action]
        self._note(GrantEvent(kind, self.now(), change.grant_id, grant, reasons, why=why))

    def note_begun(self, plan: Plan) -> None:
        """Note what earlier runs have done and could not record: grants that were made, which the
        plan keeps, updates or deletes. Those runs had begun it at the time that the ledger says.
        """
        for entry in plan.ledger_updates:
            self._note_begun(self.entries.get(entry.grant), entry.id)
        for change in (*plan.update, *plan.delete):
            self._note_begun(self.entries.get(change.grant), change.grant_id)

    def note_missing(self, grants: Iterable[Grant]) -> None:
        """Note grants that the ledger has and S3 does not list: an earlier run has deleted them and
        could not record that, or somebody else has deleted them.
        """
        for entry in (self.entries[one] for one in grants if one in self.entries):
            if entry.id:
                self._note_missing(entry)

    def note_approval(self, approval: PlanApproval) -> None:
        """Note who has approved the plan, and why."""
        if approval.approved_by:
            self._note_decision(
                EventKind.APPROVED, approval.hash, approval.approved_by, approval.because
            )

    def note_rejections(self, approval: PlanApproval) -> None:
        """Note who has rejected the plan, and why."""
        for one in approval.rejections:
            self._note_decision(EventKind.REJECTED, approval.hash, one.user, one.because)

    def _note_decision(self, kind: EventKind, plan: str, who: str, why: str) -> None:
        self._note(GrantEvent(kind, self.now(), why=why, who=who, version=plan))

    def _note_begun(self, known: LedgerEntry | None, grant_id: str) -> None:
        if known is None or (known.id == grant_id and known.state is not State.INTENDED):
            return
        self._note_replaced(known, grant_id)
        at = datetime.fromisoformat(known.since) if known.since else self.now()
        reasons = sort_reasons(known.reasons)
        made = GrantEvent(EventKind.MADE, at, grant_id, known.grant, reasons, is_exact=False)
        self._note(made)

    def _note_replaced(self, known: LedgerEntry, grant_id: str) -> None:
        if known.id and known.id != grant_id:
            self._note_missing(known)

    def _note_missing(self, entry: LedgerEntry) -> None:
        was_begun = entry.state is State.LEAVING
        why = self.ending or NOT_WANTED
        kind, why = (EventKind.REVOKED, why) if was_begun or self.ending else (EventKind.GONE, "")
        reasons = sort_reasons(entry.reasons)
        now, grant = self.now(), entry.grant
        self._note(GrantEvent(kind, now, entry.id, grant, reasons, why=why, is_exact=False))

    def _explain_delete(self, change: Change) -> str:
        if self.ending:
            return self.ending
        if change.suspended_by:
            return f"suspended by {change.suspended_by}"
        now = self.now()
        ended = [one.until is not None and one.until <= now for one in change.reasons]
        return ENDED if ended and all(ended) else NOT_WANTED

    def _note(self, event: GrantEvent) -> None:
        versions = select_versions(event.reasons, self.versions)
        self.waiting.append(replace(event, run=self.run, versions=versions))


def record_writes(history: HistoryStore, triggers: Iterable[Trigger]) -> None:
    """Record in the history, without end, who has written policy files; a call for each."""
    for write in filter(None, (trigger.write for trigger in triggers)):
        at, who = datetime.fromisoformat(write.at), write.writer
        event = GrantEvent(EventKind.WRITTEN, at, who=who, file=write.file, version=write.version)
        history.put_write(event)


def select_versions(reasons: Iterable[Reason], versions: Mapping[str, str]) -> dict[str, str]:
    """Of the versions of all policy files, those of the files of these reasons."""
    files = {reason.file for reason in reasons}
    return {file: versions[file] for file in files if file in versions}


@dataclass(frozen=True)
class HistoryMark:
    """What the last checkpoint was about: when it was written, how many grants the ledger had, and
    a digest of the unmanaged ones that the history knows.
    """

    at: datetime
    owned: int
    unmanaged: str

    @classmethod
    def parse(cls, item: Item | None) -> Self | None:
        """The mark of its item in the table; None without one."""
        if item is None:
            return None
        return cls(datetime.fromisoformat(item["at"]), item["owned"], item["history"])

    def to_action(self) -> TableAction:
        """The action that keeps the mark in the table."""
        item = {"pk": "meta", "sk": "history", "at": self.at.isoformat(), "owned": self.owned}
        return put_action({**item, "history": self.unmanaged})


@dataclass(frozen=True)
class SweptState:
    """All grants that a complete run has seen or made: those of the ledger, by their ids, and
    those of others. `removed` are those that the ledger no longer has.
    """

    owned: Collection[LedgerEntry]
    find_id: Callable[[LedgerEntry], str]
    unmanaged: Sequence[UnmanagedGrant]
    removed: Container[Grant] = frozenset()


def complete_history(history: HistoryRecorder, swept: SweptState, ledger: Ledger) -> None:
    """Record what nobody has recorded yet, and write a checkpoint if one is due. The ledger, which
    has just been read as a whole, keeps the mark.

    Costs no call if nothing has changed since the mark. If S3 refuses, `history` says so.
    """
    mark = HistoryMark.parse(ledger.marks.get("history"))
    if new := _complete(history, swept, mark):
        ledger.write_actions([new.to_action()])


def _complete(
    history: HistoryRecorder, swept: SweptState, mark: HistoryMark | None
) -> HistoryMark | None:
    """The mark to keep; None if it stays as it is."""
    now = history.now()
    seen = HistoryMark(now, len(swept.owned), digest_ids(one.grant_id for one in swept.unmanaged))
    is_due = mark is None or _is_due(mark, seen, swept, history.count)
    if mark and not is_due and mark.unmanaged == seen.unmanaged:
        return None
    completion = _Completion(history, swept)
    try:
        if not completion.record_unrecorded(mark):
            return None
        if mark and not is_due:
            return replace(mark, unmanaged=seen.unmanaged)
        history.store.put_checkpoint(completion.list_held(now), history.run, now)
    except (ClientError, RetryableError, HistoryUnreadable) as error:
        history.failure = error
        return None
    return seen


def _is_due(mark: HistoryMark, seen: HistoryMark, swept: SweptState, count: int) -> bool:
    """Whether so much has changed since the last checkpoint that the next reader wants another."""
    if count > EVENTS_WITHOUT_CHECKPOINT:
        return True
    if seen.at - mark.at < CHECKPOINT_INTERVAL:
        return False
    newest = max((entry.since for entry in swept.owned), default="")
    return seen.owned != mark.owned or newest > mark.at.isoformat()


class _Completion:
    """One sweep's addition to the history; `known` is what the history says exists."""

    def __init__(self, history: HistoryRecorder, swept: SweptState) -> None:
        self.history, self.swept = history, swept
        self.known: Mapping[str, PastGrant] = {}

    def record_unrecorded(self, mark: HistoryMark | None) -> bool:
        """Record what others have made or deleted, and what a lost ledger has forgotten; whether
        the history has it. The history is read only where the ledger does not say it all.
        """
        if mark is None or self.swept.unmanaged or mark.unmanaged != digest_ids(()):
            with suppress(NoHistory):  # then a checkpoint begins it
                now = self.history.now()
                self.known = fold_events(self.history.store.read_state(now), now)
                self.history.waiting += self._find_unrecorded()
        return self.history.record()

    def _find_unrecorded(self) -> Iterator[GrantEvent]:
        now, run = self.history.now(), self.history.run
        there = {*map(self.swept.find_id, self.swept.owned)}
        there.update(one.grant_id for one in self.swept.unmanaged)
        # What the ledger has and a list lacks may only be missing in the list.
        entries, removed = self.history.entries, self.swept.removed
        there.update(entry.id for grant, entry in entries.items() if grant not in removed)
        for one in self.known.values():
            if one.id not in there:
                yield GrantEvent(
                    EventKind.GONE, now, one.id, one.grant, one.reasons, one.versions, run=run,
                    is_exact=False,
                )  # fmt: skip
        for found in self.swept.unmanaged:
            if found.grant_id not in self.known:
                yield GrantEvent(EventKind.FOUND, now, found.grant_id, found.grant, run=run)

    def list_held(self, now: datetime) -> Iterable[GrantEvent]:
        """The lines of a checkpoint."""
        for entry in self.swept.owned:
            grant_id, reasons = self.swept.find_id(entry), sort_reasons(entry.reasons)
            since = datetime.fromisoformat(entry.since) if entry.since else None
            versions = select_versions(reasons, self.history.versions)
            yield GrantEvent(
                EventKind.HELD, now, grant_id, entry.grant, reasons, versions, run=entry.run,
                since=self._find_since(grant_id, since),
            )  # fmt: skip
        for one in self.swept.unmanaged:
            yield GrantEvent(
                EventKind.FOUND, now, one.grant_id, one.grant, run=self.history.run,
                since=self._find_since(one.grant_id, now),
            )  # fmt: skip

    def _find_since(self, grant_id: str, otherwise: datetime | None) -> datetime | None:
        known = self.known.get(grant_id)
        return (known.since if known else None) or otherwise


def digest_ids(ids: Iterable[str]) -> str:
    """A digest of a set of ids."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]
