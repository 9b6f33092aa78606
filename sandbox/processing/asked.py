"""What SageMaker asks of a CreateProcessingJob request, and what of it the sandbox does not have: that is refused, never ignored."""

from typing import Any

from sandbox.published import Wrong, service
from sandbox.studio.requests import Refused, Request, invalid, named

WHOLE = "The sandbox has no {what} for processing jobs, and does not act as if it had."
STRANGE = ("ManifestFile", "Pipe", "ShardedByS3Key", "Gzip")  # values of an input that nothing here acts on


def check(request: Request) -> None:
    """Refuse what breaks the published model, what SageMaker refuses beyond it, and what is not emulated."""
    named(request, "ProcessingJobName")
    try:
        service("sagemaker").check("CreateProcessingJob", request)
    except Wrong as wrong:
        raise invalid(f"Value at '{wrong.member}' {wrong.why}") from wrong
    cluster = request["ProcessingResources"]["ClusterConfig"]
    for member in ("InstanceType", "InstanceCount"):
        if member not in cluster:
            raise invalid(f"Value at '{member}' must not be null.")
    inputs, outputs = request.get("ProcessingInputs") or [], _outputs(request)
    for each in (*inputs, *outputs):
        place = each.get("S3Input") or each.get("S3Output") or {}
        if place and not _inside(place.get("LocalPath", "")):
            raise invalid("Value at 'LocalPath' must begin with /opt/ml/processing/")
    _unique([each["InputName"] for each in inputs], "InputName")
    _unique([each["OutputName"] for each in outputs], "OutputName")
    if left_out := _left_out(request, inputs, outputs):
        raise Refused("ValidationException", WHOLE.format(what=", ".join(left_out)))


def _outputs(request: Request) -> list[dict[str, Any]]:
    return list((request.get("ProcessingOutputConfig") or {}).get("Outputs") or [])


def _inside(path: str) -> bool:
    return path.startswith("/opt/ml/processing/") and ".." not in path.split("/")


def _unique(names: list[str], member: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(f"Value at '{member}' must be unique: {', '.join(twice)}")


def _left_out(request: Request, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> list[str]:
    """What is asked for and not emulated, by its name in the request."""
    cluster = request["ProcessingResources"]["ClusterConfig"]
    told = [f"{member} {value}" for each in inputs for member, value in (each.get("S3Input") or {}).items() if value in STRANGE]
    told += [] if all("S3Input" in each for each in inputs) else ["DatasetDefinition"]
    told += [] if all("S3Output" in each for each in outputs) else ["FeatureStoreOutput"]
    told += ["AppManaged"] if any(each.get("AppManaged") for each in (*inputs, *outputs)) else []
    told += ["InstancePreferences"] if cluster.get("InstancePreferences") else []
    told += ["ExperimentConfig"] if request.get("ExperimentConfig") else []
    isolated = (request.get("NetworkConfig") or {}).get("EnableNetworkIsolation")
    return told + (["EnableNetworkIsolation"] if isolated else [])
