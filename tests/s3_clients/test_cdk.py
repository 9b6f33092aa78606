"""CDK: an account is bootstrapped, and an app with Access Grants deployed, changed and destroyed.

It has an account of its own, because the app makes the one instance that an account can have.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.s3_clients.conftest import CDK, NODE, SECONDS, read_variables

APP = ROOT / "tests/s3_clients/cdk_app/app.js"


@dataclass(frozen=True)
class CdkProject:
    """A folder with the app, and the account that it is deployed to."""

    sandbox: Sandbox
    folder: Path

    def run(self, *words: str) -> str:
        """Run CDK, which must exit with 0; return all that it prints."""
        environment = read_variables(self.sandbox) | {
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CI": "true",
            "HOME": str(self.folder),
            "NODE_PATH": str(CDK),
            "PATH": f"{NODE.parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            [NODE, CDK / "aws-cdk/bin/cdk", *words, "--no-notices"],
            env=environment, cwd=self.folder, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def deploy(self, folder: str) -> str:
        """Deploy the app with a grant on this folder."""
        return self.run("deploy", "--require-approval", "never", "--context", f"folder={folder}")

    def list_scopes(self) -> list[str]:
        """List what there are grants for, below the bucket."""
        control = self.sandbox.client("s3control")
        grants = control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
        return [grant["GrantScope"].split("/", 3)[3] for grant in grants]


@pytest.fixture
def project(start_sandbox: Callable[..., Sandbox], tmp_path: Path) -> CdkProject:
    shutil.copy(APP, tmp_path)
    (tmp_path / "cdk.json").write_text(json.dumps({"app": f"{NODE} app.js"}))
    return CdkProject(start_sandbox(), tmp_path)


def test_an_app_with_access_grants_is_bootstrapped_deployed_changed_and_destroyed(
    project: CdkProject,
) -> None:
    project.run("bootstrap", f"aws://{ACCOUNT}/us-east-1")
    project.deploy("reports")
    assert project.list_scopes() == ["reports/*"]
    assert "(no changes)" in project.deploy("reports")
    project.deploy("figures")
    assert project.list_scopes() == ["figures/*"]

    project.run("destroy", "--force", "--context", "folder=figures")
    listed = project.sandbox.client("s3control").list_access_grants_instances(AccountId=ACCOUNT)
    assert listed["AccessGrantsInstancesList"] == []
