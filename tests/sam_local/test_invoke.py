"""`sam local invoke` runs the built functions in containers, once for each file in events/."""

import json
import os
import subprocess

import pytest

from tests.conftest import ROOT
from tests.sam_local.cases import CASES, IDS

SAM = ROOT / ".tools/sam/bin/sam"
pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(("event", "function"), CASES, ids=IDS)
def test_a_function_handles_an_event_in_a_container_as_in_the_sandbox(
    event, function, engine, deployed
):
    deployment, options = deployed
    before = deployment.list_grants()
    invoke = [
        SAM, "local", "invoke", function, "-e", event, "--skip-pull-image", *options,
    ]  # fmt: skip
    environment = os.environ | engine | deployment.session.environment | {"SAM_CLI_TELEMETRY": "0"}

    done = subprocess.run(
        invoke,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert "errorMessage" not in answer, answer
    assert deployment.list_grants() == before
