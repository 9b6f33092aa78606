"""SageMaker processing jobs. A job's name is the only protection against starting it twice."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, error_message, retryable
from grantor.core.jobs.decide import JobDescription, JobStatus

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


# In the ValidationException of DescribeProcessingJob
NOT_FOUND_TEXT = "Could not find requested job"
# In a ValidationException: SageMaker cannot assume the role, perhaps because it is new
ASSUME_ROLE_TEXT = "assume role"


class NameTaken(RuntimeError):
    """A processing job of this name exists."""


class QuotaReached(RuntimeError):
    """The account may not use so many instances at once.

    The text is SageMaker's and names the quota.
    """


class RequestRefused(RuntimeError):
    """SageMaker refuses the job for good; the text says why and what to do."""


class ProcessingJobs:
    """The processing jobs of one account and Region."""

    def __init__(self, client: "SageMakerClient") -> None:
        self._client = client

    def create_job(self, request: Mapping[str, Any]) -> str:
        """Start a processing job and return its ARN.

        Costs one call. Raises NameTaken, QuotaReached or RequestRefused.
        """
        arguments: Any = request
        try:
            with retryable():
                return self._client.create_processing_job(**arguments)["ProcessingJobArn"]
        except ClientError as error:
            raise _classify_refusal(error, str(request["RoleArn"])) from error

    def describe_job(self, name: str) -> JobDescription | None:
        """Describe a job; None if there is no job of this name. Costs one call."""
        try:
            with retryable():
                answer = self._client.describe_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFound" or NOT_FOUND_TEXT in error_message(error):
                return None
            raise
        found: Mapping[str, Any] = answer
        return JobDescription(
            name,
            JobStatus(found["ProcessingJobStatus"]),
            _epoch_seconds(found.get("CreationTime")),
            _epoch_seconds(found.get("ProcessingStartTime")),
            _epoch_seconds(found.get("ProcessingEndTime")),
            found.get("FailureReason", ""),
            found.get("ExitMessage", ""),
            found.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 0),
            found["ProcessingJobArn"],
        )

    def stop_job(self, name: str) -> None:
        """Ask a job to stop; do nothing if it has ended. Costs one call."""
        try:
            with retryable():
                self._client.stop_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if error_code(error) not in ("ValidationException", "ResourceNotFound"):
                raise


def _classify_refusal(error: ClientError, role: str) -> Exception:
    message = error_message(error)
    match error_code(error):
        case "ResourceInUse":
            return NameTaken(message)
        case "ResourceLimitExceeded":
            return QuotaReached(message)
        case "ValidationException" if ASSUME_ROLE_TEXT in message.lower():
            return RetryableError(f"SageMaker cannot assume {role} yet: {message}")
        case "AccessDeniedException" | "AccessDenied":
            return RequestRefused(_explain_denial(message, role))
    return RequestRefused(f"SageMaker refuses the job: {error_code(error)}: {message}")


def _explain_denial(message: str, role: str) -> str:
    if "PassRole" in message:
        return (
            f"the launcher may not pass {role} to SageMaker: "
            f"name it in the stack's parameter JobRoles. {message}"
        )
    if "AddTags" in message:
        return (
            "the launcher may not tag processing jobs, so it cannot start them: "
            f"allow it sagemaker:AddTags. {message}"
        )
    return (
        "the launcher may not start processing jobs: "
        f"allow it sagemaker:CreateProcessingJob on grantor-*. {message}"
    )


def _epoch_seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
