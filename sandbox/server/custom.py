"""A custom resource that says FAILED to its creation is then asked to delete what it has begun, as CloudFormation's rollback does."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sandbox.server.seams import wrap

CUSTOM = "ministack.services.cloudformation.custom_resource"
Answer = dict[str, Any]
ASKED: ContextVar[str] = ContextVar("custom_resource_request", default="")
FAILED: dict[str, str | None] = {}  # physical ids, by the request that they answered


def install() -> None:
    """Listen to the answers, and follow a failed creation with a deletion."""
    asked = "request_type, logical_id, props, stack_name, stack_id, resource_type, physical_id=None, old_props=None"
    wrap(CUSTOM, "register_token", "token", _remembering)
    wrap(CUSTOM, "deliver_response", "token, response", _hearing)
    wrap(CUSTOM, "invoke_custom_resource", asked, _taking_back)


def _remembering(original: Callable[[str], Any]) -> Callable[[str], Any]:
    def register(token: str) -> Any:
        ASKED.set(token)
        return original(token)

    return register


def _hearing(original: Callable[[str, Answer], bool]) -> Callable[[str, Answer], bool]:
    def deliver(token: str, response: Answer) -> bool:
        if response.get("Status") == "FAILED":
            FAILED[token] = response.get("PhysicalResourceId")
        return original(token, response)

    return deliver


def _taking_back(original: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(request: str, *about: Any, **more: Any) -> Any:
        try:
            return original(request, *about, **more)
        except RuntimeError as failed:
            begun = FAILED.pop(ASKED.get(), None)
            if request == "Create" and begun:
                _undo(lambda: original("Delete", *about, physical_id=begun), failed)
            raise

    return invoke


def _undo(delete: Callable[[], Any], failed: RuntimeError) -> None:
    try:
        delete()
    except RuntimeError as left:
        raise RuntimeError(f"{failed}; and its deletion failed too: {left}") from failed
