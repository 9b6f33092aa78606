"""`check` applies the job's rules to a local file, with nothing but Python."""

import doctest
import subprocess
from pathlib import Path

import pytest

import check
from abalone.contract import COLUMNS
from tests.conftest import ROOT

GOOD = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


def tried(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # -S: nothing of what is installed can be imported.
    command = [ROOT / ".venv/bin/python", "-S", ROOT / "spark_jobs/check.py", file, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_check_counts_the_lines_and_shows_the_refused_ones(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(GOOD.encode() + b"sex,length\n" + b"\xff,\x1b\n" + b"\n")

    assert list(check.summarize_file((tmp_path / "a.csv").read_bytes(), 10)) == [
        "4 lines: 1 to train on, 0 to validate with, 3 in quarantine",
        "        1  header line",
        "        1  not 9 columns",
        "        1  blank line",
        "line 2: header line: sex,length",
        r"line 3: not 9 columns: \udcff,\x1b",
        "line 4: blank line: ",
    ]


def test_a_check_says_that_a_header_is_skipped():
    header = ",".join(COLUMNS).encode()

    assert list(check.summarize_file(header + b"\n" + GOOD.encode(), 10)) == [
        "2 lines: 1 to train on, 0 to validate with, 0 in quarantine, 1 skipped as header"
    ]


SWAPPED = """\
line 1 names other columns than the contract, or in another order:
  column  in the file   in the contract
       1  sex           sex
       2  Diameter      length
       3  length        diameter
       4  height        height
       5  whole_weight  whole_weight
       6  -             shucked_weight
       7  -             viscera_weight
       8  -             shell_weight
       9  -             rings
"""


def test_a_check_shows_the_columns_of_a_wrong_header_beside_those_of_the_contract(tmp_path: Path):
    (tmp_path / "a.csv").write_text("sex,Diameter,length,height,whole_weight\n" + GOOD)
    ran = tried(tmp_path / "a.csv")

    assert (ran.returncode, ran.stdout, ran.stderr) == (12, SWAPPED, "")


def test_a_check_shows_as_many_lines_as_requested():
    assert list(check.summarize_file(b"\n" * 3_000, 1))[2:] == [
        "line 1: blank line: ",
        "… and 2,999 more",
    ]


@pytest.mark.parametrize(
    ("body", "code", "out", "err"),
    [
        (GOOD * 2, 0, "2 lines: 2 to train on, 0 to validate with, 0 in quarantine\n", ""),
        (None, 2, "", "No such file or directory"),
    ],
    ids=["a good file", "none"],
)
def test_the_check_runs_as_a_program(
    tmp_path: Path, body: str | None, code: int, out: str, err: str
):
    if body is not None:
        (tmp_path / "a.csv").write_text(body)
    ran = tried(tmp_path / "a.csv")

    assert (ran.returncode, ran.stdout, err in ran.stderr) == (code, out, True)


def test_the_examples_of_the_check_are_true():
    outcome = doctest.testmod(check)

    assert outcome.attempted
    assert not outcome.failed
