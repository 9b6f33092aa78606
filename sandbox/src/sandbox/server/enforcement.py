"""What the evaluator decides on a call, and how others have the last word on it.

Several modules wrap the evaluator's `enforce`. Each wrapper must have the server's own parameters,
because the next one wraps it; they are written here alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.server.seams import wrap_seam

EVALUATOR = "ministack.core.iam_evaluator"
PARAMETERS = "access_key_id, iam_action, service, region, resource_arn='*', service_context=None"


@dataclass(frozen=True)
class EnforcedCall:
    """A call as the evaluator gets it; `known` are the values of condition keys of its service."""

    access_key_id: str
    action: str
    service: str
    region: str
    arn: str = "*"
    known: dict[str, Any] | None = None


Refusal = Any  # the server's; None if the call is allowed
Enforce = Callable[[EnforcedCall], Refusal]


def wrap_enforcement(enforce: Callable[[EnforcedCall, Enforce], Refusal]) -> None:
    """Let `enforce` decide on each call; it gets the call, and what decided until now."""

    def make(original: Callable[..., Refusal]) -> Callable[..., Refusal]:
        def decide(call: EnforcedCall) -> Refusal:
            return original(
                call.access_key_id,
                call.action,
                call.service,
                call.region,
                resource_arn=call.arn,
                service_context=call.known,
            )

        def enforce_call(
            access_key_id: str,
            iam_action: str,
            service: str,
            region: str,
            resource_arn: str = "*",
            service_context: dict[str, Any] | None = None,
        ) -> Refusal:
            call = EnforcedCall(
                access_key_id, iam_action, service, region, resource_arn, service_context
            )
            return enforce(call, decide)

        return enforce_call

    wrap_seam(EVALUATOR, "enforce", PARAMETERS, make)
