"""grantor check: what is wrong with policy files, as an editor reads it, without AWS."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from grantor.cli.main import main
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


def test_a_good_file_is_said_to_be_good(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "team.yaml").write_text(GOOD)

    assert main(["check", "team.yaml"]) == 0
    assert capsys.readouterr() == ("1 policy file with 1 rule: nothing is wrong\n", "")


def test_jobs_are_checked_as_rules_are(here: Path, capsys: pytest.CaptureFixture[str]):
    job = "version: 1\njobs:\n- {name: a, run: abalone, as: {role: ROLE}, on: 's3://{data_bucket}/a.csv', output: OUTPUT}\n"
    good = job.replace("ROLE", "arn:aws:iam::111122223333:role/a").replace("OUTPUT", "'s3://{data_bucket}/out/'")
    (here / "good.yaml").write_text(good)
    (here / "wrong.yaml").write_text(good.replace("out/", ""))

    assert main(["check", "good.yaml"]) == 0
    assert main(["check", "wrong.yaml"]) == 1
    said, mistake = capsys.readouterr().out.splitlines()
    assert said == "1 policy file with 0 rules and 1 job: nothing is wrong"
    assert mistake.startswith("wrong.yaml:3:113: 's3://{data_bucket}/' is a whole bucket: a job writes below one folder; ")


def test_each_mistake_is_a_line_that_editors_can_jump_to(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "team.yaml").write_text(WRONG)

    assert main(["check", "team.yaml"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("team.yaml:5:9: 's3://{data_bucket}/Product' means the single object of that name: ")
    assert second.startswith("team.yaml:6:5: unknown key 'alow': ")
    assert second.endswith("; did you mean allow?")


def test_a_folder_is_searched_to_its_ground_and_wrong_files_do_not_hide_each_other(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    for name, text in {"a.yaml": WRONG, "teams/b.yml": WRONG, "teams/c.yaml": GOOD, "teams/notes.txt": WRONG}.items():
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(text)

    assert main(["check", "."]) == 1
    assert {line.partition(":")[0] for line in capsys.readouterr().out.splitlines()} == {"a.yaml", "teams/b.yml"}


def test_what_follows_from_the_files_alone_is_warned_of_and_is_no_mistake(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "team.yaml").write_text(TWICE)

    assert main(["check", "team.yaml"]) == 0
    covered, ended, good = capsys.readouterr().out.splitlines()
    assert covered.startswith("team.yaml:7:5: warning: rule some: team.yaml#all covers all that it grants")
    assert ended.startswith("team.yaml:11:5: warning: rule over: it ended at 2020-04-01 00:00Z")
    assert good == "1 policy file with 3 rules: nothing is wrong"


def test_rules_of_different_files_are_compared(here: Path, capsys: pytest.CaptureFixture[str]):
    rule = TWICE.partition("  - name: some")[0]
    (here / "a.yaml").write_text(rule)
    (here / "b.yaml").write_text(rule)

    assert main(["check", "a.yaml", "b.yaml"]) == 0
    assert "a.yaml#all grants the same" in capsys.readouterr().out


def test_an_editors_buffer_comes_by_standard_input_under_its_own_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WRONG.encode())))

    assert main(["check", "-", "--name", "policy/team.yaml"]) == 1
    assert capsys.readouterr().out.startswith("policy/team.yaml:5:9: ")


def test_json_has_the_same_in_parts(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "team.yaml").write_text(WRONG)
    (here / "more.yaml").write_text(TWICE)

    assert main(["check", "--json", "."]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["files"], len(told["warnings"])) == (2, 2)
    assert [(one["file"], one["line"], one["column"], one["what"]) for one in told["problems"][1:]] == [
        ("team.yaml", 6, 5, "unknown key 'alow'")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "nobody.yaml"], "nobody.yaml: it can not be read: No such file or directory"),
        (["check", "empty"], "empty: there is no policy file in this folder; one ends with .yaml or .yml"),
        (["check"], "the following arguments are required: FILE|FOLDER"),
        (["chek", "a.yaml"], "invalid choice: 'chek'"),
    ],
    ids=["no such file", "a folder without policy files", "nothing", "no such verb"],
)
def test_what_makes_no_sense_ends_with_2(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str):
    (here / "empty").mkdir()

    assert ended(words) == 2
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True)


def ended(words: list[str]) -> int | str | None:
    try:
        return main(words)
    except SystemExit as end:
        return end.code


def test_a_file_whose_name_is_no_text_can_be_told_of(here: Path):
    (here / b"tea\xffm.yaml".decode(errors="surrogateescape")).write_text(WRONG)
    done = subprocess.run([ROOT / ".venv/bin/grantor", "check", "."], cwd=here, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.splitlines()[1].partition(": ")[0]) == (1, r"tea\udcffm.yaml:6:5")


def test_it_works_where_there_is_no_aws_and_does_not_even_read_boto3_from_disk(here: Path):
    (here / "team.yaml").write_text(GOOD)
    script = "import sys; from grantor.cli.command import main; print(main(['check', 'team.yaml']), 'botocore' in sys.modules)"
    environment = {"PYTHONPATH": str(ROOT / "layers/grantor")}
    done = subprocess.run([sys.executable, "-c", script], cwd=here, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "0 False"


def test_whoever_reads_only_the_first_lines_hears_of_no_error(here: Path):
    (here / "team.yaml").write_text(WRONG.replace("rules:", "rules:\n" + "  - {}\n" * 3000))
    piped = f"{ROOT}/.venv/bin/grantor check team.yaml | head -n 1"
    done = subprocess.run(["bash", "-c", piped], cwd=here, capture_output=True, text=True, check=True)

    assert (done.stdout.count("\n"), done.stderr) == (1, "")
