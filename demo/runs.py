"""What everyone in the story can see of the jobs: which there are, how they stand, and what they left."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.cast import Cast
from demo.desk import ROOT
from demo.stage import eventually

INPUT = "UserA/abalone.csv"
PATIENCE = 180.0  # seconds for a run that takes twenty where all is well


def rows(data: Path | None) -> list[str]:
    """The lines of the data set that the story plays on."""
    return (data or next((ROOT / "functions/load_dataset").glob("*.csv"))).read_text().splitlines()


def upload(cast: Cast, lines: list[str]) -> None:
    """userA's data comes."""
    cast.desk.client("s3").put_object(Bucket=cast.data, Key=INPUT, Body="".join(f"{line}\n" for line in lines).encode())


def names(cast: Cast) -> set[str]:
    """Every processing job that Grantor has started."""
    listed = cast.desk.client("sagemaker").list_processing_jobs(NameContains="grantor-", MaxResults=100)
    return {job["ProcessingJobName"] for job in listed["ProcessingJobSummaries"]}


def described(cast: Cast, name: str) -> dict[str, Any]:
    return dict(cast.desk.client("sagemaker").describe_processing_job(ProcessingJobName=name))


def status(cast: Cast, name: str) -> str:
    return str(described(cast, name)["ProcessingJobStatus"])


def completed(cast: Cast, what: str, known: set[str]) -> str:
    """The name of the job that has come since, once it is over and that is recorded."""
    eventually(what, ["Completed"], lambda: [status(cast, name) for name in names(cast) - known], PATIENCE)
    [name] = names(cast) - known
    eventually("which is recorded", True, lambda: _recorded(cast, name))
    return name


def outcome(cast: Cast, name: str) -> str:
    """The sentence in which `grantor jobs` says what came of the run."""
    lines = cast.desk.grantor("jobs", name).splitlines()
    return next(line.partition(" ")[2].strip() for line in lines if line.startswith("outcome"))


def quarantined(cast: Cast, name: str) -> Iterator[str]:
    """The lines that a run refused."""
    arguments = described(cast, name)["AppSpecification"]["ContainerArguments"]
    folder = f"UserA/output/runs/{arguments[arguments.index('--run_id') + 1]}/quarantine/"
    s3 = cast.desk.client("s3")
    for item in s3.list_objects_v2(Bucket=cast.data, Prefix=folder).get("Contents", []):
        for line in s3.get_object(Bucket=cast.data, Key=item["Key"])["Body"].read().decode().splitlines():
            yield line.partition("\t")[2]


def _recorded(cast: Cast, name: str) -> bool:
    told = json.loads(cast.desk.grantor("jobs", "--json"))
    return any(run["name"] == name and run["ended"] for run in told["runs"])
