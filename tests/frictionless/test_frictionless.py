"""Our contracts are Frictionless Data Resources: its own tool reads them, and refuses the same lines."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from framework.descriptor import ContractError
from framework.job_files import read_job
from framework.lines import transform_line
from tests.conftest import ROOT

JOBS = ROOT / "spark_jobs"
PYTHON = ROOT / ".tools/frictionless/bin/python"
VALIDATOR = Path(__file__).with_name("validator.py")
HEADER = {
    "churn": "customer_id,signup,plan,city,paperless,tenure,monthly_charge,total_charge,support_calls,last_contact,churned"
}
RIGHT = {
    "abalone": "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15",
    "churn": 'C0000001,2020-02-29,plus,"Paris, Texas",yes,12,20.5,246,0,2024-01-01T10:00:00Z,no',
    "orders": '{"order_id": "O0000001", "customer_id": "C0000001", "ordered": "2026-01-01T10:00:00Z", "amount": 12.5, "channel": "web"}',
}
WRONG = {
    "abalone": [
        "X,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15",  # a word that the list has not
        "M,0,0.365,0.095,0.514,0.2245,0.101,0.15,15",  # an exclusive minimum
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,61",  # above a maximum
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,1.5",  # not whole
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,",  # nothing where something is required
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15",  # a cell too few
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15,1",  # a cell too many
        "M,abc,0.365,0.095,0.514,0.2245,0.101,0.15,15",
    ],
    "churn": [
        "X0000001,2020-02-29,plus,,yes,12,20.5,246,0,2024-01-01T10:00:00Z,no",  # a pattern
        "C0000001,2020-02-30,plus,,yes,12,20.5,246,0,2024-01-01T10:00:00Z,no",  # no such day
        "C0000001,2014-12-31,plus,,yes,12,20.5,246,0,2024-01-01T10:00:00Z,no",  # too early
        "C0000001,2020-02-29,plus,,true,12,20.5,246,0,2024-01-01T10:00:00Z,no",  # another truth
        "C0000001,2020-02-29,plus,,yes,145,20.5,246,0,2024-01-01T10:00:00Z,no",
        f"C0000001,2020-02-29,plus,{'x' * 61},yes,12,20.5,246,0,2024-01-01T10:00:00Z,no",
        "C0000001,2020-02-29,plus,,yes,12,20.5,246,0,2024-01-01T10:00:00Z,NA",  # is required
    ],
    "orders": [
        '{"order_id": "1", "customer_id": "C0000001", "ordered": "2026-01-01T10:00:00Z", "amount": 12.5, "channel": "web"}',
        '{"order_id": "O0000001", "customer_id": "C0000001", "ordered": "yesterday", "amount": 12.5, "channel": "web"}',
        '{"order_id": "O0000001", "customer_id": "C0000001", "ordered": "2026-01-01T10:00:00Z", "amount": -1, "channel": "web"}',
        '{"order_id": "O0000001", "customer_id": "C0000001", "ordered": "2026-01-01T10:00:00Z", "amount": 12.5, "channel": "fax"}',
        '{"order_id": "O0000001", "customer_id": "C0000001", "ordered": "2026-01-01T10:00:00Z", "amount": null, "channel": "web"}',
    ],
}  # fmt: skip


def validate(contract: Path, data: Path) -> dict[str, Any]:
    command = [PYTHON, VALIDATOR, contract, data]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return dict(json.loads(done.stdout))


def write_data(folder: Path, job: str, lines: list[str]) -> Path:
    """Write lines, below a header if the contract requires one, and return the file."""
    contract = read_job(job).contract
    file = folder / contract.path
    file.write_text("\n".join([*([HEADER[job]] if job in HEADER else []), *lines, ""]))
    return file


@pytest.mark.parametrize("job", RIGHT)
def test_frictionless_reads_every_contract_that_ships(job: str, tmp_path: Path):
    data = write_data(tmp_path, job, [RIGHT[job]])

    assert validate(JOBS / job / "contract.yaml", data) == {"contract": [], "lines": []}


def test_every_job_that_ships_is_here():
    assert {path.parent.name for path in JOBS.glob("*/contract.yaml")} == set(RIGHT)


@pytest.mark.parametrize("job", WRONG)
def test_frictionless_refuses_the_lines_that_we_refuse(job: str, tmp_path: Path):
    lines = [RIGHT[job], *WRONG[job], RIGHT[job]]
    contract = read_job(job).contract
    # Frictionless counts the names of lines of JSON as a header.
    first = 1 if job == "abalone" else 2
    ours = [
        number
        for number, line in enumerate(lines, first)
        if transform_line(line, contract)[0] == "quarantine"
    ]

    found = validate(JOBS / job / "contract.yaml", write_data(tmp_path, job, lines))

    assert found == {"contract": [], "lines": ours}
    assert ours == list(range(first + 1, first + 1 + len(WRONG[job])))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("type: integer", "type: int"), ("required: true", "required: maybe")],
)
def test_both_refuse_a_contract_that_is_wrong(right: str, wrong: str, tmp_path: Path):
    folder = tmp_path / "abalone"
    folder.mkdir()
    text = (JOBS / "abalone/contract.yaml").read_text()
    (folder / "contract.yaml").write_text(text.replace(right, wrong, 1))

    with pytest.raises(ContractError, match=wrong.partition(":")[0]):
        read_job("abalone", tmp_path)
    found = validate(folder / "contract.yaml", write_data(tmp_path, "abalone", [RIGHT["abalone"]]))
    assert found["contract"] or found["lines"]
