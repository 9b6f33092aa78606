"""A deployed stack of Grantor, as far as the demo scenario needs it."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.live.account import Account, AccountNotConfirmed


@dataclass(frozen=True)
class Stack:
    """The stack's name, its outputs, and its Studio domain."""

    name: str
    outputs: dict[str, str]
    domain_name: str
    domain: str  # its id

    @classmethod
    def find_stack(cls, account: Account, name: str) -> "Stack":
        """Find the stack.

        Raises AccountNotConfirmed, with what to do, if the demo scenario cannot run on it.
        """
        try:
            [found] = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as refused:
            raise AccountNotConfirmed(
                f"no stack {name} to run the demo scenario on: {refused}. "
                "Deploy it first: sam deploy --guided"
            ) from refused
        if not found["StackStatus"].endswith("_COMPLETE") or found["StackStatus"].startswith(
            ("DELETE", "ROLLBACK")
        ):
            raise AccountNotConfirmed(
                f"stack {name} is in status {found['StackStatus']}: "
                "the demo scenario needs a complete one"
            )
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
        parameters = {
            each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])
        }
        domain = parameters.get("DomainName", "")
        return cls(name, outputs, domain, _find_domain(account, domain))

    @property
    def data(self) -> str:
        return self.outputs["DataBucket"]

    @property
    def policies(self) -> str:
        return self.outputs["PolicyBucket"]

    @property
    def operations(self) -> str:
        return self.outputs["OperationsBucket"]

    def job_role(self, account: Account) -> str:
        """The first role that jobs may run as, or ""."""
        configuration: dict[str, Any] = account.client("lambda").get_function_configuration(
            FunctionName=self.outputs["StartSparkJob"]
        )
        named = configuration["Environment"]["Variables"]["JOB_ROLES_PARAMETER"]
        found = account.client("ssm").get_parameter(Name=named)["Parameter"]["Value"]
        return str(found).strip("-").partition(",")[0]


def _find_domain(account: Account, name: str) -> str:
    pages = account.client("sagemaker").get_paginator("list_domains").paginate()
    found = [
        each["DomainId"] for page in pages for each in page["Domains"] if each["DomainName"] == name
    ]
    if len(found) != 1:
        why = f"{len(found)} Studio domains have the name in the stack's DomainName, {name!r}"
        raise AccountNotConfirmed(
            f"{why}: the demo scenario needs exactly one. "
            "Deploy with CreateStudio=true, or with the name of an existing domain"
        )
    return str(found[0])
