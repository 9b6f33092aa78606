"""`sam local start-lambda` serves the built functions, in containers, to any client of Lambda."""

import os
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

from tests.cli.command_process import RESTORE_SIGINT
from tests.conftest import ROOT, free_port
from tests.sam_local.cases import CASES, IDS

SAM = ROOT / ".tools/sam/bin/sam"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def served(
    engine: dict[str, str], deployed: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A Lambda client for `sam local start-lambda` with warm containers, and its process."""
    deployment, options = deployed
    port, log = free_port(), tmp_path_factory.mktemp("start-lambda") / "log"
    serve = [
        SAM,
        "local",
        "start-lambda",
        "--port",
        str(port),
        "--warm-containers",
        "LAZY",
        "--skip-pull-image",
        *options,
    ]
    environment = os.environ | engine | deployment.session.environment | {"SAM_CLI_TELEMETRY": "0"}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", RESTORE_SIGINT, *serve],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        _wait_for(port, server, log)
        keys = {
            "aws_access_key_id": deployment.session.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": deployment.session.environment["AWS_SECRET_ACCESS_KEY"],
            "region_name": deployment.session.region,
        }
        patient = Config(read_timeout=180, retries={"max_attempts": 0})
        yield (
            boto3.client("lambda", endpoint_url=f"http://127.0.0.1:{port}", config=patient, **keys),
            server,
        )
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
def test_any_client_of_lambda_can_invoke_the_functions(event, function, deployed, served):
    deployment, _ = deployed
    client, _ = served
    before = deployment.list_grants()

    answer = client.invoke(FunctionName=function, Payload=event.read_bytes())

    said = answer["Payload"].read().decode()
    assert (answer["StatusCode"], answer.get("FunctionError")) == (200, None), said
    assert "errorMessage" not in said
    assert deployment.list_grants() == before


def test_it_stops_cleanly_at_ctrl_c(served):
    _, server = served

    server.send_signal(signal.SIGINT)

    # It removes its containers first, which a busy machine does slowly
    assert server.wait(200) == 0
