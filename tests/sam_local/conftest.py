"""What `sam local` needs: a container engine, and the sandbox with a stack in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.deployment import deploy_stack, read_function_variables
from harness.session import open_session
from tests.conftest import ROOT

# Without Docker, this command starts an engine and prints its variables: docs/sandbox.md.
ENGINE = Path(os.environ.get("CONTAINER_ENGINE", ROOT.parent / "shared/bin/container-engine"))


@pytest.fixture(scope="session")
def engine() -> dict[str, str]:
    """The variables of a container engine; skips, with the reason, if there is none."""
    if _answers({}):
        return {}
    if not ENGINE.is_file():
        pytest.skip(
            "no container engine answers `docker version`, "
            "and CONTAINER_ENGINE names no command that starts one"
        )
    printed = subprocess.run(["bash", str(ENGINE)], capture_output=True, text=True, check=False)
    exports = dict(
        line.removeprefix("export ").split("=", 1) for line in printed.stdout.splitlines()
    )
    if not _answers(exports):
        pytest.skip(f"{ENGINE.name} started no engine: {printed.stderr[-300:]}")
    return exports


def _answers(variables: dict[str, str]) -> bool:
    if not shutil.which("docker"):
        return "DOCKER_HOST" in variables
    asked = subprocess.run(
        ["docker", "version"], env=os.environ | variables, capture_output=True, check=False
    )
    return asked.returncode == 0


@pytest.fixture(scope="session")
def deployed(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    with open_session() as session:
        deployment = deploy_stack(session)
        variables = tmp_path_factory.mktemp("sam-local") / "functions.json"
        variables.write_text(json.dumps(read_function_variables(session)))
        deployment.put_article_policy()
        asked = [sys.executable, "-m", "sandbox", "relay", "--port", str(session.port)]
        hosts = subprocess.run(
            asked, cwd=ROOT, env=os.environ | engine, capture_output=True, text=True, check=True
        ).stdout.split()
        yield deployment, ["--env-vars", str(variables), *hosts]
