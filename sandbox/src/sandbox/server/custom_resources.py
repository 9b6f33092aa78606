"""How custom resources fail: what is asked of them after that, as CloudFormation's rollback does.

One that answers its creation with FAILED is then asked to delete what it has begun. One whose
update failed is sent back to its old properties, in a nested stack as well.
"""

import copy
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sandbox.server.seams import wrap_seam

CUSTOM = "ministack.services.cloudformation.custom_resource"
Answer = dict[str, Any]
CUSTOM_TOKEN: ContextVar[str] = ContextVar("custom_resource_request", default="")
FAILED_CREATIONS: dict[str, str | None] = {}  # physical ids, by the request that they answered


def install() -> None:
    """Note the answers, and follow a failed creation with a deletion."""
    asked = (
        "request_type, logical_id, props, stack_name, stack_id, resource_type, physical_id=None, "
        "old_props=None"
    )
    wrap_seam(CUSTOM, "register_token", "token", _remember_token)
    wrap_seam(CUSTOM, "deliver_response", "token, response", _note_failure)
    wrap_seam(CUSTOM, "invoke_custom_resource", asked, _delete_after_failure)


def _remember_token(original: Callable[[str], Any]) -> Callable[[str], Any]:
    def register(token: str) -> Any:
        CUSTOM_TOKEN.set(token)
        return original(token)

    return register


def _note_failure(original: Callable[[str, Answer], bool]) -> Callable[[str, Answer], bool]:
    def deliver(token: str, response: Answer) -> bool:
        if response.get("Status") == "FAILED":
            FAILED_CREATIONS[token] = response.get("PhysicalResourceId")
        return original(token, response)

    return deliver


def _delete_after_failure(original: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(request: str, *about: Any, **more: Any) -> Any:
        try:
            return original(request, *about, **more)
        except RuntimeError as failed:
            begun = FAILED_CREATIONS.pop(CUSTOM_TOKEN.get(), None)
            if request == "Create" and begun:
                _undo_creation(lambda: original("Delete", *about, physical_id=begun), failed)
            raise

    return invoke


def _undo_creation(delete: Callable[[], Any], failed: RuntimeError) -> None:
    try:
        delete()
    except RuntimeError as left:
        raise RuntimeError(f"{failed}; and its deletion failed too: {left}") from failed


def check_service_token(resource_type: str, old: Answer, new: Answer) -> None:
    """Raise ValueError if an update changes who answers for a custom resource.

    Source: CloudFormation's reference of custom resources: updates of ServiceToken are not
    supported; the sentence is that of its users' reports.
    """
    if _is_custom(resource_type) and old.get("ServiceToken") != new.get("ServiceToken"):
        raise ValueError("Modifying service token is not allowed.")


def note_attempt(
    resource_type: str, stack: dict[str, Any] | None, logical_id: str, wanted: Any
) -> None:
    """Let the rollback of a nested stack send a custom resource whose update failed back to its old
    properties. The server by itself does so in root stacks alone.
    """
    record = stack or {}
    known = (record.get("_resources") or {}).get(logical_id)
    if known and record.get("_parent_stack_name") and _is_custom(resource_type):
        known["Properties"] = copy.deepcopy(dict(wanted))


def _is_custom(resource_type: str) -> bool:
    return resource_type.startswith("Custom::") or resource_type.endswith("::CustomResource")
