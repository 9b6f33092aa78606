"""DuckDB with its extension for HTTP, from a wheel: nothing is fetched when it runs."""

import pytest

from tests.s3_clients.conftest import Person

CONNECT = """
import os, pathlib
import duckdb, duckdb_ext
fetches = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
db = duckdb.connect(config=fetches)
extensions = pathlib.Path(list(duckdb_ext.__path__)[0])
db.load_extension(str(next(extensions.rglob("httpfs.duckdb_extension"))))
host = os.environ["AWS_ENDPOINT_URL"].partition("//")[2]
db.execute(f'''CREATE SECRET (
    TYPE s3, REGION 'us-east-1', ENDPOINT '{host}', USE_SSL false, URL_STYLE 'path',
    KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}', SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}',
    SESSION_TOKEN '{os.environ["AWS_SESSION_TOKEN"]}')''')
def ask(question): print(db.execute(question).fetchall())
"""


def test_files_below_the_prefix_are_read_matched_and_written(person: Person) -> None:
    for name in ("a", "b"):
        person.put(f"UserA/{name}.csv", b"rings\n1\n2\n")
    printed = person.shell.python(
        CONNECT + "ask(\"SELECT sum(rings) FROM read_csv('s3://data/UserA/a.csv')\")\n"
        "ask(\"SELECT sum(rings) FROM read_csv('s3://data/UserA/*.csv')\")\n"
        "db.execute(\"COPY (SELECT 7 AS x) TO 's3://data/UserA/out.parquet' (FORMAT parquet)\")\n"
        "ask(\"SELECT x FROM 's3://data/UserA/out.parquet'\")"
    )
    assert printed.split() == ["[(3,)]", "[(6,)]", "[(7,)]"]
    assert "UserA/out.parquet" in person.list_keys()


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM read_csv('s3://data/UserB/secret.csv')",
        "SELECT * FROM read_csv('s3://data/UserB/*.csv')",
        "COPY (SELECT 1 AS x) TO 's3://data/UserB/out.parquet' (FORMAT parquet)",
    ],
    ids=["read", "match", "write"],
)
def test_the_folder_of_another_is_refused(person: Person, question: str) -> None:
    refused = person.shell.run("python", "-c", f'{CONNECT}db.execute("{question}")')
    assert "403" in refused.stderr
    assert person.list_keys() == ["UserB/secret.csv"]
