"""A stack as `sam package` made it, created and deleted by CloudFormation alone, as often as a test wants, in an account that is empty before.

stack = stage.stack()                  the template and its nested one, which a test may change before it creates
stack.create(RetainData="true")        the status that it settles in
stack.delete()                         likewise
stage.things()                         all there is in any service but the stage's own
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
NAME = "grantor"
PATIENCE = 150  # seconds for what takes five where all is well


@dataclass(frozen=True)
class Package:
    """What `sam package` uploaded, by its keys, and the template that names it."""

    objects: dict[str, bytes]
    template: str

    @property
    def nested(self) -> str:
        """The key of the nested template."""
        return next(
            key
            for key, body in self.objects.items()
            if key.endswith(".template") and b"StudioHome" in body
        )


def package(sandbox: Sandbox, folder: Path) -> Package:
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
class Stage:
    """An account with nothing in it but the packaged artifacts."""

    sandbox: Sandbox
    package: Package
    _clients: dict[str, Any] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything, and put the artifacts there."""
        reset_sandbox(self.sandbox)
        self.client("s3").create_bucket(Bucket=ARTIFACTS)
        for key, body in self.package.objects.items():
            self.client("s3").put_object(Bucket=ARTIFACTS, Key=key, Body=body)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.sandbox.client(service)
        return self._clients[service]

    def things(self) -> set[str]:
        return set(list_everything(self.client, ACCOUNT)) - {f"s3 buckets: {ARTIFACTS}"}

    def stack(self, name: str = NAME) -> "Stack":
        return Stack(
            self, self.package.template, self.package.objects[self.package.nested].decode(), name
        )

    def fault(self, service: str, operation: str, after: int = 0, **more: Any) -> None:
        """The next call of CleanUp or CloseStudio after so many is refused, once, for a reason that does not pass by itself."""
        rule = {
            "service": service,
            "operation": operation,
            "after": after,
            "times": 1,
            "principal": f"{NAME}-Cl*",
        }
        refusal = {
            "kind": "refuse",
            "code": "Interrupted",
            "status": 400,
            "message": "the cleaner has tripped over the cable",
        }
        call_control(self.sandbox, "faults", "POST", {"rules": [rule | refusal | more]})

    def struck(self) -> list[int]:
        """How often each fault has struck."""
        return [rule["struck"] for rule in call_control(self.sandbox, "faults")["rules"]]


@dataclass
class Stack:
    """One stack and its templates."""

    stage: Stage
    template: str
    nested: str
    name: str

    def broken_after(self, *names: str) -> None:
        """Put a queue that can't be made behind these resources."""
        self.template = _broken(self.template, names)

    def nested_broken_after(self, *names: str) -> None:
        self.nested = _broken(self.nested, names)

    def create(self, **parameters: str) -> str:
        put = self.stage.client("s3").put_object
        put(Bucket=ARTIFACTS, Key=self.stage.package.nested, Body=self.nested.encode())
        put(Bucket=ARTIFACTS, Key="packaged.yaml", Body=self.template.encode())
        self._cloud.create_stack(
            StackName=self.name, TemplateURL=f"{self.stage.sandbox.url}/{ARTIFACTS}/packaged.yaml", Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )  # fmt: skip
        return self._settled(self.name)

    def delete(self) -> str:
        identifier = self._described(self.name)["StackId"]
        self._cloud.delete_stack(StackName=self.name)
        return self._settled(identifier)

    def outputs(self) -> dict[str, str]:
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in self._described(self.name)["Outputs"]
        }

    def physical(self, name: str) -> str:
        """The physical id of a resource, of the nested stack if this one has none of the name."""
        own = self._physical(self.name)
        return own[name] if name in own else self._physical(own["Studio"])[name]

    def why(self) -> str:
        """Every failure that CloudFormation reports, also of the nested stack; for people."""
        stacks = [
            it["StackId"]
            for it in self._cloud.list_stacks()["StackSummaries"]
            if it["StackName"].startswith(self.name)
        ]
        events = [
            it
            for stack in stacks
            for it in self._cloud.describe_stack_events(StackName=stack)["StackEvents"]
        ]
        failed = [it for it in events if it["ResourceStatus"].endswith("_FAILED")]
        return "\n".join(
            f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason')}" for it in failed
        )

    @property
    def _cloud(self) -> Any:
        return self.stage.client("cloudformation")

    def _physical(self, stack: str) -> dict[str, str]:
        listed = self._cloud.describe_stack_resources(StackName=stack)["StackResources"]
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed
        }

    def _described(self, name: str) -> dict[str, Any]:
        return dict(self._cloud.describe_stacks(StackName=name)["Stacks"][0])

    def _settled(self, name: str) -> str:
        until(lambda: not self._described(name)["StackStatus"].endswith("_IN_PROGRESS"))
        return str(self._described(name)["StackStatus"])


def _broken(template: str, names: tuple[str, ...]) -> str:
    broken = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": list(names),
        "Properties": {"VisibilityTimeout": 99999},
    }
    found, resources, rest = template.partition("\nResources:\n")
    assert resources
    return f"{found}{resources}  Broken: {json.dumps(broken)}\n{rest}"


def until(look: Callable[[], Any]) -> Any:
    """What is seen at last, when it is true."""
    end = time.monotonic() + PATIENCE
    while not (seen := look()):
        assert time.monotonic() < end, "it was waited for in vain"
        time.sleep(0.05)
    return seen
