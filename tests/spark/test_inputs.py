"""What Spark makes of odd inputs, and a Spark without S3A: one that writes into a file system of its own, as the container's does."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Sandbox
from tests.jobs_io.grounds import Grounds, lay
from tests.jobs_io.reader import look
from tests.jobs_io.rows import LINE, rows
from tests.spark.spark_worker import SparkWorker, start_worker

KEY = "UserA/abalone.csv"


@pytest.fixture(scope="module")
def plain_worker(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkWorker]:
    """Without the jars, and with a file system that is not this machine's, as far as Spark can tell."""
    folder, files = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("files")
    apart = {
        "spark.driver.extraClassPath": str(folder), "spark.hadoop.fs.defaultFS": "viewfs://cluster/",
        "spark.hadoop.fs.viewfs.mounttable.cluster.link./user": f"file://{files}",
    }  # fmt: skip
    with start_worker(start_sandbox(), folder, **apart) as worker:
        yield worker
        assert [
            path for path in files.rglob("*") if path.is_file()
        ] == []  # nothing of the data is left there


@pytest.fixture
def grounds(plain_worker: SparkWorker) -> Grounds:
    return lay(plain_worker.sandbox, ("UserA/*", "READWRITE"))


def test_a_spark_that_does_not_know_access_grants_is_not_let_at_the_data(
    plain_worker: SparkWorker, grounds: Grounds
):
    grounds.upload(KEY, rows(30))

    ended = plain_worker.run(grounds, grounds.words(access="s3a"))

    assert (ended.code, "does not know S3 Access Grants" in ended.sentence) == (14, True), (
        ended.said
    )
    assert grounds.listed("UserA/output/") == []


def test_it_works_in_the_clusters_file_system_and_the_driver_brings_and_fetches(
    plain_worker: SparkWorker, grounds: Grounds
):
    grounds.upload(KEY, rows(250))

    ended = plain_worker.run(grounds, grounds.words(summary=grounds.place_of_summary()))

    assert ended.code == 0, ended.said
    seen = look(grounds)
    assert (seen.manifest["access"]["mode"], seen.manifest["rows"]["in"], seen.plain) == (
        "staged",
        250,
        seen.files,
    )
    assert "does not know S3 Access Grants" in grounds.summary()["access"]["why"]


BAD = "Länge,M,1\n".encode("latin-1") + b"sex,length\n" + b"\n" + b"M,1\r\n"


def test_bad_lines_are_set_apart_as_they_came(plain_worker: SparkWorker, grounds: Grounds):
    grounds.upload(KEY, rows(60) + BAD)

    assert plain_worker.run(grounds, grounds.words()).code == 0
    manifest = look(grounds).manifest
    assert manifest["quarantine"] == {"blank line": 1, "header line": 1, "not 9 columns": 2}
    [refused] = [
        grounds.get(key)
        for key in grounds.listed(f"UserA/output/runs/{manifest['run_id']}/quarantine/")
    ]
    assert "not 9 columns\tLänge,M,1\n".encode("latin-1") in (refused or b"")


def test_a_line_of_megabytes_is_no_line(plain_worker: SparkWorker, grounds: Grounds):
    """It stands for one of a gigabyte: the bound is a mebibyte, and what is longer is passed over in pieces."""
    grounds.upload(KEY, rows(60) + b"1" * (24 << 20) + b"\n" + LINE.encode())

    ended = plain_worker.run(grounds, grounds.words())

    assert (ended.code, "has a line of more than 1,048,576 bytes" in ended.sentence) == (
        12,
        True,
    ), ended.said
    assert grounds.listed("UserA/output/") == []


@pytest.mark.parametrize("body", [b"1,2,3\n" * 50, b"\n"], ids=["other columns", "a blank line"])
def test_what_holds_no_line_of_abalone_is_refused(
    plain_worker: SparkWorker, grounds: Grounds, body: bytes
):
    grounds.upload(KEY, body)

    ended = plain_worker.run(grounds, grounds.words())

    assert (ended.code, "is as the contract says" in ended.sentence) == (12, True), ended.said
    assert grounds.listed("UserA/output/") == []


def test_a_disk_that_is_full_while_spark_writes_is_said_and_the_next_job_completes(
    plain_worker: SparkWorker, grounds: Grounds
):
    grounds.upload(KEY, LINE.encode() * 20_000)

    ended = plain_worker.run(grounds, grounds.words(), file_size=1 << 18)

    assert (ended.code, "The disk is full" in ended.sentence) == (20, True), ended.said
    assert look(grounds).run == ""
    assert plain_worker.run(grounds, grounds.words()).code == 0
