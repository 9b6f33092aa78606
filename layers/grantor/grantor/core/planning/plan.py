"""A set of changes as a value: it prints the same lines in the log, the command line, a pull request and the golden tests.

There is no call that changes a grant, so create and delete are all. Creates come first: nobody whose right only moves
from one grant to another is without it for a moment, and nobody ever has more than old and new together.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from grantor.core.grant import Entry, Grant, Reason, State, in_order
from grantor.core.snapshot import Authority


@dataclass(frozen=True, slots=True)
class Change:
    """One grant to be made, because of `reasons`, or taken away, because these no longer stand; `id` names it in the service.

    A delete is `agreed` when an earlier run began it, or all its reasons have ended: no guard asks about it again.
    """

    grant: Grant
    reasons: tuple[Reason, ...]
    id: str = ""
    agreed: bool = False


@dataclass(frozen=True)
class Wait:
    """A grant that is left as it is until something can be judged again, and why."""

    grant: Grant
    why: str

    def __str__(self) -> str:
        return f"= {self.grant} waits: {self.why}"


@dataclass(frozen=True)
class Plan:
    """What to do, in this order: what the ledger is to be told, creates, deletes; and what is only reported."""

    create: tuple[Change, ...] = ()
    delete: tuple[Change, ...] = ()
    write: tuple[Entry, ...] = ()  # ledger entries to be written as they stand here; no call to Access Grants
    forget: tuple[Grant, ...] = ()
    foreign: tuple[Grant, ...] = ()  # somebody else's, and no rule wants them
    served: tuple[Grant, ...] = ()  # somebody else's, and a rule wants just that
    waits: tuple[Wait, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to change, in the service or in the ledger."""
        return not (self.create or self.delete or self.write or self.forget)

    def lines(self) -> list[str]:
        """One sentence a change, in the order in which they are made."""
        return [created(change) for change in self.create] + [deleted(change) for change in self.delete]

    def __str__(self) -> str:
        return "\n".join(self.lines()) or "nothing to change"

    @property
    def hash(self) -> str:
        """16 hex digits that stand for exactly these changes; an approval names them."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()[:16]


def created(change: Change) -> str:
    """The sentence of a create.

    >>> from grantor.core.grant import Grantee, Permission
    >>> grant = Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*")
    >>> print(created(Change(grant, (Reason("policy/a.yaml#team"),))))
    + READ s3://data/Product/* to role/ana, because policy/a.yaml#team
    """
    return f"+ {change.grant}, because {' and '.join(map(str, change.reasons))}"


def deleted(change: Change) -> str:
    """The sentence of a delete: why it was there, which no longer holds.

    >>> from grantor.core.grant import Grantee, Permission
    >>> grant = Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*")
    >>> print(deleted(Change(grant, (Reason("policy/a.yaml#team"),))))
    - READ s3://data/Product/* to role/ana, no longer because policy/a.yaml#team
    """
    return f"- {change.grant}, no longer because {' and '.join(map(str, change.reasons)) or 'of any rule'}"


Reasons = frozenset[Reason]
NONE: Reasons = frozenset()
LATELY = timedelta(minutes=10)  # of an intent: longer than a list lags behind, and than anybody who was overtaken can still call


def doubtful(entries: Mapping[Grant, Entry], actual: Mapping[Grant, str]) -> tuple[Grant, ...]:
    """The actual grants of which the ledger cannot tell whether they are ours: their tags must be asked before decide."""
    return tuple(sorted((g for g, entry in entries.items() if g in actual and entry.id != actual[g]), key=Grant.order))


def decide(
    wanted: Mapping[Grant, Reasons],
    entries: Mapping[Grant, Entry],
    actual: Mapping[Grant, str],
    ours: Iterable[Grant],
    authority: Authority,
) -> Plan:
    """The plan of the table above; `ours` are those of the doubtful that carry our tag. Any order of the inputs gives the same plan."""
    table = _Table(actual, frozenset(ours), authority)
    for grant, entry in entries.items():
        reasons = _standing(entry.reasons, wanted.get(grant, NONE), authority, grant, table)
        table.known(grant, entry, reasons)
    for grant, reasons in wanted.items():
        if grant not in entries:
            table.unknown(grant, reasons)
    table.foreign += [grant for grant in actual if grant not in entries and grant not in wanted]
    return table.plan()


def _standing(had: Reasons, wanted: Reasons, authority: Authority, grant: Grant, table: "_Table") -> Reasons:
    """The reasons that stand after this run; what waits is noted in the table."""
    if had == wanted:
        return had
    left = had - wanted
    stay = {reason for reason in left if not authority.speaks_for(reason)}
    table.waits += [Wait(grant, why) for reason in stay if (why := authority.why_held(reason))]
    return wanted | stay


class _Table:
    """Collects what is to be done, grant by grant."""

    def __init__(self, actual: Mapping[Grant, str], ours: frozenset[Grant], authority: Authority) -> None:
        self.actual, self.ours, self.authority = actual, ours, authority
        self.create: list[Change] = []
        self.delete: list[Change] = []
        self.write: list[Entry] = []
        self.forget: list[Grant] = []
        self.foreign: list[Grant] = []
        self.served: list[Grant] = []
        self.waits: list[Wait] = []

    def known(self, grant: Grant, entry: Entry, reasons: Reasons) -> None:
        """A grant that the ledger knows."""
        found = self.actual.get(grant)
        mine = found is not None and (found == entry.id or grant in self.ours)
        if reasons:
            self._wanted(grant, entry, reasons, mine)
        elif mine:
            agreed = entry.state is State.LEAVING or all(map(self.authority.ended, entry.reasons))
            self.delete.append(Change(grant, in_order(entry.reasons), found or "", agreed))
        elif found is None and self._lately(entry):
            self.waits.append(Wait(grant, f"it was about to be made at {entry.since}, and may not be listed yet"))
        else:
            self.forget.append(grant)
            self.foreign += [grant] if found is not None else []

    def _lately(self, entry: Entry) -> bool:
        intended = entry.state is State.INTENDED and bool(entry.since)
        return intended and datetime.fromisoformat(entry.since) > self.authority.now - LATELY

    def unknown(self, grant: Grant, reasons: Reasons) -> None:
        """A wanted grant that the ledger does not know."""
        if grant in self.actual:
            self.served.append(grant)
        else:
            self.create.append(Change(grant, in_order(reasons)))

    def _wanted(self, grant: Grant, entry: Entry, reasons: Reasons, mine: bool) -> None:
        if grant not in self.actual:
            self.create.append(Change(grant, in_order(reasons)))
        elif not mine:
            self.forget.append(grant)
            self.served.append(grant)
        elif entry.state is not State.LIVE or entry.reasons != reasons or entry.id != self.actual[grant]:
            self.write.append(entry.because(reasons).becomes(State.LIVE, self.actual[grant]))

    def plan(self) -> Plan:
        """What was collected, in the order in which it is done."""
        return Plan(
            create=tuple(sorted(self.create, key=lambda change: change.grant.order())),
            delete=tuple(sorted(self.delete, key=lambda change: change.grant.order())),
            write=tuple(sorted(self.write, key=lambda entry: entry.grant.order())),
            forget=tuple(sorted(self.forget, key=Grant.order)),
            foreign=tuple(sorted(self.foreign, key=Grant.order)),
            served=tuple(sorted(self.served, key=Grant.order)),
            waits=tuple(sorted(set(self.waits), key=lambda wait: (wait.grant.order(), wait.why))),
        )
