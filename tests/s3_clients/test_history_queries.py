"""The questions of docs/history.sql have answers over the history of real runs.

DuckDB stands for Athena, which no machine but AWS's has: it reads the same objects, with the
columns of the documented tables.
"""

import json
from pathlib import Path

import pytest

from grantor.core.triggers import PolicyWrite, Trigger
from grantor.reconcile.record_history import record_writes
from tests.conftest import Sandbox
from tests.docs.history_tables import QUESTIONS, TABLES, HistoryTable
from tests.grantor_setup import ARTICLE_POLICY, OPERATIONS, GrantorSetup, set_up_grantor
from tests.s3_clients.conftest import ClientShell


@pytest.fixture(scope="module")
def history(module_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the objects of the history of some runs."""
    folder = tmp_path_factory.mktemp("history")
    setup = set_up_grantor(module_sandbox, folder)
    setup.put_policy("article", ARTICLE_POLICY)
    version = setup.reconcile().accepted["policy/article.yaml"]
    write = PolicyWrite("policy/article.yaml", version, "2026-12-01T09:00:00Z", "AROA1:ana")
    record_writes(setup.build_services().history, [Trigger("author", (), write=write)])
    setup.delete_profile("userB")
    setup.reconcile()
    return download_history(setup, folder)


@pytest.fixture(scope="module")
def module_sandbox(start_sandbox) -> Sandbox:
    return start_sandbox()


def download_history(setup: GrantorSetup, folder: Path) -> Path:
    s3 = setup.client("s3")
    for item in s3.list_objects_v2(Bucket=OPERATIONS, Prefix="history/")["Contents"]:
        place = folder / item["Key"]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(s3.get_object(Bucket=OPERATIONS, Key=item["Key"])["Body"].read())
    return folder


def translate_type(hive: str) -> str:
    """The type of DuckDB for one of Hive."""
    if hive.startswith("array<struct<"):
        inner = hive.removeprefix("array<struct<").removesuffix(">>")
        members = (one.split(":") for one in inner.replace("array<string>", "VARCHAR[]").split(","))
        return (
            f"STRUCT({', '.join(f'"{name}" {translate_type(kind)}' for name, kind in members)})[]"
        )
    return {"int": "INTEGER", "string": "VARCHAR", "boolean": "BOOLEAN"}.get(hive, hive)


def build_view(table: HistoryTable, folder: Path) -> str:
    """A view of the table over the objects in the folder."""
    below = table.location.removeprefix("s3://OPERATIONS_BUCKET/")
    columns = {name: translate_type(kind) for name, kind in table.columns.items()}
    days = "hive_partitioning = true, hive_types = {'day': VARCHAR}" if table.is_partitioned else ""
    options = [f"columns = {columns}", "format = 'newline_delimited'", *filter(None, [days])]
    files = f"'{folder}/{below}**/*.jsonl*'"
    return f"CREATE VIEW {table.name} AS SELECT * FROM read_json({files}, {', '.join(options)})"


def ask(history: Path, tmp_path: Path, question: str) -> list[list[object]]:
    views = [build_view(table, history) for table in TABLES]
    shell = ClientShell({}, tmp_path)
    printed = shell.python(
        "import duckdb, json\n"
        f"for view in {views!r}: duckdb.execute(view)\n"
        f"print(json.dumps(duckdb.execute({question!r}).fetchall()))"
    )
    found: list[list[object]] = json.loads(printed)
    return found


@pytest.mark.parametrize(
    ("number", "rows"),
    list(enumerate((4, 1, 4, 0, 4))),
    ids=("held", "why", "upload", "said", "last"),
)
def test_each_documented_question_has_an_answer(
    history: Path, tmp_path: Path, number: int, rows: int
) -> None:
    answer = ask(history, tmp_path, QUESTIONS[number])
    assert len(answer) == rows, answer
    if number == 0:
        assert sum(until is not None for *_, until in answer) == 2
    if number == 1:
        assert answer[0][1:] == ["no rule gives it any more", 2]
    if number == 2:
        assert {tuple(row[-1:]) for row in answer} == {("AROA1:ana",)}


def test_there_is_an_answer_for_each_question() -> None:
    assert len(QUESTIONS) == 5
