"""iam_audit/reasons.yaml: the reason for each statement and each exception.

An exception is a permission that no recorded call used, or a refusal that is intended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from iam_audit.permissions import ROOT, Permission

REASONS_FILE = ROOT / "iam_audit/reasons.yaml"
ReasonRow = tuple[str, ...]
TABLES = ("unused", "mismatched", "broad", "refusals", "temporary")


@dataclass(frozen=True)
class Reasons:
    """The tables of the file.

    `statements` are by name; `unused`, `mismatched` and `broad` by holder, statement and action;
    `refusals` by holder and action, and so `temporary`: refusals by a policy that no template has.
    An action may have its resource with it:
    "s3:CreateAccessGrant on arn:…". A key may name several holders, with spaces between them.
    """

    statements: Mapping[str, str]
    tables: Mapping[str, Mapping[ReasonRow, str]]

    def find_reason(self, table: str, permission: Permission, needed: set[ReasonRow]) -> str:
        """The reason for a permission, or "". Its row is added to `needed`."""
        for action in (f"{permission.action} on {permission.resource}", permission.action):
            row = (table, permission.holder, permission.statement, action)
            if row in self.tables[table]:
                needed.add(row)
                return self.tables[table][row]
        return ""

    def find_refusal(
        self, holder: str, action: str, needed: set[ReasonRow], table: str = "refusals"
    ) -> str:
        """Why this action of this holder must be refused, or "". Its row is added to `needed`."""
        row = (table, holder, action)
        if row in self.tables[table]:
            needed.add(row)
        return self.tables[table].get(row, "")

    def list_rows(self) -> set[ReasonRow]:
        """Every row except those of statements."""
        return {row for table in self.tables.values() for row in table}


def load_reasons(text: str | None = None) -> Reasons:
    """Read the file, or the given text."""
    given = yaml.safe_load(REASONS_FILE.read_text() if text is None else text)
    tables = {
        name: {(name, *row): why for row, why in _flatten_table(given.get(name) or {})}
        for name in TABLES
    }
    return Reasons(given.get("statements") or {}, tables)


def _flatten_table(table: Mapping[str, Any]) -> list[tuple[ReasonRow, str]]:
    """The leaves of a nested table, each with its path."""
    rows: list[tuple[ReasonRow, str]] = []
    for keys, below in table.items():
        for key in [keys] if " on " in keys else keys.split():
            rows += (
                [((key, *row), why) for row, why in _flatten_table(below)]
                if isinstance(below, dict)
                else [((key,), below)]
            )
    return rows
