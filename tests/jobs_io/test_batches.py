"""A batch of files is one run: all of them as they were listed, or nothing is published."""

import gzip
import json
from typing import Any

import pytest

from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_process import FinishedJob, compute_without_spark, run_job_in_process
from tests.jobs_io.job_setup import JobSetup
from tests.jobs_io.output_reader import read_output

FOLDER = "UserA/in/2026-11-30/"
KEYS = [f"{FOLDER}part-{at}.csv" for at in range(3)]


def upload_batch(setup: JobSetup) -> list[dict[str, Any]]:
    """Upload three files and one that is not listed; return what the launcher lists."""
    setup.upload(f"{FOLDER}readme.txt", b"not listed")
    return [
        {
            "bucket": setup.data_bucket,
            "key": key,
            "etag": setup.upload(key, build_rows(10 * (at + 1))),
            "version": f"v{at}",
            "size": 1,
        }
        for at, key in enumerate(KEYS)
    ]


def run_batch(setup: JobSetup, inputs: Any, make: Any = None) -> FinishedJob:
    """Run the job over the inputs that a list in the operations bucket names."""
    key = f"runs/{setup.role}/batch/inputs.json"
    body = json.dumps({"schema_version": 1, "pattern": "…", "inputs": inputs}).encode()
    setup.sandbox.client("s3").put_object(Bucket=setup.operations_bucket, Key=key, Body=body)
    arguments = setup.build_arguments(
        f"{FOLDER}*.csv", inputs=f"s3://{setup.operations_bucket}/{key}", input_etag="0" * 32
    )
    return run_job_in_process(setup, arguments, make)


def test_the_files_of_a_batch_are_one_run_whose_manifest_names_each(setup: JobSetup):
    listed = upload_batch(setup)

    ended = run_batch(setup, listed)

    assert ended.code == 0, ended.stderr
    manifest = read_output(setup).manifest
    assert manifest["rows"]["in"] == 60
    assert manifest["input"]["key"] == f"{FOLDER}*.csv"
    assert [(one["key"], one["etag"], one["version"]) for one in manifest["input"]["objects"]] == [
        (one["key"], one["etag"], one["version"]) for one in listed
    ]
    assert manifest["input"]["bytes"] == sum(one["bytes"] for one in manifest["input"]["objects"])


def test_the_same_batch_again_is_the_same_run(setup: JobSetup):
    listed = upload_batch(setup)

    assert run_batch(setup, listed).code == 0
    again = run_batch(setup, list(reversed(listed)))

    assert (again.code, "were published already" in again.last_line) == (0, True)


def test_a_file_that_was_replaced_before_the_run_is_named_and_nothing_is_published(
    setup: JobSetup,
):
    listed = upload_batch(setup)
    setup.upload(KEYS[1], build_rows(99))

    ended = run_batch(setup, listed)

    assert (
        ended.code,
        f"{KEYS[1]} was replaced after this job was ordered" in ended.last_line,
    ) == (
        11,
        True,
    )
    assert setup.list_keys("UserA/output/") == []


def test_a_file_that_is_deleted_before_the_run_is_named(setup: JobSetup):
    listed = upload_batch(setup)
    setup.delete_object(KEYS[2])

    ended = run_batch(setup, listed)

    assert (ended.code, f"{KEYS[2]} is gone" in ended.last_line) == (11, True)


@pytest.mark.parametrize("what", ["replaced", "deleted"])
def test_a_file_that_changes_during_the_run_is_named_and_nothing_is_published(
    setup: JobSetup, what: str
):
    listed = upload_batch(setup)

    def make(task: Any) -> Any:
        made = compute_without_spark(task)
        if what == "replaced":
            setup.upload(KEYS[0], build_rows(98))
        else:
            setup.delete_object(KEYS[0])
        return made

    ended = run_batch(setup, listed, make)

    assert ended.code == 11, ended.stderr
    assert f"{KEYS[0]} was {what} while the job worked on it" in ended.last_line
    assert setup.list_keys("UserA/output/") == []


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"", "is empty"), (gzip.compress(build_rows(3), mtime=0), "is gzip, compressed")],
    ids=["empty", "compressed"],
)
def test_a_file_that_breaks_the_contract_is_named(setup: JobSetup, body: bytes, why: str):
    listed = upload_batch(setup)
    listed[1]["etag"] = setup.upload(KEYS[1], body)

    ended = run_batch(setup, listed)

    assert (ended.code, f"{KEYS[1]} {why}" in ended.last_line) == (12, True), ended.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda _: [],
        lambda _: None,
        lambda _: ["x"],
        lambda listed: [listed[0], listed[0]],
        lambda listed: [listed[0] | {"bucket": "another"}],
        lambda listed: [listed[0] | {"key": "UserB/secret.csv"}],
        lambda listed: [listed[0] | {"etag": None}],
        lambda listed: listed * 400,
    ],
    ids=["none", "no list", "no object", "twice", "bucket", "folder", "no ETag", "too many"],
)
def test_a_list_that_the_launcher_would_not_write_is_refused(setup: JobSetup, change: Any):
    ended = run_batch(setup, change(upload_batch(setup)))

    assert (ended.code, "is no list of inputs" in ended.last_line) == (2, True), ended.stderr
