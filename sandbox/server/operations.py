"""Operations of CloudFormation that say what AWS's would.

A stack that was rolled back is deleted first, addresses are AWS's, and a nested stack tells what it is nested in.
"""

import os
import re
from collections.abc import Callable
from typing import Any

from sandbox.server.seams import use

CLOUD = "ministack.services.cloudformation"
Handler = Callable[[dict[str, Any]], Any]


def install() -> None:
    """Stand before the server's own operations."""
    actions = use(f"{CLOUD}.handlers", "_ACTION_HANDLERS")
    actions["GetTemplate"] = _with_addresses_of_aws(actions["GetTemplate"])
    actions["DescribeStacks"] = _with_parents(actions["DescribeStacks"])
    for name in ("CreateStack", "UpdateStack", "CreateChangeSet"):
        actions[name] = _where_nothing_was_rolled_back(name, actions[name])


def _where_nothing_was_rolled_back(action: str, original: Handler) -> Handler:
    """A creation that failed leaves a record, which takes neither an update nor another creation."""
    error = use(f"{CLOUD}.helpers", "_error", "code, message, status=400")

    def act(params: dict[str, Any]) -> Any:
        stack = use(CLOUD, "_stacks").get(_first(params, "StackName")) or {}
        if stack.get("StackStatus") != "ROLLBACK_COMPLETE":
            return original(params)
        if action == "CreateStack":
            return error("AlreadyExistsException", f"Stack [{stack['StackName']}] already exists")
        if _first(params, "ChangeSetType") == "CREATE":
            again = f"cannot be created again with the changeSet [{_first(params, 'ChangeSetName')}]."
            return error("ValidationError", f"Stack [{stack['StackName']}] already exists and {again}")
        return error("ValidationError", f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated.")

    return act


def _first(params: dict[str, Any], name: str) -> str:
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def _with_addresses_of_aws(original: Handler) -> Handler:
    """A stack tells its nested templates' addresses as AWS would, because `sam delete` reads no other ones."""

    def get(params: dict[str, Any]) -> Any:
        here = re.compile(f"http://(localhost|127\\.0\\.0\\.1):{os.environ['GATEWAY_PORT']}/")
        status, headers, body = original(params)
        region = use("ministack.core.responses", "get_region", "")()
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, here.sub(f"https://s3.{region}.amazonaws.com/", text).encode()

    return get


def _with_parents(original: Handler) -> Handler:
    def describe(params: dict[str, Any]) -> Any:
        status, headers, body = original(params)
        parents = {
            stack["StackId"]: stack["ParentId"]
            for stack in use(CLOUD, "_stacks").values()
            if stack.get("_parent_stack_name") and stack.get("ParentId")
        }

        def told(found: re.Match[str]) -> str:
            parent = root = parents.get(found[1])
            while root in parents:
                root = parents[root]
            return found[0] + (f"<ParentId>{parent}</ParentId><RootId>{root}</RootId>" if parent else "")

        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, re.sub("<StackId>([^<]+)</StackId>", told, text).encode()

    return describe
