"""What a run would do now, as text and as plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from grantor.cli import sentences
from grantor.cli.sentences import count
from grantor.core.expansion.lint import lint
from grantor.core.focus import EVERYTHING
from grantor.core.plan import Change, Plan, created, deleted
from grantor.reconcile import Judged, asking, look, meanwhile
from grantor.report import Report

if TYPE_CHECKING:
    from grantor.aws.records import Approval
    from grantor.world import World

UNMERGED = "once these files are in the bucket: a plan can be approved when a run has refused it"


def everything(world: "World") -> Judged:
    """What a run over everything would do now; reads only. Raises as look does."""
    found = look(world, {EVERYTHING: None})
    if found is None:
        raise RuntimeError("a bell for everything concerns every rule")
    return found


@dataclass(frozen=True)
class Outlook:
    """A plan, what the guard says of it, and what becomes of it. `instead` is carried out while the plan waits for approval."""

    stack: str
    found: Judged
    approval: "Approval | None" = None
    instead: Plan | None = None
    report: Report = field(default_factory=Report)

    @classmethod
    def of(cls, world: "World", found: Judged, *, merged: bool = True) -> "Outlook":
        """With what a run would ask besides; reads only. `merged` is whether the policy files are those of the bucket."""
        approval = world.records.approval(found.plan.hash, found.gathered.facts.now) if found.against else None
        waits = bool(found.against) and not approval
        outlook = cls(world.names.stack, found, approval, meanwhile(world, found)[1] if waits else None)
        outlook.report.about(found.policies, found.gathered, found.plan)
        outlook.report.warnings += map(str, lint(found.gathered.wanted, found.policies.policies.values()))
        outlook.report.approval += asking(found, world.names.stack) if waits else []
        outlook.report.approval += [UNMERGED] if waits and not merged else []
        return outlook

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        return self.found.plan

    @property
    def wrong(self) -> bool:
        """Whether a policy file is wrong, or something could not be read."""
        return bool(self.report.rejected or self.report.later)

    @cached_property
    def headline(self) -> str:
        """What is to be changed, in a few words."""
        plan = self.plan
        parts = [f"{count(len(plan.create), 'grant')} to create"] if plan.create else []
        parts += [f"{count(len(plan.delete), 'grant')} to delete"] if plan.delete else []
        # What is told of in the ledger only: reasons that have changed, grants that are gone.
        if of_the_ledger := len(plan.write) + len(plan.forget):
            parts.append(f"{count(of_the_ledger, 'entry').replace('entrys', 'entries')} of the ledger to correct")
        return ", ".join(parts) or "nothing to change"

    @property
    def news(self) -> list[str]:
        """The policy files that would be accepted, or are gone."""
        policies = self.found.policies
        return [f"{key} would be accepted" for key in sorted(policies.changed)] + [f"{key} is gone" for key in policies.gone]

    @property
    def approved(self) -> list[str]:
        """Who has approved the plan."""
        given = self.approval
        return [f"{given.by} has approved this plan at {sentences.time(given.at)}"] if given else []

    def lines(self) -> Iterator[str]:
        """The plan as it stands in the log, and all that is to be said of it."""
        yield f"plan {self.plan.hash} for stack {self.stack}: {self.headline}"
        yield from self.plan.lines()
        yield from (f"policy: {news}" for news in self.news)
        yield from (f"approved: {said}" for said in self.approved)
        yield from sentences.lines(vars(self.report))
        if self.instead is not None:
            yield from (f"meanwhile: {line}" for line in self.instead.lines() or ["nothing to change"])

    def value(self) -> dict[str, Any]:
        """The same as plain values."""
        plan, report = self.plan, self.report
        return {
            "stack": self.stack,
            "hash": plan.hash,
            "create": [_change(change, created(change)) for change in plan.create],
            "delete": [_change(change, deleted(change)) for change in plan.delete],
            "ledger": {"write": len(plan.write), "forget": len(plan.forget)},
            "policy": self.news,
            "approved": self.approved,
            "meanwhile": None if self.instead is None else self.instead.lines(),
            **{kind: getattr(report, kind) for kind in ("rejected", "approval", "later", "waits", "warnings", "foreign")},
        }


def _change(change: Change, sentence: str) -> Mapping[str, Any]:
    grant = change.grant
    return {
        "grantee": {"kind": grant.grantee.kind, "identifier": grant.grantee.identifier},
        "permission": str(grant.permission),
        "scope": grant.scope,
        "application": grant.application,
        "because": list(map(str, change.reasons)),
        "sentence": sentence,
    }
