"""What a run would do now, as text and as plain values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grantor.aws.notifications import lines_cut
from grantor.cli import output
from grantor.cli.check import LocalFiles
from grantor.cli.output import Progress, count
from grantor.cli.session import Call, Misused
from grantor.core.planning.lint import lint
from grantor.core.planning.plan import Change, Plan, created, deleted
from grantor.core.snapshot import EVERYTHING
from grantor.reconcile.report import Report
from grantor.reconcile.run import Judged, asking, look, meanwhile

if TYPE_CHECKING:
    from grantor.aws.run_store import Approval
    from grantor.aws.services import World


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
        return [f"{given.by} has approved this plan at {output.format_time(given.at)}"] if given else []

    def lines(self) -> Iterator[str]:
        """The plan as it stands in the log, and all that is to be said of it."""
        yield f"plan {self.plan.hash} for stack {self.stack}: {self.headline}"
        yield from self.plan.lines()
        yield from (f"policy: {news}" for news in self.news)
        yield from (f"approved: {said}" for said in self.approved)
        yield from output.lines(vars(self.report))
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


OPEN = 20  # lines that stand open; more of them are folded
# Bytes; GitHub takes comments of 65,536 characters.
CHANGES_SIZE, SENTENCES_SIZE = 35_000, 4_000
WORDS = {
    "rejected": "Wrong in the policy files",
    "later": "Could not be read",
    "warnings": "Warnings",
    "waits": "Left as it is",
    "foreign": "Made by somebody else",
}


def markdown(outlook: Outlook) -> str:
    """The whole comment; a list that is too long for one is cut, and says so."""
    return "\n".join(_parts(outlook))


def _parts(outlook: Outlook) -> Iterator[str]:
    plan, report = outlook.plan, outlook.report
    yield f"### Grantor, stack {_code(outlook.stack)}: {outlook.headline}"
    yield from ("", ", ".join([f"Plan {_code(plan.hash)}", *map(_code, outlook.news)]) + ".")
    for sentence in chain(report.approval, outlook.approved):
        yield from ("", f"> **Guard:** {_code(sentence)}")
    changes = [*(("+", change) for change in plan.create), *(("-", change) for change in plan.delete)]
    yield from _folded("Changes", len(changes), _table(changes))
    for kind, word in WORDS.items():
        sentences = getattr(report, kind)
        yield from _folded(word, len(sentences), _fenced(sentences))


def _folded(title: str, size: int, block: str) -> Iterator[str]:
    """The block under its title, open if it is short; nothing if there is nothing in it."""
    if size:
        yield from (
            "",
            f"<details{' open' if size <= OPEN else ''}><summary>{title}: {size:,}</summary>",
            "",
            block,
            "",
            "</details>",
        )


def _table(changes: Sequence[tuple[str, Change]]) -> str:
    rows = [f"| {sign} | {change.grant.permission} | {_cells(change)} |" for sign, change in changes]
    return "\n".join(
        ["| | permission | scope | to | because |", "|---|---|---|---|---|", lines_cut("\n".join(rows), CHANGES_SIZE)]
    )


def _cells(change: Change) -> str:
    because = "<br>".join(_code(str(reason)) for reason in change.reasons) or "no rule"
    return f"{_code(change.grant.scope)} | {_code(_whom(change))} | {because}"


def _whom(change: Change) -> str:
    grant = change.grant
    return f"{grant.grantee} through {grant.application}" if grant.application else str(grant.grantee)


def _fenced(sentences: Sequence[str]) -> str:
    text = lines_cut("\n".join(sentences), SENTENCES_SIZE)
    fence = "`" * max(3, _ticks(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _code(text: str) -> str:
    """The text as it is, whatever Markdown would make of its characters, also in a table."""
    fence = "`" * (_ticks(text) + 1)
    edge = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{edge}{text}{edge}{fence}".replace("|", "\\|")


def _ticks(text: str) -> int:
    """The longest row of backticks in the text."""
    return max(map(len, re.findall("`+", text)), default=0)


CHANGES_EXIT = 3  # what the command line ends with when changes were not expected


def run_plan(call: Call) -> int:
    """0; 1 if a policy file is wrong or something could not be read; 3 if there are changes and none were expected."""
    outlook = _outlook(call)
    if call.asked.markdown and not call.asked.json:
        call.show.line(markdown(outlook))
    else:
        call.show.lines(outlook.lines())
    call.show.value(outlook.value())
    if outlook.wrong:
        return 1
    return CHANGES_EXIT if call.asked.expect_no_changes and not outlook.plan.empty else 0


def _outlook(call: Call) -> Outlook:
    world = call.world
    if call.asked.policy is not None:
        world.files = LocalFiles(call.clients.s3, world.names.policy_bucket, _folder(call.asked.policy))
    with Progress("reading policy files, profiles and grants"):
        return Outlook.of(world, everything(world), merged=call.asked.policy is None)


def _folder(given: str) -> Path:
    folder = Path(given)
    if not folder.is_dir():
        raise Misused(f"--policy {given}: there is no such folder; name the one whose files go to the bucket's policy/")
    return folder
