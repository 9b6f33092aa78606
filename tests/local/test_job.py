"""`sam local invoke` really starts a job: the sample event, with the name of the stack's own bucket in it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from demo.article import JOBS, drop_jobs
from demo.stack import event
from tests.conftest import ROOT

SAM = ROOT / ".tools/sam/bin/sam"
UPLOADED = ROOT / "events/abalone_uploaded.json"
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (ROOT / ".tools/spark/jars/.made").exists(), reason="needs `make .tools/spark/jars/.made`"),
]


def test_an_upload_starts_its_job_from_a_container_and_once(engine, deployed, tmp_path: Path):
    cast, options = deployed
    drop_jobs(cast)
    (tmp_path / "event.json").write_text(event(UPLOADED, cast))
    command = [
        SAM, "local", "invoke", "StartSparkJob", "-e", tmp_path / "event.json", "--skip-pull-image", *options,
    ]  # fmt: skip
    environment = os.environ | engine | cast.desk.environment | {"SAM_CLI_TELEMETRY": "0"}

    first, again = (came(command, environment) for _ in range(2))

    (made,) = cast.desk.client("sagemaker").list_processing_jobs(NameContains="grantor-")["ProcessingJobSummaries"]
    cast.delete_policy(JOBS)
    assert first == [f"abalone for userA is started as {made['ProcessingJobName']}"]
    assert "started" not in again[0]


def came(command: list, environment: dict) -> list[str]:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])["came"]
