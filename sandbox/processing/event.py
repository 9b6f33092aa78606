"""The detail of the event that a job's new status leaves on the bus.

Shape: AWS, "Amazon SageMaker AI events", SageMaker Processing Job State Change: times in milliseconds of the epoch, enumerations in
capitals, the image alone of what is run. Whoever needs more asks DescribeProcessingJob.
"""

import re
from typing import Any

from sandbox.processing.jobs import Job

# The words of AWS's example; those that it does not show are written likewise.
WRITTEN = {"FullyReplicated": "FULLYREPLICATED", "ShardedByS3Key": "SHARDEDBYS3KEY", "S3Prefix": "S3_PREFIX"}
ENUMERATED = ("S3DataType", "S3InputMode", "S3DataDistributionType", "S3CompressionType", "S3UploadMode")
TIMES = ("ProcessingEndTime", "ProcessingStartTime", "LastModifiedTime", "CreationTime")
MEMBERS = (
    "ProcessingInputs", "ProcessingOutputConfig", "ProcessingJobName", "ProcessingResources", "StoppingCondition", "NetworkConfig", "RoleArn",
    "ExperimentConfig", "ProcessingJobArn", "ProcessingJobStatus", "FailureReason",
)  # fmt: skip


def detail(job: Job) -> dict[str, Any]:
    """What the event tells of the job as it stands."""
    known = job.described()
    told = {member: _capital(known[member]) for member in MEMBERS if member in known}
    told["AppSpecification"] = {"ImageUri": known["AppSpecification"]["ImageUri"]}
    return told | {member: int(known[member] * 1000) for member in TIMES if member in known}


def _capital(value: Any) -> Any:
    if isinstance(value, list):
        return [_capital(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _written(each) if key in ENUMERATED else _capital(each) for key, each in value.items()}


def _written(word: str) -> str:
    return WRITTEN.get(word) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper()
