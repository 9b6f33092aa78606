"""`sam local` runs the built functions in containers against the running sandbox, with each file in events/."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

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
SAM = ROOT / ".tools/sam/bin/sam"
IDS = [f"{path.stem}-{function}" for path, function in CASES]
pytestmark = pytest.mark.timeout(600)


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


@pytest.mark.parametrize(("event", "function"), CASES, ids=IDS)
def test_an_event_is_answered_in_a_container_as_in_the_sandbox(event, function, engine, deployed):
    cast, options = deployed
    before = cast.grants()
    invoke = [
        SAM, "local", "invoke", function, "-e", event, "--skip-pull-image", *options,
    ]  # fmt: skip
    environment = os.environ | engine | cast.desk.environment | {"SAM_CLI_TELEMETRY": "0"}

    done = subprocess.run(
        invoke, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert "errorMessage" not in answer, answer
    assert cast.grants() == before


@pytest.fixture(scope="module")
def served(engine: dict[str, str], deployed: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of Lambda for `sam local start-lambda`, which keeps a container for each function and takes them away at Ctrl-C."""
    cast, options = deployed
    port, log = free_port(), tmp_path_factory.mktemp("start-lambda") / "log"
    serve = [SAM, "local", "start-lambda", "--port", str(port), "--warm-containers", "LAZY", "--skip-pull-image", *options]
    environment = os.environ | engine | cast.desk.environment | {"SAM_CLI_TELEMETRY": "0"}
    with log.open("wb") as out:
        server = subprocess.Popen(serve, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        _wait_for(port, server, log)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": cast.desk.region}
        patient = Config(read_timeout=180, retries={"max_attempts": 0})
        yield boto3.client("lambda", endpoint_url=f"http://127.0.0.1:{port}", config=patient, **keys)
        server.send_signal(signal.SIGINT)

        assert server.wait(60) == 0, log.read_text()
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"sam local start-lambda does not listen:\n{log.read_text()}")


@pytest.mark.parametrize(("event", "function"), CASES, ids=IDS)
def test_any_client_of_lambda_has_an_event_answered(event, function, deployed, served):
    cast, _ = deployed
    before = cast.grants()

    answer = served.invoke(FunctionName=function, Payload=event.read_bytes())

    said = answer["Payload"].read().decode()
    assert (answer["StatusCode"], answer.get("FunctionError")) == (200, None), said
    assert "errorMessage" not in said
    assert cast.grants() == before
