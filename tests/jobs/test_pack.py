"""The packed code of a job type: the framework and its own files, the same bytes every time, under
a name that depends on all of them.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grantor.aws.job_services import JobCode
from tests.conftest import ROOT

FUNCTION = ROOT / "functions/start_spark_job"
SOURCES = ROOT / "spark_jobs"


def pack_jobs(folder: Path, jobs: Path = FUNCTION / ".spark_jobs") -> Path:
    """What the function's Makefile has made of these sources, for one job type."""
    made = subprocess.run(
        [sys.executable, FUNCTION / "pack.py", jobs, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder / "abalone"


def sources(folder: Path, **files: str) -> Path:
    """The repository's framework and its first job type, with these files besides."""
    shutil.copytree(SOURCES / "framework", folder / "framework")
    shutil.copytree(SOURCES / "abalone", folder / "abalone")
    shutil.copy(SOURCES / "preprocess.py", folder)
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_py", ".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + text)
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
    ["preprocess_py", "framework__contract_py", "framework__new_py", "abalone__contract_yaml"],
    ids=["the entry", "a module", "a new module", "the contract"],
)
def test_whatever_changes_changes_the_name(tmp_path: Path, changed: str) -> None:
    before = JobCode(pack_jobs(tmp_path / "before", sources(tmp_path / "a"))).code
    text = "description: changed\n" if changed.endswith("yaml") else "# changed\n"
    after = JobCode(pack_jobs(tmp_path / "after", sources(tmp_path / "b", **{changed: text}))).code

    assert before.hash != after.hash


def test_another_job_type_changes_no_other_and_needs_no_list(tmp_path: Path) -> None:
    before = JobCode(pack_jobs(tmp_path / "before", sources(tmp_path / "a"))).code
    more = sources(tmp_path / "b")
    shutil.copytree(SOURCES / "abalone", more / "visits")
    (more / "no-job").mkdir()
    packed = pack_jobs(tmp_path / "after", more)

    assert JobCode(packed).code == before
    assert JobCode(packed.with_name("visits")).code.hash != before.hash
    assert sorted(path.name for path in packed.parent.iterdir()) == ["abalone", "visits"]


def test_the_zip_has_the_framework_and_the_files_of_its_job_type_as_json(tmp_path: Path) -> None:
    jobs = sources(tmp_path / "a")
    (jobs / "framework/__pycache__").mkdir(exist_ok=True)
    (jobs / "framework/__pycache__/x.py").write_text("")
    (jobs / "framework/notes.txt").write_text("")
    (jobs / "ui.py").write_text("")

    with zipfile.ZipFile(pack_jobs(tmp_path / "packed", jobs) / "framework.zip") as archive:
        names = archive.namelist()
    assert [name for name in names if not name.startswith("framework/")] == [
        "abalone/",
        "abalone/contract.json",
        "abalone/job.json",
    ]
    modules = {f"framework/{path.name}" for path in (SOURCES / "framework").glob("*.py")}
    assert {name for name in names if name.startswith("framework/")} - {"framework/"} == modules


def test_a_wrong_file_of_a_job_type_ends_the_build_with_its_place(tmp_path: Path) -> None:
    jobs = sources(tmp_path / "a", abalone__job_yaml="sumary: again\n")
    made = subprocess.run(
        [sys.executable, FUNCTION / "pack.py", jobs, tmp_path / "packed"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.returncode == 1
    assert "abalone/job.yaml:" in made.stderr


def test_the_job_can_be_read_from_the_zip_without_yaml(tmp_path: Path) -> None:
    folder = pack_jobs(tmp_path / "packed")
    code = (
        "import sys; sys.modules['yaml'] = None; import framework.job_files as files; "
        "print(files.read_job('abalone').contract.version)"
    )
    asked = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(folder / "framework.zip")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert JobCode(folder).code.contract == asked.stdout.strip()
    assert (folder / "preprocess.py").read_bytes() == (SOURCES / "preprocess.py").read_bytes()


@pytest.mark.parametrize("buckets", [("my.data",), ("my.data", "features")])
def test_the_configuration_names_the_buckets_that_the_data_is_in(
    tmp_path: Path, buckets: tuple[str, ...]
) -> None:
    code = JobCode(pack_jobs(tmp_path / "packed"))
    files = code.build_files(*buckets)

    (written,) = [
        body
        for key, body in files.items()
        if key.endswith(f"conf/{'/'.join(buckets)}/configuration.json")
    ]
    properties = json.loads(written)[0]["Properties"]
    for bucket in buckets:
        name = f"spark.hadoop.fs.s3a.bucket.{bucket}.access.grants.enabled"
        assert properties[name] == "true"
    assert all(key.startswith(f"code/{code.code.hash}/") for key in files)
