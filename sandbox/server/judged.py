"""What the request in hand was judged on: each action and resource that some policy had to allow, and whether one did.

And what the evaluator is told of the resource besides: condition keys that AWS has and the server does not.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from sandbox.server.seams import use, wrap

EVALUATOR = "ministack.core.iam_evaluator"
ENFORCE = "access_key_id, iam_action, service, region, resource_arn='*', service_context=None"
Judgement = tuple[str, str, bool]
TELLERS: list[Callable[[Any], Mapping[str, Any]]] = []
_JUDGED: ContextVar[list[Judgement] | None] = ContextVar("sandbox_judged", default=None)


def install() -> None:
    """Listen where the server judges; our own services tell `note` themselves."""
    wrap(EVALUATOR, "enforce", ENFORCE, _noting)


def begin() -> list[Judgement]:
    """The list of the request that begins here; it fills while the request is served."""
    judged: list[Judgement] = []
    _JUDGED.set(judged)
    return judged


def note(action: str, resource: str, allowed: bool) -> None:
    """One judgement, of the request in hand."""
    judged = _JUDGED.get()
    if judged is not None:
        judged.append((action, resource, allowed))


def tell(keys: Callable[[Any], Mapping[str, Any]]) -> None:
    """From now on the evaluator knows these condition keys of the ARN that a call is judged on."""
    TELLERS.append(keys)


def _noting(original: Any) -> Any:
    unknown_caller = use(EVALUATOR, "AuthError")

    # The parameters are the server's own: others wrap this in their turn.
    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        told = (service_context or {}) | {name: value for keys in TELLERS for name, value in keys(resource_arn).items()}
        denied = original(
            access_key_id, iam_action, service, region, resource_arn=str(resource_arn), service_context=told or None
        )
        if not isinstance(denied, unknown_caller):  # who is not known is not judged
            note(iam_action, str(resource_arn), denied is None)
        return denied

    return enforce
