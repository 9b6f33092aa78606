"""CloudFormation's stacks: what a deployed stack says of itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.clients import code, message

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sts import STSClient


class NoStack(LookupError):
    """There is no stack of the name in this account and Region."""


def outputs(client: "CloudFormationClient", stack: str) -> dict[str, str]:
    """The outputs of a stack; one call. NoStack if there is none."""
    try:
        described = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in message(error):
            raise NoStack(stack) from error
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in described[0].get("Outputs", [])}


def statuses(client: "CloudFormationClient", stack: str) -> tuple[str, str]:
    """How a stack stands, by its name or id, and how the one that it is nested in does, or "". One call, or two."""
    described = client.describe_stacks(StackName=stack)["Stacks"][0]
    parent = described.get("ParentId")
    above = client.describe_stacks(StackName=parent)["Stacks"][0]["StackStatus"] if parent else ""
    return described["StackStatus"], above


@dataclass(frozen=True)
class Caller:
    """Whose credentials these are: the account, and the ARN of the user or of the role's session."""

    account: str
    arn: str


def caller(client: "STSClient") -> Caller:
    """Whose credentials the client has; one call, which no policy can forbid."""
    identity = client.get_caller_identity()
    return Caller(identity["Account"], identity["Arn"])
