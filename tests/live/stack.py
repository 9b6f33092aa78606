"""A deployed stack of Grantor, as far as the story needs it."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.live.account import Account, NotAsked


@dataclass(frozen=True)
class Stack:
    """Its name, its outputs, and the Studio domain that its policy files may name."""

    name: str
    outputs: dict[str, str]
    domain_name: str
    domain: str  # its id

    @classmethod
    def of(cls, account: Account, name: str) -> "Stack":
        """The stack with this name; NotAsked, with what to do, if there is none that the story can be played on."""
        try:
            [found] = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as refused:
            raise NotAsked(f"no stack {name} to play the story on: {refused}. Deploy it first: sam deploy --guided") from refused
        if not found["StackStatus"].endswith("_COMPLETE") or found["StackStatus"].startswith(("DELETE", "ROLLBACK")):
            raise NotAsked(f"stack {name} is in status {found['StackStatus']}: the story wants one that is complete")
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
        parameters = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}
        domain = parameters.get("DomainName", "")
        return cls(name, outputs, domain, _domain(account, domain))

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
        """The first of the roles that jobs may run as; "" if there is none."""
        told: dict[str, Any] = account.client("lambda").get_function_configuration(FunctionName=self.outputs["StartSparkJob"])
        return str(told["Environment"]["Variables"].get("JOB_ROLES", "")).partition(",")[0]


def _domain(account: Account, name: str) -> str:
    pages = account.client("sagemaker").get_paginator("list_domains").paginate()
    found = [each["DomainId"] for page in pages for each in page["Domains"] if each["DomainName"] == name]
    if len(found) != 1:
        why = f"{len(found)} Studio domains are called {name!r}, as the stack's parameter DomainName says"
        raise NotAsked(
            f"{why}: the story needs exactly one. Deploy with CreateStudio=true, or with the name of a domain that there is"
        )
    return str(found[0])
