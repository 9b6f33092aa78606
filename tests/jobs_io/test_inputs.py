"""Whatever is uploaded, the job ends with a code and a sentence that says what to do, and publishes features of good lines or nothing."""

import gzip
import io
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.jobs_io.grounds import Grounds
from tests.jobs_io.process import by_the_rules, run, run_here
from tests.jobs_io.reader import look
from tests.jobs_io.rows import LINE, rows

if TYPE_CHECKING:
    from abalone.compute import ComputedRun, ComputeTask

KEY = "UserA/abalone.csv"
HEADER = (
    b"sex,length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight,rings\n"
)


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("abalone.csv", content)
    return made.getvalue()


HOPELESS = {
    "empty file": (b"", "is empty"),
    "gzip in disguise": (gzip.compress(rows(50)), "is gzip, compressed"),
    "a workbook in disguise": (zipped(rows(50)), "is a zip archive"),
    "Parquet in disguise": (b"PAR1" + bytes(100), "is Parquet"),
    "UTF-16": (rows(50).decode().encode("utf-16"), "is text in UTF-16"),
    "zero bytes in it": (rows(5) + b"M,\0\n", "zero bytes"),
    "other columns": (b"1,2,3\n" * 20, "No line of s3://"),
    "a header and nothing else": (HEADER, "header line: 1"),
    "blank lines": (b"\n\n\n", "blank line: 3"),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_what_no_line_can_be_read_of_is_no_input_and_leaves_nothing(grounds: Grounds, case: str):
    body, why = HOPELESS[case]
    grounds.upload(KEY, body)

    ended = run_here(grounds, grounds.words(summary=grounds.place_of_summary()))

    assert (ended.code, why in ended.sentence) == (12, True), ended.said
    assert grounds.listed("UserA/output/") == []
    assert grounds.summary()["sentence"] == ended.sentence


PARTLY = {
    "a header line": (HEADER + rows(60), {"header line": 1}),
    "Latin-1 in a line": (
        rows(60) + "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15 Stück\n".encode("latin-1"),
        {"rings not a number": 1},
    ),
    "lines that end as on Windows": (rows(60).replace(b"\n", b"\r\n"), {}),
    "no end of the last line": (rows(60).rstrip(), {}),
    "a byte order mark": (b"\xef\xbb\xbf" + rows(60), {}),
    "five bad lines": (rows(60) + b"M,1\n" * 5, {"not 9 columns": 5}),
}


@pytest.mark.parametrize("case", PARTLY)
def test_bad_lines_are_set_apart_with_their_reasons_and_the_good_ones_go_on(
    grounds: Grounds, case: str
):
    body, reasons = PARTLY[case]
    grounds.upload(KEY, body)

    ended = run_here(grounds, grounds.words(summary=grounds.place_of_summary()))

    assert ended.code == 0, ended.said
    manifest = look(grounds).manifest
    assert manifest["rows"]["train"] + manifest["rows"]["validation"] == 60
    assert (manifest["quarantine"], grounds.summary()["quarantine"]) == (reasons, reasons)


def test_too_many_bad_lines_refuse_the_whole_input_and_can_be_looked_at(grounds: Grounds):
    grounds.upload(KEY, rows(60) + b"M,1\n" * 5)

    ended = run_here(grounds, grounds.words(max_quarantine="5%"))

    assert ended.code == 13
    assert "5 of 65 lines were refused (not 9 columns: 5), and 5% are tolerated" in ended.sentence
    assert look(grounds).run == ""
    [left] = grounds.listed("UserA/output/")
    assert left.split("/")[-2] == "quarantine"
    assert grounds.get(left) == b"not 9 columns\tM,1\n" * 5


def test_what_was_refused_is_published_when_more_is_tolerated(grounds: Grounds):
    grounds.upload(KEY, rows(60) + b"M,1\n" * 5)
    run_here(grounds, grounds.words(max_quarantine="4"))

    assert run_here(grounds, grounds.words(max_quarantine="5")).code == 0
    assert look(grounds).manifest["rows"] == {
        "in": 65,
        "train": 46,
        "validation": 14,
        "quarantine": 5,
    }


@pytest.mark.parametrize(
    "key", ["UserA/a b/100%.csv", "UserA/%41 ü+&=.csv", "UserA/-x.csv", "UserA/[1]*.csv"]
)
def test_a_key_means_itself(grounds: Grounds, key: str):
    grounds.upload(key, rows(20))

    assert run_here(grounds, grounds.words(key, "UserA/out put 50%")).code == 0
    assert look(grounds, "UserA/out put 50%").manifest["input"]["key"] == key


def test_in_a_folder_abalone_csv_is_meant(grounds: Grounds):
    grounds.upload(KEY, rows(20))

    assert run_here(grounds, grounds.words("UserA")).code == 0
    assert look(grounds).manifest["input"]["key"] == KEY


def test_what_is_not_there_is_said_to_be_missing(grounds: Grounds):
    ended = run_here(grounds)

    assert (ended.code, ended.sentence) == (
        11,
        f"s3://{grounds.data}/{KEY} is not there. Upload it; that starts a run.",
    )


def test_what_was_replaced_before_the_job_began_is_left_to_its_own_run(grounds: Grounds):
    ordered = grounds.upload(KEY, rows(20))
    grounds.upload(KEY, rows(21))

    ended = run_here(grounds, grounds.words(input_etag=ordered))

    assert (ended.code, "replaced after this job was ordered" in ended.sentence) == (11, True)


def meanwhile(happens: Callable[[], object]) -> "Callable[[ComputeTask], ComputedRun]":
    """Files are made, and when they are, something happens."""

    def make(task: "ComputeTask") -> "ComputedRun":
        made = by_the_rules(task)
        happens()
        return made

    return make


def test_what_is_deleted_meanwhile_is_not_published(grounds: Grounds):
    grounds.upload(KEY, rows(20))

    ended = run_here(grounds, make=meanwhile(lambda: grounds.delete(KEY)))

    assert (ended.code, "was deleted while the job worked on it" in ended.sentence) == (11, True)
    assert grounds.listed() == []


def test_what_is_replaced_meanwhile_is_not_published_and_the_next_run_is_of_what_has_come(
    grounds: Grounds,
):
    grounds.upload(KEY, rows(20))

    ended = run_here(grounds, make=meanwhile(lambda: grounds.upload(KEY, rows(30))))

    assert (ended.code, "was replaced while the job worked on it" in ended.sentence) == (11, True)
    assert grounds.listed("UserA/output") == []
    assert run_here(grounds).code == 0
    assert look(grounds).manifest["rows"]["in"] == 30


def test_the_same_content_put_again_meanwhile_changes_nothing(grounds: Grounds):
    grounds.upload(KEY, rows(20))

    assert run_here(grounds, make=meanwhile(lambda: grounds.upload(KEY, rows(20)))).code == 0


def test_a_full_disk_is_said_and_nothing_is_published(grounds: Grounds):
    grounds.upload(KEY, LINE.encode() * 2000)

    ended = run(grounds, file_size=50_000)

    assert (ended.code, "The disk is full" in ended.sentence) == (20, True), ended.said
    assert grounds.listed("UserA/output") == []
    assert run_here(grounds).code == 0
