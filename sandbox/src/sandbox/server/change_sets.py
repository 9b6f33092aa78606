"""Change sets that see what AWS's see: conditions, and changes of Outputs alone.

The server by itself compares the resources of two templates as they are written. It so misses a
resource that a changed parameter switches on or off, and calls a change of Outputs alone no change.
"""

import copy
import re
from collections.abc import Callable
from typing import Any

from sandbox.server.seams import use_seam, wrap_seam

CLOUD = "ministack.services.cloudformation"
Template = dict[str, Any]
Handler = Callable[..., Any]
NO_CHANGES = "The submitted information didn't contain changes."


def install() -> None:
    """Compare what the conditions admit, and look at Outputs, too."""
    wrap_seam(
        f"{CLOUD}.changesets",
        "_resolve_props_for_diff",
        "template, params, stack_name, stack_id",
        _drop_absent_resources,
    )
    actions = use_seam(f"{CLOUD}.handlers", "_ACTION_HANDLERS")
    actions["CreateChangeSet"] = _admit_output_changes(actions["CreateChangeSet"])


def _drop_absent_resources(original: Handler) -> Handler:
    """Leave out the resources whose condition is false."""

    def resolve(template: Template, params: Any, stack_name: str, stack_id: str) -> Template:
        resolved: Template = original(template, params, stack_name, stack_id)
        if not template:
            return resolved
        admitted = _list_admitted(template, params, "Resources")
        return {"Resources": {k: v for k, v in resolved["Resources"].items() if k in admitted}}

    return resolve


def _list_admitted(template: Template, params: Any, section: str) -> Template:
    """Return a section's entries without those whose condition is false."""
    evaluate = use_seam(f"{CLOUD}.engine", "_evaluate_conditions", "template, params")
    conditions = evaluate(template, params)
    entries = template.get(section) or {}
    return {
        name: it
        for name, it in entries.items()
        if not it.get("Condition") or conditions[it["Condition"]]
    }


def _admit_output_changes(original: Handler) -> Handler:
    """Make a change set available that changes nothing but Outputs; it lists no resource."""

    def create(params: dict[str, Any]) -> Any:
        answer = original(params)
        body = answer[2].decode() if isinstance(answer[2], bytes) else answer[2]
        found = re.search("<Id>([^<]+)</Id>", body)
        change_set = use_seam(CLOUD, "_change_sets").get(found[1]) if found else None
        if change_set and _changes_outputs_alone(change_set):
            change_set |= {
                "Status": "CREATE_COMPLETE",
                "ExecutionStatus": "AVAILABLE",
                "StatusReason": "",
            }
        return answer

    return create


def _changes_outputs_alone(change_set: dict[str, Any]) -> bool:
    if change_set["ChangeSetType"] != "UPDATE" or not change_set["StatusReason"].startswith(
        NO_CHANGES
    ):
        return False
    stack = use_seam(CLOUD, "_stacks")[change_set["StackName"]]
    before = _read_outputs(stack.get("_template") or {}, stack["_resolved_params"], stack)
    after = _read_outputs(change_set["_template"], change_set["_resolved_params"], stack)
    return before != after


def _read_outputs(template: Template, params: Any, stack: dict[str, Any]) -> Template:
    """Return the Outputs with the values that they have, or would have, as far as is known."""
    resolve = use_seam(
        f"{CLOUD}.engine",
        "_resolve_refs",
        "value, resources, params, conditions, mappings, stack_name, stack_id",
    )
    evaluate = use_seam(f"{CLOUD}.engine", "_evaluate_conditions", "template, params")

    def read(output: Template) -> Any:
        try:
            return resolve(
                copy.deepcopy(output),
                stack.get("_resources") or {},
                params,
                evaluate(template, params),
                template.get("Mappings") or {},
                stack["StackName"],
                stack["StackId"],
            )
        except (KeyError, ValueError):  # it refers to what this change set does not change
            return output

    return {name: read(it) for name, it in _list_admitted(template, params, "Outputs").items()}
