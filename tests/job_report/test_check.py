"""`check` applies a job's rules to a local file, with neither Spark nor AWS."""

import doctest
import subprocess
from pathlib import Path

import pytest

import check
from framework.lines import split_lines
from tests.abalone import COLUMNS, CONTRACT
from tests.conftest import ROOT

GOOD = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


def tried(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / ".venv/bin/python", ROOT / "spark_jobs/check.py", file, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def summarize(content: bytes, max_refused: int) -> list[str]:
    return list(check.summarize_file(list(split_lines(content)), CONTRACT, max_refused))


def test_a_check_counts_the_lines_and_shows_the_refused_ones():
    content = GOOD.encode() + b"sex,length\n" + b"\xff,\x1b\n" + b"\n"

    assert summarize(content, 10) == [
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

    assert summarize(header + b"\n" + GOOD.encode(), 10) == [
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
    assert summarize(b"\n" * 3_000, 1)[2:] == [
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


CHURN = "customer_id,signup,plan,city,paperless,tenure,monthly_charge,total_charge,support_calls,"
CHURN += "last_contact,churned\n"
CUSTOMER = 'C0000001,2020-01-31,basic,"Lyon, Rhône",yes,3,19.5,58.5,0,,no\n'


def test_another_job_is_checked_by_its_contract(tmp_path: Path):
    (tmp_path / "churn.csv").write_text(CHURN + CUSTOMER + CUSTOMER.replace("basic", "gold"))
    ran = tried(tmp_path / "churn.csv", "--job", "churn")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0].endswith("1 in quarantine, 1 skipped as header")
    assert "1  plan not basic, plus or pro" in ran.stdout


@pytest.mark.parametrize(
    ("body", "job", "code", "why"),
    [
        (CUSTOMER, "churn", 12, "line 1: The first line is no header. The contract asks for one"),
        ("PAR1", "churn", 12, "the file is Parquet. Upload it as lines of plain text in UTF-8, 11"),
        ("x", "wine", 2, "there is no job 'wine'; the jobs here: abalone, churn, orders"),
        ('{"order_id": 1}\n', "orders", 0, "1 lines: 0 for the script, 1 in quarantine"),
    ],
    ids=["no header", "Parquet", "an unknown job", "a script's input"],
)
def test_a_file_of_another_format_is_refused(
    tmp_path: Path, body: str, job: str, code: int, why: str
):
    (tmp_path / "a").write_text(body)
    ran = tried(tmp_path / "a", "--job", job)

    assert (ran.returncode, why in ran.stdout + ran.stderr) == (code, True), ran.stdout + ran.stderr


def test_the_examples_of_the_check_are_true():
    outcome = doctest.testmod(check)

    assert outcome.attempted
    assert not outcome.failed
