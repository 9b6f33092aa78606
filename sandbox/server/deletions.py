"""A resource that can't be deleted keeps what it stands on, and both stay in their stack until the next try.

The server by itself goes on deleting what the failed resource depends on, a custom resource's function for example; and a rollback
that could not delete something forgets it. The reason and the events then name only what really failed.
"""

import copy
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.server.seams import use, wrap

CLOUD = "ministack.services.cloudformation"
SUBJECT = "The following resource(s) failed to delete: ["
FAILED: dict[str, set[str]] = {}  # by stack, of the deletion or rollback in hand
TEMPLATES: dict[str, dict[str, Any]] = {}  # of the stacks that are being rolled back, whose records have none yet


class Kept(Exception):
    """Something that stands on the resource could not be deleted, so the resource is not even tried."""


def install() -> None:
    """Stand between the server's deletions and its resources."""
    event = "stack_id, stack_name, logical_id, resource_type, status, reason='', physical_id='', detailed_status=''"
    deletion = "stack_name, stack_id, retain_resources=(), force=False"
    rollback = "stack_name, stack_id, stack, operation, reason_override=''"
    wrap(f"{CLOUD}.stacks", "_delete_resource", "resource_type, physical_id, props, stack_name=None, logical_id=None", _deleting)
    wrap(f"{CLOUD}.stacks", "_add_event", event, _telling)
    for module in ("stacks", "handlers"):
        wrap(f"{CLOUD}.{module}", "_delete_stack_async", deletion, _ending)
        wrap(f"{CLOUD}.{module}", "_roll_back_operation", rollback, _rolling_back)


def _deleting(original: Callable[..., None]) -> Callable[..., None]:
    def delete(
        resource_type: str, physical_id: str, props: Any, stack_name: str | None = None, logical_id: str | None = None
    ) -> None:
        if _kept(str(stack_name), str(logical_id)):
            raise Kept(f"{logical_id} stays")
        try:
            original(resource_type, physical_id, props, stack_name, logical_id)
        except Exception:
            FAILED.setdefault(str(stack_name), set()).add(str(logical_id))
            raise

    return delete


def _kept(stack: str, logical_id: str) -> bool:
    """Whether a resource that could not be deleted depends on this one, directly or through others."""
    record = use(CLOUD, "_stacks").get(stack) or {}
    resources = (TEMPLATES.get(stack) or record.get("_template") or {}).get("Resources", {})
    needed = use(f"{CLOUD}.stacks", "_with_dependencies", "logical_ids, res_defs, remaining")
    failed = FAILED.get(stack, set()) - {logical_id}
    return bool(failed) and logical_id in needed(failed, resources, set(resources))


def _telling(original: Callable[..., None]) -> Callable[..., None]:
    """Say nothing of what is kept, and leave it out of the stack's own reason."""

    # The parameters are the server's own: others wrap this in their turn.
    def add(
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        if status in ("DELETE_IN_PROGRESS", "DELETE_FAILED") and logical_id != stack_name and _kept(stack_name, logical_id):
            return
        said = _named(stack_name) if FAILED.get(stack_name) and reason.startswith(SUBJECT) else reason
        original(stack_id, stack_name, logical_id, resource_type, status, said, physical_id, detailed_status)

    return add


def _named(stack: str) -> str:
    return f"{SUBJECT}{', '.join(sorted(FAILED[stack]))}]."


def _ending(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def end(stack_name: str, stack_id: str, retain_resources: Any = (), force: bool = False) -> None:
        FAILED.pop(stack_name, None)
        await original(stack_name, stack_id, retain_resources, force=force)
        record = use(CLOUD, "_stacks").get(stack_name) or {}
        if record.get("StackStatus") == "DELETE_FAILED" and FAILED.get(stack_name):
            record["StackStatusReason"] = _named(stack_name)

    return end


def _rolling_back(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def roll_back(stack_name: str, stack_id: str, stack: Any, operation: Any, reason_override: str = "") -> None:
        FAILED.pop(stack_name, None)
        TEMPLATES[stack_name] = operation.get("template") or {}
        before = copy.copy(stack.get("_resources") or {})
        try:
            await original(stack_name, stack_id, stack, operation, reason_override)
        finally:
            template = TEMPLATES.pop(stack_name)
        if stack["StackStatus"] == "ROLLBACK_FAILED":
            left = stack["_rollback_failed"]
            stack["_resources"] |= {name: before[name] for name in left if name in before}
            stack["_template"] = stack.get("_template") or template

    return roll_back
