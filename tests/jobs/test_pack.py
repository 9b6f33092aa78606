"""The packed code of a job: its own sources, the same bytes every time, under a name that depends
on all of them.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grantor.aws.job_services import JobCode
from grantor.core.policy.job_language import SHIPPED_JOBS
from tests.conftest import ROOT

JOB = SHIPPED_JOBS["abalone"]
FUNCTION = ROOT / "functions/start_spark_job"


def pack_jobs(folder: Path, jobs: Path = FUNCTION / ".spark_jobs") -> Path:
    """What the function's Makefile has made of these sources."""
    made = subprocess.run(
        [sys.executable, FUNCTION / "pack.py", jobs, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder / "abalone"


def sources(folder: Path, **files: str) -> Path:
    """A job's sources, all that a pack needs of them, with these files besides."""
    least = {"preprocess.py": "", "abalone/__init__.py": "", "abalone/contract.py": "VERSION = 7\n"}
    asked = {
        "abalone/configuration.py": "def build_configuration(*buckets):\n    return [{'Properties': {f'{buckets[0]}.on': 'true'}}]\n"
    }
    for name, text in {
        **least,
        **asked,
        **{name.replace("__", "/") + ".py": text for name, text in files.items()},
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_same_sources_give_the_same_bytes_at_another_time_and_under_another_mask(
    tmp_path: Path,
) -> None:
    first = pack_jobs(tmp_path / "first", sources(tmp_path / "a"))
    mask = os.umask(0o077)
    try:
        other = sources(tmp_path / "b")
        os.utime(other / "preprocess.py", (0, 0))
        second = pack_jobs(tmp_path / "second", other)
    finally:
        os.umask(mask)

    assert [path.read_bytes() for path in sorted(first.iterdir())] == [
        path.read_bytes() for path in sorted(second.iterdir())
    ]


@pytest.mark.parametrize(
    "changed",
    ["preprocess", "abalone__contract", "abalone__new"],
    ids=["the entry", "a module", "a new module"],
)
def test_whatever_changes_changes_the_name(tmp_path: Path, changed: str) -> None:
    before = JobCode(JOB, pack_jobs(tmp_path / "before", sources(tmp_path / "a"))).code
    after = JobCode(
        JOB,
        pack_jobs(
            tmp_path / "after", sources(tmp_path / "b", **{changed: "VERSION = 7  # changed\n"})
        ),
    ).code

    assert before.hash != after.hash


def test_byte_code_and_other_files_are_left_out(tmp_path: Path) -> None:
    jobs = sources(tmp_path / "a")
    (jobs / "abalone/__pycache__").mkdir()
    (jobs / "abalone/__pycache__/x.py").write_text("")
    (jobs / "abalone/notes.txt").write_text("")
    (jobs / "ui.py").write_text("")

    with zipfile.ZipFile(pack_jobs(tmp_path / "packed", jobs) / "abalone.zip") as archive:
        assert archive.namelist() == [
            "abalone/",
            "abalone/__init__.py",
            "abalone/configuration.py",
            "abalone/contract.py",
        ]


def test_the_package_contains_the_repositorys_job_and_can_be_imported_from_the_zip(
    tmp_path: Path,
) -> None:
    folder = pack_jobs(tmp_path / "packed")
    code = "import abalone.arguments, abalone.contract; print(abalone.contract.VERSION)"
    asked = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(folder / "abalone.zip")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert JobCode(JOB, folder).code.contract == asked.stdout.strip()
    assert (folder / "preprocess.py").read_bytes() == (
        ROOT / "spark_jobs/preprocess.py"
    ).read_bytes()


def test_the_configuration_names_the_bucket_that_the_data_is_in(tmp_path: Path) -> None:
    code = JobCode(JOB, pack_jobs(tmp_path / "packed"))
    files = code.build_files("my.data")

    (written,) = [
        body for key, body in files.items() if key.endswith("conf/my.data/configuration.json")
    ]
    properties = json.loads(written)[0]["Properties"]
    assert properties["spark.hadoop.fs.s3a.bucket.my.data.access.grants.enabled"] == "true"
    assert all(key.startswith(f"code/{code.code.hash}/") for key in files)
