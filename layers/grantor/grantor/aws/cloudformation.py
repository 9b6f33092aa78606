"""Deployed stacks of CloudFormation, and the caller's identity.

Errors of AWS pass unchanged.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.clients import error_code, error_message

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sts import STSClient


class StackNotFound(LookupError):
    """No stack of this name in this account and Region."""


def read_outputs(client: "CloudFormationClient", stack: str) -> dict[str, str]:
    """Read the outputs of a stack. Costs one call. Raises StackNotFound if it does not exist."""
    try:
        described = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error_code(error) == "ValidationError" and "does not exist" in error_message(error):
            raise StackNotFound(stack) from error
        raise
    return {
        output["OutputKey"]: output["OutputValue"] for output in described[0].get("Outputs", [])
    }


def read_statuses(client: "CloudFormationClient", stack: str) -> tuple[str, str]:
    """Read the status of a stack, by name or id, and of the stack that it is nested in, or "".

    Costs one call, or two.
    """
    described = client.describe_stacks(StackName=stack)["Stacks"][0]
    parent = described.get("ParentId")
    if not parent:
        return described["StackStatus"], ""
    return described["StackStatus"], client.describe_stacks(StackName=parent)["Stacks"][0][
        "StackStatus"
    ]


def is_rolling_back(client: "CloudFormationClient", stack: str) -> bool:
    """Whether a change of a stack, or of the one that it is nested in, is being undone.

    Costs one call, or two.
    """
    return any("ROLLBACK" in status for status in read_statuses(client, stack))


@dataclass(frozen=True, order=True)
class StackResource:
    """A resource of a stack: its logical id, its type, and its physical id."""

    name: str
    kind: str
    id: str


def list_resources(client: "CloudFormationClient", stack: str) -> list[StackResource]:
    """List the resources of a stack, by its name or id, that exist as far as CloudFormation knows.

    Costs a call per 100. Raises ClientError.
    """
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    listed = (one for page in pages for one in page["StackResourceSummaries"])
    return [
        StackResource(one["LogicalResourceId"], one["ResourceType"], one["PhysicalResourceId"])
        for one in listed
        if one.get("PhysicalResourceId") and one["ResourceStatus"] != "DELETE_COMPLETE"
    ]


@dataclass(frozen=True)
class Caller:
    """The caller: the account, the ARN of the user or of the role's session, and the id that IAM's
    policies know as aws:userid.
    """

    account: str
    arn: str
    user_id: str


def read_caller(client: "STSClient") -> Caller:
    """Read whose credentials the client has. Costs one call, which no policy can forbid."""
    identity = client.get_caller_identity()
    return Caller(identity["Account"], identity["Arn"], identity["UserId"])
