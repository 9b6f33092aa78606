"""The lease: one run at a time per table, and the subjects that wait for the next run.

Subjects map what a run looks at to the earliest time (seconds since the epoch) of an event about
it, or None. They wait in the lease item itself, so taking the lease and taking its subjects is one
write.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from grantor.aws.clients import LeaseLost, RetryableError
from grantor.aws.dynamodb import LEASE_KEY, DynamoDBTable, sleep_before_retry
from grantor.core.snapshot import EVERYTHING
from grantor.settings import (
    LEASE_EAGER_ATTEMPTS,
    LEASE_WRITE_ATTEMPTS,
    MAX_PENDING_CHARACTERS,
    MAX_PENDING_SUBJECTS,
)

Subjects = Mapping[str, float | None]


def merge_subjects(*several: Subjects) -> dict[str, float | None]:
    """Merge subjects, each with its earliest time.

    Too many of them become the one subject "everything".

    >>> merge_subjects({"profile D/a": 5.0, "everything": None}, {"profile D/a": 4.0})
    {'profile D/a': 4.0, 'everything': None}
    """
    found: dict[str, float | None] = {}
    for subjects in several:
        for subject, at in subjects.items():
            found[subject] = _find_earliest([found.get(subject), at])
    if len(found) > MAX_PENDING_SUBJECTS or sum(map(len, found)) > MAX_PENDING_CHARACTERS:
        return {EVERYTHING: _find_earliest(found.values())}
    return found


def _find_earliest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)


@dataclass(frozen=True)
class Lease:
    """A lease that is held.

    `token` grows with each holder; `expires` is in seconds since the epoch; `subjects` are the
    holder's.
    """

    token: int
    holder: str
    expires: float
    subjects: Subjects = field(default_factory=dict)


@dataclass(frozen=True)
class LeaseStatus:
    """The holder ("" for nobody), since and until when, and every unfinished subject.

    Times are seconds since the epoch.
    """

    holder: str
    since: float
    expires: float
    pending: Subjects


@dataclass(frozen=True)
class _LeaseState:
    """The lease item.

    `pending` subjects wait for the holder to drain them, `current` ones are being worked on.
    """

    token: int = 0
    holder: str = ""
    since: float = 0.0
    expires: float = 0.0
    pending: Subjects = field(default_factory=dict)
    current: Subjects = field(default_factory=dict)
    rev: int = 0

    def is_free(self, now: float) -> bool:
        return not self.holder or self.expires <= now

    def check_holder(self, lease: Lease) -> "_LeaseState":
        """Return this state. Raises LeaseLost if the lease has another holder."""
        if (self.token, self.holder) != (lease.token, lease.holder):
            now = self.holder or "nobody"
            raise LeaseLost(f"the lease of {lease.holder} has passed to {now}; this run must stop")
        return self

    def release_lease(self, pending: Subjects) -> "_LeaseState":
        """This state without a holder."""
        return replace(self, holder="", expires=0.0, pending=pending, current={})


class LeaseStore:
    """The lease of one table.

    Each method costs one call, two if another process has written the item since, and more only
    under contention. Methods that take a Lease raise LeaseLost if it has passed to another holder.
    """

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table
        self._seen = _LeaseState()

    def acquire(self, holder: str, subjects: Subjects, now: float, seconds: float) -> Lease | None:
        """Take the lease and all subjects that wait.

        Or, if another run holds it, add the subjects to it and return None. It does not wait for
        the other run, which drains the subjects before it releases: none is lost. `holder` must be
        unique.

        If a holder dies, its subjects stay in the item until somebody acquires the lease after it
        has expired. So the sender of an event must send it again later than that: a queue's
        visibility timeout is longer than the lease.
        """

        def take(state: _LeaseState) -> _LeaseState:
            if not state.is_free(now):
                return replace(state, pending=merge_subjects(state.pending, subjects))
            current = merge_subjects(state.current, state.pending, subjects)
            held = replace(state, token=state.token + 1, holder=holder, since=now)
            return replace(held, expires=now + seconds, pending={}, current=current)

        state = self._update_state(take)
        if state.holder != holder:
            return None
        return Lease(state.token, holder, state.expires, state.current)

    @property
    def last_holder(self) -> str:
        """Who held the lease when this object last read it, "" for nobody. Costs no call."""
        return self._seen.holder

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """Extend the lease to so many seconds from now."""
        state = self._update_state(
            lambda state: replace(state.check_holder(lease), expires=now + seconds)
        )
        return replace(lease, expires=state.expires)

    def drain(self, lease: Lease) -> Subjects:
        """Take the subjects that were added since the last look; none of them waits any more."""
        came: Subjects = {}

        def take(state: _LeaseState) -> _LeaseState:
            nonlocal came
            # Merged over all attempts: a write whose answer was lost may have taken some, and only
            # the holder takes any.
            came = merge_subjects(came, state.check_holder(lease).pending)
            current = merge_subjects(state.current, state.pending)
            return replace(state, pending={}, current=current)

        self._update_state(take)
        return came

    def add_subjects(self, lease: Lease, subjects: Subjects) -> None:
        """Add subjects to the current ones, so that the next holder has them if this one dies."""
        self._update_state(
            lambda state: replace(
                state.check_holder(lease), current=merge_subjects(state.current, subjects)
            )
        )

    def release(self, lease: Lease) -> bool:
        """Release the lease. If subjects wait, keep it and return False."""
        state = self._update_state(
            lambda state: state if state.check_holder(lease).pending else state.release_lease({})
        )
        return not state.holder

    def abandon(self, lease: Lease) -> None:
        """Release the lease with its work unfinished: its subjects wait for the next holder."""

        def give_back(state: _LeaseState) -> _LeaseState:
            pending = merge_subjects(state.current, state.pending)
            return state.check_holder(lease).release_lease(pending)

        self._update_state(give_back)

    def read_status(self, now: float) -> LeaseStatus:
        """Read the lease without changing it. Costs one call. An expired lease has no holder."""
        state = self._read_state()
        holder = "" if state.is_free(now) else state.holder
        pending = merge_subjects(state.current, state.pending)
        return LeaseStatus(holder, state.since, state.expires, pending)

    def _update_state(self, change: Callable[[_LeaseState], _LeaseState]) -> _LeaseState:
        """Replace the item by what `change` makes of it; start again if another process
        was faster.
        """
        mark, seen = uuid.uuid4().hex, self._seen
        for attempt in range(LEASE_WRITE_ATTEMPTS):
            try:
                wanted = replace(change(seen), rev=seen.rev + 1)
                item = {**LEASE_KEY, **vars(wanted), "by": mark}
                there = self._table.replace_item(item, seen.rev)
            except LeaseLost:
                if seen.rev == (seen := self._read_state()).rev:  # else the state was stale
                    raise
                continue
            if (
                there is None or there.get("by") == mark
            ):  # our mark: written, but the answer was lost
                self._seen = wanted
                return wanted
            seen = _parse_state(there)
            if attempt >= LEASE_EAGER_ATTEMPTS:
                sleep_before_retry(min(attempt - LEASE_EAGER_ATTEMPTS, 4))
                seen = self._read_state()  # else it would start from a stale state, and lose again
        raise RetryableError("too many writers change the lease; try again")

    def _read_state(self) -> _LeaseState:
        return _parse_state(self._table.get_item(**LEASE_KEY) or {})


def _parse_state(item: Mapping[str, Any]) -> _LeaseState:
    if not item:
        return _LeaseState()
    pending, current = (_parse_subjects(item[name]) for name in ("pending", "current"))
    since, expires = (float(item.get(name, 0)) for name in ("since", "expires"))
    return _LeaseState(item["token"], item["holder"], since, expires, pending, current, item["rev"])


def _parse_subjects(written: Mapping[str, Any]) -> Subjects:
    return {subject: None if at is None else float(at) for subject, at in written.items()}
