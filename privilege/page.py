"""The tables of docs/security.md are made from the templates, from privilege/reasons.yaml, and from what was recorded (privilege/record.jsonl).

`python -m privilege.page` compares; with `--write` it puts what they say today into the page.
"""

import argparse
import re
import sys
from itertools import groupby

from privilege import kept
from privilege.kept import Kept
from privilege.permissions import ROOT, Holder, Statement, Trust, holders, trusts
from privilege.reasons import Reasons, load

PAGE = ROOT / "docs/security.md"
PLACE = re.compile(r"(<!-- rights: (?P<kind>people|roles|run|refusals|trust) -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = "| statement | | actions | on | only if | why | calls |\n|---|---|---|---|---|---|---:|"
REFUSALS = "| with | action | times | why that is right |\n|---|---|---:|---|"
TRUST = "| thing | trusts | with | only if |\n|---|---|---|---|"
HEADINGS = {
    "unused": "No recorded call used:",
    "misfits": "On a resource that AWS's data does not have for the action:",
    "wide": "On everything, though AWS knows narrower resources:",
}
SHORT = (
    ("${AWS::Partition}", "aws"),
    ("${AWS::Region}", "REGION"),
    ("${AWS::AccountId}", "ACCOUNT"),
    ("${AWS::StackName}", "STACK"),
)


class Unexplained(ValueError):
    """A statement of the templates without a sentence in privilege/reasons.yaml, or a sentence for none."""


def fresh(page: str, there: dict[str, Holder], reasons: Reasons, run: Kept, trusting: list[Trust]) -> str:
    """The page with its tables as they are today; raises Unexplained."""
    named = {statement.name for holder in there.values() for statement in holder.statements if statement.effect == "Allow"}
    if wrong := named ^ set(reasons.statements):
        raise Unexplained(f"privilege/reasons.yaml and the templates do not have the same statements: {', '.join(sorted(wrong))}")
    tables = {
        "run": f"\n> {run.summary}; {run.used} permissions were used\n\n",
        "refusals": f"\n{REFUSALS}\n{_refusals(run, reasons)}\n",
        "trust": f"\n{TRUST}\n{''.join(map(_trust, trusting))}\n",
        "people": _sections([holder for holder in there.values() if not holder.principals], reasons, run),
        "roles": _sections([holder for holder in there.values() if holder.principals], reasons, run),
    }
    return PLACE.sub(lambda found: found[1] + tables[found["kind"]] + found[3], page)


def _refusals(run: Kept, reasons: Reasons) -> str:
    """What was refused in the recorded runs, and that it was meant; a holder is a role, or the policies that a person has."""
    rows = sorted((holder, action, times) for (holder, action), times in run.refused.items())
    whys = reasons.tables["refusals"]
    return "".join(f"| {who} | `{what}` | {times:,} | {whys.get(('refusals', who, what), '')} |\n" for who, what, times in rows)


def _trust(trust: Trust) -> str:
    statement = trust.statement
    whom = ", ".join("everyone" if it == "*" else f"`{it}`" for it in trust.principals)
    actions = ", ".join(f"`{it}`" for it in statement.actions)
    denied = "**denied:** " if statement.effect == "Deny" else ""
    return f"| {statement.holder} | {whom} | {denied}{actions} | {_shown(statement.condition)} |\n"


def _sections(listed: list[Holder], reasons: Reasons, run: Kept) -> str:
    return "".join(f"\n### {holder.name}\n\n{_section(holder, reasons, run)}\n" for holder in listed)


def _section(holder: Holder, reasons: Reasons, run: Kept) -> str:
    said = holder.description or "".join(
        f"Assumed by {', '.join(f'`{it}`' for it in holder.principals)} alone, only if {_shown(trust.condition)}."
        for trust in holder.trust
    )
    rows = "\n".join(_row(statement, reasons, run) for statement in holder.statements)
    return f"{said}\n\n{HEAD}\n{rows}\n" + "".join(_excused(holder.name, table, reasons) for table in HEADINGS)


def _row(statement: Statement, reasons: Reasons, run: Kept) -> str:
    actions = ", ".join(f"`{it}`" for it in statement.actions)
    places = ", ".join(map(_shown, statement.resources))
    why = reasons.statements.get(statement.name, "Whatever else allows it.")
    effect = "may" if statement.effect == "Allow" else "**may not**"
    calls = f"{run.allowed.get((statement.holder, statement.name), 0):,}" if statement.effect == "Allow" else ""
    return f"| {statement.name} | {effect} | {actions} | {places} | {_shown(statement.condition)} | {why} | {calls} |"


def _excused(holder: str, table: str, reasons: Reasons) -> str:
    """What stands there in spite of the check, a line for each reason, with the actions that it is for."""
    rows = [(why, row) for row, why in reasons.tables[table].items() if row[1] == holder]
    lines = [
        f"* {', '.join(f'{_shown(row[3])} ({row[2]})' for _, row in alike)}: {why}\n"
        for why, alike in groupby(sorted(rows), key=lambda it: it[0])
    ]
    return f"\n{HEADINGS[table]}\n\n{''.join(lines)}" if lines else ""


def _shown(text: str) -> str:
    """A value of the template as code, without what is the same everywhere; nothing for nothing."""
    for long, short in SHORT:
        text = text.replace(long, short)
    return f"`{text}`" if text else ""


def today() -> str:
    """The page as it should be; raises Unexplained."""
    return fresh(PAGE.read_text(), holders(), load(), kept.load(), trusts())


def write() -> None:
    """Make it so."""
    PAGE.write_text(today())


def main() -> int:
    """0 if the page is as it should be, or has been made so."""
    said = argparse.ArgumentParser(prog="python -m privilege.page", description=__doc__)
    said.add_argument("--write", action="store_true", help="write what they say today")
    if said.parse_args().write:
        write()
    elif PAGE.read_text() != today():
        print("docs/security.md is not what it is made from: run python -m privilege.page --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
