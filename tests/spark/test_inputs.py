"""Unusual inputs in Spark, and Spark without S3A, which writes to a file system of its own as in
SageMaker's container.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Sandbox
from tests.jobs_io.input_rows import LINE, build_rows
from tests.jobs_io.job_setup import JobSetup, set_up_job
from tests.jobs_io.output_reader import read_output
from tests.spark.spark_worker import SparkWorker, start_worker

KEY = "UserA/abalone.csv"


@pytest.fixture(scope="module")
def plain_worker(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkWorker]:
    """Without the jars, and with a file system that is not this machine's, as far as Spark can
    tell.
    """
    folder, files = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("files")
    apart = {
        "spark.driver.extraClassPath": str(folder),
        "spark.hadoop.fs.defaultFS": "viewfs://cluster/",
        "spark.hadoop.fs.viewfs.mounttable.cluster.link./user": f"file://{files}",
    }
    with start_worker(start_sandbox(), folder, **apart) as worker:
        yield worker
        assert [
            path for path in files.rglob("*") if path.is_file()
        ] == []  # nothing of the data is left there


@pytest.fixture
def setup(plain_worker: SparkWorker) -> JobSetup:
    return set_up_job(plain_worker.sandbox, ("UserA/*", "READWRITE"))


def test_spark_without_access_grants_support_gets_no_data(
    plain_worker: SparkWorker, setup: JobSetup
):
    setup.upload(KEY, build_rows(30))

    ended = plain_worker.run_job(setup, setup.build_arguments(access="s3a"))

    assert (ended.code, "does not know S3 Access Grants" in ended.last_line) == (14, True), (
        ended.stderr
    )
    assert setup.list_keys("UserA/output/") == []


def test_spark_works_in_the_clusters_file_system_and_the_driver_transfers_the_files(
    plain_worker: SparkWorker, setup: JobSetup
):
    setup.upload(KEY, build_rows(250))

    ended = plain_worker.run_job(setup, setup.build_arguments(summary=setup.build_summary_url()))

    assert ended.code == 0, ended.stderr
    seen = read_output(setup)
    assert (seen.manifest["access"]["mode"], seen.manifest["rows"]["in"], seen.plain_digests) == (
        "staged",
        250,
        seen.files,
    )
    assert "does not know S3 Access Grants" in setup.read_summary()["access"]["why"]


BAD = "Länge,M,1\n".encode("latin-1") + b"sex,length\n" + b"\n" + b"M,1\r\n"


def test_bad_lines_are_quarantined_unchanged(plain_worker: SparkWorker, setup: JobSetup):
    setup.upload(KEY, build_rows(60) + BAD)

    assert plain_worker.run_job(setup, setup.build_arguments()).code == 0
    manifest = read_output(setup).manifest
    assert manifest["quarantine"] == {"blank line": 1, "header line": 1, "not 9 columns": 2}
    [refused] = [
        setup.read_object(key)
        for key in setup.list_keys(f"UserA/output/runs/{manifest['run_id']}/quarantine/")
    ]
    assert "not 9 columns\tLänge,M,1\n".encode("latin-1") in (refused or b"")


def test_a_line_of_megabytes_is_refused(plain_worker: SparkWorker, setup: JobSetup):
    """It stands for one of a gigabyte: the bound is a mebibyte, and what is longer is passed over
    in pieces.
    """
    setup.upload(KEY, build_rows(60) + b"1" * (24 << 20) + b"\n" + LINE.encode())

    ended = plain_worker.run_job(setup, setup.build_arguments())

    assert (ended.code, "has a line of more than 1,048,576 bytes" in ended.last_line) == (
        12,
        True,
    ), ended.stderr
    assert setup.list_keys("UserA/output/") == []


@pytest.mark.parametrize("body", [b"1,2,3\n" * 50, b"\n"], ids=["other columns", "a blank line"])
def test_an_input_without_a_valid_line_is_refused(
    plain_worker: SparkWorker, setup: JobSetup, body: bytes
):
    setup.upload(KEY, body)

    ended = plain_worker.run_job(setup, setup.build_arguments())

    assert (ended.code, "fits the contract" in ended.last_line) == (12, True), ended.stderr
    assert setup.list_keys("UserA/output/") == []


def test_a_disk_that_fills_up_while_spark_writes_is_reported_and_the_next_job_completes(
    plain_worker: SparkWorker, setup: JobSetup
):
    setup.upload(KEY, LINE.encode() * 20_000)

    ended = plain_worker.run_job(setup, setup.build_arguments(), file_size=1 << 18)

    assert (ended.code, "The disk is full" in ended.last_line) == (20, True), ended.stderr
    assert read_output(setup).latest_run == ""
    assert plain_worker.run_job(setup, setup.build_arguments()).code == 0
