"""LATEST points to the newest complete run, in whatever order runs are published. The plain files
always belong to one run.
"""

import json

import pytest

from framework import publish
from framework.access import CredentialBroker
from framework.exits import JobFailed
from framework.objects import ObjectFolder
from tests.conftest import ACCOUNT
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_process import compute_without_spark, replace_environment, run_job_in_process
from tests.jobs_io.job_setup import JobSetup
from tests.jobs_io.output_reader import read_output

KEY = "UserA/abalone.csv"


def upload_rows(setup: JobSetup, number: int) -> None:
    setup.upload(KEY, build_rows(number))


def run_successfully(setup: JobSetup, **more: str) -> str:
    """A run that goes well; its id."""
    ended = run_job_in_process(
        setup, setup.build_arguments(summary=setup.build_summary_url(), **more)
    )
    assert ended.code == 0, ended.stderr
    return str(setup.read_summary()["run_id"])


def test_the_same_content_again_computes_nothing_and_changes_nothing(setup: JobSetup):
    upload_rows(setup, 40)
    first = run_successfully(setup)
    before = {key: setup.read_object(key) for key in setup.list_keys()}
    upload_rows(setup, 40)

    def computing(_: object) -> None:
        pytest.fail("it computes")

    ended = run_job_in_process(
        setup, setup.build_arguments(summary=setup.build_summary_url()), computing
    )

    assert (ended.code, "were published already, and nothing was computed" in ended.last_line) == (
        0,
        True,
    )
    assert (setup.read_summary()["outcome"], setup.read_summary()["run_id"]) == ("already", first)
    assert {key for key in setup.list_keys() if setup.read_object(key) != before[key]} == {
        "UserA/output/LATEST.json"
    }  # a later upload


def test_latest_points_again_to_content_that_comes_back(setup: JobSetup):
    upload_rows(setup, 40)
    first = run_successfully(setup)
    upload_rows(setup, 50)
    second = run_successfully(setup)
    upload_rows(setup, 40)

    assert run_successfully(setup) == first != second
    seen = read_output(setup)
    assert (seen.latest_run, seen.plain_run, seen.plain_digests) == (first, first, seen.files)


def test_a_superseded_run_is_published_and_latest_does_not_point_to_it(setup: JobSetup):
    """The older run has read its input, and is slow; the newer one comes and goes meanwhile."""
    output = open_run_folder(setup)
    upload_rows(setup, 50)
    newer = run_successfully(setup)
    before = read_output(setup)
    older = publish.make_pointer(
        output, "0" * 20, "2001-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"
    )

    with replace_environment(setup.build_environment()):
        held = publish.move_latest(output, older)

    assert held.run_id == newer
    assert read_output(setup) == before


def test_of_two_runs_of_one_upload_latest_points_to_the_later(setup: JobSetup):
    upload_rows(setup, 50)
    run_successfully(setup)

    second = run_successfully(setup, max_quarantine="3")

    assert read_output(setup).latest_run == second


def test_a_published_run_is_compared_with_the_one_before(setup: JobSetup):
    upload_rows(setup, 40)
    first = run_successfully(setup)
    upload_rows(setup, 400)

    run_successfully(setup)

    manifest = read_output(setup).manifest
    assert manifest["before"] == first
    assert manifest["drift"][0] == "400 rows in, previously 40"
    assert setup.read_summary()["drift"] == manifest["drift"]
    assert b"400 rows in, previously 40" in (
        setup.read_object(f"UserA/output/runs/{manifest['run_id']}/report.html") or b""
    )


def test_a_deleted_output_is_published_again(setup: JobSetup):
    upload_rows(setup, 40)
    run_id = run_successfully(setup)
    file = read_output(setup).manifest["files"][0]["path"]
    setup.delete_object(f"UserA/output/runs/{run_id}/{file}")
    setup.delete_object("UserA/output/train/part-00000")

    assert run_successfully(setup) == run_id
    seen = read_output(setup)
    assert (seen.latest_run, seen.plain_digests) == (run_id, seen.files)
    assert setup.read_summary()["outcome"] == "done"


def test_deleted_or_added_plain_files_are_repaired_without_computing(
    setup: JobSetup,
):
    upload_rows(setup, 40)
    run_successfully(setup)
    setup.delete_object("UserA/output/validation/part-00000")
    setup.upload("UserA/output/train/part-00009", b"1\n")

    run_successfully(setup)

    seen = read_output(setup)
    assert (setup.read_summary()["outcome"], seen.plain_digests) == ("already", seen.files)


def test_leftovers_of_a_killed_job_are_removed_before_the_next_one_publishes(setup: JobSetup):
    upload_rows(setup, 40)
    run_id = run_successfully(setup)
    for key in setup.list_keys("UserA/output/"):
        setup.delete_object(key)
    for path in (
        "train/part-00000-dead.txt",
        "train/_temporary/0/x",
        "quarantine/part-00000-dead.txt",
        "_SUCCESS",
    ):
        setup.upload(f"UserA/output/runs/{run_id}/{path}", b"1\n")

    run_successfully(setup)

    manifest = read_output(setup).manifest
    there = {
        key.removeprefix(f"UserA/output/runs/{run_id}/")
        for key in setup.list_keys(f"UserA/output/runs/{run_id}/")
    }
    assert there == {file["path"] for file in manifest["files"]} | {"_manifest.json", "report.html"}


def test_two_jobs_with_the_same_run_publish_it_once(setup: JobSetup):
    """The second has made its files when the first publishes: the same content, so either manifest
    serves.
    """
    upload_rows(setup, 40)

    def late(task: object) -> object:
        made = compute_without_spark(task)
        kept = {key: setup.read_object(key) for key in setup.list_keys("UserA/output/runs/")}
        run_successfully(setup)
        for key, body in kept.items():
            setup.upload(key, body or b"")
        return made

    ended = run_job_in_process(setup, make=late)

    assert ended.code == 0, ended.stderr
    seen = read_output(setup)
    assert seen.plain_digests == seen.files


def test_a_manifest_of_other_content_is_never_overwritten(setup: JobSetup):
    upload_rows(setup, 40)
    run_id = run_successfully(setup)
    output, manifest = open_run_folder(setup), read_output(setup).manifest
    other = manifest | {"rows": {"in": 1, "train": 1, "validation": 0, "quarantine": 0}}

    with (
        replace_environment(setup.build_environment()),
        pytest.raises(JobFailed, match="was published by another job meanwhile"),
    ):
        publish.publish_run(output, other, "")

    assert setup.read_json(f"UserA/output/runs/{run_id}/_manifest.json") == manifest


def test_the_last_job_that_writes_the_plain_files_writes_all_of_them(setup: JobSetup):
    """Two jobs lay them at the same moment: the first has said so, and stands still while the
    second does it all.
    """
    upload_rows(setup, 40)
    run_id = run_successfully(setup)
    latest = json.loads(setup.read_object("UserA/output/LATEST.json") or b"")
    setup.upload(
        "UserA/output/LATEST.json",
        json.dumps(latest | {"plain": None, "changing": "somebody"}).encode(),
    )
    setup.delete_object("UserA/output/train/part-00000")

    with replace_environment(setup.build_environment()):
        publish.sync_plain_files(open_run_folder(setup))

    seen = read_output(setup)
    assert (seen.plain_run, seen.plain_digests) == (run_id, seen.files)


def test_many_files_are_numbered_consecutively(setup: JobSetup):
    upload_rows(setup, 700)
    run_successfully(setup)

    seen = read_output(setup)
    assert sorted(seen.plain_digests) == [
        *(f"train/part-{at:05d}" for at in range(6)),
        "validation/part-00000",
        "validation/part-00001",
    ]
    assert seen.plain_digests == seen.files


def test_the_manifest_records_the_input_and_every_output_file(setup: JobSetup):
    upload_rows(setup, 40)
    run_id = run_successfully(setup, job_name="grantor-abalone-x-a1")

    manifest = read_output(setup).manifest
    assert {name: manifest["input"][name] for name in ("bucket", "key", "bytes")} == {
        "bucket": setup.data_bucket,
        "key": KEY,
        "bytes": 1880,
    }
    assert (manifest["run_id"], manifest["job"], manifest["account"]) == (
        run_id,
        "grantor-abalone-x-a1",
        ACCOUNT,
    )
    assert manifest["rows"] == {"in": 40, "train": 29, "validation": 11, "quarantine": 0}
    assert sum(file["rows"] for file in manifest["files"]) == 40
    assert manifest["access"]["grants"][0] == f"READ s3://{setup.data_bucket}/UserA/abalone.csv"
    assert manifest["started"] < manifest["at"]


def open_run_folder(setup: JobSetup) -> publish.RunFolder:
    with replace_environment(setup.build_environment()):
        return publish.RunFolder(
            ObjectFolder(CredentialBroker(ACCOUNT), setup.data_bucket, "UserA/output/*"),
            "UserA/output/",
        )
