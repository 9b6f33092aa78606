"""SageMaker's processing jobs: made, asked about, stopped. A job's name is all there is against making it twice."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet, code, message, passing
from grantor.core.jobs.decide import Status, Told

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


GONE = "Could not find requested job"  # in the ValidationException of a Describe, as SageMaker words it
YOUNG = "assume role"  # in the one for a role that SageMaker can't assume, which a role of seconds ago is, too


class Taken(RuntimeError):
    """A processing job of this name exists."""


class QuotaReached(RuntimeError):
    """The account may not have so many machines at once; the text is SageMaker's, which names the quota."""


class Refused(RuntimeError):
    """SageMaker will not make the job, however often it is asked; the text says why and what to do."""


class ProcessingJobs:
    """The processing jobs of one account and Region. Each word raises NotYet when SageMaker can't do it now."""

    def __init__(self, client: "SageMakerClient") -> None:
        self._client = client

    def create(self, request: Mapping[str, Any]) -> str:
        """Make a processing job; its ARN. One call. Raises Taken, QuotaReached, Refused; after NotYet it may exist all the same."""
        asked: Any = request
        try:
            with passing():
                return self._client.create_processing_job(**asked)["ProcessingJobArn"]
        except ClientError as error:
            raise _why(error, str(request["RoleArn"])) from error

    def describe(self, name: str) -> Told | None:
        """What SageMaker says of a job; None if it knows none of the name. One call; ClientError if it won't say."""
        try:
            with passing():
                told: Mapping[str, Any] = self._client.describe_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if code(error) == "ResourceNotFound" or GONE in message(error):
                return None
            raise
        return Told(
            name,
            Status(told["ProcessingJobStatus"]),
            _seconds(told.get("CreationTime")),
            _seconds(told.get("ProcessingStartTime")),
            _seconds(told.get("ProcessingEndTime")),
            told.get("FailureReason", ""),
            told.get("ExitMessage", ""),
            told.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 0),
            told["ProcessingJobArn"],
        )

    def stop(self, name: str) -> None:
        """Ask a job to stop; one that is over already is left as it is. One call; ClientError if SageMaker won't."""
        try:
            with passing():
                self._client.stop_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if code(error) not in ("ValidationException", "ResourceNotFound"):
                raise


def _why(error: ClientError, role: str) -> Exception:
    said = message(error)
    match code(error):
        case "ResourceInUse":
            return Taken(said)
        case "ResourceLimitExceeded":
            return QuotaReached(said)
        case "ValidationException" if YOUNG in said.lower():
            return NotYet(f"SageMaker can not assume {role} yet: {said}")
        case "AccessDeniedException" | "AccessDenied":
            return Refused(_denied(said, role))
    return Refused(f"SageMaker refuses the job: {code(error)}: {said}")


def _denied(said: str, role: str) -> str:
    if "PassRole" in said:
        return f"the launcher may not pass {role} to SageMaker: name it in the stack's parameter JobRoles. {said}"
    if "AddTags" in said:
        return f"the launcher may not tag processing jobs, and so not make them: allow it sagemaker:AddTags. {said}"
    return f"the launcher may not start processing jobs: allow it sagemaker:CreateProcessingJob on grantor-*. {said}"


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
