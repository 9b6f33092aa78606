"""Recovery by a person, under the lease: adopt unmanaged grants, rebuild a lost ledger, re-send
dead letters.

No grant is created or deleted here. An adopted grant is recorded as intended, then tagged, then
confirmed: if the process dies in between, the next run finds by the tag whether the grant is ours,
and otherwise removes the intent.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import batched
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from grantor.aws.access_grants import (
    OWNER,
    AccessGrants,
    OwnershipTags,
    fit_tag_value,
    read_ownership,
)
from grantor.aws.clients import RetryableError, error_code, error_message, map_concurrently
from grantor.aws.history_store import NoHistory
from grantor.aws.lease import Lease
from grantor.aws.ledger import Ledger
from grantor.aws.policy_store import AcceptedVersion, encode_acceptance
from grantor.aws.queues import DeadLetter, DeadLetterQueue
from grantor.aws.services import Services
from grantor.core.access.grant_history import PastGrant, fold_events
from grantor.core.grant import Grant, LedgerEntry, Reason, State, sort_reasons
from grantor.core.planning.plan import Action, Change, DeferredChange, FailedChange, UnmanagedGrant
from grantor.core.planning.rendering import format_timestamp
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Mode, Policy
from grantor.core.triggers import parse_event
from grantor.reconcile.apply import grant_tags
from grantor.reconcile.policies import PolicySet, read_policies
from grantor.reconcile.record_history import HistoryRecorder
from grantor.reconcile.report import Report
from grantor.settings import CHANGES_PER_LEDGER_WRITE, CONCURRENT_CALLS, REBUILD_BATCH_ENTRIES


@dataclass(frozen=True)
class GrantAdoption:
    """Makes unmanaged grants managed; `ledger` is that of a holder of the lease, and `history` has
    the versions of the policy files in force.
    """

    grants: AccessGrants
    ledger: Ledger
    history: HistoryRecorder
    report: Report

    def adopt(self, chosen: Iterable[UnmanagedGrant]) -> None:
        """Adopt each grant unless another stack owns it; the report has each outcome. Raises as the
        ledger does.
        """
        changes = (Change(Action.ADOPT, one.grant, one.reasons, one.grant_id) for one in chosen)
        for batch in batched(self._select_free(changes), CHANGES_PER_LEDGER_WRITE):
            self.ledger.write_intent([self._make_entry(change, State.INTENDED) for change in batch])
            adopted = [change for change in batch if self._tag_grant(change)]
            if self.history.record():
                entries = [self._make_entry(change, State.LIVE) for change in adopted]
                self.ledger.confirm_entries(entries)
        self.history.raise_failure()

    def _select_free(self, changes: Iterable[Change]) -> Iterator[Change]:
        for change in changes:
            owner = self.grants.read_owner(change.grant_id)
            if owner in (None, self.grants.stack):
                yield change
            else:
                message = f"it is managed by the Grantor stack {owner}"
                self.report.failed.append(FailedChange(change, "OwnedByAnotherStack", message))

    def _tag_grant(self, change: Change) -> bool:
        tags = grant_tags(change, self.report.run_id, self.history.versions)
        try:
            self.grants.tag_grant(change.grant_id, tags)
        except RetryableError as reason:
            self.report.deferred.append(DeferredChange(change, str(reason)))
        except ClientError as error:
            self.report.failed.append(FailedChange(change, error_code(error), error_message(error)))
        else:
            self.report.done.append(change)
            self.history.note_change(change)
            return True
        return False

    def _make_entry(self, change: Change, state: State) -> LedgerEntry:
        grant_id = change.grant_id if state is State.LIVE else ""
        at, run = self.report.timestamp, self.report.run_id
        return LedgerEntry(change.grant, state, frozenset(change.reasons), grant_id, at, run)


UNKNOWN_RULE = ("policy/unknown.yaml", "unknown")  # of a grant whose tags name no rule
Tagged = tuple[Grant, str, Mapping[str, str]]  # a grant, its id, its tags


@dataclass
class LedgerRebuild:
    """Rebuilds the ledger for the holder of a lease; `go_on` is asked before each batch."""

    services: Services
    lease: Lease
    report: Report
    go_on: Callable[[], bool]
    batch_entries: ClassVar[int] = REBUILD_BATCH_ENTRIES
    inspected: int = 0  # grants
    others: int = 0  # grants without a tag of this stack
    _missing: dict[str, str] = field(
        default_factory=dict
    )  # files that are not listed, and a version that was in force
    _modes: dict[str, Mode | None] = field(
        default_factory=dict
    )  # of files that cannot be read as they are now

    @property
    def missing_files(self) -> list[str]:
        """The policy files that grants name and the bucket does not list."""
        return sorted(self._missing)

    def rebuild(self) -> None:
        """Enter every grant that carries this stack's tag and is not in the ledger. A list, and a
        call for each grant.

        Raises RetryableError or ClientError if something cannot be read; what was written until
        then is right.
        """
        known = {entry.id for entry in self.services.ledger.iterate_entries()}
        for batch in batched(self.services.grants.iterate_grants(), REBUILD_BATCH_ENTRIES):
            if not self.go_on():
                self.report.cut_short = True
                return
            tagged = self._read_tags(batch)
            self._enter_grants([one for one in tagged if one[1] not in known])
        self._accept_missing_files()

    def _read_tags(self, grants: Sequence[tuple[Grant, str]]) -> Iterator[Tagged]:
        """Those of the grants that are ours, with their tags."""
        with ThreadPoolExecutor(CONCURRENT_CALLS) as pool:
            tags = list(pool.map(lambda one: self.services.grants.read_tags(one[1]), grants))
        self.inspected += len(grants)
        for (grant, grant_id), found in zip(grants, tags, strict=True):
            if found and found.get(OWNER) == self.services.names.stack_name:
                yield grant, grant_id, found
            else:
                self.others += 1

    def _enter_grants(self, tagged: Sequence[Tagged]) -> None:
        entries = [
            self._make_entry(grant, grant_id, read_ownership(tags))
            for grant, grant_id, tags in tagged
        ]
        changes = [
            Change(Action.RESTORE, entry.grant, sort_reasons(entry.reasons), entry.id)
            for entry in entries
        ]
        for change in changes:
            self._recorder.note_change(change)
        self._recorder.record()
        self._recorder.raise_failure()
        self.services.ledger.with_lease(self.lease).confirm_entries(entries)
        self.report.done += changes

    def _make_entry(self, grant: Grant, grant_id: str, tags: OwnershipTags) -> LedgerEntry:
        """What the history says of the grant, or else what its tags say."""
        reasons = frozenset(
            self._make_reason(file, name, tags) for file, name in tags.rules or [UNKNOWN_RULE]
        )
        known = self._known.get(grant_id)
        if known is None or not known.reasons:
            return LedgerEntry(grant, State.LIVE, reasons, grant_id, run=tags.run)
        since = format_timestamp(known.since) if known.since else ""
        return LedgerEntry(
            grant, State.LIVE, frozenset(known.reasons), grant_id, since, known.run or tags.run
        )

    def _make_reason(self, file: str, name: str, tags: OwnershipTags) -> Reason:
        key = self._keys.get(file, file)
        if key not in self._keys.values():
            self._missing.setdefault(key, tags.policy)
        is_additive = self._find_mode(key, tags.policy) is Mode.ADDITIVE
        return Reason(f"{key}#{name}", (), tags.until, additive=is_additive)

    def _find_mode(self, key: str, version: str) -> Mode | None:
        """The file's mode as it is now, else as it was in the version that a tag names."""
        if key in self._files.modes:
            return self._files.modes[key]
        if key not in self._modes:
            self._modes[key] = self._read_past_mode(key, version)
        return self._modes[key]

    def _read_past_mode(self, key: str, version: str) -> Mode | None:
        try:
            body = self.services.policy_files.read_file(key, version).body if version else b""
        except (ClientError, RetryableError):
            return None
        policy = parse_policy(key, body, self.services.names.data_bucket)
        return policy.mode if isinstance(policy, Policy) else None

    def _accept_missing_files(self) -> None:
        """Record missing files as if they were in force, as they once were: the next run then asks
        S3 for each.
        """
        at, run = self.report.timestamp, self.report.run_id
        versions = {
            key: AcceptedVersion(version, "", at, run) for key, version in self._missing.items()
        }
        self.services.ledger.with_lease(self.lease).write_actions(encode_acceptance(versions, ()))

    @cached_property
    def _recorder(self) -> HistoryRecorder:
        services, versions = self.services, self._files.versions
        return HistoryRecorder(services.history, services.clock, self.report.run_id, versions)

    @cached_property
    def _known(self) -> Mapping[str, PastGrant]:
        """The grants that the history knows, by their ids; none before there is a history."""
        now = self._recorder.now()
        try:
            return fold_events(self.services.history.read_state(now), now)
        except NoHistory:
            return {}

    @cached_property
    def _files(self) -> PolicySet:
        return read_policies(self.services.policy_files, {}, self.services.names)

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        """The files in the bucket, by their names in tags."""
        return {fit_tag_value(key): key for key in self.services.policy_files.list_files()}


Event = Mapping[str, Any]


@dataclass
class QueueRedrive:
    """Re-sends one dead-letter queue. `describe` names what an event is about; `go_on` is asked
    before each ten messages.

    If `move` is False, everything is only looked at and stays in the queue.
    """

    queue: DeadLetterQueue
    describe: Callable[[Event], str]
    go_on: Callable[[], bool]
    move: bool = True
    resent: Counter[str] = field(
        default_factory=Counter
    )  # what the events were about, and how often
    oldest: float | None = None  # when the first of them was sent, in seconds since the epoch
    not_events: dict[str, DeadLetter] = field(default_factory=dict)  # by id
    _kept: dict[str, DeadLetter] = field(
        default_factory=dict
    )  # everything that stays in the queue, by id

    def redrive(self) -> None:
        """Go on until the queue has nothing new, or `go_on` says no. A call for each ten messages,
        and two for each re-sent one.

        Raises RetryableError or ClientError; then, too, what `resent` counts is sent, and all else
        stays in the queue.
        """
        try:
            while self.go_on() and (letters := self._receive_new()):
                self._handle_letters(letters)
        finally:
            map_concurrently(self.queue.release_letter, self._kept.values())

    def _receive_new(self) -> list[DeadLetter]:
        """The next messages, without those that were held so long that SQS delivers them again."""
        letters = self.queue.receive_letters()
        # The last receipt is the valid one.
        self._kept |= {letter.id: letter for letter in letters if letter.id in self._kept}
        return [letter for letter in letters if letter.id not in self._kept]

    def _handle_letters(self, letters: Sequence[DeadLetter]) -> None:
        events = {
            letter.id: event
            for letter in letters
            if (event := parse_event(letter.body)) is not None
        }
        self.not_events |= {letter.id: letter for letter in letters if letter.id not in events}
        known = [letter for letter in letters if letter.id in events]
        errors = map_concurrently(self._try_resend, known) if self.move else [None] * len(known)
        sent = [letter for letter, error in zip(known, errors, strict=True) if error is None]
        self.resent.update(self.describe(events[letter.id]) for letter in sent)
        self.oldest = min(
            [*(letter.sent for letter in sent), *filter(None, [self.oldest])], default=None
        )
        self._kept |= {
            letter.id: letter for letter in letters if not self.move or letter not in sent
        }
        for error in filter(None, errors):
            raise error

    def _try_resend(self, letter: DeadLetter) -> Exception | None:
        """None once it is sent; else the error, so that the others of its ten still can be."""
        try:
            self.queue.resend_letter(letter)
        except (RetryableError, ClientError) as error:
            return error
        return None
