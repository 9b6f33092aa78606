"""grantor check: mistakes in policy files, in the format that editors read, without AWS."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from grantor.cli.check import find_job_types
from grantor.cli.main import main
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from tests.conftest import ROOT

GOOD = """\
version: 1
rules:
  - name: product-team
    to: {profiles: {domain: Product-Domain}}
    on: s3://{data_bucket}/Product/*
    allow: READWRITE
"""
WRONG = GOOD.replace("allow: READWRITE", "alow: READWRITE").replace("/Product/*", "/Product")
TWICE = """\
version: 1
rules:
  - name: all
    to: {role: arn:aws:iam::111122223333:role/ana}
    on: s3://{data_bucket}/Product/*
    allow: READWRITE
  - name: some
    to: {role: arn:aws:iam::111122223333:role/ana}
    on: s3://{data_bucket}/Product/new/*
    allow: READ
  - name: over
    to: {role: arn:aws:iam::111122223333:role/ben}
    on: s3://{data_bucket}/Product/*
    allow: READ
    until: 2020-03-31
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_good_file_has_no_mistakes(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "team.yaml").write_text(GOOD)

    assert main(["check", "team.yaml"]) == 0
    assert capsys.readouterr() == ("1 policy file with 1 rule: no mistakes\n", "")


def test_jobs_are_checked_as_rules_are(here: Path, capsys: pytest.CaptureFixture[str]):
    job = "version: 1\njobs:\n- {name: a, run: abalone, as: {role: ROLE}, on: 's3://{data_bucket}/a.csv', output: OUTPUT}\n"
    good = job.replace("ROLE", "arn:aws:iam::111122223333:role/a").replace(
        "OUTPUT", "'s3://{data_bucket}/out/'"
    )
    (here / "good.yaml").write_text(good)
    (here / "wrong.yaml").write_text(good.replace("out/", ""))

    assert main(["check", "good.yaml"]) == 0
    assert main(["check", "wrong.yaml"]) == 1
    said, mistake = capsys.readouterr().out.splitlines()
    assert said == "1 policy file with 0 rules and 1 job: no mistakes"
    assert mistake.startswith(
        "wrong.yaml:3:113: 's3://{data_bucket}/' is a whole bucket: a job writes below one folder; "
    )


def test_each_mistake_is_a_line_that_editors_can_jump_to(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "team.yaml").write_text(WRONG)

    assert main(["check", "team.yaml"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(
        "team.yaml:5:9: 's3://{data_bucket}/Product' means the single object of that name: "
    )
    assert second.startswith("team.yaml:6:5: unknown key 'alow': ")
    assert second.endswith("; did you mean allow?")


def test_a_folder_is_searched_recursively_and_every_wrong_file_is_reported(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    for name, text in {
        "a.yaml": WRONG,
        "teams/b.yml": WRONG,
        "teams/c.yaml": GOOD,
        "teams/notes.txt": WRONG,
    }.items():
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(text)

    assert main(["check", "."]) == 1
    assert {line.partition(":")[0] for line in capsys.readouterr().out.splitlines()} == {
        "a.yaml",
        "teams/b.yml",
    }


def test_warnings_that_follow_from_the_files_alone_do_not_change_the_exit_code(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "team.yaml").write_text(TWICE)

    assert main(["check", "team.yaml"]) == 0
    covered, ended, good = capsys.readouterr().out.splitlines()
    assert covered.startswith(
        "team.yaml:7:5: warning: rule some: team.yaml#all covers all that it grants"
    )
    assert ended.startswith("team.yaml:11:5: warning: rule over: it ended at 2020-04-01 00:00Z")
    assert good == "1 policy file with 3 rules: no mistakes"


def test_rules_of_different_files_are_compared(here: Path, capsys: pytest.CaptureFixture[str]):
    rule = TWICE.partition("  - name: some")[0]
    (here / "a.yaml").write_text(rule)
    (here / "b.yaml").write_text(rule)

    assert main(["check", "a.yaml", "b.yaml"]) == 0
    assert "a.yaml#all grants the same" in capsys.readouterr().out


def test_standard_input_is_checked_under_the_given_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WRONG.encode())))

    assert main(["check", "-", "--name", "policy/team.yaml"]) == 1
    assert capsys.readouterr().out.startswith("policy/team.yaml:5:9: ")


def test_json_holds_the_same_problems_field_by_field(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "team.yaml").write_text(WRONG)
    (here / "more.yaml").write_text(TWICE)

    assert main(["check", "--json", "."]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["files"], len(answer["warnings"])) == (2, 2)
    assert [
        (one["file"], one["line"], one["column"], one["what"]) for one in answer["problems"][1:]
    ] == [("team.yaml", 6, 5, "unknown key 'alow'")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "missing.yaml"], "missing.yaml: cannot be read: No such file or directory"),
        (["check", "empty"], "empty: this folder contains no policy files (.yaml or .yml)"),
        (["check"], "the following arguments are required: PATH"),
        (["chek", "a.yaml"], "invalid choice: 'chek'"),
    ],
    ids=["no such file", "folder without policy files", "no paths", "unknown command"],
)
def test_invalid_usage_exits_with_2(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    (here / "empty").mkdir()

    assert ended(words) == 2
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True)


def ended(words: list[str]) -> int | str | None:
    try:
        return main(words)
    except SystemExit as end:
        return end.code


def test_a_file_name_that_is_not_valid_text_is_printed_escaped(here: Path):
    (here / b"tea\xffm.yaml".decode(errors="surrogateescape")).write_text(WRONG)
    done = subprocess.run(
        [ROOT / ".venv/bin/grantor", "check", "."],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()[1].partition(": ")[0]) == (
        1,
        r"tea\udcffm.yaml:6:5",
    )


def test_check_works_without_aws_and_does_not_import_boto3(here: Path):
    (here / "team.yaml").write_text(GOOD)
    script = "import sys; from grantor.cli.main import main; print(main(['check', 'team.yaml']), 'botocore' in sys.modules)"
    environment = {"PYTHONPATH": str(ROOT / "layers/grantor")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "0 False"


def test_a_closed_pipe_is_not_an_error(here: Path):
    (here / "team.yaml").write_text(WRONG.replace("rules:", "rules:\n" + "  - {}\n" * 3000))
    piped = f"{ROOT}/.venv/bin/grantor check team.yaml | head -n 1"
    done = subprocess.run(
        ["bash", "-c", piped], cwd=here, capture_output=True, text=True, check=True
    )

    assert (done.stdout.count("\n"), done.stderr) == (1, "")


LARGE = """\
version: 1
jobs:
  - name: abalone
    run: abalone
    as: {each_profile: {domain: Product-Domain}}
    on: "s3://{data_bucket}/{profile.folder}/abalone.csv"
    output: "s3://{data_bucket}/{profile.folder}/output/"
    instances: {type: ml.p5.48xlarge, count: 100, volume: 30}
    time_limit: 5d
"""
WIDER = """\
version: 1
folders:
  policy/: {jobs: {machines: [ml.p5.48xlarge], hours: 120}}
"""


def put_files(folder: Path, bounds: str = "") -> str:
    """A repository with a policy file, and with this bounds file unless it is empty."""
    for name, text in (("policy/large.yaml", LARGE), ("bounds/bounds.yaml", bounds)):
        if text:
            (folder / name).parent.mkdir()
            (folder / name).write_text(text)
    return str(folder)


def test_a_job_with_machines_outside_of_the_default_bounds_is_worth_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", put_files(tmp_path)]) == 0

    said = capsys.readouterr().out
    assert said.count("large.yaml:3:5: warning: job abalone: ") == 3
    assert "100 machines is outside of the bounds" in said
    assert "ask an approver to widen jobs: machines of policy/ in bounds/bounds.yaml" in said


def test_a_job_outside_of_the_bounds_file_beside_it_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", put_files(tmp_path, WIDER)]) == 1

    assert capsys.readouterr().out.count("is outside of the bounds") == 1  # the count


def test_a_mistake_in_the_bounds_file_is_reported_like_one_in_a_policy_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", put_files(tmp_path, WIDER.replace("hours", "ours"))]) == 1

    assert "bounds.yaml:3:" in capsys.readouterr().out


def test_a_file_whose_suffix_is_nearly_that_of_a_policy_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_files(tmp_path)
    (tmp_path / "Team2.YAML").write_text("version: 1\n")
    (tmp_path / "package.json").write_text("{}")
    assert main(["check", str(tmp_path)]) == 0

    named = [line for line in capsys.readouterr().out.splitlines() if "nobody reads" in line]
    assert named == [
        (
            f"{tmp_path}/Team2.YAML:1:1: warning: nobody reads this file: the suffix of a policy file is "
            ".yaml or .yml, in small letters; rename it"
        )
    ]


JOB = """\
version: 1
jobs:
  - name: wine
    run: wine
    as: {role: arn:aws:iam::111122223333:role/service/features}
    on: s3://{data_bucket}/wine.csv
    output: s3://{data_bucket}/out/
"""


def test_a_clone_knows_the_job_types_of_its_own_folder(tmp_path: Path):
    for name, file, text in (
        ("wine", "contract.yaml", "name: wine\ntitle: Features of wines\n"),
        ("visits", "job.yaml", "summary: visits by month\ncontract: contract.yaml\n"),
        ("broken", "job.yaml", "sumary: visits\n"),
        ("framework", "lines.py", ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    types, problems = find_job_types(tmp_path)

    assert {name: kind.summary for name, kind in types.items()} == {
        "wine": "Features of wines",
        "visits": "visits by month",
    }
    assert [problem.what for problem in problems] == [
        "missing key 'contract'",
        "unknown key 'sumary'",
    ]
    assert isinstance(parse_policy("f", JOB.encode(), job_types=types), Policy)


def test_without_a_clone_the_job_types_are_those_that_ship(tmp_path: Path):
    assert find_job_types(tmp_path) == (SHIPPED_JOB_TYPES, [])
    assert find_job_types(ROOT / "spark_jobs") == (SHIPPED_JOB_TYPES, [])
