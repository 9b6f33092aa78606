"""The story's Spark part: an upload starts its job, and what could not be known before of AWS's own Spark image is printed.

Two runs, each on two ml.m5.xlarge: one that completes, and one that fails by its own exit code.
"""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.stage import expect, say, step
from tests.live.probe import Open
from tests.live.probes.jobs import OVER, way_of
from tests.live.story import Story
from tests.live.telling import eventually

ROOT = Path(__file__).parents[2]
PATIENCE = 2700.0  # seconds: two machines are found, the image pulled, the job done in some eight minutes
CONTRACT = 12  # the job's exit code for a file that is not what the contract says
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


def tell(story: Story) -> None:
    """Both runs, and that the grant for them goes again."""
    role = story.stack.job_role(story.here.account)
    if not role:
        say("no role may run jobs here (the stack's parameter JobRoles): the Spark part is left out")
        return
    it_completes(story, role)
    it_fails(story)
    with step("The job's rule goes"):
        story.put_rules(story.rules)
        eventually("its grant is gone", [], lambda: _grants(story, role))


def it_completes(story: Story, role: str) -> None:
    with step("An upload starts the Spark job"):
        story.put_rules(story.rules + JOB.format(role=role, name=story.here.name))
        eventually("the job's role has its grant", 1, lambda: len(_grants(story, role)))
        [data] = (ROOT / "functions/load_dataset").glob("*.csv")
        run = _run(story, data.read_bytes())
        expect("it has completed", "Completed", run["status"])
        for line in _observed(story, run):
            say(line)


def it_fails(story: Story) -> None:
    with step("A compressed file starts it again"):
        run = _run(story, gzip.compress(b"M,0.455\n"))
        told = _described(story, run)
        say(f"FailureReason: {told.get('FailureReason', '')}")
        say(f"ExitMessage: {told.get('ExitMessage', '')}")
        say(_way(told))
        expect("Grantor has read the exit code out of it", ("Failed", "contract broken"), (run["status"], run["cause"]))


def _way(told: dict[str, Any]) -> str:
    try:
        found = way_of(told.get("FailureReason", ""), CONTRACT, told.get("ExitMessage") or "\0")
    except Open as why:
        return f"leaves job_failure_reason open: {why}"
    return f"settles job_failure_reason = {json.dumps(found.value)}  (observed: {found.observed})"


def _run(story: Story, body: bytes) -> dict[str, Any]:
    """The run that an upload of this starts, once it is over and recorded; its traces are ours."""
    known = {run["name"] for run in _runs(story)}
    story.put(f"{story.here.name}/spark/abalone.csv", body)
    eventually(
        "a run is over, and recorded",
        True,
        lambda: any(run["ended"] for run in _runs(story) if run["name"] not in known),
        PATIENCE,
    )
    run = next(run for run in _runs(story) if run["name"] not in known)
    story.here.made.add(
        "s3", "purge", Bucket=story.stack.operations, Prefix=run["folder"].partition(story.stack.operations)[2].lstrip("/")
    )
    return run


def _runs(story: Story) -> list[dict[str, Any]]:
    """Runs on our file, as `grantor jobs` tells of them."""
    command = [str(ROOT / ".venv/bin/grantor"), "jobs", "--json", "--stack", story.stack.name]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [
        run for run in json.loads(told)["runs"] if run["input"] == f"s3://{story.stack.data}/{story.here.name}/spark/abalone.csv"
    ]


def _observed(story: Story, run: dict[str, Any]) -> Iterator[str]:
    """What was never seen before an account was there."""
    s3, told = story.here.account.client("s3"), _described(story, run)
    manifest = json.loads(
        s3.get_object(Bucket=story.stack.data, Key=run["manifest"].partition(f"{story.stack.data}/")[2])["Body"].read()
    )
    access, image = manifest["access"], told["AppSpecification"]["ImageUri"].rpartition(":")[2]
    began = (told["ProcessingStartTime"] - told["CreationTime"]).total_seconds()
    yield f"observed: image {image}, Spark {manifest['spark']}, access {access['mode']}{': ' if access['why'] else ''}{access['why']}"
    yield f"observed: credentials vended to the driver: {'; '.join(access['grants'])}"
    yield f"observed: began {began:.0f} s after its creation, ran {run['seconds']:.0f} s; by step: {manifest['seconds']}"
    prefix = run["folder"].partition(f"{story.stack.operations}/")[2] + "spark-events/"
    logs = s3.list_objects_v2(Bucket=story.stack.operations, Prefix=prefix).get("Contents", [])
    yield f"observed: event logs: {', '.join(each['Key'].removeprefix(prefix) for each in logs) or 'none'}"
    network = told.get("NetworkConfig", {}).get("VpcConfig")
    yield f"observed: {f'it ran in {network}, so the role may make its interfaces' if network else 'it ran in the network of SageMaker; JobSubnets are not tried'}"


def _described(story: Story, run: dict[str, Any]) -> dict[str, Any]:
    told = dict(story.here.account.client("sagemaker").describe_processing_job(ProcessingJobName=run["name"]))
    assert told["ProcessingJobStatus"] in OVER, told
    return told


def _grants(story: Story, role: str) -> list[str]:
    """Scopes of the role's grants in our folder."""
    ours = f"s3://{story.stack.data}/{story.here.name}/"
    return [grant["GrantScope"] for grant in story.here.listed(role) if grant["GrantScope"].startswith(ours)]
