"""privilege/reasons.yaml: why a statement is there, why a permission stands that nobody was seen to use, and which refusals are meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from privilege.permissions import ROOT, Permission

FILE = ROOT / "privilege/reasons.yaml"
Row = tuple[str, ...]
TABLES = ("unused", "misfits", "wide", "refusals")


@dataclass(frozen=True)
class Reasons:
    """The tables of the file: `statements` by name; `unused`, `misfits` and `wide` by holder, statement and action; `refusals` by holder and action.

    An action may stand with its resource, "s3:CreateAccessGrant on arn:…"; holders that share a row stand in one key, with spaces between.
    """

    statements: Mapping[str, str]
    tables: Mapping[str, Mapping[Row, str]]

    def why(self, table: str, permission: Permission, told: set[Row]) -> str:
        """The reason for a permission, "" if there is none; its row is noted as needed."""
        for action in (f"{permission.action} on {permission.resource}", permission.action):
            row = (table, permission.holder, permission.statement, action)
            if row in self.tables[table]:
                told.add(row)
                return self.tables[table][row]
        return ""

    def refusal(self, holder: str, action: str, told: set[Row]) -> str:
        """Why it is right that this action of this holder was refused; "" if nothing says so."""
        row = ("refusals", holder, action)
        if row in self.tables["refusals"]:
            told.add(row)
        return self.tables["refusals"].get(row, "")

    def rows(self) -> set[Row]:
        """Every row but those of statements."""
        return {row for table in self.tables.values() for row in table}


def load(text: str | None = None) -> Reasons:
    """The reasons of the file, or of the text."""
    given = yaml.safe_load(FILE.read_text() if text is None else text)
    tables = {name: {(name, *row): why for row, why in _rows(given.get(name) or {})} for name in TABLES}
    return Reasons(given.get("statements") or {}, tables)


def _rows(table: Mapping[str, Any]) -> list[tuple[Row, str]]:
    """The leaves of a nested table, with the way to each."""
    rows: list[tuple[Row, str]] = []
    for keys, below in table.items():
        for key in [keys] if " on " in keys else keys.split():
            rows += [((key, *row), why) for row, why in _rows(below)] if isinstance(below, dict) else [((key,), below)]
    return rows
