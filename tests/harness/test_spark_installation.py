"""The installation of Spark beside the demo, with a `make` of the test's own on PATH."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.spark_installation import LOG, SparkInstallation
from harness.steps import ExpectationError

UP_TO_DATE = '#!/bin/sh\ntest "$3" = --question\n'
INSTALLS = '#!/bin/sh\ntest "$3" != --question && echo "Downloading pyspark (302.4MiB)"\n'
FAILS = '#!/bin/sh\ntest "$3" = --question || echo "no route to host"\nexit 2\n'
RUNS_ON = '#!/bin/sh\ntest "$3" = --question && exit 1\necho $$ >make.pid\nexec sleep 600\n'


@pytest.fixture
def fake_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(script: str) -> None:
        (tmp_path / "make").write_text(script)
        (tmp_path / "make").chmod(0o755)

    return write


def test_nothing_is_printed_if_everything_is_installed(fake_make, tmp_path: Path, capsys):
    fake_make(UP_TO_DATE)
    with SparkInstallation(tmp_path) as spark:
        spark.start()
        spark.wait()

    assert capsys.readouterr().out == ""


def test_it_waits_until_everything_is_installed(fake_make, tmp_path: Path, capsys):
    fake_make(INSTALLS)
    with SparkInstallation(tmp_path) as spark:
        spark.start()
        spark.wait()

    first, last = capsys.readouterr().out.splitlines()
    assert (
        first
        == "   [Spark is being installed in the background; log: build/spark-installation.log]"
    )
    assert last.startswith("   [Spark is installed, after ")


def test_a_failure_stops_the_demo_with_the_end_of_the_log(fake_make, tmp_path: Path):
    fake_make(FAILS)
    with SparkInstallation(tmp_path) as spark:
        spark.start()
        with pytest.raises(ExpectationError) as raised:
            spark.wait()

    assert str(raised.value).splitlines() == [
        "Spark is installed: make exited with 2",
        "no route to host",
        "To try again: make .tools/spark/.made .tools/spark/jars/.made",
    ]


def test_it_is_stopped_if_the_demo_ends_before(fake_make, tmp_path: Path):
    fake_make(RUNS_ON)
    with SparkInstallation(tmp_path) as spark:
        spark.start()
        while not (tmp_path / "make.pid").exists() or not (tmp_path / "make.pid").read_text():
            pass
    process = int((tmp_path / "make.pid").read_text())

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_progress_has_the_locks_counts_and_the_last_message(tmp_path: Path):
    assert SparkInstallation().count_locked("spark.txt") > 10
    assert SparkInstallation().count_locked("spark-jars.txt") > 10

    (tmp_path / LOG).parent.mkdir()
    printed = "setting up: spark\nInstalled 25 packages in 3s\n + boto3==1.42\n"
    (tmp_path / LOG).write_text(printed)
    assert SparkInstallation(tmp_path).read_last_message() == "Installed 25 packages in 3s"
