"""What the evaluator decides on a call, on which resource, and how others have the last word.

Several modules wrap the evaluator's `enforce`, and what finds a request's resource. Each wrapper
must have the server's own parameters, because the next one wraps it; they are written here alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.server.seams import use_seam, wrap_seam

EVALUATOR = "ministack.core.iam_evaluator"
ACTIONS = "ministack.core.iam_actions"
PARAMETERS = "access_key_id, iam_action, service, region, resource_arn='*', service_context=None"
RESOURCE_PARAMETERS = "service, method, path, headers, body, query_params, region, account_id"
RESOURCE_POLICY_PARAMETERS = "doc, ctx, service=None, named_only=False, direct_only=False"


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


@dataclass(frozen=True)
class AuthorizedRequest:
    """A request as the server gets it before it finds the resource that it is about."""

    service: str
    method: str
    path: str
    headers: Any
    body: bytes
    query_params: Any
    region: str
    account_id: str


FindResource = Callable[[AuthorizedRequest], str]


def wrap_resource(find: Callable[[AuthorizedRequest, FindResource], str]) -> None:
    """Let `find` name the resource of each request; it gets what named it until now."""

    def make(original: Callable[..., str]) -> Callable[..., str]:
        def name(request: AuthorizedRequest) -> str:
            return original(
                request.service,
                request.method,
                request.path,
                request.headers,
                request.body,
                request.query_params,
                request.region,
                request.account_id,
            )

        def find_resource(
            service: str,
            method: str,
            path: str,
            headers: Any,
            body: bytes,
            query_params: Any,
            region: str,
            account_id: str,
        ) -> str:
            request = AuthorizedRequest(
                service, method, path, headers, body, query_params, region, account_id
            )
            return find(request, name)

        return find_resource

    wrap_seam(ACTIONS, "extract_resource_arn", RESOURCE_PARAMETERS, make)


def ask_evaluator(call: EnforcedCall, account: str) -> tuple[Any, Any]:
    """Return the caller, and what the evaluator is asked about the call, as it gets them."""
    who = use_seam(EVALUATOR, "resolve_principal", "access_key_id, account_id, credential=None")(
        call.access_key_id, account
    )
    asked = use_seam(EVALUATOR, "EvalContext")(
        who.arn,
        who.type,
        who.account,
        call.action,
        call.arn,
        call.region,
        service_context={name.lower(): value for name, value in (call.known or {}).items()},
        principal_keys=who.keys,
    )
    return who, asked


def evaluate_resource_policy(document: Any, asked: Any) -> Any:
    """Return what the policy of a resource alone decides."""
    evaluate = use_seam(EVALUATOR, "evaluate_resource_policy", RESOURCE_POLICY_PARAMETERS)
    return evaluate(document, asked)
