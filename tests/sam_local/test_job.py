"""`sam local invoke` really starts a job, with a sample event about the stack's own bucket."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.deployment import JOB_POLICY, adapt_sample_event
from tests.conftest import ROOT

SAM = ROOT / ".tools/sam/bin/sam"
UPLOADED = ROOT / "events/abalone_uploaded.json"
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (ROOT / ".tools/spark/jars/.made").exists(),
        reason="needs `make .tools/spark/jars/.made`",
    ),
]


def test_an_upload_starts_its_job_once_from_a_container(engine, deployed, tmp_path: Path):
    deployment, options = deployed
    deployment.put_job_policy()
    (tmp_path / "event.json").write_text(adapt_sample_event(UPLOADED, deployment))
    command = [
        SAM, "local", "invoke", "StartSparkJob", "-e", tmp_path / "event.json",
        "--skip-pull-image", *options,
    ]  # fmt: skip
    environment = os.environ | engine | deployment.session.environment | {"SAM_CLI_TELEMETRY": "0"}

    first, again = (run_and_read_outcomes(command, environment) for _ in range(2))

    (made,) = deployment.session.client("sagemaker").list_processing_jobs(NameContains="grantor-")[
        "ProcessingJobSummaries"
    ]
    deployment.delete_policy(JOB_POLICY)
    assert first == [f"abalone for userA is started as {made['ProcessingJobName']}"]
    assert "started" not in again[0]


def run_and_read_outcomes(command: list, environment: dict) -> list[str]:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])["results"]
