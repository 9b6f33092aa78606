"""The scenario's Spark part: an upload starts its job.

It prints what could not be known about AWS's Spark image before.

Two runs, each on two ml.m5.xlarge: one that completes, and one that fails with an exit code of the
job.
"""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.steps import expect, print_lines, step
from tests.live.probe import StillOpen
from tests.live.probes.jobs import OVER, classify_reason
from tests.live.scenario import Scenario
from tests.live.waiting import expect_eventually

ROOT = Path(__file__).parents[2]
PATIENCE = (
    2700.0  # seconds; finding two machines, pulling the image and the job take about eight minutes
)
CONTRACT = 12  # the job's exit code for a file that breaks the contract
JOB = """\
  - name: features
    to: {{role: "{role}"}}
    on: s3://{{data_bucket}}/{name}/spark/*
    allow: READWRITE
jobs:
  - name: live
    run: abalone
    as: {{role: "{role}"}}
    on: s3://{{data_bucket}}/{name}/spark/abalone.csv
    output: s3://{{data_bucket}}/{name}/spark/output/
    time_limit: 30m
"""


def run_spark_part(scenario: Scenario) -> None:
    """Run both jobs, and check that their grant is revoked."""
    role = scenario.stack.job_role(scenario.workspace.account)
    if not role:
        print_lines(
            "no role may run jobs here (the stack's parameter JobRoles): the Spark part is skipped"
        )
        return
    run_completed_job(scenario, role)
    run_failed_job(scenario)
    with step("The job's rule is removed"):
        scenario.put_rules(scenario.rules)
        nothing: list[str] = []
        expect_eventually("its grant is gone", nothing, lambda: _list_scopes(scenario, role))


def run_completed_job(scenario: Scenario, role: str) -> None:
    with step("An upload starts the Spark job"):
        scenario.put_rules(scenario.rules + JOB.format(role=role, name=scenario.workspace.name))
        expect_eventually(
            "the job's role has its grant", 1, lambda: len(_list_scopes(scenario, role))
        )
        [data] = (ROOT / "functions/load_dataset").glob("*.csv")
        run = _run_job(scenario, data.read_bytes())
        expect("it completed", "Completed", run["status"])
        for line in _list_observations(scenario, run):
            print_lines(line)


def run_failed_job(scenario: Scenario) -> None:
    with step("A compressed file starts it again"):
        run = _run_job(scenario, gzip.compress(b"M,0.455\n"))
        job = _describe_job(scenario, run)
        print_lines(f"FailureReason: {job.get('FailureReason', '')}")
        print_lines(f"ExitMessage: {job.get('ExitMessage', '')}")
        print_lines(_describe_reason(job))
        expect(
            "Grantor parsed the exit code",
            ("Failed", "contract broken"),
            (run["status"], run["cause"]),
        )


def _describe_reason(job: dict[str, Any]) -> str:
    try:
        found = classify_reason(
            job.get("FailureReason", ""), CONTRACT, job.get("ExitMessage") or "\0"
        )
    except StillOpen as why:
        return f"leaves job_failure_reason open: {why}"
    return f"settles job_failure_reason = {json.dumps(found.value)}  (observed: {found.observed})"


def _run_job(scenario: Scenario, body: bytes) -> dict[str, Any]:
    """Upload this, wait until its run is over and recorded, and return the run.

    What it leaves in S3 is recorded for removal.
    """
    known = {run["name"] for run in _list_runs(scenario)}
    scenario.upload(f"{scenario.workspace.name}/spark/abalone.csv", body)
    expect_eventually(
        "a run is over, and recorded",
        True,
        lambda: any(run["ended"] for run in _list_runs(scenario) if run["name"] not in known),
        PATIENCE,
    )
    run = next(run for run in _list_runs(scenario) if run["name"] not in known)
    scenario.workspace.cleanup.add(
        "s3",
        "purge",
        Bucket=scenario.stack.operations,
        Prefix=run["folder"].partition(scenario.stack.operations)[2].lstrip("/"),
    )
    return run


def _list_runs(scenario: Scenario) -> list[dict[str, Any]]:
    """List the runs on our file with `grantor jobs`."""
    command = [str(ROOT / ".venv/bin/grantor"), "jobs", "--json", "--stack", scenario.stack.name]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [
        run
        for run in json.loads(answer)["runs"]
        if run["input"] == f"s3://{scenario.stack.data}/{scenario.workspace.name}/spark/abalone.csv"
    ]


def _list_observations(scenario: Scenario, run: dict[str, Any]) -> Iterator[str]:
    """Describe what only a real account shows."""
    s3, answer = scenario.workspace.account.client("s3"), _describe_job(scenario, run)
    manifest = json.loads(
        s3.get_object(
            Bucket=scenario.stack.data, Key=run["manifest"].partition(f"{scenario.stack.data}/")[2]
        )["Body"].read()
    )
    access, image = manifest["access"], answer["AppSpecification"]["ImageUri"].rpartition(":")[2]
    began = (answer["ProcessingStartTime"] - answer["CreationTime"]).total_seconds()
    mode = ": ".join(filter(None, (access["mode"], access["why"])))
    yield f"observed: image {image}, Spark {manifest['spark']}, access {mode}"
    yield f"observed: credentials vended to the driver: {'; '.join(access['grants'])}"
    times = f"began {began:.0f} s after its creation, ran {run['seconds']:.0f} s"
    yield f"observed: {times}; by step: {manifest['seconds']}"
    prefix = run["folder"].partition(f"{scenario.stack.operations}/")[2] + "spark-events/"
    logs = s3.list_objects_v2(Bucket=scenario.stack.operations, Prefix=prefix).get("Contents", [])
    names = ", ".join(each["Key"].removeprefix(prefix) for each in logs)
    yield f"observed: event logs: {names or 'none'}"
    network = answer.get("NetworkConfig", {}).get("VpcConfig")
    if network:
        yield f"observed: it ran in {network}, so the role may create its network interfaces"
    else:
        yield "observed: it ran in SageMaker's network; JobSubnets are not tried"


def _describe_job(scenario: Scenario, run: dict[str, Any]) -> dict[str, Any]:
    answer = dict(
        scenario.workspace.account.client("sagemaker").describe_processing_job(
            ProcessingJobName=run["name"]
        )
    )
    assert answer["ProcessingJobStatus"] in OVER, answer
    return answer


def _list_scopes(scenario: Scenario, role: str) -> list[str]:
    """List the scopes of the role's grants in our folder."""
    ours = f"s3://{scenario.stack.data}/{scenario.workspace.name}/"
    return [
        grant["GrantScope"]
        for grant in scenario.workspace.list_grants(role)
        if grant["GrantScope"].startswith(ours)
    ]
