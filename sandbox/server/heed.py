"""What is asked of a resource is done, or the resource fails: a handler that does not look at a property has not heeded it."""

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.server.seams import use

Properties = dict[str, Any]
Handler = Callable[..., Any]

# What the server's handlers do not read, and why that is no loss here. Anything else unread fails its resource.
WITHOUT_EFFECT: dict[str, dict[str, str]] = {}


class Heeded(dict[str, Any]):
    """Properties that remember which of them were read."""

    def __init__(self, properties: Properties) -> None:
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


def heeding(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The handlers of a type, which now fail, and take back what they did, where they have not looked at what was asked for."""
    made = {"create": _creating(name, entry)} if "create" in entry else {}
    return entry | made | ({"update": _updating(name, entry["update"])} if "update" in entry else {})


def _creating(name: str, entry: dict[str, Any]) -> Handler:
    def create(logical_id: str, wanted: Properties, stack: str) -> Any:
        heeded = Heeded(wanted)
        made = entry["create"](logical_id, heeded, stack)
        if left_out := _left_out(name, wanted.keys(), heeded):
            # Types without an update are updated by a creation that finds what there is; that stays.
            if made[0] != _already(stack, logical_id):
                entry["delete"](made[0], wanted)
            raise ValueError(left_out)
        return made

    return create


def _updating(name: str, update: Handler) -> Handler:
    def updated(identifier: str, old: Properties, wanted: Properties, *others: Any) -> Any:
        heeded = Heeded(wanted)
        made = update(identifier, old, heeded, *others)
        changed = {key for key in old.keys() | wanted.keys() if old.get(key) != wanted.get(key)}
        if left_out := _left_out(name, changed, heeded):
            update(made[0], wanted, old, *others)
            raise ValueError(left_out)
        return made

    return updated


def _left_out(name: str, asked: Any, heeded: Heeded) -> str | None:
    left_out = sorted(set(asked) - heeded.read - WITHOUT_EFFECT.get(name, {}).keys())
    return f"The sandbox has no {', '.join(left_out)} for {name}, and does not act as if it had." if left_out else None


def _already(stack: str, logical_id: str) -> str | None:
    """The physical id that the stack knows for the resource, before this operation."""
    known = (use("ministack.services.cloudformation", "_stacks").get(stack) or {}).get("_resources", {})
    return known.get(logical_id, {}).get("PhysicalResourceId")
