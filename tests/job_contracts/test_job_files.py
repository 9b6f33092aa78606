"""The files of a job: job.yaml, contract.yaml and transform.py, in a clone and in Spark's zip."""

from pathlib import Path

import pytest

from framework.descriptor import ContractError
from framework.job_files import list_jobs, pack_files, read_job

CONTRACT = """\
name: wine
path: wine.csv
schema:
  fields:
    - {name: acid, type: number}
    - {name: good, type: boolean, constraints: {required: true}}
grantor: {version: "1", label: good, features: [acid]}
"""
JOB = "summary: features of wine\ncontract: contract.yaml\n"
SCRIPT = "def transform(df):\n    return df\n"


def write_job(root: Path, name: str = "wine", **files: str) -> Path:
    """Write a folder with these files; `job` is job.yaml, and so on."""
    folder = root / name
    folder.mkdir()
    names = {"job": "job.yaml", "contract": "contract.yaml", "script": "transform.py"}
    for stem, text in {"job": JOB, "contract": CONTRACT, **files}.items():
        if text:
            (folder / names[stem]).write_text(text)
    return root


def test_a_job_is_read_with_its_contract(tmp_path: Path):
    job = read_job("wine", write_job(tmp_path))

    assert (job.summary, job.contract.names) == ("features of wine", ("acid", "good"))
    assert job.splits == ("train", "validation", "quarantine")
    assert job.input_remedy == "upload a file with the columns acid, good"
    assert list_jobs(tmp_path) == ["wine"]


def test_a_contract_alone_is_a_job(tmp_path: Path):
    assert read_job("wine", write_job(tmp_path, job="")).summary


def test_a_job_with_a_script_has_parameters(tmp_path: Path):
    parameters = "parameters: {days: {type: integer, default: 30, minimum: 1}}\n"
    job = read_job(
        "wine", write_job(tmp_path, job=f"{JOB}script: transform.py\n{parameters}", script=SCRIPT)
    )

    assert (job.script, job.splits, job.parameters[0].default) == (
        SCRIPT,
        ("data", "quarantine"),
        30,
    )


WRONG = {
    "no summary": ({"job": "contract: contract.yaml\n"}, "wine/job.yaml:1:1: summary: this is mis"),
    "another contract": (
        {"job": "summary: x\ncontract: other.yaml\n"},
        "wine/job.yaml:2:1: contract: the contract is in other.yaml; call it contract.yaml",
    ),
    "no contract": ({"contract": ""}, "wine/contract.yaml: there is no such file; write it"),
    "a wrong contract": (
        {"contract": CONTRACT.replace("boolean", "bool")},
        'wine/contract.yaml:6:20: schema.fields[1].type: "bool" is not supported; write one of',
    ),
    "another script": (
        {"job": f"{JOB}script: x.py\n"},
        "wine/job.yaml:3:1: script: the script is in x.py; call",
    ),
    "no script": (
        {"job": f"{JOB}script: transform.py\n"},
        "script: there is no transform.py; writ",
    ),
    "a script with a mistake": (
        {"job": f"{JOB}script: transform.py\n", "script": "def transform(df)\n"},
        "script: transform.py is no Python: expected ':', line 1; correct it",
    ),
    "parameters that nothing uses": (
        {"job": f"{JOB}parameters: {{days: {{type: integer}}}}\n"},
        "parameters: a job without a script uses no parameters; remove them, or add script: tr",
    ),
    "a parameter of every job": (
        {"job": f"{JOB}parameters: {{access: {{type: string}}}}\n"},
        "parameters.access: every job has an argument access; take another name",
    ),
    "a parameter without type": (
        {"job": f"{JOB}parameters: {{days: {{default: 1}}}}\n"},
        "parameters.days: it has no type; write type: string, integer, number, boolean",
    ),
    "a default that is out of range": (
        {"job": f"{JOB}parameters: {{days: {{type: integer, minimum: 1, default: 0}}}}\n"},
        "parameters.days.default: 0 is no value of days; write a whole number from 1",
    ),
    "a strange parameter": (
        {"job": f"{JOB}parameters: {{Days: {{type: integer}}}}\n"},
        "Days is no parameter's name",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_job_is_refused_with_its_place(tmp_path: Path, case: str):
    files, why = WRONG[case]

    with pytest.raises(ContractError) as refused:
        read_job("wine", write_job(tmp_path, **files))

    assert why in str(refused.value)


@pytest.mark.parametrize("name", ["beer", "../wine", "framework", ""])
def test_an_unknown_job_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ContractError, match="the jobs here: wine"):
        read_job(name, write_job(tmp_path))


def test_the_files_of_a_job_are_packed_as_json(tmp_path: Path):
    packed = pack_files(write_job(tmp_path), "wine")

    assert sorted(packed) == ["wine/contract.json", "wine/job.json"]
    for name, body in packed.items():
        (tmp_path / "packed" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packed" / name).write_bytes(body)
    assert read_job("wine", tmp_path / "packed") == read_job("wine", tmp_path)
    assert pack_files(tmp_path / "packed", "wine") == packed, "so the code has one hash"
