"""What `sam local` needs: a container engine, and the sandbox with a stack in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.article import drop_policy
from demo.desk import Desk
from demo.stack import deploy, functions
from tests.conftest import ROOT, free_port

# Where there is no Docker, this prints the variables of an engine that it starts; see docs/sandbox.md.
ENGINE = Path(os.environ.get("CONTAINER_ENGINE", ROOT.parent / "shared/bin/container-engine"))


@pytest.fixture(scope="session")
def engine() -> dict[str, str]:
    """The variables under which a container engine answers; skips, with the reason, where there is none."""
    if _answers({}):
        return {}
    if not ENGINE.is_file():
        pytest.skip("no container engine answers `docker version`, and CONTAINER_ENGINE names no command that starts one")
    printed = subprocess.run(["bash", str(ENGINE)], capture_output=True, text=True, check=False)
    exports = dict(line.removeprefix("export ").split("=", 1) for line in printed.stdout.splitlines())
    if not _answers(exports):
        pytest.skip(f"{ENGINE.name} started no engine: {printed.stderr[-300:]}")
    return exports


def _answers(variables: dict[str, str]) -> bool:
    if not shutil.which("docker"):
        return "DOCKER_HOST" in variables
    asked = subprocess.run(["docker", "version"], env=os.environ | variables, capture_output=True, check=False)
    return asked.returncode == 0


@pytest.fixture(scope="session")
def deployed(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    desk = Desk.up(free_port())
    try:
        cast = deploy(desk, None)
        variables = tmp_path_factory.mktemp("sam-local") / "functions.json"
        variables.write_text(json.dumps(functions(desk)))
        drop_policy(cast)
        asked = [sys.executable, "-m", "sandbox", "relay", "--port", str(desk.port)]
        hosts = subprocess.run(
            asked, cwd=ROOT, env=os.environ | engine, capture_output=True, text=True, check=True
        ).stdout.split()
        yield cast, ["--env-vars", str(variables), *hosts]
    finally:
        desk.down()
