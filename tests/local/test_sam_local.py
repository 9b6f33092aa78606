"""`sam local invoke` runs the built function in a container against the running sandbox, once for each file in events/."""

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

EVENTS = sorted((ROOT / "events").glob("*.json"))
OF_JOBS = ("abalone_uploaded", "clock_ticked", "grants_reconciled", "spark_job_completed", "spark_job_failed")
CASES = [
    *((path, "ReconcileGrants") for path in EVENTS if path.stem not in OF_JOBS or path.stem == "clock_ticked"),
    *((path, "StartSparkJob") for path in EVENTS if path.stem in OF_JOBS),
]
# Where there is no Docker, this prints the variables of an engine that it starts; see docs/sandbox.md.
ENGINE = Path(os.environ.get("CONTAINER_ENGINE", ROOT.parent / "shared/bin/container-engine"))
pytestmark = [pytest.mark.xdist_group("sam-local"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.mark.parametrize(("event", "function"), CASES, ids=[f"{path.stem}-{function}" for path, function in CASES])
def test_an_event_is_answered_in_a_container_as_in_the_sandbox(event, function, engine, deployed):
    cast, options = deployed
    before = cast.grants()
    invoke = [
        ROOT / ".tools/sam/bin/sam", "local", "invoke", function, "-e", event, "--skip-pull-image", *options,
    ]  # fmt: skip
    environment = os.environ | engine | cast.desk.environment | {"SAM_CLI_TELEMETRY": "0"}

    done = subprocess.run(
        invoke, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert "errorMessage" not in answer, answer
    assert cast.grants() == before
