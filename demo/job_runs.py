"""What a user can see of the jobs: which there are, their status, and their output."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.deployment import INPUT_KEY, Deployment
from harness.session import ROOT
from harness.steps import wait_until

RUN_SECONDS = 180.0  # a run takes about twenty


def read_rows(data: Path | None) -> list[str]:
    """The lines of the data set that the demo runs on."""
    sample = next((ROOT / "functions/load_dataset").glob("*.csv"))
    return (data or sample).read_text().splitlines()


def upload_rows(deployment: Deployment, lines: list[str]) -> None:
    """Upload userA's data."""
    body = "".join(f"{line}\n" for line in lines).encode()
    s3 = deployment.session.client("s3")
    s3.put_object(Bucket=deployment.data_bucket, Key=INPUT_KEY, Body=body)


def list_runs(deployment: Deployment) -> set[str]:
    """The names of all processing jobs that Grantor has started."""
    studio = deployment.session.client("sagemaker")
    listed = studio.list_processing_jobs(NameContains="grantor-", MaxResults=100)
    return {job["ProcessingJobName"] for job in listed["ProcessingJobSummaries"]}


def describe_run(deployment: Deployment, name: str) -> dict[str, Any]:
    """DescribeProcessingJob's answer."""
    studio = deployment.session.client("sagemaker")
    return dict(studio.describe_processing_job(ProcessingJobName=name))


def read_status(deployment: Deployment, name: str) -> str:
    """The status of a processing job."""
    return str(describe_run(deployment, name)["ProcessingJobStatus"])


def wait_for_run(deployment: Deployment, what: str, known: set[str]) -> str:
    """Wait until the one job beyond `known` has completed and is recorded; its name."""

    def read_new() -> list[str]:
        return [read_status(deployment, name) for name in list_runs(deployment) - known]

    wait_until(what, ["Completed"], read_new, RUN_SECONDS)
    [name] = list_runs(deployment) - known
    wait_until("which is recorded", True, lambda: _is_recorded(deployment, name))
    return name


def read_outcome(deployment: Deployment, name: str) -> str:
    """The outcome of a run, as `grantor jobs` prints it."""
    lines = deployment.session.run_grantor("jobs", name).splitlines()
    return next(line.partition(" ")[2].strip() for line in lines if line.startswith("outcome"))


def read_quarantine(deployment: Deployment, name: str) -> Iterator[str]:
    """The lines that a run has put into quarantine."""
    specification = describe_run(deployment, name)["AppSpecification"]
    arguments = specification["ContainerArguments"]
    run_id = arguments[arguments.index("--run_id") + 1]
    s3, bucket = deployment.session.client("s3"), deployment.data_bucket
    prefix = f"UserA/output/runs/{run_id}/quarantine/"
    for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        for line in body.decode().splitlines():
            yield line.partition("\t")[2]


def read_jobs(deployment: Deployment) -> dict[str, Any]:
    """What `grantor jobs --json` prints."""
    return dict(json.loads(deployment.session.run_grantor("jobs", "--json")))


def _is_recorded(deployment: Deployment, name: str) -> bool:
    return any(run["name"] == name and run["ended"] for run in read_jobs(deployment)["runs"])
