"""`sam local invoke` runs the built function in a container against the running sandbox, once for each file in events/."""

import json
import os
import subprocess

import pytest

from tests.conftest import ROOT
from tests.local.cases import CASES, IDS

SAM = ROOT / ".tools/sam/bin/sam"
pytestmark = pytest.mark.timeout(600)


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
