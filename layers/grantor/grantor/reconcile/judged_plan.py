"""A plan as the guard has judged it, and how what a run does of it counts for later judgements."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grantor.aws.ledger import Ledger
from grantor.core.planning.guard import (
    LOSSES,
    WINDOWED,
    GuardContext,
    Objection,
    find_gifts,
    tally_plan,
)
from grantor.core.planning.plan import Change, Plan
from grantor.core.planning.reviews import list_unrecorded
from grantor.core.snapshot import Snapshot, Window
from grantor.reconcile.policies import PolicySet


@dataclass(frozen=True)
class JudgedPlan:
    """A plan, what it follows from, and why it requires an approval; without causes it may be
    applied. `guard` is what the guard has judged it by, if it takes or gives anything.
    """

    policies: PolicySet
    snapshot: Snapshot
    plan: Plan
    causes: tuple[str, ...]
    objections: tuple[Objection, ...] = ()
    guard: GuardContext | None = None
    is_approved: bool = False  # by a person

    def list_unrecorded(self) -> tuple[str, ...]:
        """The rules of which a run has to record since when they count as reviewed."""
        return list_unrecorded(self.policies.rules, self.snapshot.inventory)


class WindowCounter:
    """Counts what a run takes and gives, for the guard of the next 24 hours. What a person has
    approved does not count, and if it was about these counts, they begin anew.
    """

    def __init__(self, judged: JudgedPlan) -> None:
        self.judged, self.guard = judged, judged.guard
        self.window = self.guard.window if self.guard else Window()

    def begin_approved(
        self, ledger: Ledger, write_intents: Callable[[Iterable[Change]], None]
    ) -> None:
        """Record the approved gifts as intended, and counts that were approved as none."""
        kinds = {one.kind for one in self.judged.objections}
        if self.guard and self.judged.is_approved:
            if kinds & WINDOWED and self.window.hours:
                ledger.record_window(Window())
            if kinds - LOSSES:
                write_intents(find_gifts(self.judged.plan, self.guard.entries))

    def count(self, plan: Plan) -> Window | None:
        """The counts with these changes, to be recorded in the transaction that records them; None
        if they add nothing.
        """
        if not self.guard or self.judged.is_approved:
            return None
        guard = self.guard
        tallies = tally_plan(plan, guard.entries, guard.now, guard.limits)
        self.window = self.window.add(tallies, guard.now)
        return self.window if tallies else None
