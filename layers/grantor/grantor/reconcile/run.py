"""One run: take in the policy files, read both sides, decide on a plan, let the guard judge it, carry it out, report.

the plan                                                what becomes of it
the guard has nothing against it                        carried out; new policy versions are accepted with it
the guard is against it, but somebody has approved it   likewise
the guard is against it, and it follows new versions    it waits for approval; what was accepted before is healed meanwhile
the guard is against healing, too                       creates are carried out, deletes wait for approval
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from grantor.aws.lease import Lease
from grantor.aws.run_store import Accepted, Sweep
from grantor.aws.services import World
from grantor.core.planning.guard import Before, guard
from grantor.core.planning.inputs import heard
from grantor.core.planning.lint import lint
from grantor.core.planning.plan import Plan
from grantor.core.snapshot import EVERYTHING, Focus
from grantor.reconcile.apply import CarryOut, signature
from grantor.reconcile.policies import Intake, as_accepted, intake
from grantor.reconcile.read import Gathered, gather
from grantor.reconcile.report import Report

Bells = Mapping[str, float | None]  # what is to be looked at → when it rang, in seconds since 1970


@dataclass(frozen=True)
class Judged:
    """A plan, what it follows from, and what the guard has against carrying it out."""

    policies: Intake
    gathered: Gathered
    plan: Plan
    against: tuple[str, ...]


def look(world: World, bells: Bells) -> Judged | None:
    """What a run would do now; None if what rang concerns no rule. Reads only. Raises ClientError or NotYet as gather does."""
    policies = intake(world.files, world.records.accepted(), world.names.data_bucket)
    # A version that was not accepted before may change anything, whatever rang.
    focus = Focus() if policies.new else heard(bells, policies.rules, world.domains.domains)
    return _judged(world, policies, focus, _now(world)) if focus else None


def reconcile(world: World, lease: Lease, bells: Bells, go_on: Callable[[], bool]) -> Report:
    """Bring the grants in line with the policy files, as far as the bells ask; `go_on` is asked before each change.

    Running it again at once changes nothing. Raises as look does, before anything is changed, and Overtaken if the lease is lost.
    """
    found = look(world, bells)
    now = _now(world)
    report = Report.of_run(now)
    if found is None:
        return report
    run = _Run(world, lease, go_on, report, now)
    run.judge(found)
    took = {about: (world.clock() - at) * 1000 for about, at in bells.items() if at is not None}
    report.event_to_grant = took if report.done else {}
    return report


def meanwhile(world: World, found: Judged) -> tuple[Judged, Plan]:
    """What a run carries out while the plan waits for approval: what was accepted before is healed, as far as the guard lets it.

    Reads only. Raises as look does.
    """
    if found.policies.new:
        policies = as_accepted(found.policies, world.files, world.records.accepted(), world.names.data_bucket)
        found = _judged(world, policies, found.gathered.authority.focus, found.gathered.facts.now)
    agreed = tuple(change for change in found.plan.delete if change.agreed)
    return found, replace(found.plan, delete=agreed) if found.against else found.plan


def asking(found: Judged, stack: str) -> list[str]:
    """Why the plan needs an approval, and the command that gives it; nothing if it needs none."""
    if not found.against:
        return []
    return [
        f"plan {found.plan.hash} waits for approval: {'; '.join(found.against)}",
        f"to approve exactly this plan: grantor approve {found.plan.hash} --stack {stack}",
    ]


def _judged(world: World, policies: Intake, focus: Focus, now: datetime) -> Judged:
    gathered = gather(world, policies, focus, now)
    plan = gathered.plan()
    against = guard(plan, _before(world, gathered), len(policies.rules), gathered.counts()) if plan.delete else ()
    return Judged(policies, gathered, plan, against)


def _before(world: World, gathered: Gathered) -> Before:
    last = world.records.last_sweep()
    whole = gathered.authority.focus.everything
    return Before(len(gathered.entries) if whole else last.owned, last.profiles)


def _now(world: World) -> datetime:
    return datetime.fromtimestamp(world.clock(), UTC)


@dataclass
class _Run:
    """One run under its lease."""

    world: World
    lease: Lease
    go_on: Callable[[], bool]
    report: Report
    now: datetime

    def judge(self, found: Judged) -> None:
        """Carry the plan out, or let it wait and heal what was accepted before."""
        self.report.about(found.policies, found.gathered, found.plan)
        self.report.warnings += self._lint(found)
        if not found.against or self._approved(found.plan):
            self._accept(found.policies)
            self._carry_out(replace(found, against=()), found.plan)
            return
        self._refuse(found)
        self._carry_out(*meanwhile(self.world, found))

    def _carry_out(self, found: Judged, plan: Plan) -> None:
        gathered, ledger = found.gathered, self.world.ledger.under(self.lease)
        ledger.acquaint(gathered.facts.sharing)
        grants, tags = self.world.grants, partial(signature, run=self.report.run, versions=found.policies.versions)
        carrying = CarryOut(grants, ledger, gathered.facts.locations, tags, self.go_on, self.report)
        carrying.all(plan)
        if gathered.authority.focus.everything and not gathered.facts.unread and not found.against:
            ledger.part(gathered.stale(plan, carrying.forgotten))
            # What an earlier run has made, or taken away, and died before it wrote so, is counted as it is.
            owned = (gathered.entries.keys() & gathered.actual.keys()) - carrying.forgotten | carrying.made
            self.world.records.swept(self.lease, Sweep(self.report.at, len(owned), gathered.counts()))
            self.report.swept = True

    def _accept(self, policies: Intake) -> None:
        if policies.new:
            # What is adopted may concern anyone, whatever rang; and if this run dies, the next one finds nothing new.
            if EVERYTHING not in self.lease.bells:
                self.world.leases.widen(self.lease, {EVERYTHING: None})
            versions = {
                key: Accepted(file.version, file.etag, self.report.at, self.report.run) for key, file in policies.changed.items()
            }
            self.world.records.accept(self.lease, versions, policies.gone)
            self.report.adopted = [*sorted(versions), *(f"{file} is gone" for file in policies.gone)]

    def _approved(self, plan: Plan) -> bool:
        approval = self.world.records.approval(plan.hash, self.now)
        if approval:
            self.report.warnings.append(f"plan {plan.hash} was approved by {approval.by} at {approval.at}")
        return approval is not None

    def _refuse(self, found: Judged) -> None:
        plan = found.plan
        self.world.records.refuse(plan.hash, str(plan), self.now)
        self.report.approval = asking(found, self.world.names.stack)

    def _lint(self, found: Judged) -> list[str]:
        """Only a new version of a file can bring new warnings, and looking for them costs."""
        return list(map(str, lint(found.gathered.wanted, found.policies.policies.values()))) if found.policies.new else []
