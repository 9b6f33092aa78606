"""What a job.yaml means, what is wrong with one, and that the layer lists those that ship."""

import subprocess
import sys
from pathlib import Path

import pytest

from grantor.core.policy.job_types import (
    SHARED_PARAMETERS,
    SHIPPED_JOB_TYPES,
    JobType,
    Parameter,
    dump_job_types,
    load_job_types,
)
from grantor.core.policy.parse_job_types import derive_job_type, parse_job_type
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from tests.conftest import ROOT

LIST = ROOT / "layers/grantor/list_job_types.py"
FULL = """\
summary: visits by month
contract: contract.yaml
script: transform.py
input_remedy: upload a file with months
parameters:
  months: {type: integer, minimum: 1, maximum: 120, description: months that count}
  rate: {type: number, default: 0.5}
  trace: {type: boolean, default: false}
  mode: {type: string, enum: [fast, safe], default: fast}
  country: {type: string, pattern: "[A-Z]{2}", default: DE}
"""
VISITS = JobType(
    "visits",
    "visits by month",
    script="transform.py",
    input_remedy="upload a file with months",
    own_parameters=(
        Parameter("months", "integer", "months that count", minimum="1", maximum="120"),
        Parameter("rate", "number", default="0.5"),
        Parameter("trace", "boolean", default="false"),
        Parameter("mode", default="fast", enum=("fast", "safe")),
        Parameter("country", default="DE", pattern="[A-Z]{2}"),
    ),
)
LEAST = "summary: visits\ncontract: contract.yaml\n"
SCRIPTED = f"{LEAST}script: transform.py\n"


def parse(text: str, name: str = "visits") -> JobType | list[str]:
    found = parse_job_type(name, "job.yaml", text.encode())
    return found if isinstance(found, JobType) else list(map(str, found))


def test_a_job_type_has_every_value_of_the_file() -> None:
    assert parse(FULL) == VISITS


def test_a_job_type_needs_a_summary_and_a_contract() -> None:
    assert parse(LEAST) == JobType("visits", "visits")
    assert parse("script: transform.py\n") == [
        "job.yaml:1:1: missing key 'contract': a job type needs summary and contract; write contract: contract.yaml",
        "job.yaml:1:1: missing key 'summary': a job type needs summary and contract; write summary: features of customers for training",
    ]


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("{type: int}", "5:13: 'int' is not a type: type must be string, integer, number or boolean; write type: integer"),
        ("{default: 1}", "5:6: missing key 'type': a parameter needs type; write type: integer"),
        ("{type: string, minimum: 1}", "5:21: minimum of x: x is of type string, which has none; remove minimum"),
        ("{type: boolean, maximum: 1}", "5:22: maximum of x: x is of type boolean, which has none; remove maximum"),
        ("{type: integer, enum: ['1']}", "5:22: enum of x: x is of type integer, which has none; remove enum"),
        ("{type: number, pattern: a}", "5:21: pattern of x: x is of type number, which has none; remove pattern"),
        ("{type: integer, minimum: 2, maximum: 1}", "5:22: the minimum of x is 2: its maximum is less; swap the two"),
        ("{type: integer, default: one}", "5:31: the default of x: 'one' is not a whole number: x is a whole number; write for example x: one"),
        ("{type: integer, default: 9, maximum: 5}", "5:31: the default of x: 9 is too large: x is a whole number of at most 5; write at most 5"),
        ("{type: integer, minimun: 5}", "5:22: unknown key 'minimun': a parameter accepts type, default, minimum, maximum, enum, pattern and description; did you mean minimum?"),
        ("{type: integer, minimum: one, default: 1}", "5:31: 'one' is not a number: a number has digits, and perhaps a point and more digits; write for example minimum: 0.5"),
        ("{type: string, pattern: '(?=a)b'}", "5:21: '(?=a)b' is not supported: Java and Python may read '(?=a)b' differently; write a simpler one"),
        ("{type: string, pattern: 'a{2}{3}'}", "5:21: 'a{2}{3}' is not supported: it is no regular expression: multiple repeat at position 4; write a simpler one"),
        ("{type: string, default: 1.50}", "5:30: '1.50' is not quoted: YAML reads it as a number, but a text is expected; write \"1.50\""),
        (f"{{type: string, default: {'x' * 257}}}", f"5:30: the default of x: '{'x' * 80}…' is too long: x is a text of up to 256 characters; shorten it"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_parameter(parameter: str, says: str) -> None:
    assert parse(f"{SCRIPTED}parameters:\n  x: {parameter}\n") == [f"job.yaml:{says}"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("run_id", "5:3: parameter run_id: Grantor passes an argument of this name itself; choose another name"),
        ("access", "5:3: parameter access: every job type has it; remove it, or choose another name"),
        ("Months", "5:3: 'Months' is not a parameter's name: a name has up to 40 lower-case letters, digits and underscores, and starts with a letter; write for example min_tenure"),
    ],
)  # fmt: skip
def test_which_names_a_parameter_cannot_have(name: str, says: str) -> None:
    found = parse(f"{SCRIPTED}parameters:\n  {name}: {{type: integer}}\n")

    assert found == [f"job.yaml:{says}"]


def test_only_a_script_uses_parameters() -> None:
    assert parse(f"{LEAST}parameters: {{x: {{type: integer}}}}\n") == [
        "job.yaml:3:1: parameters without a script: the features of a contract use none; remove it, or add script: transform.py"
    ]


def test_a_folder_whose_name_no_policy_file_can_write_is_no_job_type() -> None:
    assert parse(LEAST, "My Job") == [
        "job.yaml:1:1: 'My Job' is not a job type's name: it is the name of a folder in spark_jobs/: up to 63 lower-case letters, digits, hyphens and underscores, with a letter first; rename the folder"
    ]


def test_no_job_type_at_all_can_be_run() -> None:
    text = "version: 1\njobs:\n  - {name: a, run: x, as: {role: 'arn:aws:iam::111122223333:role/a'}, on: 's3://data/a', output: 's3://data/out/'}\n"
    (problem,) = parse_policy("f", text.encode(), job_types={})

    assert problem.why == "the job types that ship are none"


def test_what_people_read_about_a_value() -> None:
    (months, rate, trace, mode, country) = VISITS.own_parameters

    assert [one.form for one in (months, rate, trace, mode)] == [
        "a whole number from 1 to 120",
        "a number",
        "true or false",
        "fast or safe",
    ]
    assert country.form.endswith("that matches [A-Z]{2}")
    assert Parameter("x", "number", maximum="2").form == "a number of at most 2"
    assert Parameter("x").example == '"text"'
    assert [one.is_required for one in (months, rate)] == [True, False]
    assert [one.form for one in SHARED_PARAMETERS] == [
        "a number of lines or a share",
        "a way to access the data",
    ]
    assert Parameter("x", "number").example == "0.5"


def test_the_list_in_the_layer_is_read_as_it_was_written() -> None:
    assert load_job_types(dump_job_types([VISITS])) == {"visits": VISITS}


def test_the_layer_lists_the_job_types_of_this_repository(tmp_path: Path) -> None:
    assert list_job_types(ROOT / "spark_jobs", tmp_path) == SHIPPED_JOB_TYPES, (
        "write the list anew: make docs"
    )


def list_job_types(sources: Path, folder: Path) -> dict[str, JobType] | str:
    """What the build of the layer makes of these sources, or what it complains about."""
    target = folder / "shipped.py"
    made = subprocess.run(
        [sys.executable, LIST, sources, target],
        env={"PYTHONPATH": str(ROOT / "layers/grantor")},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        return made.stderr
    text = target.read_text().partition('r"""')[2].rpartition('"""')[0]
    return dict(load_job_types(text))


def test_a_folder_that_is_added_is_a_job_type_that_a_policy_file_can_run(tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    (tmp_path / "visits/job.yaml").write_text(FULL)
    (tmp_path / "no-job").mkdir()
    types = list_job_types(tmp_path, tmp_path)
    text = "version: 1\njobs:\n  - {name: a, run: visits, as: {role: 'arn:aws:iam::111122223333:role/a'}, on: 's3://data/a', output: 's3://data/out/', arguments: {months: 3}}\n"

    assert types == {"visits": VISITS}
    assert isinstance(parse_policy("f", text.encode(), job_types=types), Policy)


def test_a_wrong_job_yaml_ends_the_build_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    (tmp_path / "visits/job.yaml").write_text("summry: visits\n")

    assert "job.yaml:1:1: unknown key 'summry'" in str(list_job_types(tmp_path, tmp_path))


@pytest.mark.parametrize(
    ("contract", "summary"),
    [
        (b"title: Features of wines\n", "Features of wines"),
        (b"name: wine\n", "wine"),
        (b"title: [\n", "wine"),
        (b"- title\n", "wine"),
    ],
    ids=["its title", "no title", "no YAML", "no mapping"],
)
def test_a_contract_alone_is_a_job_type(contract: bytes, summary: str) -> None:
    assert derive_job_type("wine", contract) == JobType("wine", summary)
