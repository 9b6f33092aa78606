"""grantor test: tests of policy files without AWS, their coverage, JUnit's XML and JSON."""

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from grantor.cli.main import main
from grantor.core.access.inventory_document import encode_inventory
from grantor.core.access.saved_inventory import SavedFile, SavedInventory
from grantor.core.grant import Location
from grantor.core.planning.rendering import Home
from grantor.core.snapshot import Inventory, Profile
from tests.cli.conftest import CommandLine
from tests.cli.test_json import check
from tests.conftest import ROOT

RULES = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: D}}
    on: s3://{data_bucket}/people/{profile.folder}/*
    allow: READWRITE
"""
GIVEN = "given: {profiles: {D/ana: {}, D/ben: {}}}\n"
COVERING = "  - {reach: ana, exactly: ['READWRITE s3://{data_bucket}/people/Ana/*']}\n"
PRIVATE = """\
  - name: own folders are private
    cannot: ben READ s3://{data_bucket}/people/Ana/a.csv
"""
GOOD = f"{RULES}{GIVEN}tests:\n{PRIVATE}{COVERING}"
FAILING = GOOD.replace("/{profile.folder}/*", "/*").replace("each_profile", "profiles")
ALONE = f"version: 1\n{GIVEN}tests:\n{PRIVATE}"
FAILURE = (
    "policy/a.yaml:10:13: the test fails (own folders are private): ben can READ "
    "s3://data-bucket/people/Ana/a.csv: policy/a.yaml#own-folder (line 3) gives READWRITE "
    "s3://data-bucket/people/*; correct the rule or the test"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy").mkdir()
    return tmp_path


def test_tests_that_pass_are_counted_with_what_they_cover(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "policy/a.yaml").write_text(GOOD)

    assert main(["test"]) == 0
    assert main(["test", "policy/a.yaml", "--threshold", "100"]) == 0
    assert capsys.readouterr() == (
        "2 tests passed\n2 tests passed; coverage 100 % (3 of 3 parts of rules)\n",
        "",
    )


def test_a_test_that_fails_is_a_line_that_editors_can_jump_to(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "policy/a.yaml").write_text(FAILING)

    assert main(["test", "--threshold", "100"]) == 1
    first, second, summary = capsys.readouterr().out.splitlines()
    assert first == FAILURE
    assert second.startswith("policy/a.yaml:11:13: the test fails: reach ana is exactly ")
    assert summary == "2 of 2 tests failed"


def test_check_reports_the_same_failures(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "policy/a.yaml").write_text(FAILING)

    assert main(["check", "policy"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == FAILURE


def test_a_test_file_asks_about_all_files_and_check_reports_its_mistakes_only(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "policy/a.yaml").write_text(FAILING.partition("given")[0])
    (here / "policy/all.test.yaml").write_text(ALONE)

    assert main(["test", "policy"]) == 1
    assert (
        capsys.readouterr()
        .out.splitlines()[0]
        .startswith(
            "policy/all.test.yaml:5:13: the test fails (own folders are private): ben can READ "
        )
    )
    assert main(["check", "policy"]) == 0
    assert capsys.readouterr().out == "1 policy file with 1 rule: no mistakes\n"
    (here / "policy/all.test.yaml").write_text(ALONE.replace("cannot", "kannot"))
    assert main(["check", "policy"]) == 1
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith("policy/all.test.yaml:5:5: unknown key 'kannot': ")
    )


def test_a_file_with_mistakes_does_not_keep_the_others_from_being_tested(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "policy/a.yaml").write_text(FAILING)
    (here / "policy/b.yaml").write_text(GOOD.replace("allow", "alow"))

    assert main(["test"]) == 1
    mistake, failure, _, summary = capsys.readouterr().out.splitlines()
    assert mistake.startswith("policy/b.yaml:6:5: unknown key 'alow': ")
    assert failure == FAILURE
    assert summary == "2 of 2 tests failed, and 1 file with mistakes"


def test_too_little_coverage_has_an_exit_code_of_its_own_and_names_the_parts(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "policy/a.yaml").write_text(f"{RULES}{GIVEN}tests:\n{PRIVATE}")

    assert main(["test"]) == 0
    assert capsys.readouterr().out == "1 test passed\n"
    assert main(["test", "--coverage", "--threshold", "33"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "policy/a.yaml:3:5: not covered: rule own-folder: no test fails when the rule is removed",
        "policy/a.yaml:3:5: not covered: rule own-folder: no test fails when the permission is another one (READWRITE)",
        "1 test passed; coverage 33 % (1 of 3 parts of rules)",
    ]
    assert main(["test", "--threshold", "34"]) == 5
    out = capsys.readouterr().out.splitlines()
    assert (len(out), out[-1]) == (
        3,
        "1 test passed; coverage 33 %, less than 34 % (1 of 3 parts of rules)",
    )


@pytest.mark.parametrize("threshold", ["101", "-1", "all", "99.5"])
def test_a_threshold_is_a_whole_number_of_percent(
    here: Path, capsys: pytest.CaptureFixture[str], threshold: str
):
    with pytest.raises(SystemExit, match="2"):
        main(["test", f"--threshold={threshold}"])
    assert "must be a whole number from 0 to 100" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["test"], "policy: this folder contains no policy files (.yaml or .yml)"),
        (["test", "none"], "none: cannot be read: No such file or directory"),
        (
            ["test", "rules.yaml"],
            "no tests: write tests: into a policy file, or a file NAME.test.yaml",
        ),
    ],
)
def test_nothing_to_test_is_invalid_usage(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    (here / "rules.yaml").write_text(RULES)

    assert main(words) == 2
    assert capsys.readouterr().err == f"grantor test: {message}\n"


def test_junit_has_a_suite_for_each_file_and_a_case_for_each_question(here: Path):
    (here / "policy/a.yaml").write_text(FAILING)
    (here / "policy/b.yaml").write_text(GOOD.replace("allow", "alow"))

    assert main(["test", "--junit", "junit.xml"]) == 1
    root = ET.parse(here / "junit.xml").getroot()
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "2",
        "errors": "1",
    }
    first, second = root.findall("testsuite")
    assert [(case.get("name"), case.get("line")) for case in first] == [
        ("own folders are private", "10"),
        ("reach ana", "11"),
    ]
    assert FAILURE.partition(": ")[2] == first[0][0].get("message")
    assert second[0][0].tag == "error"
    assert "unknown key 'alow'" in second[0][0].text


def test_junit_names_what_is_not_covered_if_that_is_too_little(here: Path):
    (here / "policy/a.yaml").write_text(f"{RULES}{GIVEN}tests:\n{PRIVATE}")

    assert main(["test", "--junit", "junit.xml", "--threshold", "100"]) == 5
    suites = ET.parse(here / "junit.xml").getroot().findall("testsuite")
    assert [(one.get("name"), one.get("failures")) for one in suites] == [
        ("policy/a.yaml", "0"),
        ("coverage", "2"),
    ]


def test_junit_is_xml_whatever_a_file_is_called(here: Path):
    folder = here / "policy/a\x1b[31m\u202e<&"
    folder.mkdir()
    (folder / "b.yaml").write_text(GOOD.replace("private", "<private> & 🙂"))

    assert main(["test", "--junit", "junit.xml"]) == 0
    suite = ET.parse(here / "junit.xml").getroot().find("testsuite")
    assert suite.get("name") == "policy/a\\x1b[31m\\u202e<&/b.yaml"
    assert suite[0].get("name") == "own folders are <private> & 🙂"


def test_a_report_that_cannot_be_written_is_an_error(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "policy/a.yaml").write_text(GOOD)

    assert main(["test", "--junit", "none/junit.xml"]) == 1
    assert capsys.readouterr().err == (
        "grantor test: none/junit.xml: cannot be written: No such file or directory\n"
    )


@pytest.mark.parametrize("text", [GOOD, FAILING, GOOD.replace("allow", "alow")])
def test_the_json_is_valid_by_its_schema(here: Path, capsys: pytest.CaptureFixture[str], text: str):
    (here / "policy/a.yaml").write_text(text)
    code = main(["test", "--json", "--threshold", "90"])
    document = check(json.loads(capsys.readouterr().out), "test")

    assert document["threshold"] == 90
    assert (document["failed"], bool(document["diagnostics"])) == (
        (0, False) if code == 0 else (2, False) if text == FAILING else (0, True)
    )


def save_inventory(path: Path, policy: str = RULES) -> None:
    """An inventory as `grantor inventory` saves it: one profile, in a bucket of its own."""
    role = "arn:aws:iam::111122223333:role/ana"
    known = Inventory(
        datetime(2027, 1, 1, tzinfo=UTC),
        (Location("default", "s3://theirs"),),
        (Profile("D", "ana", role),),
        frozenset({"D"}),
        sharing={role: frozenset({"profile D/ana"})},
    )
    files = (SavedFile("policy/a.yaml", "1", policy),)
    saved = SavedInventory("grantor", Home("aws", "111122223333"), "eu-west-1", "theirs", known, files)  # fmt: skip
    path.write_text(json.dumps(encode_inventory(saved)))


def test_a_test_file_without_given_asks_about_a_saved_inventory(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    save_inventory(here / "saved.json")
    (here / "policy/a.yaml").write_text(RULES)
    (here / "policy/all.test.yaml").write_text(
        "version: 1\ntests:\n"
        "  - {reach: ana, exactly: ['READWRITE s3://{data_bucket}/people/Ana/*']}\n"
        "  - can: D/ana READ s3://theirs/people/Ana/a.csv\n"
        "  - cannot: D/ben READ s3://theirs/people/Ana/a.csv\n"
    )

    assert main(["test", "--profiles", "saved.json"]) == 1
    failure, summary = capsys.readouterr().out.splitlines()
    assert failure.startswith("policy/all.test.yaml:5:13: the test cannot be asked: there is no profile D/ben")  # fmt: skip
    assert summary == "1 of 3 tests failed"


@pytest.mark.parametrize(
    ("policy", "name", "message"),
    [
        (RULES, "none.json", "none.json cannot be read: No such file or directory"),
        ("version: 2\n", "saved.json", "the saved inventory cannot be read: policy/a.yaml:1:"),
    ],
)
def test_an_inventory_that_cannot_be_read_is_an_error(
    here: Path, capsys: pytest.CaptureFixture[str], policy: str, name: str, message: str
):
    save_inventory(here / "saved.json", policy)
    (here / "policy/a.yaml").write_text(GOOD)

    assert main(["test", "--profiles", name]) == 1
    assert capsys.readouterr().err.startswith(f"grantor test: {message}")


def test_the_company_is_covered(capsys: pytest.CaptureFixture[str]):
    company = ROOT / "examples/company"

    assert main(["test", f"{company}/policy", f"{company}/tests", "--threshold", "100"]) == 0
    assert "coverage 100 %" in capsys.readouterr().out


def test_plan_reports_a_file_whose_tests_fail_and_passes_over_test_files(
    cli: CommandLine, tmp_path: Path
):
    (tmp_path / "a.yaml").write_text(FAILING)
    (tmp_path / "all.test.yaml").write_text(ALONE)
    answer = cli.run("plan", "--policy", str(tmp_path))

    assert answer.code == 1
    assert f"error: {FAILURE.replace('data-bucket', 'data')}" in answer.lines
    assert "all.test" not in answer.out
