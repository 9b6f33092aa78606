"""The pull-request action: one comment with the plan, posted once and then updated; gh and grantor
are stand-ins.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

MARKER = "<!-- grantor plan of stack blue -->"
GH = """\
#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$CALLS"
for argument; do
  case $argument in body=@*) cp "${argument#body=@}" "$POSTED" ;; esac
done
case "$*" in *--paginate*) printf '%s' "$COMMENTS" ;; esac
"""
PLAN = (
    '#!/usr/bin/env bash\nprintf "%s\\n" "$*" >>"$CALLS"\nprintf "$PLAN_TEXT"\nexit "$PLAN_EXIT"\n'
)


@dataclass
class Action:
    """The script, with programs of our own in place of gh and grantor."""

    folder: Path

    def run(self, comments: str = "", text: str = "### Grantor\\n", code: int = 0) -> int:
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "TMPDIR": str(self.folder),
            "GRANTOR": "grantor",
            "STACK": "blue",
            "POLICY": "policy",
            "PULL_REQUEST": "7",
            "GITHUB_REPOSITORY": "team/data",
            "CALLS": str(self.folder / "calls"),
            "POSTED": str(self.folder / "posted"),
            "COMMENTS": comments,
            "PLAN_TEXT": text,
            "PLAN_EXIT": str(code),
        }
        return subprocess.run(
            [ROOT / ".github/comment-plan"], env=environment, check=False
        ).returncode

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    @property
    def posted(self) -> str:
        return (self.folder / "posted").read_text()


@pytest.fixture
def action(tmp_path: Path) -> Action:
    for name, text in {"gh": GH, "grantor": PLAN}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Action(tmp_path)


def test_the_first_plan_is_posted(action: Action):
    assert action.run() == 0
    assert action.posted == f"{MARKER}\n### Grantor\n"
    plan, listing, post = action.calls
    assert plan == "plan --stack blue --policy policy --markdown"
    assert listing.startswith("api --paginate repos/team/data/issues/7/comments --jq ")
    assert MARKER in listing
    assert post.startswith("api --method POST repos/team/data/issues/7/comments --field body=@")


def test_a_later_plan_updates_the_comment(action: Action):
    assert action.run(comments="42\n43\n") == 0
    assert action.calls[-1].startswith(
        "api --method PATCH repos/team/data/issues/comments/42 --field body=@"
    )


def test_a_wrong_policy_file_is_posted_and_fails_the_check(action: Action):
    assert action.run(text="### Grantor\\nwrong\\n", code=1) == 1
    assert action.posted.endswith("wrong\n")


def test_without_a_plan_nothing_is_posted(action: Action):
    assert action.run(text="", code=1) == 1
    assert len(action.calls) == 1


def test_the_script_leaves_no_file_behind(action: Action):
    action.run()

    assert {path.name for path in action.folder.iterdir()} == {"gh", "grantor", "calls", "posted"}


def test_the_action_passes_the_script_every_variable_that_it_needs():
    script = (ROOT / ".github/comment-plan").read_text()
    step = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"][-1]
    needed = set(re.findall(r"\$\{?([A-Z_]+)\b", script)) - {
        "GITHUB_REPOSITORY"
    }  # which GitHub sets

    assert needed <= set(step["env"])
    assert step["run"] == '"$GITHUB_ACTION_PATH/.github/comment-plan"'
    assert (
        "${{" not in step["run"]
    )  # an input that becomes part of a script could be a script itself


@pytest.mark.parametrize(("threshold", "code"), [("0", 0), ("100", 5)])
def test_the_action_runs_the_tests_before_the_plan(tmp_path: Path, threshold: str, code: int):
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    (step,) = (one for one in steps if one["name"] == "Test")
    role = "arn:aws:iam::111122223333:role/ana"
    for folder in ("my policy", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "my policy/a.yaml").write_text(
        f"version: 1\nrules: [{{name: a, to: {{role: '{role}'}}, on: s3://data/a/*, allow: READ}}]\n"
    )
    (tmp_path / "tests/all.test.yaml").write_text(
        f"version: 1\ntests: [{{can: {role} READ s3://data/a/x, because: a}}]\n"
    )
    given = {
        "GRANTOR": str(ROOT / ".venv/bin/grantor"),
        "POLICY": "my policy",
        "TESTS": "tests",
        "THRESHOLD": threshold,
    }
    assert set(step["env"]) == set(given)
    assert "${{" not in step["run"]
    done = subprocess.run(
        ["bash", "-c", step["run"]], cwd=tmp_path, env=given, capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr


def test_workflows_pin_the_actions_of_others_to_a_commit():
    for path in (ROOT / "action.yml", *ROOT.glob(".github/workflows/*.yml")):
        for used in re.findall(r"uses: (\S+)", path.read_text()):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", used), f"{path.name}: {used}"


def test_ci_runs_commands_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    workflow = (ROOT / ".github/workflows/ci.yml").read_text() + (ROOT / ".ci/run").read_text()

    assert set(re.findall(r"make ([a-z-]+)", workflow)) <= targets
    assert os.access(ROOT / ".ci/run", os.X_OK)
