"""CloudFormation as boto3 sees it, on a server that is emptied after each test.

What a failed stack leaves is everything there is.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.testing.helpers import reset_sandbox
from sandbox.testing.inventory import list_everything
from sandbox.testing.running import ACCOUNT, Sandbox

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


@dataclass(frozen=True)
class Stacks:
    """Stacks by their names.

    Each operation is waited for and answered with the status that the stack settles in.
    """

    sandbox: Sandbox
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.sandbox.client(service)
        return self._clients[service]

    @property
    def cloud(self) -> Any:
        return self.client("cloudformation")

    def create(self, name: str, template: str) -> str:
        made = self.cloud.create_stack(
            StackName=name, TemplateBody=template, Capabilities=CAPABILITIES
        )
        return self.settled(made["StackId"])

    def update(self, name: str, template: str) -> str:
        self.cloud.update_stack(StackName=name, TemplateBody=template, Capabilities=CAPABILITIES)
        return self.settled(name)

    def delete(self, name: str) -> str:
        identifier = self.described(name)["StackId"]
        self.cloud.delete_stack(StackName=name)
        return self.settled(identifier)

    def settled(self, name: str) -> str:
        until = time.monotonic() + 30
        while (status := self.described(name)["StackStatus"]).endswith("_IN_PROGRESS"):
            assert time.monotonic() < until, f"{name} is still {status}"
            time.sleep(0.02)
        return str(status)

    def described(self, name: str) -> dict[str, Any]:
        return dict(self.cloud.describe_stacks(StackName=name)["Stacks"][0])

    def outputs(self, name: str) -> dict[str, str]:
        return {
            output["OutputKey"]: output["OutputValue"] for output in self.described(name)["Outputs"]
        }

    def events(self, name: str) -> list[tuple[str, str]]:
        """Resource and status, oldest first."""
        return [
            (event["LogicalResourceId"], event["ResourceStatus"]) for event in self._events(name)
        ]

    def why(self, name: str) -> dict[str, str]:
        """The reason of each resource that failed."""
        failed = [
            event for event in self._events(name) if event["ResourceStatus"].endswith("_FAILED")
        ]
        return {
            event["LogicalResourceId"]: event["ResourceStatusReason"]
            for event in failed
            if event.get("PhysicalResourceId") != event["StackId"]
        }

    def _events(self, name: str) -> list[dict[str, Any]]:
        return list(reversed(self.cloud.describe_stack_events(StackName=name)["StackEvents"]))

    def physical(self, name: str) -> dict[str, str]:
        """The physical id of each resource."""
        listed = self.cloud.describe_stack_resources(StackName=name)["StackResources"]
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed
        }

    def things(self) -> frozenset[str]:
        """Everything that exists in any service."""
        return list_everything(self.client, ACCOUNT)

    def put_template(self, key: str, template: str) -> str:
        """The address of a template for a nested stack."""
        self.client("s3").create_bucket(Bucket="templates")
        self.client("s3").put_object(Bucket="templates", Key=key, Body=template.encode())
        return f"{self.sandbox.url}/templates/{key}"


@pytest.fixture(scope="module")
def own_stacks(start_sandbox: Callable[..., Sandbox]) -> Stacks:
    return Stacks(start_sandbox())


@pytest.fixture
def stacks(own_stacks: Stacks) -> Iterator[Stacks]:
    yield own_stacks
    reset_sandbox(own_stacks.sandbox)
