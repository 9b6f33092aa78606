"""What a refusal says: the kind of policy that decided, and the resource.

The server names identity policies where a session policy or a permissions boundary refused, and
names the resource for some services only. Source of the sentences: AWS, "Troubleshoot access denied
error messages".
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sandbox.server.enforcement import ACTIONS, EVALUATOR, RESOURCE_POLICY_PARAMETERS
from sandbox.server.seams import use_seam, wrap_seam

RESPONSE = (
    "service, action, principal_arn, request_id, *, error_code='', message='', headers=None, "
    "resource_arn='*', explicit_deny=False, resource_policy_arn=''"
)
IDENTITY, SESSION, BOUNDARY = "identity-based policy", "session policy", "permissions boundary"
# The kind of policy that refused last in the current request, and the resource.
_REFUSED: ContextVar[tuple[str, str]] = ContextVar("sandbox_refused", default=(IDENTITY, "*"))


class SessionLimit(list[Any]):
    """The session policies among the limits of a caller; any other limit is a boundary."""


def install() -> None:
    """Note which policy refuses, and say so. Before `judgements`, which wraps the same."""
    wrap_seam(EVALUATOR, "_session_policy_limits", "session, account_id", _mark_session_limits)
    wrap_seam(EVALUATOR, "evaluate", "ctx, policies, *limits", _note_refusals)
    wrap_seam(
        EVALUATOR,
        "evaluate_resource_policy",
        RESOURCE_POLICY_PARAMETERS,
        _keep_first,
    )
    wrap_seam(ACTIONS, "access_denied_response", RESPONSE, _word_refusals)


def _mark_session_limits(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def limits(session: dict[str, Any], account_id: str) -> list[Any]:
        return [SessionLimit(layer) for layer in original(session, account_id)]

    return limits


def _note_refusals(original: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(ctx: Any, policies: Any, *limits: Any) -> Any:
        result = original(ctx, policies, *limits)
        if result.decision != "Allow":
            kind = _find_refusing_kind(ctx, policies, limits, result.decision) if limits else ""
            _REFUSED.set((kind or IDENTITY, str(ctx.resource_arn)))
        return result

    return evaluate


def _keep_first(original: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what the caller's own policies said: a resource's policy without a word refuses none."""

    def evaluate(
        doc: Any,
        ctx: Any,
        service: str | None = None,
        named_only: bool = False,
        direct_only: bool = False,
    ) -> Any:
        token = _REFUSED.set(_REFUSED.get())
        try:
            return original(doc, ctx, service, named_only, direct_only)
        finally:
            _REFUSED.reset(token)

    return evaluate


def _find_refusing_kind(ctx: Any, policies: Any, limits: tuple[Any, ...], decision: str) -> str:
    find = use_seam(EVALUATOR, "_first_match", "ctx, stmts, effect")
    for layer in (policies, *limits):
        statements = [statement for document in layer for statement in document]
        effect = "Deny" if decision == "Deny" else "Allow"
        if bool(find(ctx, statements, effect)) is (decision == "Deny"):
            if layer is policies:
                return IDENTITY
            return SESSION if isinstance(layer, SessionLimit) else BOUNDARY
    return IDENTITY


def _word_refusals(original: Callable[..., Any]) -> Callable[..., Any]:
    def respond(
        service: str,
        action: str,
        principal_arn: str,
        request_id: str,
        *,
        error_code: str = "",
        message: str = "",
        headers: dict[str, str] | None = None,
        resource_arn: str = "*",
        explicit_deny: bool = False,
        resource_policy_arn: str = "",
    ) -> Any:
        is_own = not (message or error_code or (explicit_deny and resource_policy_arn))
        if is_own:
            message = _write_message(service, action, principal_arn, explicit_deny)
        return original(
            service,
            action,
            principal_arn,
            request_id,
            error_code=error_code,
            message=message,
            headers=headers,
            resource_arn=resource_arn,
            explicit_deny=explicit_deny,
            resource_policy_arn=resource_policy_arn,
        )

    return respond


def describe_denial(service: str, action: str, denied: Any) -> str:
    """Return the sentence for the refusal that the evaluator has just returned."""
    explicit = denied.decision == "Deny"
    if explicit and denied.resource_policy_arn:
        word = use_seam(
            ACTIONS, "_resource_policy_denial", "service, action, principal_arn, resource_arn"
        )
        return str(word(service, action, denied.principal_arn, denied.resource_policy_arn))
    return _write_message(service, action, denied.principal_arn, explicit)


def _write_message(service: str, action: str, principal: str, explicit: bool) -> str:
    kind, resource = _REFUSED.get()
    shown = f'"{resource}"' if service == "s3" else resource
    article = "an" if kind == IDENTITY else "a"
    reason = (
        f"with an explicit deny in {article} {kind}"
        if explicit
        else f"because no {kind} allows the {action} action"
    )
    return f"User: {principal} is not authorized to perform: {action} on resource: {shown} {reason}"
