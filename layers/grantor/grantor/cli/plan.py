"""grantor plan: what a run over everything would do now, as text, JSON or Markdown."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from grantor.cli.changing import judge_everything, render_report
from grantor.cli.local_files import LocalFiles
from grantor.cli.output import (
    MAX_LISTED_LINES,
    MAX_OPEN_LINES,
    Progress,
    format_count,
    print_error,
)
from grantor.cli.session import Session, UsageError
from grantor.core.access.compare import compare_plan
from grantor.core.access.compare_text import (
    DifferenceRow,
    PeopleNames,
    describe_effect,
    describe_ends,
    describe_rest,
    group_differences,
)
from grantor.core.diagnostics import show_text
from grantor.core.planning import rendering
from grantor.core.planning.lint import lint_rules
from grantor.core.planning.plan import Action, Change, Plan
from grantor.core.planning.rendering import Home, Json, truncate_lines
from grantor.core.snapshot import Snapshot
from grantor.reconcile.judged_plan import JudgedPlan
from grantor.reconcile.report import Report, find_credentials_end
from grantor.reconcile.run import compute_interim, read_approval

if TYPE_CHECKING:
    from grantor.aws.services import Services

CHANGES_EXIT_CODE = 3  # of --expect-no-changes
UNMERGED = "a plan can be approved once these files are in the bucket and a run has computed it"


@dataclass(frozen=True)
class PlanView:
    """A plan and what would become of it; `interim` is applied while the plan waits for an
    approval.
    """

    stack: str
    home: Home
    plan: Plan
    interim: Plan | None = None
    is_merged: bool = True  # whether the policy files are those of the bucket
    report: Report = field(default_factory=Report)
    snapshot: Snapshot | None = None

    @classmethod
    def build(
        cls, services: "Services", judged: JudgedPlan, *, is_merged: bool = True
    ) -> "PlanView":
        """Add what a run would read besides; reads only."""
        now, policies = judged.snapshot.inventory.now, judged.policies
        report = Report(started_at=now)
        report.add_plan(policies, judged.snapshot, judged.plan)
        report.warnings += lint_rules(judged.snapshot.wanted, policies.policies.values())
        report.approval = read_approval(services, judged, now)
        report.accepted = {key: file.version for key, file in policies.changed.items()}
        report.removed_files = policies.deleted
        interim = compute_interim(services, judged).plan if report.approval.is_pending else None
        names, plan, snapshot = services.names, judged.plan, judged.snapshot
        return cls(names.stack_name, names.home, plan, interim, is_merged, report, snapshot)

    @property
    def has_errors(self) -> bool:
        """Whether a policy file is wrong, or something could not be read."""
        return bool(self.report.errors or self.report.unread)

    @cached_property
    def headline(self) -> str:
        """What would be changed, in a few words."""
        plan = self.plan
        ledger = len(plan.ledger_updates) + len(plan.ledger_removals)
        entries = "1 ledger entry" if ledger == 1 else f"{ledger:,} ledger entries"
        parts = [f"{format_count(len(plan.create), 'grant')} to create"] if plan.create else []
        parts += [f"{format_count(len(plan.delete), 'grant')} to delete"] if plan.delete else []
        parts += [f"{format_count(len(plan.update), 'grant')} to update"] if plan.update else []
        parts += [f"{entries} to correct"] if ledger else []
        return ", ".join(parts) or "nothing to change"

    @property
    def policy_lines(self) -> list[str]:
        """The policy files that would come into force or go out of it."""
        accepted = [f"{file} would be accepted" for file in sorted(self.report.accepted)]
        return [*accepted, *(f"{file} was deleted" for file in self.report.removed_files)]

    @property
    def approval_lines(self) -> list[str]:
        """Why the plan requires an approval and how to give it, or who has given it."""
        approval = self.report.approval
        if approval.approved_by:
            return [rendering.describe_approval_given(approval)]
        if not approval.is_pending:
            return []
        needed = [*rendering.describe_approval_needed(approval, self.stack)]
        return needed if self.is_merged else [*needed, UNMERGED]

    def lines(self) -> Iterator[str]:
        """The plan as text."""
        short = rendering.shorten_hash(self.plan.hash)
        yield f"plan {short} for stack {self.stack}: {self.headline}"
        yield from rendering.describe_plan(self.plan, self.home)
        if self.plan.delete:
            until = find_credentials_end(self.report.started_at)
            yield f"horizon: {rendering.describe_horizon(until, self.stack)}"
        yield from (f"policy: {line}" for line in self.policy_lines)
        yield from (f"approval: {line}" for line in self.approval_lines)
        yield from (f"owner: {one}" for one in self.report.owners)
        yield from render_report(self._findings, self.home, self.stack, MAX_LISTED_LINES)
        if self.interim is not None:
            meanwhile = rendering.describe_plan(self.interim, self.home) or ["nothing to change"]
            yield from (f"meanwhile: {line}" for line in meanwhile)

    def to_json(self) -> Json:
        """The plan as a document of docs/json.md."""
        return self.report.to_plan_document(self.stack, self.plan, self.interim)

    @property
    def _findings(self) -> Report:
        """What the plan leaves as it is, and what is wrong."""
        report = self.report
        return Report(
            on_hold=report.on_hold,
            unmanaged=report.unmanaged,
            errors=report.errors,
            warnings=report.warnings,
            notices=report.notices,
            unread=report.unread,
        )


# GitHub takes comments of 65,536 characters.
MAX_TABLE_BYTES = 25_000
MAX_EFFECT_BYTES = 10_000
MAX_NAMED_PEOPLE = 10  # in one row
MAX_SECTION_BYTES = 4_000  # of each list below the table
SIGNS = {Action.CREATE: "+", Action.DELETE: "-", Action.UPDATE: "~"}


def render_markdown(view: PlanView) -> str:
    """The plan as a comment for a pull request; a list that is too long for one is cut, and says
    so.
    """
    return "\n".join(_render_parts(view))


def _render_parts(view: PlanView) -> Iterator[str]:
    report, home = view.report, view.home
    yield f"### Grantor, stack {_format_code(view.stack)}: {view.headline}"
    short = rendering.shorten_hash(view.plan.hash)
    yield from (
        "",
        ", ".join([f"Plan {_format_code(short)}", *map(_format_code, view.policy_lines)]) + ".",
    )
    for line in view.approval_lines:
        yield from ("", f"> **Guard:** {_format_code(line)}")
    changes = view.plan.changes
    yield from _render_effect(view)
    yield from _fold_section(
        f"Changes: {len(changes):,}", len(changes), _format_table(changes, home)
    )
    sections = {
        "Owners": list(map(str, report.owners)),
        "Errors in policy files": list(map(str, report.errors)),
        "Could not be read": [rendering.describe_unread(*one) for one in report.unread.items()],
        "Warnings": list(map(str, report.warnings)),
        "For whoever writes data": list(map(str, report.notices)),
        "On hold": [rendering.describe_on_hold(held, home) for held in report.on_hold],
        "Unmanaged": [rendering.describe_unmanaged(one, home) for one in report.unmanaged],
    }
    for title, lines in sections.items():
        yield from _fold_section(f"{title}: {len(lines):,}", len(lines), _fence_lines(lines))


def _render_effect(view: PlanView) -> Iterator[str]:
    """Who gains access by the plan and who loses some, whatever becomes of single grants."""
    if view.snapshot is None or not view.plan.changes:
        return
    names = PeopleNames(view.snapshot.inventory.sharing, view.home)
    effect = compare_plan(view.snapshot, view.plan, view.snapshot.inventory.now)
    rows = [
        _format_effect(sign, row)
        for sign, differences, describe in (
            ("+", effect.gained, describe_ends),
            ("-", effect.lost, describe_rest),
        )
        for row in group_differences(differences, names, describe)
    ]
    sentence = describe_effect(effect, names)
    if not rows:
        yield from ("", f"Who gains, who loses: {sentence}.")
    head = ["| | who | permission | scope | |", "|---|---|---|---|---|"]
    table = "\n".join([*head, truncate_lines("\n".join(rows), MAX_EFFECT_BYTES)])
    yield from _fold_section(f"Who gains, who loses: {sentence}", len(rows), table)


def _format_effect(sign: str, row: DifferenceRow) -> str:
    shown = [*map(_format_cell, row.people[:MAX_NAMED_PEOPLE])]
    more = len(row.people) - len(shown)
    who = ", ".join([*shown, *([f"and {more:,} more"] if more else [])])
    through = f" through {_format_cell(row.application)}" if row.application else ""
    return (
        f"| {sign} | {who}{through} | {row.permission} | {_format_cell(row.scope)} | {row.when} |"
    )


def _fold_section(title: str, size: int, block: str) -> Iterator[str]:
    """The block under its title, open if it is short; nothing if it is empty."""
    if size:
        is_open = " open" if size <= MAX_OPEN_LINES else ""
        yield from ("", f"<details{is_open}><summary>{title}</summary>")
        yield from ("", block, "", "</details>")


def _format_table(changes: Iterable[Change], home: Home) -> str:
    rows = "\n".join(_format_row(change, home) for change in changes)
    head = ["| | permission | scope | to | because |", "|---|---|---|---|---|"]
    return "\n".join([*head, truncate_lines(rows, MAX_TABLE_BYTES)])


def _format_row(change: Change, home: Home) -> str:
    grant = change.grant
    holder = _format_cell(rendering.describe_holder(grant, home))
    is_update = change.action is Action.UPDATE
    parts = rendering.describe_update(change) if is_update else map(str, change.reasons)
    because = "<br>".join(map(_format_cell, parts)) or "no rule"
    scope = _format_cell(grant.scope)
    return f"| {SIGNS[change.action]} | {grant.permission} | {scope} | {holder} | {because} |"


def _fence_lines(lines: Iterable[str]) -> str:
    text = truncate_lines("\n".join(map(show_text, lines)), MAX_SECTION_BYTES)
    fence = "`" * max(3, _count_ticks(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _format_code(text: str) -> str:
    """The text as code, whatever Markdown would make of its characters; in one line, never empty.

    CommonMark removes a space at either end if both are spaces, and takes a backtick for the end.
    """
    shown = show_text(text) or " "
    fence = "`" * (_count_ticks(shown) + 1)
    edge = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{edge}{shown}{edge}{fence}"


def _format_cell(text: str) -> str:
    r"""The text as code in a cell of a table.

    A bar parts cells also in code unless it follows a backslash, and whether that backslash may
    follow another one, parsers do not agree: then the bar is shown as its escape.
    """
    return _format_code(text.replace("\\|", "\\\\x7c")).replace("|", "\\|")


def _count_ticks(text: str) -> int:
    """The longest row of backticks in the text."""
    return max(map(len, re.findall("`+", text)), default=0)


def run_plan(session: Session) -> int:
    """Exits with 0, with 1 if a file is wrong or something could not be read, with 3 if changes
    were not expected.
    """
    view = _build_view(session)
    if session.arguments.markdown and not session.arguments.json:
        session.output.print_lines(render_markdown(view).split("\n"))
    else:
        session.output.print_lines(view.lines())
    session.output.print_json(view.to_json())
    if view.has_errors:
        return 1
    return (
        CHANGES_EXIT_CODE if session.arguments.expect_no_changes and not view.plan.is_empty else 0
    )


def _build_view(session: Session) -> PlanView:
    services, folder = session.services, session.arguments.policy
    if folder is not None:
        bucket = services.names.policy_bucket
        files = LocalFiles(session.clients.s3, bucket, _check_folder(folder))
        if meant := files.find_nested():
            instead = f"if you mean the files of policy/, write --policy {Path(folder) / 'policy'}"
            print_error(f"grantor plan: --policy {folder} would write {meant}; {instead}")
        services.policy_files = files
    with Progress("reading policy files, profiles and grants"):
        return PlanView.build(services, judge_everything(services), is_merged=folder is None)


def _check_folder(given: str) -> Path:
    folder = Path(given)
    if not folder.is_dir():
        raise UsageError(
            f"--policy {given}: there is no such folder; name the one whose files go to "
            "the bucket's policy/"
        )
    return folder
