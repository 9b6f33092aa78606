"""Which run readers are led to: the newest, whole, whoever publishes when; the article's files are always those of one run."""

import json

import pytest

from abalone import publish
from abalone.access import CredentialBroker
from abalone.exits import JobFailed
from abalone.objects import ObjectFolder
from tests.conftest import ACCOUNT
from tests.jobs_io.grounds import Grounds
from tests.jobs_io.process import by_the_rules, environment, run_here
from tests.jobs_io.reader import look
from tests.jobs_io.rows import rows

KEY = "UserA/abalone.csv"


def upload(grounds: Grounds, number: int) -> None:
    grounds.upload(KEY, rows(number))


def run(grounds: Grounds, **more: str) -> str:
    """A run that goes well; its id."""
    ended = run_here(grounds, grounds.words(summary=grounds.place_of_summary(), **more))
    assert ended.code == 0, ended.said
    return str(grounds.summary()["run_id"])


def test_the_same_content_again_computes_nothing_and_changes_nothing(grounds: Grounds):
    upload(grounds, 40)
    first = run(grounds)
    before = {key: grounds.get(key) for key in grounds.listed()}
    upload(grounds, 40)

    def computing(_: object) -> None:
        pytest.fail("it computes")

    ended = run_here(grounds, grounds.words(summary=grounds.place_of_summary()), computing)

    assert (ended.code, "were published already, and nothing was computed" in ended.sentence) == (
        0,
        True,
    )
    assert (grounds.summary()["outcome"], grounds.summary()["run_id"]) == ("already", first)
    assert {key for key in grounds.listed() if grounds.get(key) != before[key]} == {
        "UserA/output/LATEST.json"
    }  # a later upload


def test_content_that_comes_back_is_led_to_again(grounds: Grounds):
    upload(grounds, 40)
    first = run(grounds)
    upload(grounds, 50)
    second = run(grounds)
    upload(grounds, 40)

    assert run(grounds) == first != second
    seen = look(grounds)
    assert (seen.run, seen.said, seen.plain) == (first, first, seen.files)


def test_a_superseded_run_is_published_and_misleads_no_reader(grounds: Grounds):
    """The older run has read its input, and is slow; the newer one comes and goes meanwhile."""
    output = at(grounds)
    upload(grounds, 50)
    newer = run(grounds)
    before = look(grounds)
    older = publish.make_pointer(
        output, "0" * 20, "2001-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"
    )

    with environment(grounds.environment()):
        held = publish.move_latest(output, older)

    assert held.run_id == newer
    assert look(grounds) == before


def test_of_two_runs_of_one_upload_the_later_is_led_to(grounds: Grounds):
    upload(grounds, 50)
    run(grounds)

    second = run(grounds, max_quarantine="3")

    assert look(grounds).run == second


def test_what_is_published_is_compared_with_what_was(grounds: Grounds):
    upload(grounds, 40)
    first = run(grounds)
    upload(grounds, 400)

    run(grounds)

    manifest = look(grounds).manifest
    assert manifest["before"] == first
    assert manifest["drift"][0] == "400 rows came in, before 40"
    assert grounds.summary()["drift"] == manifest["drift"]
    assert b"400 rows came in, before 40" in (
        grounds.get(f"UserA/output/runs/{manifest['run_id']}/report.html") or b""
    )


def test_what_somebody_deleted_is_made_again(grounds: Grounds):
    upload(grounds, 40)
    run_id = run(grounds)
    file = look(grounds).manifest["files"][0]["path"]
    grounds.delete(f"UserA/output/runs/{run_id}/{file}")
    grounds.delete("UserA/output/train/part-00000")

    assert run(grounds) == run_id
    seen = look(grounds)
    assert (seen.run, seen.plain) == (run_id, seen.files)
    assert grounds.summary()["outcome"] == "done"


def test_plain_files_that_somebody_deleted_or_added_are_put_right_without_computing(
    grounds: Grounds,
):
    upload(grounds, 40)
    run(grounds)
    grounds.delete("UserA/output/validation/part-00000")
    grounds.upload("UserA/output/train/part-00009", b"1\n")

    run(grounds)

    seen = look(grounds)
    assert (grounds.summary()["outcome"], seen.plain) == ("already", seen.files)


def test_what_a_job_left_that_was_killed_is_cleared_before_it_is_made_again(grounds: Grounds):
    upload(grounds, 40)
    run_id = run(grounds)
    for key in grounds.listed("UserA/output/"):
        grounds.delete(key)
    for path in (
        "train/part-00000-dead.txt",
        "train/_temporary/0/x",
        "quarantine/part-00000-dead.txt",
        "_SUCCESS",
    ):
        grounds.upload(f"UserA/output/runs/{run_id}/{path}", b"1\n")

    run(grounds)

    manifest = look(grounds).manifest
    there = {
        key.removeprefix(f"UserA/output/runs/{run_id}/")
        for key in grounds.listed(f"UserA/output/runs/{run_id}/")
    }
    assert there == {file["path"] for file in manifest["files"]} | {"_manifest.json", "report.html"}


def test_two_jobs_at_the_same_run_publish_it_once(grounds: Grounds):
    """The second has made its files when the first publishes: the same content, so either manifest serves."""
    upload(grounds, 40)

    def late(task: object) -> object:
        made = by_the_rules(task)
        kept = {key: grounds.get(key) for key in grounds.listed("UserA/output/runs/")}
        run(grounds)
        for key, body in kept.items():
            grounds.upload(key, body or b"")
        return made

    ended = run_here(grounds, make=late)

    assert ended.code == 0, ended.said
    seen = look(grounds)
    assert seen.plain == seen.files


def test_a_manifest_of_other_content_is_never_overwritten(grounds: Grounds):
    upload(grounds, 40)
    run_id = run(grounds)
    output, manifest = at(grounds), look(grounds).manifest
    other = manifest | {"rows": {"in": 1, "train": 1, "validation": 0, "quarantine": 0}}

    with (
        environment(grounds.environment()),
        pytest.raises(JobFailed, match="was published by another job meanwhile"),
    ):
        publish.publish_run(output, other, "")

    assert grounds.document(f"UserA/output/runs/{run_id}/_manifest.json") == manifest


def test_the_last_job_that_writes_the_plain_files_writes_all_of_them(grounds: Grounds):
    """Two jobs lay them at the same moment: the first has said so, and stands still while the second does it all."""
    upload(grounds, 40)
    run_id = run(grounds)
    latest = json.loads(grounds.get("UserA/output/LATEST.json") or b"")
    grounds.upload(
        "UserA/output/LATEST.json",
        json.dumps(latest | {"plain": None, "changing": "somebody"}).encode(),
    )
    grounds.delete("UserA/output/train/part-00000")

    with environment(grounds.environment()):
        publish.sync_plain_files(at(grounds))

    seen = look(grounds)
    assert (seen.said, seen.plain) == (run_id, seen.files)


def test_many_files_are_numbered_through(grounds: Grounds):
    upload(grounds, 700)
    run(grounds)

    seen = look(grounds)
    assert sorted(seen.plain) == [
        *(f"train/part-{at:05d}" for at in range(6)), "validation/part-00000", "validation/part-00001",
    ]  # fmt: skip
    assert seen.plain == seen.files


def test_the_manifest_says_what_was_made_from_what(grounds: Grounds):
    upload(grounds, 40)
    run_id = run(grounds, job_name="grantor-abalone-x-a1")

    manifest = look(grounds).manifest
    assert {name: manifest["input"][name] for name in ("bucket", "key", "bytes")} == {
        "bucket": grounds.data,
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
    assert manifest["access"]["grants"][0] == f"READ s3://{grounds.data}/UserA/abalone.csv"
    assert manifest["started"] < manifest["at"]


def at(grounds: Grounds) -> publish.RunFolder:
    with environment(grounds.environment()):
        return publish.RunFolder(
            ObjectFolder(CredentialBroker(ACCOUNT), grounds.data, "UserA/output/*"), "UserA/output/"
        )
