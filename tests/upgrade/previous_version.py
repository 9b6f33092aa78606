"""The version that CHANGELOG.md names last, from the repository's history, built by SAM CLI."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.session import ROOT, SandboxSession

RELEASED = re.compile(
    r"^## \[(?P<version>\d+\.\d+\.\d+)\].*?^Commit (?P<commit>[0-9a-f]{40})\.$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class PreviousVersion:
    """A released version, and the folder that holds its sources."""

    version: str
    commit: str
    folder: Path

    @property
    def template(self) -> Path:
        """The template that `build` makes."""
        return self.folder / ".aws-sam/build/template.yaml"

    def build(self, session: SandboxSession) -> None:
        """Build it as `sam build` in its folder does."""
        source, target = self.folder / "template.yaml", self.template.parent
        session.run_sam("build", "--template-file", str(source), "--build-dir", str(target))

    def run_grantor(self, session: SandboxSession, *words: str) -> str:
        """Run its own command line, and return what it prints."""
        own = session.environment | {"PYTHONPATH": str(self.folder / "layers/grantor")}
        done = subprocess.run(
            [ROOT / ".venv/bin/python", "-m", "grantor", *words],
            cwd=self.folder, env=os.environ | own, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def find_release(changelog: str) -> tuple[str, str]:
    """Find the version and the commit of the latest release in the text of CHANGELOG.md."""
    found = RELEASED.search(changelog)
    assert found, "CHANGELOG.md names no release with its commit"
    return found["version"], found["commit"]


def extract_previous_version(folder: Path) -> PreviousVersion:
    """Extract the sources of the latest release into `folder`. Needs the history of the clone."""
    version, commit = find_release((ROOT / "CHANGELOG.md").read_text())
    archive = folder / "sources.tar"
    made = subprocess.run(
        ["git", "archive", "--output", archive, commit],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, (
        f"version {version} is commit {commit}, which this clone does not have: "
        f"git fetch --unshallow\n{made.stderr}"
    )
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    return PreviousVersion(version, commit, folder)
