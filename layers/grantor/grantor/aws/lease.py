"""Bells that wait: what is to be looked at, each with the earliest time (seconds since 1970) at which it rang, or None."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from grantor.aws.clients import NotYet, Overtaken
from grantor.aws.dynamodb import LEASE, Table, pause
from grantor.core.snapshot import EVERYTHING

MOST = 200  # subjects; more of them become one bell for everything
SIZE = 40_000  # characters of them all: what waits and what is being answered stand in one item of 400 KB
Bells = Mapping[str, float | None]


def merged(*several: Bells) -> dict[str, float | None]:
    """All the bells, each with its earliest time; one bell for everything where they are too many.

    >>> merged({"profile D/a": 5.0, "everything": None}, {"profile D/a": 4.0, "everything": 9.0})
    {'profile D/a': 4.0, 'everything': 9.0}
    """
    found: dict[str, float | None] = {}
    for bells in several:
        for about, at in bells.items():
            found[about] = _earliest([found.get(about), at])
    if len(found) > MOST or sum(map(len, found)) > SIZE:
        return {EVERYTHING: _earliest(found.values())}
    return found


def _earliest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)


TRIES = 60  # replacements that others may be faster with: five seconds at the worst
AT_ONCE = 3  # of them before a crowd is given time


@dataclass(frozen=True)
class Lease:
    """A lease that is held: `token` grows with each holder, `expires` in seconds since 1970, `bells` are those to be answered."""

    token: int
    holder: str
    expires: float
    bells: Bells = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """How the lease stands: who holds it ("" if nobody), since and until when (seconds since 1970), and every unanswered bell."""

    holder: str
    since: float
    expires: float
    bells: Bells


@dataclass(frozen=True)
class _State:
    """The item."""

    token: int = 0
    holder: str = ""
    since: float = 0.0
    expires: float = 0.0
    bells: Bells = field(default_factory=dict)
    taken: Bells = field(default_factory=dict)
    rev: int = 0

    def free(self, now: float) -> bool:
        return not self.holder or self.expires <= now

    def of(self, lease: Lease) -> "_State":
        """This, if it is still the lease's; else Overtaken."""
        if (self.token, self.holder) != (lease.token, lease.holder):
            raise Overtaken(f"the lease of {lease.holder} has passed to {self.holder or 'nobody'}; this run must stop")
        return self


class Leases:
    """The lease of one table. NotYet, from each of these, when DynamoDB gives no answer for a long while."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._seen = _State()

    def ring(self, holder: str, bells: Bells, now: float, seconds: float) -> Lease | None:
        """Take the lease for so many seconds, with all bells that wait; or, while another run holds it, leave the bells there.

        It never waits for that run, and no bell is lost: the run looks for them before it lets go. `holder` is unlike any other
        run's. Two calls, or one if nobody else has rung since the last; more only when several ring at the same moment.

        A holder that dies leaves its bells to whoever rings after its lease has ended. So a bell that must be answered is sent
        again later than that by whoever sent it: a queue's visibility timeout is longer than the lease.
        """

        def step(state: _State) -> _State:
            if not state.free(now):
                return replace(state, bells=merged(state.bells, bells))
            taken = merged(state.taken, state.bells, bells)
            held = replace(state, token=state.token + 1, holder=holder, since=now, expires=now + seconds)
            return replace(held, bells={}, taken=taken)

        state = self._step(step)
        return Lease(state.token, holder, state.expires, state.taken) if state.holder == holder else None

    @property
    def last_seen(self) -> str:
        """Who held it when a call of this object last told, "" if nobody did; no call."""
        return self._seen.holder

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """The same lease for so many seconds from now; Overtaken if it has passed to another. One call, or two."""
        state = self._step(lambda state: replace(state.of(lease), expires=now + seconds))
        return replace(lease, expires=state.expires)

    def take(self, lease: Lease) -> Bells:
        """The bells that came since the last look, none of which waits any more; Overtaken as in renew. One call, or two."""
        came: Bells = {}

        def step(state: _State) -> _State:
            nonlocal came
            # Of all turns together: an answer that was lost may have taken some, and nobody but the holder takes any.
            came = merged(came, state.of(lease).bells)
            return replace(state, bells={}, taken=merged(state.taken, state.bells))

        self._step(step)
        return came

    def widen(self, lease: Lease, bells: Bells) -> None:
        """Should this holder die, whoever comes next answers these bells, too; Overtaken as in renew. One call, or two."""
        self._step(lambda state: replace(state.of(lease), taken=merged(state.taken, bells)))

    def release(self, lease: Lease) -> bool:
        """Let go; False, and still held, when bells wait. Overtaken as in renew. One call, or two."""
        state = self._step(lambda state: state if state.of(lease).bells else replace(state, holder="", expires=0.0, taken={}))
        return not state.holder

    def abandon(self, lease: Lease) -> None:
        """Let go of what could not be finished: its bells wait again, for whoever rings next. Overtaken as in renew."""

        def step(state: _State) -> _State:
            return replace(state.of(lease), holder="", expires=0.0, bells=merged(state.taken, state.bells), taken={})

        self._step(step)

    def standing(self, now: float) -> Standing:
        """How the lease stands, for whoever only looks; one call. Who has not renewed it in time does not hold it."""
        state = self._read()
        return Standing("" if state.free(now) else state.holder, state.since, state.expires, merged(state.taken, state.bells))

    def _step(self, step: Callable[[_State], _State]) -> _State:
        """Replace the item by what the step makes of it, however often others are faster."""
        mark, seen = uuid.uuid4().hex, self._seen
        for turn in range(TRIES):
            try:
                wanted = replace(step(seen), rev=seen.rev + 1)
                there = self._table.swap({**LEASE, **vars(wanted), "by": mark}, seen.rev)
            except Overtaken:
                if seen.rev == (seen := self._read()).rev:  # else it was thought of an old state
                    raise
                continue
            if there is None or there.get("by") == mark:  # the mark: it was written, and the answer was lost
                self._seen = wanted
                return wanted
            seen = _state(there)
            if turn >= AT_ONCE:
                pause(min(turn - AT_ONCE, 4))
                seen = self._read()  # else it would think of an old state again, and lose again
        raise NotYet("the lease's item changes too fast; ring again")

    def _read(self) -> _State:
        return _state(self._table.get(**LEASE) or {})


def _state(item: Mapping[str, Any]) -> _State:
    if not item:
        return _State()
    bells, taken = (_bells(item[name]) for name in ("bells", "taken"))
    since, expires = (float(item.get(name, 0)) for name in ("since", "expires"))
    return _State(item["token"], item["holder"], since, expires, bells, taken, item["rev"])


def _bells(written: Mapping[str, Any]) -> Bells:
    return {about: None if at is None else float(at) for about, at in written.items()}
