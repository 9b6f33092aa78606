"""How stacks are updated, deleted and rolled back, and what their events say.

An update reports what it touches and nothing else; the server by itself announces every resource of
the stack. An announcement is held back until the resource is really changed or created. What an
update creates is reported as a creation.

A resource that cannot be deleted keeps what it depends on, and both stay in their stack until the
next try. The server by itself goes on deleting what the failed resource depends on, such as a
custom resource's function, and a rollback forgets what it could not delete. The reason and the
events then name only what really failed.

A nested stack that cannot be completed deletes what it created,
and one that cannot be deleted stays.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.server import custom_resources
from sandbox.server.seams import use_seam, wrap_seam

CLOUD = "ministack.services.cloudformation"
ResourceKey = tuple[str, str]  # stack, logical id
# Announcements, made with the status that applies.
HELD_ANNOUNCEMENTS: dict[ResourceKey, Callable[[str], None]] = {}
CREATED_IN_UPDATE: set[ResourceKey] = set()
FAILED_TO_DELETE = "The following resource(s) failed to delete: ["
FAILED_DELETIONS: dict[str, set[str]] = {}  # by stack, of the current deletion or rollback
# Of stacks that are being rolled back, whose records have none yet.
TEMPLATES: dict[str, dict[str, Any]] = {}
Answer = dict[str, Any]
STACK_TYPE = "AWS::CloudFormation::Stack"
Handler = Callable[..., Any]


def _install_updates() -> None:
    """Report only what an update touches."""
    event = (
        "stack_id, stack_name, logical_id, resource_type, status, reason='', physical_id='', "
        "detailed_status=''"
    )
    change = (
        "resource_type, physical_id, old_props, new_props, stack_name, logical_id=None, "
        "old_attrs=None"
    )
    wrap_seam(f"{CLOUD}.stacks", "_add_event", event, _report_touched)
    for module in ("stacks", "provisioners"):
        wrap_seam(f"{CLOUD}.{module}", "_update_resource", change, _announce_update)
        wrap_seam(
            f"{CLOUD}.{module}",
            "_provision_resource",
            "resource_type, logical_id, props, stack_name",
            _announce_creation,
        )


def _report_touched(original: Callable[..., None]) -> Callable[..., None]:
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
        def say(said: str) -> None:
            original(
                stack_id,
                stack_name,
                logical_id,
                resource_type,
                said,
                reason,
                physical_id,
                detailed_status,
            )

        key = (stack_name, logical_id)
        verb, _, progress = status.partition("_")
        if status == "UPDATE_IN_PROGRESS" and not (reason or physical_id or detailed_status):
            HELD_ANNOUNCEMENTS[key] = lambda verb: say(f"{verb}_{progress}")
        elif key in HELD_ANNOUNCEMENTS and status == "UPDATE_COMPLETE":
            del HELD_ANNOUNCEMENTS[key]
        else:
            _release_announcement(key, "UPDATE")
            say(f"CREATE_{progress}" if key in CREATED_IN_UPDATE and verb == "UPDATE" else status)
            CREATED_IN_UPDATE.discard(key)

    return add


def _release_announcement(key: ResourceKey, verb: str) -> None:
    if held := HELD_ANNOUNCEMENTS.pop(key, None):
        held(verb)


def _announce_update(original: Callable[..., Any]) -> Callable[..., Any]:
    stacks = use_seam(CLOUD, "_stacks")

    def update(
        resource_type: str,
        identifier: str,
        old: Any,
        new: Any,
        stack: str,
        logical_id: str | None = None,
        attributes: Any = None,
    ) -> Any:
        if "ROLLBACK" not in stacks.get(stack, {}).get("StackStatus", ""):
            custom_resources.check_service_token(resource_type, old or {}, new or {})
        if old != new and logical_id:
            _release_announcement((stack, logical_id), "UPDATE")
        if attributes is None:  # in a nested stack, where an unchanged resource would lose them
            attributes = (
                stacks.get(stack, {}).get("_resources", {}).get(logical_id, {}).get("Attributes")
            )
        try:
            return original(resource_type, identifier, old, new, stack, logical_id, attributes)
        except Exception:
            if logical_id:
                custom_resources.note_attempt(resource_type, stacks.get(stack), logical_id, new)
            raise

    return update


def _announce_creation(original: Callable[..., Any]) -> Callable[..., Any]:
    def make(resource_type: str, logical_id: str, wanted: Any, stack: str) -> Any:
        if (stack, logical_id) in HELD_ANNOUNCEMENTS:
            CREATED_IN_UPDATE.add((stack, logical_id))
            _release_announcement((stack, logical_id), "CREATE")
        return original(resource_type, logical_id, wanted, stack)

    return make


class ResourceKept(Exception):
    """Something that depends on the resource could not be deleted, so the resource is not tried."""


def _install_deletions() -> None:
    """Delete resources in the order of what could be deleted."""
    event = (
        "stack_id, stack_name, logical_id, resource_type, status, reason='', physical_id='', "
        "detailed_status=''"
    )
    deletion = "stack_name, stack_id, retain_resources=(), force=False"
    rollback = "stack_name, stack_id, stack, operation, reason_override=''"
    wrap_seam(
        f"{CLOUD}.stacks",
        "_delete_resource",
        "resource_type, physical_id, props, stack_name=None, logical_id=None",
        _delete_in_order,
    )
    wrap_seam(f"{CLOUD}.stacks", "_add_event", event, _report_failures)
    for module in ("stacks", "handlers"):
        wrap_seam(f"{CLOUD}.{module}", "_delete_stack_async", deletion, _correct_stack_reason)
        wrap_seam(f"{CLOUD}.{module}", "_roll_back_operation", rollback, _keep_after_rollback)


def _delete_in_order(original: Callable[..., None]) -> Callable[..., None]:
    def delete(
        resource_type: str,
        physical_id: str,
        props: Any,
        stack_name: str | None = None,
        logical_id: str | None = None,
    ) -> None:
        if _is_kept(str(stack_name), str(logical_id)):
            raise ResourceKept(f"{logical_id} stays")
        try:
            original(resource_type, physical_id, props, stack_name, logical_id)
        except Exception:
            FAILED_DELETIONS.setdefault(str(stack_name), set()).add(str(logical_id))
            raise

    return delete


def _is_kept(stack: str, logical_id: str) -> bool:
    """Return whether a resource that could not be deleted depends on this one, directly or not."""
    record = use_seam(CLOUD, "_stacks").get(stack) or {}
    resources = (TEMPLATES.get(stack) or record.get("_template") or {}).get("Resources", {})
    needed = use_seam(f"{CLOUD}.stacks", "_with_dependencies", "logical_ids, res_defs, remaining")
    failed = FAILED_DELETIONS.get(stack, set()) - {logical_id}
    return bool(failed) and logical_id in needed(failed, resources, set(resources))


def _report_failures(original: Callable[..., None]) -> Callable[..., None]:
    """Report nothing about what is kept, and leave it out of the stack's own reason."""

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
        if (
            status in ("DELETE_IN_PROGRESS", "DELETE_FAILED")
            and logical_id != stack_name
            and _is_kept(stack_name, logical_id)
        ):
            return
        said = (
            _failure_reason(stack_name)
            if FAILED_DELETIONS.get(stack_name) and reason.startswith(FAILED_TO_DELETE)
            else reason
        )
        original(
            stack_id,
            stack_name,
            logical_id,
            resource_type,
            status,
            said,
            physical_id,
            detailed_status,
        )

    return add


def _failure_reason(stack: str) -> str:
    return f"{FAILED_TO_DELETE}{', '.join(sorted(FAILED_DELETIONS[stack]))}]."


def _correct_stack_reason(
    original: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    async def end(
        stack_name: str, stack_id: str, retain_resources: Any = (), force: bool = False
    ) -> None:
        FAILED_DELETIONS.pop(stack_name, None)
        await original(stack_name, stack_id, retain_resources, force=force)
        record = use_seam(CLOUD, "_stacks").get(stack_name) or {}
        if record.get("StackStatus") == "DELETE_FAILED" and FAILED_DELETIONS.get(stack_name):
            record["StackStatusReason"] = _failure_reason(stack_name)

    return end


def _keep_after_rollback(
    original: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    async def roll_back(
        stack_name: str, stack_id: str, stack: Any, operation: Any, reason_override: str = ""
    ) -> None:
        FAILED_DELETIONS.pop(stack_name, None)
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


def make_nested_strict(handlers: dict[str, Any]) -> None:
    """Replace how the server's nested stacks fail and how they are deleted."""
    handlers[STACK_TYPE] |= {
        "create": _create_or_take_back(handlers[STACK_TYPE]["create"]),
        "delete": _delete_child,
    }


def _create_or_take_back(create: Handler) -> Handler:
    stacks = use_seam(CLOUD, "_stacks")

    def created(logical_id: str, wanted: dict[str, Any], parent: str) -> Any:
        before = set(stacks)
        try:
            return create(logical_id, wanted, parent)
        except Exception as why:
            children = (child for name, child in stacks.items() if name not in before)
            begun = next(
                (child for child in children if child.get("_parent_stack_name") == parent), None
            )
            if begun is None:
                raise
            _delete_child(begun["StackId"], wanted)
            # AWS's sentence ends with the resources' names; here the reason follows,
            # for people.
            raise ValueError(
                f"Embedded stack {begun['StackId']} was not successfully created: {why}"
            ) from why

    return created


def _delete_child(identifier: str, _: dict[str, Any]) -> None:
    """Delete a child like any other stack, with its events and policies.

    Raises ValueError, in AWS's words, if something of it stays.
    """
    name = use_seam(f"{CLOUD}.provisioners", "_nested_stack_lookup_name", "physical_id_or_arn")(
        identifier
    )
    child = use_seam(CLOUD, "_stacks").get(name)
    if child is None:
        return
    delete = use_seam(
        f"{CLOUD}.stacks",
        "_delete_stack_async",
        "stack_name, stack_id, retain_resources=(), force=False",
    )
    # Handlers of nested stacks run on threads of their own, which have no event loop yet.
    asyncio.run(delete(name, child["StackId"]))
    if child["StackStatus"] != "DELETE_COMPLETE":
        raise ValueError(
            f"Embedded stack {child['StackId']} was not successfully deleted: "
            f"{child['StackStatusReason']}"
        )


def install() -> None:
    """Change how the server updates, deletes and rolls back, and what it reports."""
    _install_updates()
    _install_deletions()
    custom_resources.install()
