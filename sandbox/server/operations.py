"""Operations of CloudFormation that say what AWS's would: a stack that was rolled back is deleted first, and addresses are AWS's."""

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
