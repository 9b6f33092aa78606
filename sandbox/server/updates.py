"""An update tells of what it touches and of nothing else; the server by itself announces every resource of the stack.

An announcement is held back until the resource is really changed or made. What is made in an update is told as a creation.
"""

from collections.abc import Callable
from typing import Any

from sandbox.server.seams import use, wrap

CLOUD = "ministack.services.cloudformation"
Key = tuple[str, str]  # stack, logical id
HELD: dict[Key, Callable[[str], None]] = {}  # announcements, said with the verb that fits
BORN: set[Key] = set()


def install() -> None:
    """Stand between the server's deployments and its events."""
    event = "stack_id, stack_name, logical_id, resource_type, status, reason='', physical_id='', detailed_status=''"
    change = "resource_type, physical_id, old_props, new_props, stack_name, logical_id=None, old_attrs=None"
    wrap(f"{CLOUD}.stacks", "_add_event", event, _telling)
    for module in ("stacks", "provisioners"):
        wrap(f"{CLOUD}.{module}", "_update_resource", change, _changing)
        wrap(f"{CLOUD}.{module}", "_provision_resource", "resource_type, logical_id, props, stack_name", _making)


def _telling(original: Callable[..., None]) -> Callable[..., None]:
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
            original(stack_id, stack_name, logical_id, resource_type, said, reason, physical_id, detailed_status)

        key = (stack_name, logical_id)
        verb, _, progress = status.partition("_")
        if status == "UPDATE_IN_PROGRESS" and not (reason or physical_id or detailed_status):
            HELD[key] = lambda verb: say(f"{verb}_{progress}")
        elif key in HELD and status == "UPDATE_COMPLETE":
            del HELD[key]
        else:
            _release(key, "UPDATE")
            say(f"CREATE_{progress}" if key in BORN and verb == "UPDATE" else status)
            BORN.discard(key)

    return add


def _release(key: Key, verb: str) -> None:
    if held := HELD.pop(key, None):
        held(verb)


def _changing(original: Callable[..., Any]) -> Callable[..., Any]:
    stacks = use(CLOUD, "_stacks")

    def update(
        resource_type: str, identifier: str, old: Any, new: Any, stack: str, logical_id: str | None = None, attributes: Any = None
    ) -> Any:
        if old != new and logical_id:
            _release((stack, logical_id), "UPDATE")
        if attributes is None:  # so in a nested stack, where what does not change would lose them
            attributes = stacks.get(stack, {}).get("_resources", {}).get(logical_id, {}).get("Attributes")
        return original(resource_type, identifier, old, new, stack, logical_id, attributes)

    return update


def _making(original: Callable[..., Any]) -> Callable[..., Any]:
    def make(resource_type: str, logical_id: str, wanted: Any, stack: str) -> Any:
        if (stack, logical_id) in HELD:
            BORN.add((stack, logical_id))
            _release((stack, logical_id), "CREATE")
        return original(resource_type, logical_id, wanted, stack)

    return make
