"""For every input the job exits with a code and a message that says what to do, and publishes
features of valid lines or nothing.
"""

import gzip
import io
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.jobs_io.input_rows import LINE, build_rows
from tests.jobs_io.job_process import compute_without_spark, run_job, run_job_in_process
from tests.jobs_io.job_setup import JobSetup
from tests.jobs_io.output_reader import read_output

if TYPE_CHECKING:
    from framework.compute import ComputedRun, ComputeTask

KEY = "UserA/abalone.csv"
HEADER = (
    b"sex,length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight,rings\n"
)


def zip_body(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("abalone.csv", content)
    return made.getvalue()


HOPELESS = {
    "empty file": (b"", "is empty"),
    "gzip in disguise": (gzip.compress(build_rows(50), mtime=0), "is gzip, compressed"),
    "a workbook in disguise": (zip_body(build_rows(50)), "is a zip archive"),
    "Parquet in disguise": (b"PAR1" + bytes(100), "is Parquet"),
    "UTF-16": (build_rows(50).decode().encode("utf-16"), "is text in UTF-16"),
    "zero bytes in it": (build_rows(5) + b"M,\0\n", "zero bytes"),
    "other columns": (b"1,2,3\n" * 20, "No line of s3://"),
    "a header and nothing else": (HEADER, "has no lines below its header"),
    "a header in another order": (
        HEADER.replace(b"length,diameter", b"diameter,length") + build_rows(60),
        "names the columns in another order. The file: sex, diameter, length, height, ",
    ),
    "a header of other columns": (b"id," + HEADER + build_rows(60), "names other columns"),
    "blank lines": (b"\n\n\n", "blank line: 3"),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_an_unreadable_input_is_refused_and_leaves_no_output(setup: JobSetup, case: str):
    body, why = HOPELESS[case]
    setup.upload(KEY, body)

    ended = run_job_in_process(setup, setup.build_arguments(summary=setup.build_summary_url()))

    assert (ended.code, why in ended.last_line) == (12, True), ended.stderr
    assert setup.list_keys("UserA/output/") == []
    assert setup.read_summary()["sentence"] == ended.last_line


PARTLY = {
    "a header line": (HEADER + build_rows(60), {}),
    "a header after a byte order mark": (
        b'\xef\xbb\xbf"'
        + HEADER.strip().replace(b",", b'","').upper()
        + b'"\r\n'
        + build_rows(60).replace(b"\n", b"\r\n"),
        {},
    ),
    "parts with a header each": (HEADER + build_rows(60) + HEADER, {}),
    "a header of some columns in the middle": (
        build_rows(60) + b"sex,length\n",
        {"header line": 1},
    ),
    "Latin-1 in a line": (
        build_rows(60) + "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15 Stück\n".encode("latin-1"),
        {"rings not a number": 1},
    ),
    "lines that end as on Windows": (build_rows(60).replace(b"\n", b"\r\n"), {}),
    "no end of the last line": (build_rows(60).rstrip(), {}),
    "a byte order mark": (b"\xef\xbb\xbf" + build_rows(60), {}),
    "five bad lines": (build_rows(60) + b"M,1\n" * 5, {"not 9 columns": 5}),
}


@pytest.mark.parametrize("case", PARTLY)
def test_bad_lines_are_quarantined_with_their_reasons_and_the_good_ones_are_published(
    setup: JobSetup, case: str
):
    body, reasons = PARTLY[case]
    setup.upload(KEY, body)

    ended = run_job_in_process(setup, setup.build_arguments(summary=setup.build_summary_url()))

    assert ended.code == 0, ended.stderr
    manifest = read_output(setup).manifest
    assert manifest["rows"]["train"] + manifest["rows"]["validation"] == 60
    assert (manifest["quarantine"], setup.read_summary()["quarantine"]) == (reasons, reasons)


def test_five_rows_with_a_header_are_published_and_the_manifest_and_the_report_say_so(
    setup: JobSetup,
):
    setup.upload(KEY, HEADER + build_rows(5))

    ended = run_job_in_process(
        setup, setup.build_arguments(summary=setup.build_summary_url(), max_quarantine="0")
    )

    assert (ended.code, "1 header line skipped" in ended.last_line) == (0, True), ended.stderr
    manifest = read_output(setup).manifest
    assert (manifest["rows"]["in"], manifest["header_lines"], manifest["quarantine"]) == (5, 1, {})
    assert setup.read_summary()["header_lines"] == 1
    report = setup.read_object(f"UserA/output/runs/{manifest['run_id']}/report.html") or b""
    assert b"A header line names the columns in order" in report


def test_too_many_bad_lines_refuse_the_whole_input_and_stay_readable(setup: JobSetup):
    setup.upload(KEY, build_rows(60) + b"M,1\n" * 5)

    ended = run_job_in_process(setup, setup.build_arguments(max_quarantine="5%"))

    assert ended.code == 13
    assert "5 of 65 lines were refused (not 9 columns: 5), and 5% are tolerated" in ended.last_line
    assert read_output(setup).latest_run == ""
    [left] = setup.list_keys("UserA/output/")
    assert left.split("/")[-2] == "quarantine"
    assert setup.read_object(left) == b"not 9 columns\tM,1\n" * 5


def test_a_refused_input_is_published_with_a_higher_limit(setup: JobSetup):
    setup.upload(KEY, build_rows(60) + b"M,1\n" * 5)
    run_job_in_process(setup, setup.build_arguments(max_quarantine="4"))

    assert run_job_in_process(setup, setup.build_arguments(max_quarantine="5")).code == 0
    assert read_output(setup).manifest["rows"] == {
        "in": 65,
        "train": 46,
        "validation": 14,
        "quarantine": 5,
    }


@pytest.mark.parametrize(
    "key", ["UserA/a b/100%.csv", "UserA/%41 ü+&=.csv", "UserA/-x.csv", "UserA/[1]*.csv"]
)
def test_a_key_with_special_characters_is_read_literally(setup: JobSetup, key: str):
    setup.upload(key, build_rows(20))

    assert run_job_in_process(setup, setup.build_arguments(key, "UserA/out put 50%")).code == 0
    assert read_output(setup, "UserA/out put 50%").manifest["input"]["key"] == key


def test_in_a_folder_the_input_is_abalone_csv(setup: JobSetup):
    setup.upload(KEY, build_rows(20))

    assert run_job_in_process(setup, setup.build_arguments("UserA")).code == 0
    assert read_output(setup).manifest["input"]["key"] == KEY


def test_a_missing_input_is_reported(setup: JobSetup):
    ended = run_job_in_process(setup)

    assert (ended.code, ended.last_line) == (
        11,
        f"s3://{setup.data_bucket}/{KEY} does not exist. Upload it; that starts a run.",
    )


def test_an_input_that_was_replaced_before_the_job_started_is_left_to_its_own_run(setup: JobSetup):
    ordered = setup.upload(KEY, build_rows(20))
    setup.upload(KEY, build_rows(21))

    ended = run_job_in_process(setup, setup.build_arguments(input_etag=ordered))

    assert (ended.code, "replaced after this job was ordered" in ended.last_line) == (11, True)


def compute_then(happens: Callable[[], object]) -> "Callable[[ComputeTask], ComputedRun]":
    """Files are made, and when they are, something happens."""

    def make(task: "ComputeTask") -> "ComputedRun":
        made = compute_without_spark(task)
        happens()
        return made

    return make


def test_an_input_that_is_deleted_during_the_job_is_not_published(setup: JobSetup):
    setup.upload(KEY, build_rows(20))

    ended = run_job_in_process(setup, make=compute_then(lambda: setup.delete_object(KEY)))

    assert (ended.code, "was deleted while the job worked on it" in ended.last_line) == (11, True)
    assert setup.list_keys() == []


def test_an_input_replaced_during_the_job_is_not_published_and_the_next_run_uses_the_new_one(
    setup: JobSetup,
):
    setup.upload(KEY, build_rows(20))

    ended = run_job_in_process(setup, make=compute_then(lambda: setup.upload(KEY, build_rows(30))))

    assert (ended.code, "was replaced while the job worked on it" in ended.last_line) == (11, True)
    assert setup.list_keys("UserA/output") == []
    assert run_job_in_process(setup).code == 0
    assert read_output(setup).manifest["rows"]["in"] == 30


def test_the_same_content_uploaded_again_during_the_job_changes_nothing(setup: JobSetup):
    setup.upload(KEY, build_rows(20))

    assert (
        run_job_in_process(setup, make=compute_then(lambda: setup.upload(KEY, build_rows(20)))).code
        == 0
    )


def test_a_full_disk_is_reported_and_nothing_is_published(setup: JobSetup):
    setup.upload(KEY, LINE.encode() * 2000)

    ended = run_job(setup, file_size=50_000)

    assert (ended.code, "The disk is full" in ended.last_line) == (20, True), ended.stderr
    assert setup.list_keys("UserA/output") == []
    assert run_job_in_process(setup).code == 0
