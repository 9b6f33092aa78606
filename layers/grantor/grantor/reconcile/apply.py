"""Applies a plan: ledger first, creates before deletes, and every outcome as a value in the report.

A change that AWS cannot make yet is deferred, one that it refuses for good has failed; neither
stops the others.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import batched

from botocore.exceptions import ClientError

from grantor.aws.access_grants import (
    AccessGrants,
    GrantExists,
    OutsideLocation,
    UnknownGrantee,
    ownership_tags,
)
from grantor.aws.clients import LeaseLost, RetryableError, error_code, error_message
from grantor.aws.ledger import Ledger
from grantor.aws.run_store import Sweep, encode_sweep
from grantor.aws.services import Services
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Location,
    Principals,
    State,
    choose_location,
    last_end,
)
from grantor.core.planning.guard import Baseline
from grantor.core.planning.plan import (
    Action,
    Change,
    DeferredChange,
    FailedChange,
    Plan,
    UnmanagedGrant,
)
from grantor.core.planning.required_reads import find_identities, find_stale_pairs
from grantor.core.snapshot import Snapshot, Window
from grantor.reconcile.judged_plan import JudgedPlan, WindowCounter
from grantor.reconcile.record_history import HistoryRecorder, SweptState, complete_history
from grantor.reconcile.report import Report, find_credentials_end
from grantor.settings import CHANGES_PER_LEDGER_WRITE, NEW_GRANTEE_TIME


def apply_plan(
    services: Services,
    ledger: Ledger,
    judged: JudgedPlan,
    go_on: Callable[[], bool],
    report: Report,
) -> None:
    """Apply the plan as far as time and AWS allow; `go_on` is asked before each change. The ledger
    is joining: what it keeps is written before anything is changed.

    Raises LeaseLost if the lease has passed to another run.
    """
    snapshot = judged.snapshot
    ledger.add_pairs(snapshot.inventory.sharing)
    tags = partial(grant_tags, run_id=report.run_id, versions=judged.policies.versions)
    counter = WindowCounter(judged)
    history = HistoryRecorder(
        services.history, services.clock, report.run_id, judged.policies.versions, snapshot.entries
    )
    history.note_approval(report.approval)
    applier = PlanApplier(
        services.grants,
        ledger,
        snapshot.inventory.locations,
        tags,
        go_on,
        report,
        history,
        snapshot.entries,
        counter.count,
        snapshot.inventory.principals,
    )
    counter.begin_approved(ledger, applier.write_intents)
    applier.apply(judged.plan)
    if report.deleted:
        deleted_at = datetime.fromtimestamp(services.clock(), UTC)
        report.credentials_until = find_credentials_end(deleted_at)
    owned = applier.list_owned(snapshot)
    ledger.record_identities(find_identities(snapshot, owned, _list_undone(snapshot, report)))
    if history.record() and snapshot.is_complete and not judged.causes:
        find_id = applier.find_ids(snapshot)
        swept = SweptState(owned, find_id, report.unmanaged, applier.removed)
        complete_history(history, swept, ledger)
    if snapshot.is_complete and not (judged.causes or history.failure):
        ledger.remove_pairs(find_stale_pairs(snapshot, judged.plan, applier.removed))
        now = snapshot.inventory.now
        baseline = Baseline.count(owned, snapshot.count_profiles(), now)
        ledger.write_actions([encode_sweep(Sweep(report.timestamp, baseline))])
        report.sweep_completed = True
    ledger.flush()
    history.raise_failure()


def _list_undone(snapshot: Snapshot, report: Report) -> frozenset[Grantee]:
    """The grantees for whom something was not done; if time was over, that may be everybody."""
    if report.cut_short:
        return snapshot.authority.renewed
    failed = (one.change.grant.grantee for one in report.failed)
    return frozenset((*failed, *(one.change.grant.grantee for one in report.deferred)))


def grant_tags(change: Change, run_id: str, versions: Mapping[str, str]) -> dict[str, str]:
    """The tags of a grant: they say that it is ours and why, so that a lost ledger can be rebuilt
    from the grants.
    """
    files = {reason.file for reason in change.reasons}
    until = last_end(change.reasons)
    return ownership_tags(
        rules=sorted({reason.rule for reason in change.reasons}),
        run=run_id,
        until=until.isoformat() if until else "",
        policy=versions.get(files.pop(), "") if len(files) == 1 else "",
    )


@dataclass
class PlanApplier:
    """Applies one plan; `go_on` is asked before each change.

    The ledger joins its writes: each `flush` here comes before calls that rely on them.
    """

    grants: AccessGrants
    ledger: Ledger
    locations: Sequence[Location]
    tags: Callable[[Change], dict[str, str]]
    go_on: Callable[[], bool]
    report: Report
    history: HistoryRecorder
    entries: Mapping[Grant, LedgerEntry] = field(default_factory=dict)  # the ledger before
    # What the guard has to know after these changes; None if it knows it already.
    count: Callable[[Plan], Window | None] = lambda _plan: None
    principals: Principals = field(default_factory=Principals)
    refusals: dict[Grant, str] = field(default_factory=dict)  # why a grant could not be created
    not_created: list[Grant] = field(default_factory=list)
    # Those that exist now and did not before, or are kept for other reasons
    created: dict[Grant, LedgerEntry] = field(default_factory=dict)
    updated: dict[Grant, LedgerEntry] = field(default_factory=dict)
    removed: set[Grant] = field(default_factory=set)  # those that are no longer in the ledger

    def apply(self, plan: Plan) -> None:
        """Apply everything in the plan, as far as time and AWS allow."""
        self.history.note_begun(plan)
        for change in plan.update:
            self.history.note_change(change)
        if self.history.record():
            self.updated = {change.grant: self._update_entry(change) for change in plan.update}
            window = self.count(Plan(update=plan.update))
            self.ledger.confirm_entries([*plan.ledger_updates, *self.updated.values()], window)
            self.report.done += plan.update
        # Marked deletes are agreed to: if time runs out, the next run goes on with them and the
        # guard does not ask again.
        marked = [self._make_entry(change, State.LEAVING) for change in plan.delete]
        self.ledger.mark_leaving(marked, self.count(Plan(delete=plan.delete)))
        # Whoever is suspended keeps nothing while others get theirs. And what is made again has to
        # be gone first.
        again = {change.grant for change in plan.create}
        first = [one for one in plan.delete if one.suspended_by or one.grant in again]
        self._delete_batches(first)
        for creates in self._while_time(batched(plan.create, CHANGES_PER_LEDGER_WRITE)):
            self._create_batch(creates)
        others = (change for change in plan.delete if change not in first)
        self._delete_batches(self._select_deletable(others))
        self.history.note_missing(plan.ledger_removals)
        self._remove_entries(plan.ledger_removals)

    def _delete_batches(self, deletes: Iterable[Change]) -> None:
        for batch in self._while_time(batched(deletes, CHANGES_PER_LEDGER_WRITE)):
            self.ledger.flush()
            gone = [
                change.grant for change in self._while_time(batch) if self._delete_grant(change)
            ]
            self._remove_entries(gone)

    def list_owned(self, snapshot: Snapshot) -> Collection[LedgerEntry]:
        """The entries of the grants that are ours now, including those that an earlier run changed
        before it could say so.
        """
        known = {
            grant: entry
            for grant, entry in snapshot.entries.items()
            if grant in snapshot.actual and grant not in self.removed
        }
        return (known | self.updated | self.created).values()

    def find_ids(self, snapshot: Snapshot) -> Callable[[LedgerEntry], str]:
        """What finds the id of a grant that is ours now, whatever the ledger says of it."""
        actual, created = snapshot.actual, self.created
        return lambda one: one.id if one.grant in created else actual[one.grant]

    def write_intents(self, changes: Iterable[Change]) -> None:
        """Record that these grants are to be created: if time runs out, the next run goes on with
        them and the guard does not ask again.
        """
        self.ledger.write_intent([self._make_entry(change, State.INTENDED) for change in changes])

    def _create_batch(self, changes: Sequence[Change]) -> None:
        intents = [self._make_entry(change, State.INTENDED) for change in changes]
        self.ledger.write_intent(intents, self.count(Plan(create=tuple(changes))))
        self.ledger.flush()
        ids = [(change, self._create_grant(change)) for change in self._while_time(changes)]
        created = [change._replace(grant_id=grant_id) for change, grant_id in ids if grant_id]
        entries = [self._make_entry(change, State.LIVE) for change in created]
        try:
            if self.history.record():
                self.ledger.confirm_entries(entries)
            self.ledger.flush()
        except LeaseLost:
            self._undo_creates(created)
            raise
        self.created |= {entry.grant: entry for entry in entries}
        self._note_refusals(intents)

    def _note_refusals(self, intents: Iterable[LedgerEntry]) -> None:
        """Record why grants could not be created, unless the ledger says so already."""
        refused = [
            replace(entry, refusal=self.refusals[entry.grant])
            for entry in intents
            if self.refusals.get(entry.grant, entry.refusal) != entry.refusal
        ]
        if refused:
            self.ledger.write_intent(refused)

    def _undo_creates(self, created: Iterable[Change]) -> None:
        """Delete again what the new holder of the lease has removed from the ledger meanwhile: no
        run would find it.
        """
        for change in created:
            known, _ = self.ledger.read_grantee(change.grant.grantee)
            if change.grant not in {one.grant for one in known}:
                self.grants.delete_grant(change.grant_id)
                self.history.note_change(change._replace(action=Action.DELETE))
        self.history.record()

    def _create_grant(self, change: Change) -> str:
        """The id of the grant, if it exists now and is ours."""
        with_id = self._attempt(change, partial(self._request_grant, change))
        if with_id is None:
            self.not_created.append(change.grant)
        return with_id or ""

    def _request_grant(self, change: Change) -> str:
        if self.principals.lacks(change.grant.grantee):
            raise UnknownGrantee("IAM does not list the grantee")
        found = choose_location(change.grant.scope, self.locations)
        if found is None:
            raise RetryableError("no location covers its scope any more")
        try:
            return self.grants.create_grant(change.grant, *found, self.tags(change))
        except GrantExists:
            return self._find_existing(change)

    def _find_existing(self, change: Change) -> str:
        """409: an answer was lost, or somebody else was faster. The tag says which; what is not
        ours stays unmanaged.
        """
        existing = self.grants.find_grant(change.grant)
        if existing is None:
            raise RetryableError("Access Grants reports that it exists but does not list it yet")
        if existing.owner == self.grants.stack:
            return existing.id
        self.history.note_missing([change.grant])
        self._remove_entries([change.grant])
        self.report.unmanaged.append(UnmanagedGrant(change.grant, change.reasons, existing.id))
        return ""

    def _select_deletable(self, deletes: Iterable[Change]) -> Iterator[Change]:
        # If a permission only moves, its old grant stays until the new one exists; no other delete
        # waits for that.
        for change in deletes:
            replacement = next(
                (grant for grant in self.not_created if grant.overlaps(change.grant)), None
            )
            if replacement is None:
                yield change
            else:
                deferred = DeferredChange(change, "its replacement is created first", replacement)
                self.report.deferred.append(deferred)

    def _remove_entries(self, grants: Collection[Grant]) -> None:
        """Forget grants that are gone, once the history says so."""
        if self.history.record():
            self.ledger.forget_grants(grants)
            self.removed.update(grants)

    def _delete_grant(self, change: Change) -> bool:
        def delete() -> str:
            self.grants.delete_grant(change.grant_id)
            return change.grant_id

        return self._attempt(change, delete) is not None

    def _attempt(self, change: Change, call: Callable[[], str]) -> str | None:
        """The id that `call` returns, "" if it had nothing to do; None if the change is deferred or
        has failed.
        """
        since = self._tried_since(change)
        try:
            grant_id = call()
        except UnknownGrantee as reason:
            self._refuse_grantee(change, str(reason), since)
        except RetryableError as reason:
            self._defer(change, str(reason), since)
        except OutsideLocation as reason:
            self._fail(change, "OutsideLocation", str(reason), since)
        except ClientError as error:
            self._fail(change, error_code(error), error_message(error), since)
        else:
            if grant_id:
                self.report.done.append(self._complete(change, grant_id))
                self.history.note_change(self.report.done[-1])
            return grant_id
        return None

    def _refuse_grantee(self, change: Change, why: str, since: str) -> None:
        """Defer the change while the grantee may be new. After that it does not exist."""
        earliest = self.report.started_at - NEW_GRANTEE_TIME
        if since and datetime.fromisoformat(since) <= earliest:
            self._fail(change, "UnknownGrantee", "there is no such role, user or group", since)
        else:
            self._defer(change, why, since)

    def _defer(self, change: Change, why: str, since: str) -> None:
        self.refusals[change.grant] = why
        # Whether it was deleted is known once it is created: the list may lack what exists.
        change = change._replace(drift=False)
        self.report.deferred.append(DeferredChange(change, why, since=since))

    def _fail(self, change: Change, code: str, why: str, since: str) -> None:
        self.refusals[change.grant] = f"{code}: {why}"
        self.report.failed.append(FailedChange(change, code, why, since))

    def _tried_since(self, change: Change) -> str:
        """Since when runs have tried in vain to create the grant; "" if this is the first."""
        known = self.entries.get(change.grant)
        if known is None or known.state is not State.INTENDED:
            return ""
        return known.tried or known.since

    def _complete(self, change: Change, grant_id: str) -> Change:
        """The change as it was made. A grant that has kept its id was only missing in the list."""
        known = self.entries.get(change.grant)
        was_there = known is not None and known.id == grant_id
        return change._replace(grant_id=grant_id, drift=change.drift and not was_there)

    def _while_time[T](self, items: Iterable[T]) -> Iterator[T]:
        """The items, each only if there is time left for it."""
        for item in items:
            self.report.cut_short = self.report.cut_short or not self.go_on()
            if self.report.cut_short:
                return
            yield item

    def _update_entry(self, change: Change) -> LedgerEntry:
        """`since` stays: the guard asks how old a grant is."""
        known, reasons = self.entries[change.grant], frozenset(change.reasons)
        return replace(known, reasons=reasons).with_state(State.LIVE, change.grant_id)

    def _make_entry(self, change: Change, state: State) -> LedgerEntry:
        at, run = self.report.timestamp, self.report.run_id
        made = LedgerEntry(change.grant, state, frozenset(change.reasons), change.grant_id, at, run)
        known = self.entries.get(change.grant)
        if known and state is State.INTENDED and change.grant not in self.removed:
            made = replace(made, id=known.id)  # of the grant that is missing
        if state is not State.INTENDED or not (since := self._tried_since(change)):
            return made
        return replace(made, tried=since, refusal=self.entries[change.grant].refusal)
