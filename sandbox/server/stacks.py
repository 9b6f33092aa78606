"""CloudFormation as strict as AWS's: nothing unknown passes, nothing asked for is silently left out, nothing full is deleted."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sandbox.server.account import trusts
from sandbox.server.completions import complete
from sandbox.server.resources import TYPES
from sandbox.server.seams import use, wrap
from sandbox.stacks import Schemas, problems

CLOUD = "ministack.services.cloudformation"
SCHEMAS = Schemas(next(Path(sys.prefix).glob("lib/python*/site-packages/cfnlint/data/schemas")))
Handler = Callable[..., Any]

# What the server's handlers do not read, and why that is no loss here. Anything else unread fails its resource.
WITHOUT_EFFECT: dict[str, dict[str, str]] = {}


def install() -> None:
    """Add our types to the server's table, and make every entry strict."""
    handlers = use(f"{CLOUD}.provisioners", "_RESOURCE_HANDLERS")
    use(f"{CLOUD}.provisioners", "_REPLACING_PROPERTIES").update({name: it.fixed for name, it in TYPES.items()})
    for name, entry in [*handlers.items(), *((name, it.handlers()) for name, it in TYPES.items())]:
        handlers[name] = entry | {key: _heeding(name, do) for key, do in entry.items() if key == "create"}
    _guard_buckets(handlers)
    complete(handlers)
    _check_roles(handlers)
    wrap(f"{CLOUD}.engine", "_validate_template_statics", "template", _checking)
    wrap(f"{CLOUD}.provisioners", "_check_nested_stack_capabilities", "parent_stack_name, template", _checking_nested)
    wrap(f"{CLOUD}.stacks", "_runs_on_worker_thread", "resource_type", _waiting_elsewhere)
    actions = use(f"{CLOUD}.handlers", "_ACTION_HANDLERS")
    actions["GetTemplate"] = _with_addresses_of_aws(actions["GetTemplate"])


class Heeded(dict[str, Any]):
    """Properties that remember which of them were read."""

    def __init__(self, properties: dict[str, Any]) -> None:
        super().__init__(properties)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.read.add(str(key))
        return super().__contains__(key)

    # Whoever takes all of them, to copy or to pass them on, has read all of them.
    def __iter__(self) -> Iterator[str]:
        self.read.update(super().keys())
        return super().__iter__()

    def keys(self) -> Any:
        self.read.update(super().keys())
        return super().keys()

    def items(self) -> Any:
        self.read.update(super().keys())
        return super().items()


def _heeding(name: str, create: Handler) -> Handler:
    """A creation that fails, and takes back what it made, where it has not looked at a property that was asked for."""

    def heed(logical_id: str, wanted: dict[str, Any], stack: str) -> Any:
        heeded = Heeded(wanted)
        made = create(logical_id, heeded, stack)
        left_out = sorted(wanted.keys() - heeded.read - WITHOUT_EFFECT.get(name, {}).keys())
        if left_out:
            use(f"{CLOUD}.provisioners", "_RESOURCE_HANDLERS")[name]["delete"](made[0], wanted)
            raise ValueError(f"The sandbox has no {', '.join(left_out)} for {name}, and does not act as if it had.")
        return made

    return heed


def _guard_buckets(handlers: dict[str, Any]) -> None:
    delete = handlers["AWS::S3::Bucket"]["delete"]
    buckets, versions = use("ministack.services.s3", "_buckets"), use("ministack.services.s3", "_bucket_has_versions")

    def guarded(bucket: str, had: dict[str, Any]) -> None:
        if bucket in buckets and (buckets[bucket]["objects"] or versions(bucket)):
            raise ValueError(
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket. "
                "(Service: S3, Status Code: 409)"
            )
        delete(bucket, had)

    handlers["AWS::S3::Bucket"] |= {"delete": guarded}


def _check_roles(handlers: dict[str, Any]) -> None:
    create = handlers["AWS::Lambda::Function"]["create"]

    def checked(logical_id: str, wanted: dict[str, Any], stack: str) -> Any:
        if not trusts(str(wanted.get("Role")), "lambda.amazonaws.com", {}):
            raise ValueError("The role defined for the function cannot be assumed by Lambda.")
        return create(logical_id, wanted, stack)

    handlers["AWS::Lambda::Function"] |= {"create": checked}


def _checking(original: Handler) -> Handler:
    def check(template: dict[str, Any]) -> None:
        original(template)
        if not template.get("Transform") and (found := problems(template, SCHEMAS)):
            raise ValueError("; ".join(found))

    return check


def _checking_nested(original: Handler) -> Handler:
    support = use(f"{CLOUD}.engine", "validate_template_support", "template, conditions, params=None")

    def check(parent: str, template: dict[str, Any]) -> Any:
        support(template, {})
        return original(parent, template)

    return check


def _waiting_elsewhere(original: Handler) -> Handler:
    """A domain takes its time, and the server must go on answering meanwhile."""
    return lambda resource_type: resource_type.startswith("AWS::SageMaker::") or original(resource_type)


def _with_addresses_of_aws(original: Handler) -> Handler:
    """A stack tells its nested templates' addresses as AWS would, because `sam delete` reads no other ones."""

    def get(params: Any) -> Any:
        here = re.compile(f"http://(localhost|127\\.0\\.0\\.1):{os.environ['GATEWAY_PORT']}/")
        status, headers, body = original(params)
        region = use("ministack.core.responses", "get_region", "")()
        address = f"https://s3.{region}.amazonaws.com/"
        if isinstance(body, bytes):
            return status, headers, here.sub(address, body.decode()).encode()
        return status, headers, here.sub(address, body)

    return get
