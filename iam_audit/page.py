"""Renders the tables of docs/security.md from templates, reasons.yaml and record.jsonl.

`python -m iam_audit.page` compares the page with them; `--write` updates it.
"""

import argparse
import re
import sys
from itertools import groupby

from iam_audit import kept_record
from iam_audit.kept_record import KeptRecord
from iam_audit.permissions import (
    ROOT,
    PolicyHolder,
    Statement,
    TrustStatement,
    read_holders,
    read_trusts,
)
from iam_audit.reasons import Reasons, load_reasons

PAGE = ROOT / "docs/security.md"
TABLE_MARK = re.compile(
    r"(<!-- iam-audit: (?P<kind>people|roles|run|refusals|trust) -->\n).*?(<!-- end -->)",
    re.DOTALL,
)
STATEMENT_HEAD = (
    "| statement | | actions | on | only if | why | calls |\n|---|---|---|---|---|---|---:|"
)
REFUSAL_HEAD = "| with | action | times | why it must be refused |\n|---|---|---:|---|"
TRUST_HEAD = "| resource | trusts | with | only if |\n|---|---|---|---|"
OF_ROLES = ("VendedAccess", "Scientist")  # managed policies that are not for people
HEADINGS = {
    "unused": "No recorded call used:",
    "mismatched": "On a resource that AWS's data does not have for the action:",
    "broad": "On everything, although AWS knows narrower resources:",
}
SHORT_NAMES = (
    ("${AWS::Partition}", "aws"),
    ("${AWS::Region}", "REGION"),
    ("${AWS::AccountId}", "ACCOUNT"),
    ("${AWS::StackName}", "STACK"),
)


class MissingReasonError(ValueError):
    """A statement of the templates lacks a reason in iam_audit/reasons.yaml, or the reverse."""


def render_page(
    page: str,
    holders: dict[str, PolicyHolder],
    reasons: Reasons,
    run: KeptRecord,
    trusts: list[TrustStatement],
) -> str:
    """The page with its tables as they are today. Raises MissingReasonError."""
    _check_reasons(holders, reasons)
    of_role = {it.name for it in holders.values() if it.principals or it.name in OF_ROLES}
    people = [holder for holder in holders.values() if holder.name not in of_role]
    roles = [holder for holder in holders.values() if holder.name in of_role]
    tables = {
        "run": f"\n> {run.summary}; {run.used} permissions were used\n\n",
        "refusals": f"\n{REFUSAL_HEAD}\n{_render_refusals(run, reasons)}\n",
        "trust": f"\n{TRUST_HEAD}\n{''.join(map(_render_trust, trusts))}\n",
        "people": _render_sections(people, reasons, run),
        "roles": _render_sections(roles, reasons, run),
    }
    return TABLE_MARK.sub(lambda found: found[1] + tables[found["kind"]] + found[3], page)


def _check_reasons(holders: dict[str, PolicyHolder], reasons: Reasons) -> None:
    statements = [it for holder in holders.values() for it in holder.statements]
    allowing = {it.name for it in statements if it.effect == "Allow"}
    if wrong := allowing ^ set(reasons.statements):
        raise MissingReasonError(
            "iam_audit/reasons.yaml and the templates do not have the same statements: "
            + ", ".join(sorted(wrong))
        )


def _render_refusals(run: KeptRecord, reasons: Reasons) -> str:
    """What was refused in the recorded runs. A holder is a role, or a person's policies."""
    tables = (reasons.tables["refusals"], reasons.tables["temporary"])
    whys = {row[1:]: why for table in tables for row, why in table.items()}
    return "".join(
        f"| {holder} | `{action}` | {times:,} | {whys.get((holder, action), '')} |\n"
        for (holder, action), times in sorted(run.refused.items())
    )


def _render_trust(trust: TrustStatement) -> str:
    statement = trust.statement
    whom = ", ".join("everyone" if it == "*" else f"`{it}`" for it in trust.principals)
    actions = ", ".join(f"`{it}`" for it in statement.actions)
    denied = "**denied:** " if statement.effect == "Deny" else ""
    condition = _format_code(statement.condition)
    return f"| {statement.holder} | {whom} | {denied}{actions} | {condition} |\n"


def _render_sections(holders: list[PolicyHolder], reasons: Reasons, run: KeptRecord) -> str:
    return "".join(
        f"\n### {holder.name}\n\n{_render_section(holder, reasons, run)}\n" for holder in holders
    )


def _render_section(holder: PolicyHolder, reasons: Reasons, run: KeptRecord) -> str:
    principals = ", ".join(f"`{it}`" for it in holder.principals)
    first, *others = holder.trust or (None,)
    text = holder.description or (
        f"Assumed only by {principals}, and only if {_format_code(first.condition)}."
        if first
        else ""
    )
    for trust in others:
        actions = ", ".join(f"`{it}`" for it in trust.actions)
        text += f" Besides, {actions} only if {_format_code(trust.condition)}."
    rows = "\n".join(_render_row(statement, reasons, run) for statement in holder.statements)
    return f"{text}\n\n{STATEMENT_HEAD}\n{rows}\n" + "".join(
        _render_exceptions(holder.name, table, reasons) for table in HEADINGS
    )


def _render_row(statement: Statement, reasons: Reasons, run: KeptRecord) -> str:
    actions = ", ".join(f"`{it}`" for it in statement.actions)
    places = ", ".join(map(_format_code, statement.resources))
    why = reasons.statements.get(statement.name, "Denied, even if another policy allows it.")
    effect = "may" if statement.effect == "Allow" else "**may not**"
    times = run.allowed.get((statement.holder, statement.name), 0)
    calls = f"{times:,}" if statement.effect == "Allow" else ""
    condition = _format_code(statement.condition)
    cells = (statement.name, effect, actions, places, condition, why, calls)
    return f"| {' | '.join(cells)} |"


def _render_exceptions(holder: str, table: str, reasons: Reasons) -> str:
    """The exceptions of a holder: a line for each reason, with its actions."""
    rows = [(why, row) for row, why in reasons.tables[table].items() if row[1] == holder]
    lines = [
        f"* {', '.join(f'{_format_code(row[3])} ({row[2]})' for _, row in alike)}: {why}\n"
        for why, alike in groupby(sorted(rows), key=lambda it: it[0])
    ]
    return f"\n{HEADINGS[table]}\n\n{''.join(lines)}" if lines else ""


def _format_code(text: str) -> str:
    """A value of the template as code, with the pseudo parameters shortened; "" for ""."""
    for long, short in SHORT_NAMES:
        text = text.replace(long, short)
    return f"`{text}`" if text else ""


def build_page() -> str:
    """The page as it should be. Raises MissingReasonError."""
    return render_page(
        PAGE.read_text(), read_holders(), load_reasons(), kept_record.load_record(), read_trusts()
    )


def write_page() -> None:
    """Update the page."""
    PAGE.write_text(build_page())


def main() -> int:
    """Compare or update the page; 0 if it is up to date, else 1."""
    parser = argparse.ArgumentParser(prog="python -m iam_audit.page", description=__doc__)
    parser.add_argument("--write", action="store_true", help="update the page")
    if parser.parse_args().write:
        write_page()
    elif PAGE.read_text() != build_page():
        print("docs/security.md is out of date: run python -m iam_audit.page --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
