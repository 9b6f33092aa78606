"""What SageMaker refuses of a CreateProcessingJob request, and what of it is not emulated.

A request for something that is not emulated is refused, never ignored.
"""

from typing import Any

from sandbox.aws_models import ModelViolation, read_service
from sandbox.studio.sagemaker_requests import (
    SageMakerError,
    SageMakerRequest,
    invalid_value,
    require_name,
)

UNSUPPORTED = "The sandbox has no {what} for processing jobs, and does not act as if it had."
UNSUPPORTED_VALUES = (
    "ManifestFile",
    "Pipe",
    "ShardedByS3Key",
    "Gzip",
)  # values of an input that are not emulated


def check_job_request(request: SageMakerRequest) -> None:
    """Refuse what violates the model, what SageMaker refuses besides, and what is not emulated."""
    require_name(request, "ProcessingJobName")
    try:
        read_service("sagemaker").check_request("CreateProcessingJob", request)
    except ModelViolation as wrong:
        raise invalid_value(f"Value at '{wrong.member}' {wrong.why}") from wrong
    cluster = request["ProcessingResources"]["ClusterConfig"]
    for member in ("InstanceType", "InstanceCount"):
        if member not in cluster:
            raise invalid_value(f"Value at '{member}' must not be null.")
    inputs, outputs = request.get("ProcessingInputs") or [], _list_outputs(request)
    for each in (*inputs, *outputs):
        place = each.get("S3Input") or each.get("S3Output") or {}
        if place and not _is_inside(place.get("LocalPath", "")):
            raise invalid_value("Value at 'LocalPath' must begin with /opt/ml/processing/")
    _check_unique([each["InputName"] for each in inputs], "InputName")
    _check_unique([each["OutputName"] for each in outputs], "OutputName")
    if left_out := _list_unsupported(request, inputs, outputs):
        raise SageMakerError("ValidationException", UNSUPPORTED.format(what=", ".join(left_out)))


def _list_outputs(request: SageMakerRequest) -> list[dict[str, Any]]:
    return list((request.get("ProcessingOutputConfig") or {}).get("Outputs") or [])


def _is_inside(path: str) -> bool:
    return path.startswith("/opt/ml/processing/") and ".." not in path.split("/")


def _check_unique(names: list[str], member: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid_value(f"Value at '{member}' must be unique: {', '.join(twice)}")


def _list_unsupported(
    request: SageMakerRequest, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]
) -> list[str]:
    """Return what is requested and not emulated, by its name in the request."""
    cluster = request["ProcessingResources"]["ClusterConfig"]
    unsupported = [
        f"{member} {value}"
        for each in inputs
        for member, value in (each.get("S3Input") or {}).items()
        if value in UNSUPPORTED_VALUES
    ]
    unsupported += [] if all("S3Input" in each for each in inputs) else ["DatasetDefinition"]
    unsupported += [] if all("S3Output" in each for each in outputs) else ["FeatureStoreOutput"]
    unsupported += (
        ["AppManaged"] if any(each.get("AppManaged") for each in (*inputs, *outputs)) else []
    )
    unsupported += ["InstancePreferences"] if cluster.get("InstancePreferences") else []
    unsupported += ["ExperimentConfig"] if request.get("ExperimentConfig") else []
    isolated = (request.get("NetworkConfig") or {}).get("EnableNetworkIsolation")
    return unsupported + (["EnableNetworkIsolation"] if isolated else [])
