"""docs/history.sql, history.schema.json and history.md describe exactly what Grantor writes."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from grantor.aws.history_store import CHECKPOINTS, EVENTS, WRITES
from grantor.core.access.grant_history import EventKind, GrantEvent, encode_event
from grantor.core.grant import Grant, Permission, Reason, iam_grantee
from tests.conftest import ROOT
from tests.docs.history_tables import TABLES, HistoryTable

SCHEMA = json.loads((ROOT / "docs/history.schema.json").read_text())
PAGE = (ROOT / "docs/history.md").read_text()
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def build_event(kind: EventKind) -> GrantEvent:
    grant = Grant(iam_grantee("arn:aws:iam::1:role/a"), Permission.READ, "s3://data/a/*")
    reasons = (Reason("policy/a.yaml#a", ("profile D/a",), NOW),)
    return GrantEvent(kind, NOW, "g1", grant, reasons, {"policy/a.yaml": "v1"}, since=NOW)


def find_hive_type(schema: dict[str, Any]) -> str:
    """The type that a column has for a member of the schema."""
    if schema.get("type") == "array":
        return f"array<{find_hive_type(schema['items'])}>"
    if schema.get("type") == "object":
        members = schema["properties"].items()
        inner = ",".join(f"{name}:{find_hive_type(member)}" for name, member in members)
        return f"struct<{inner}>"
    if schema.get("type") == "boolean":
        return "boolean"
    return "int" if schema.get("const") == 1 else "string"


@pytest.mark.parametrize("kind", EventKind)
def test_each_kind_of_event_is_valid_and_has_every_member(kind: EventKind) -> None:
    for event in (build_event(kind), GrantEvent(kind, NOW)):
        written = json.loads(encode_event(event))
        jsonschema.validate(written, SCHEMA)
        assert list(written) == list(SCHEMA["properties"]) == SCHEMA["required"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_columns_of_each_table_are_the_members_of_an_event(table: HistoryTable) -> None:
    members = SCHEMA["properties"].items()
    assert table.columns == {name: find_hive_type(member) for name, member in members}


def test_the_tables_lie_where_the_history_is_written() -> None:
    places = {table.location for table in TABLES}
    assert places == {f"s3://OPERATIONS_BUCKET/{one}" for one in (EVENTS, CHECKPOINTS, WRITES)}
    for table in TABLES:
        by_day = f"{table.location}day=${{day}}/" if table.is_partitioned else ""
        assert table.template == by_day


def test_the_page_and_the_schema_name_every_kind_and_no_other() -> None:
    kinds = {str(kind) for kind in EventKind}
    table = PAGE.partition("| `kind` | means |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall("`(.*?)`", row.split("|")[1])}
    assert named == set(SCHEMA["properties"]["kind"]["enum"]) == kinds
