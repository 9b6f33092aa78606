"""Create and delete the packaged stack with CloudFormation in an account that is empty before.

stack = account.build_stack()     its templates, which a test can change before the creation
stack.create(RetainData="true")   create it; returns the final status
stack.delete()                    delete it; returns the final status
account.list_resources()          all resources in any service, without the packaged artifacts
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.testing.helpers import call_control, reset_sandbox
from sandbox.testing.inventory import list_everything
from tests.clients.sam import Sam
from tests.conftest import ACCOUNT, ROOT, Sandbox

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
ARTIFACTS = "artifacts"
STACK_NAME = "grantor"
TIMEOUT_SECONDS = 150  # usually five seconds are enough


@dataclass(frozen=True)
class Package:
    """The objects that `sam package` uploaded, and the template that refers to them."""

    objects: dict[str, bytes]
    template: str

    @property
    def nested_key(self) -> str:
        """The key of the nested template."""
        return next(
            key
            for key, body in self.objects.items()
            if key.endswith(".template") and b"StudioHome" in body
        )


def package_stack(sandbox: Sandbox, folder: Path) -> Package:
    """Package the artifacts that `make build` has built."""
    s3, written = sandbox.client("s3"), folder / "packaged.yaml"
    s3.create_bucket(Bucket=ARTIFACTS)
    built = ("--template", ROOT / ".aws-sam/build/template.yaml", "--no-progressbar")
    Sam(sandbox, ROOT)(
        "package", *built, "--s3-bucket", ARTIFACTS, "--output-template-file", written
    )
    listed = s3.list_objects_v2(Bucket=ARTIFACTS)["Contents"]
    objects = {
        it["Key"]: s3.get_object(Bucket=ARTIFACTS, Key=it["Key"])["Body"].read() for it in listed
    }
    return Package(objects, written.read_text())


@dataclass(frozen=True)
class EmptyAccount:
    """An account that contains only the packaged artifacts."""

    sandbox: Sandbox
    package: Package
    _clients: dict[str, Any] = field(default_factory=dict)

    def reset(self) -> None:
        """Delete everything, and upload the artifacts."""
        reset_sandbox(self.sandbox)
        self.client("s3").create_bucket(Bucket=ARTIFACTS)
        for key, body in self.package.objects.items():
            self.client("s3").put_object(Bucket=ARTIFACTS, Key=key, Body=body)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.sandbox.client(service)
        return self._clients[service]

    def list_resources(self) -> set[str]:
        return set(list_everything(self.client, ACCOUNT)) - {f"s3 buckets: {ARTIFACTS}"}

    def build_stack(self, name: str = STACK_NAME) -> "DeployedStack":
        return DeployedStack(
            self,
            self.package.template,
            self.package.objects[self.package.nested_key].decode(),
            name,
        )

    def inject_fault(self, service: str, operation: str, after: int = 0, **more: Any) -> None:
        """Refuse one call of CleanUp or CloseStudio, after so many, with a permanent error."""
        rule = {
            "service": service,
            "operation": operation,
            "after": after,
            "times": 1,
            "principal": f"{STACK_NAME}-Cl*",
        }
        refusal = {
            "kind": "refuse",
            "code": "Interrupted",
            "status": 400,
            "message": "the call was interrupted by the test",
        }
        call_control(self.sandbox, "faults", "POST", {"rules": [rule | refusal | more]})

    def count_strikes(self) -> list[int]:
        """Count how often each fault was applied."""
        return [rule["struck"] for rule in call_control(self.sandbox, "faults")["rules"]]


@dataclass
class DeployedStack:
    """A stack and its templates."""

    account: EmptyAccount
    template: str
    nested_template: str
    name: str

    def fail_after(self, *names: str) -> None:
        """Add a queue that cannot be created, after these resources."""
        self.template = _add_failing_queue(self.template, names)

    def fail_nested_after(self, *names: str) -> None:
        self.nested_template = _add_failing_queue(self.nested_template, names)

    def create(self, **parameters: str) -> str:
        put = self.account.client("s3").put_object
        put(
            Bucket=ARTIFACTS,
            Key=self.account.package.nested_key,
            Body=self.nested_template.encode(),
        )
        put(Bucket=ARTIFACTS, Key="packaged.yaml", Body=self.template.encode())
        self._cloudformation.create_stack(
            StackName=self.name,
            TemplateURL=f"{self.account.sandbox.url}/{ARTIFACTS}/packaged.yaml",
            Capabilities=CAPABILITIES,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        return self._wait_for_status(self.name)

    def delete(self) -> str:
        identifier = self._describe(self.name)["StackId"]
        self._cloudformation.delete_stack(StackName=self.name)
        return self._wait_for_status(identifier)

    def read_outputs(self) -> dict[str, str]:
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in self._describe(self.name)["Outputs"]
        }

    def find_physical_id(self, name: str) -> str:
        """Find the physical id of a resource of this stack or the nested one."""
        own = self._list_physical_ids(self.name)
        return own[name] if name in own else self._list_physical_ids(own["Studio"])[name]

    def describe_failures(self) -> str:
        """Describe every failure that CloudFormation reports, including the nested stack's."""
        stacks = [
            it["StackId"]
            for it in self._cloudformation.list_stacks()["StackSummaries"]
            if it["StackName"].startswith(self.name)
        ]
        events = [
            it
            for stack in stacks
            for it in self._cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        ]
        failed = [it for it in events if it["ResourceStatus"].endswith("_FAILED")]
        return "\n".join(
            f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason')}" for it in failed
        )

    @property
    def _cloudformation(self) -> Any:
        return self.account.client("cloudformation")

    def _list_physical_ids(self, stack: str) -> dict[str, str]:
        listed = self._cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed
        }

    def _describe(self, name: str) -> dict[str, Any]:
        return dict(self._cloudformation.describe_stacks(StackName=name)["Stacks"][0])

    def _wait_for_status(self, name: str) -> str:
        wait_until(lambda: not self._describe(name)["StackStatus"].endswith("_IN_PROGRESS"))
        return str(self._describe(name)["StackStatus"])


def _add_failing_queue(template: str, names: tuple[str, ...]) -> str:
    broken = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": list(names),
        "Properties": {"VisibilityTimeout": 99999},
    }
    found, resources, rest = template.partition("\nResources:\n")
    assert resources
    return f"{found}{resources}  Broken: {json.dumps(broken)}\n{rest}"


def wait_until(look: Callable[[], Any]) -> Any:
    """Wait until `look` returns something true, and return it."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not (seen := look()):
        assert time.monotonic() < end, f"not true within {TIMEOUT_SECONDS} s"
        time.sleep(0.05)
    return seen
