"""Processing jobs: two short ones in the image that Grantor's jobs run in, on one small machine each."""

from typing import Any

from grantor.core.jobs.request import image
from tests.live.ground import Ground
from tests.live.probe import Finding, Open, probe
from tests.live.waiting import until

PATIENCE = 1800.0  # seconds: a machine is found, the image pulled and the job ended in some five minutes
COSTS = "a processing job of some minutes on one ml.t3.medium, about a cent"
OVER = ("Completed", "Failed", "Stopped")
SAID, CODE = "said by the container", 13
PROGRAM = "import sys; open(sys.argv[1], 'w').write(sys.argv[2]); sys.exit(int(sys.argv[3]))"


@probe(costs=COSTS)
def job_failure_reason(here: Ground) -> Finding:
    """How does a container that failed show in `FailureReason`?"""
    return way_of(_ended(here, _role(here, pulls=True), CODE).get("FailureReason", ""), CODE, SAID)


def way_of(reason: str, code: int, said: str) -> Finding:
    """The way in which FailureReason tells of an exit code and of the container's own words; Open if it is none that is known."""
    if said in reason:
        return Finding("message", reason)
    if f"exit code: {code}" in reason:
        return Finding("code", reason)
    if "See job logs" in reason:
        return Finding("logs", reason)
    raise Open(f"FailureReason is {reason!r}")


@probe(costs=COSTS)
def job_image_needs_rights(here: Ground) -> Finding:
    """Does the execution role need rights to pull AWS's own image?"""
    told = _ended(here, _role(here, pulls=False), 0)
    status, reason = told["ProcessingJobStatus"], told.get("FailureReason", "")
    if status == "Failed" and "ClientError" not in reason:
        raise Open(f"a job of a role without any right failed for another reason: {reason}")
    return Finding(status == "Failed", f"a job of a role without any right: {status} {reason}".rstrip())


def _ended(here: Ground, role: str, code: int) -> dict[str, Any]:
    """A job that says something and ends with this code, once it has ended."""
    sagemaker, name = here.account.client("sagemaker"), role.rpartition("/")[2]
    asked = {
        "ProcessingJobName": name,
        "RoleArn": role,
        "AppSpecification": {
            "ImageUri": image(here.account.region),
            "ContainerEntrypoint": ["python3", "-c", PROGRAM],
            "ContainerArguments": ["/opt/ml/output/message", SAID, str(code)],
        },
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 20}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "Tags": here.tags,
    }
    here.made.add("sagemaker", "end_job", name=name)
    until("SageMaker may assume the role", lambda: _started(sagemaker, asked))
    until("the job is over", lambda: _told(sagemaker, name)["ProcessingJobStatus"] in OVER, PATIENCE)
    return _told(sagemaker, name)


def _started(sagemaker: Any, asked: dict[str, Any]) -> bool:
    """Whether the job is made; a role that is new can't be assumed everywhere yet."""
    try:
        sagemaker.create_processing_job(**asked)
    except sagemaker.exceptions.ClientError as refused:
        if "assume role" in str(refused).lower():
            return False
        raise
    return True


def _told(sagemaker: Any, name: str) -> dict[str, Any]:
    return dict(sagemaker.describe_processing_job(ProcessingJobName=name))


def _role(here: Ground, *, pulls: bool) -> str:
    rights = {
        "Action": [
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ]
    }
    trust = {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return here.role(trust, *([rights | {"Resource": "*"}] if pulls else []))
