"""The tables of docs/security.md are made from the templates and from privilege/reasons.yaml.

`python -m privilege.page` compares; with `--write` it puts what both say today into the page.
"""

import argparse
import re
import sys
from itertools import groupby

from privilege.permissions import ROOT, Holder, Statement, holders
from privilege.reasons import Reasons, load

PAGE = ROOT / "docs/security.md"
PLACE = re.compile(r"(<!-- rights: (?P<kind>people|roles) -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = "| statement | | actions | on | only if | why |\n|---|---|---|---|---|---|"
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


def fresh(page: str, there: dict[str, Holder], reasons: Reasons) -> str:
    """The page with its tables as they are today; raises Unexplained."""
    named = {statement.name for holder in there.values() for statement in holder.statements if statement.effect == "Allow"}
    if wrong := named ^ set(reasons.statements):
        raise Unexplained(f"privilege/reasons.yaml and the templates do not have the same statements: {', '.join(sorted(wrong))}")
    kinds = {
        "people": [holder for holder in there.values() if not holder.principals],
        "roles": [holder for holder in there.values() if holder.principals],
    }
    return PLACE.sub(lambda found: found[1] + _sections(kinds[found["kind"]], reasons) + found[3], page)


def _sections(listed: list[Holder], reasons: Reasons) -> str:
    return "".join(f"\n### {holder.name}\n\n{_section(holder, reasons)}\n" for holder in listed)


def _section(holder: Holder, reasons: Reasons) -> str:
    said = holder.description or "".join(
        f"Assumed by {', '.join(f'`{it}`' for it in holder.principals)} alone, only if {_shown(trust.condition)}."
        for trust in holder.trust
    )
    rows = "\n".join(_row(statement, reasons) for statement in holder.statements)
    return f"{said}\n\n{HEAD}\n{rows}\n" + "".join(_excused(holder.name, table, reasons) for table in HEADINGS)


def _row(statement: Statement, reasons: Reasons) -> str:
    actions = ", ".join(f"`{it}`" for it in statement.actions)
    places = ", ".join(map(_shown, statement.resources))
    why = reasons.statements.get(statement.name, "Whatever else allows it.")
    effect = "may" if statement.effect == "Allow" else "**may not**"
    return f"| {statement.name} | {effect} | {actions} | {places} | {_shown(statement.condition)} | {why} |"


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


def main() -> int:
    """0 if the page is what template and reasons say, or has been made so."""
    said = argparse.ArgumentParser(prog="python -m privilege.page", description=__doc__)
    said.add_argument("--write", action="store_true", help="write what the templates and the reasons say today")
    page = PAGE.read_text()
    today = fresh(page, holders(), load())
    if said.parse_args().write:
        PAGE.write_text(today)
    elif page != today:
        print("docs/security.md is not what templates and reasons say today: run python -m privilege.page --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
