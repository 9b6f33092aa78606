"""What is to be done so that the actual grants become the wanted ones, for each grant that anyone knows of.

    wanted  actual  ledger              then
      yes    no     any                 create (drift is healed; a lost answer is found by asking again)
      yes    yes    live, same id       nothing, or only its reasons are written anew
      yes    yes    leaving, same id    keep: it is wanted again
      yes    yes    intended            confirm if its tag says that we made it, else it is foreign
      yes    yes    none                nothing: somebody else made it, and it serves
      no     yes    live, leaving       delete
      no     yes    intended            delete if its tag says that we made it, else forget the intent
      no     yes    none                nothing, but report it as foreign
      no     no     intended lately     nothing yet: a list may be slow to show what was made then
      no     no     any                 forget

A ledger entry with another id than the actual grant's speaks of a grant that is gone: somebody else has made this one since.
"Wanted" is: a rule wants it now, or it has a reason that this run cannot speak for (authority.py).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from grantor.core.authority import Authority
from grantor.core.entry import Entry, State
from grantor.core.grant import Grant
from grantor.core.plan import Change, Plan, Wait
from grantor.core.reason import Reason, in_order

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
