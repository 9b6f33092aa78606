"""Nested stacks that fail as AWS's do: a child that cannot be completed takes back what it made, and one that cannot go stays."""

import asyncio
from collections.abc import Callable
from typing import Any

from sandbox.server.seams import use

CLOUD = "ministack.services.cloudformation"
STACK = "AWS::CloudFormation::Stack"
Handler = Callable[..., Any]


def strict(handlers: dict[str, Any]) -> None:
    """Replace how the server's nested stacks fail and how they are deleted."""
    handlers[STACK] |= {"create": _whole_or_not_at_all(handlers[STACK]["create"]), "delete": _delete}


def _whole_or_not_at_all(create: Handler) -> Handler:
    stacks = use(CLOUD, "_stacks")

    def created(logical_id: str, wanted: dict[str, Any], parent: str) -> Any:
        before = set(stacks)
        try:
            return create(logical_id, wanted, parent)
        except Exception as why:
            children = (child for name, child in stacks.items() if name not in before)
            begun = next((child for child in children if child.get("_parent_stack_name") == parent), None)
            if begun is None:
                raise
            _delete(begun["StackId"], wanted)
            # AWS's sentence ends with the resources' names; the reason stands here too, for people.
            raise ValueError(f"Embedded stack {begun['StackId']} was not successfully created: {why}") from why

    return created


def _delete(identifier: str, _: dict[str, Any]) -> None:
    """Delete a child as any other stack, with its events and policies; ValueError, in AWS's words, if something of it stays."""
    name = use(f"{CLOUD}.provisioners", "_nested_stack_lookup_name", "physical_id_or_arn")(identifier)
    child = use(CLOUD, "_stacks").get(name)
    if child is None:
        return
    delete = use(f"{CLOUD}.stacks", "_delete_stack_async", "stack_name, stack_id, retain_resources=(), force=False")
    # Handlers of nested stacks run on threads of their own, where there is no loop yet.
    asyncio.run(delete(name, child["StackId"]))
    if child["StackStatus"] != "DELETE_COMPLETE":
        raise ValueError(f"Embedded stack {child['StackId']} was not successfully deleted: {child['StackStatusReason']}")
