"""Processing jobs: four short ones in the image of Grantor's jobs, on one small machine each."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from grantor.core.jobs.request import hash_request, image_uri
from tests.live.probe import Finding, NotApplicable, StillOpen, probe
from tests.live.waiting import wait_for
from tests.live.workspace import Workspace

PATIENCE = (
    1800.0  # seconds: a machine is found, the image pulled and the job ended in some five minutes
)
COSTS = "a processing job of some minutes on one ml.t3.medium, about a cent"
OVER = ("Completed", "Failed", "Stopped")
SAID, CODE = "said by the container", 13
PROGRAM = "import sys; open(sys.argv[1], 'w').write(sys.argv[2]); sys.exit(int(sys.argv[3]))"


@probe(costs=COSTS)
def job_failure_reason(workspace: Workspace) -> Finding:
    """How does a failed container appear in `FailureReason`?"""
    return classify_reason(
        _run_job(workspace, _create_job_role(workspace, pulls=True), CODE).get("FailureReason", ""),
        CODE,
        SAID,
    )


def classify_reason(reason: str, code: int, said: str) -> Finding:
    """Classify how FailureReason shows an exit code or the container's output.

    Raises StillOpen if it is neither.
    """
    if said in reason:
        return Finding("message", reason)
    if f"exit code: {code}" in reason:
        return Finding("code", reason)
    if "See job logs" in reason:
        return Finding("logs", reason)
    raise StillOpen(f"FailureReason is {reason!r}")


@probe(costs=COSTS)
def job_image_needs_rights(workspace: Workspace) -> Finding:
    """Does the execution role need permissions to pull AWS's own image?"""
    answer = _run_job(workspace, _create_job_role(workspace, pulls=False), 0)
    status, reason = answer["ProcessingJobStatus"], answer.get("FailureReason", "")
    if status == "Failed" and "ClientError" not in reason:
        raise StillOpen(f"a job of a role without any right failed for another reason: {reason}")
    return Finding(
        status == "Failed", f"a job of a role without any right: {status} {reason}".rstrip()
    )


@probe(costs=COSTS)
def job_description(workspace: Workspace) -> Finding:
    """Does DescribeProcessingJob return role, image, entry point, arguments, environment and inputs
    as they were asked for?
    """
    role = _create_job_role(workspace, pulls=True)
    return classify_description(_build_request(workspace, role, 0), _run_job(workspace, role, 0))


@probe(costs="nothing, or a processing job that fails before it begins")
def job_network_fails_at(workspace: Workspace) -> Finding:
    """Where does a job in a network fail whose execution role lacks the rights of EC2?"""
    network = _find_network(workspace)
    role = _create_job_role(workspace, pulls=True)
    try:
        answer = _run_job(workspace, role, 0, NetworkConfig={"VpcConfig": network})
    except ClientError as refused:
        return Finding("create", str(refused))
    reason = answer.get("FailureReason", "")
    if answer["ProcessingJobStatus"] != "Failed":
        raise StillOpen(f"the job is {answer['ProcessingJobStatus']} without these rights")
    return Finding("run", reason)


def _find_network(workspace: Workspace) -> dict[str, list[str]]:
    """A subnet and a security group of the account's default network.

    Raises NotApplicable if it has none.
    """
    ec2 = workspace.account.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    if not subnets["Subnets"]:
        raise NotApplicable("the account has no default network in this Region")
    first = subnets["Subnets"][0]
    wanted = {"vpc-id": first["VpcId"], "group-name": "default"}
    groups = ec2.describe_security_groups(
        Filters=[{"Name": name, "Values": [value]} for name, value in wanted.items()]
    )["SecurityGroups"]
    return {"Subnets": [first["SubnetId"]], "SecurityGroupIds": [groups[0]["GroupId"]]}


def classify_description(asked: Mapping[str, Any], described: Mapping[str, Any]) -> Finding:
    """Classify how a description returns its request.

    Raises StillOpen if the launcher would not recognise its own job by it.
    """
    if hash_request(asked) != hash_request(described):
        changed = sorted(key for key in asked if asked[key] != described.get(key))
        raise StillOpen(f"the description differs in {', '.join(changed)}")
    exact = all(described.get(key) == value for key, value in asked.items() if key != "Tags")
    return Finding("asked" if exact else "defaults", ", ".join(sorted(described)))


def _run_job(workspace: Workspace, role: str, code: int, **more: Any) -> dict[str, Any]:
    """Run a job that prints a text and exits with this code; return its description.

    `more` are other members of its request.
    """
    sagemaker = workspace.account.client("sagemaker")
    asked = _build_request(workspace, role, code) | more
    name = asked["ProcessingJobName"]
    workspace.cleanup.add("sagemaker", "end_job", name=name)
    wait_for("SageMaker may assume the role", lambda: _try_start(sagemaker, asked))
    wait_for(
        "the job is over",
        lambda: _describe_job(sagemaker, name)["ProcessingJobStatus"] in OVER,
        PATIENCE,
    )
    return _describe_job(sagemaker, name)


def _build_request(workspace: Workspace, role: str, code: int) -> dict[str, Any]:
    return {
        "ProcessingJobName": role.rpartition("/")[2],
        "RoleArn": role,
        "AppSpecification": {
            "ImageUri": image_uri(workspace.account.region),
            "ContainerEntrypoint": ["python3", "-c", PROGRAM],
            "ContainerArguments": ["/opt/ml/output/message", SAID, str(code)],
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": "ml.t3.medium",
                "InstanceCount": 1,
                "VolumeSizeInGB": 20,
            }
        },
        "Environment": {},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "Tags": workspace.tags,
    }


def _try_start(sagemaker: Any, asked: dict[str, Any]) -> bool:
    """Start the job; return False if SageMaker cannot assume a new role yet."""
    try:
        sagemaker.create_processing_job(**asked)
    except sagemaker.exceptions.ClientError as refused:
        if "assume role" in str(refused).lower():
            return False
        raise
    return True


def _describe_job(sagemaker: Any, name: str) -> dict[str, Any]:
    return dict(sagemaker.describe_processing_job(ProcessingJobName=name))


def _create_job_role(workspace: Workspace, *, pulls: bool) -> str:
    rights = {
        "Action": [
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ]
    }
    trust = {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return workspace.create_role(trust, *([rights | {"Resource": "*"}] if pulls else []))
