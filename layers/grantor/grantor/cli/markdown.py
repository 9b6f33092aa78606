"""A plan for the people who review a pull request: what it would change, and what they should look at, in one comment."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from grantor.aws.cut import lines_cut
from grantor.cli.outlook import Outlook
from grantor.core.plan import Change

OPEN = 20  # lines that stand open; more of them are folded
# Bytes; GitHub takes comments of 65,536 characters.
CHANGES, SENTENCES = 35_000, 4_000
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
    return "\n".join(["| | permission | scope | to | because |", "|---|---|---|---|---|", lines_cut("\n".join(rows), CHANGES)])


def _cells(change: Change) -> str:
    because = "<br>".join(_code(str(reason)) for reason in change.reasons) or "no rule"
    return f"{_code(change.grant.scope)} | {_code(_whom(change))} | {because}"


def _whom(change: Change) -> str:
    grant = change.grant
    return f"{grant.grantee} through {grant.application}" if grant.application else str(grant.grantee)


def _fenced(sentences: Sequence[str]) -> str:
    text = lines_cut("\n".join(sentences), SENTENCES)
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
