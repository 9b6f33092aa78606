"""The pre-commit hooks that other repositories use: their command lines, on the files that they
select.
"""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

CHECK, TEST = HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
GOOD = (
    "version: 1\nrules:\n- {name: a, to: {role: ROLE}, on: 's3://data/a/*', allow: READ}\n".replace(
        "ROLE", "arn:aws:iam::111122223333:role/ana"
    )
)


def run_hook(
    folder: Path, files: dict[str, str], hook: dict = CHECK
) -> subprocess.CompletedProcess[str]:
    """Run the hook as pre-commit does: its entry and arguments, then the changed files that `files`
    selects, unless it takes none.
    """
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    chosen = [name for name in files if re.search(hook["files"], name)]
    assert chosen
    program, *arguments = [*shlex.split(hook["entry"]), *hook.get("args", ())]
    chosen = chosen if hook.get("pass_filenames", True) else []
    command = [ROOT / ".venv/bin" / program, *arguments, *chosen]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_good_files_pass(tmp_path: Path):
    done = run_hook(
        tmp_path, {"policy/a.yaml": GOOD, "policy/teams/b.yml": GOOD, "other.yaml": "version: 2\n"}
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "2 policy files with 2 rules: no mistakes"


def test_a_mistake_fails_with_its_place(tmp_path: Path):
    done = run_hook(tmp_path, {"policy/a.yaml": GOOD.replace("allow", "alow")})

    assert done.returncode == 1
    assert done.stdout.startswith("policy/a.yaml:3:")


def test_the_tests_of_all_files_run_whichever_file_has_changed(tmp_path: Path):
    tested = GOOD.replace("name: a", "name: b") + (
        "tests: [{cannot: ROLE WRITE s3://data/a/x}]\n".replace(
            "ROLE", "arn:aws:iam::111122223333:role/ana"
        )
    )
    passed = run_hook(tmp_path, {"policy/a.yaml": GOOD, "policy/b.yaml": tested}, TEST)
    failed = run_hook(tmp_path, {"policy/b.yaml": tested.replace("READ}", "READWRITE}")}, TEST)

    assert (passed.returncode, failed.returncode) == (0, 1)
    assert failed.stdout.startswith("policy/b.yaml:4:18: the test fails: ")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_runs_the_program_that_the_package_installs(hook: dict):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert hook["entry"].split()[0] in scripts
    assert hook["language"] == "python"


@pytest.mark.parametrize(
    "hook",
    yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"],
    ids=lambda hook: hook["id"],
)
def test_our_own_hooks_run_programs_that_are_there(hook: dict[str, str]):
    assert (ROOT / hook["entry"].split()[0]).exists()
