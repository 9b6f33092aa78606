"""Recursive loops: chains of requests are followed, and the 17th invocation in one is refused.

A chain passes through direct invocations, messages of SQS and SNS, and S3's own notifications. It
ends at EventBridge, unless a switch says otherwise. Functions with `RecursiveLoop: Allow` are
counted and never refused. Source: AWS, "Use Lambda recursive loop detection to prevent infinite
loops": a queue keeps the message until its redrive policy moves it, a direct caller receives
RecursiveInvocationException, and an asynchronous event goes to the function's own dead-letter queue
or on-failure destination.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sandbox.functions.lineage import (
    MAX_INVOCATIONS,
    count_invocations,
    extend_trace,
    identify_function,
    merge_traces,
)
from sandbox.server.control import current_switches
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.switches import FunctionSwitches

SERVICE = "ministack.services.lambda_svc"
SQS = "ministack.services.sqs"
TRACE_HEADER = b"x-amzn-trace-id"
TYPE_HEADER = b"x-amz-invocation-type"
TRACE_ATTRIBUTE = "AWSTraceHeader"
# The trace header that led here: of a request, of a batch of messages, or of an event.
INBOUND_TRACE: ContextVar[str | None] = ContextVar("sandbox_inbound_trace", default=None)
_FOLLOWED_BY_BUS: ContextVar[bool] = ContextVar("sandbox_followed_by_bus", default=False)
INVOCATION_TYPE: ContextVar[str] = ContextVar("sandbox_invocation_type", default="")
RECURSION_TEXT = (
    "Lambda has detected your function being invoked in a recursive loop with other Amazon Web "
    "Services resources and stopped your function's invocation."
)
Config = dict[str, Any]


def install() -> None:
    """Follow each chain through the services, and refuse where Lambda refuses."""
    wrap_seam("ministack.app", "app", "scope, receive, send", _remember_trace)
    wrap_seam(SERVICE, "_recursive_loop_drop", "name, func, depth", _refuse_direct_invocation)
    wrap_seam(SERVICE, "invoke_async_with_retry", "func, event", _refuse_asynchronous_event)
    wrap_seam(
        "ministack.services.sns",
        "_deliver_to_lambda",
        "endpoint, envelope, topic_arn, sub_arn, msg_id, raw_message, message_attributes",
        _refuse_notification,
    )
    wrap_seam(SQS, "_build_send_sys_attrs", "now, sys_attrs_input", _keep_with_sent_message)
    wrap_seam(SQS, "_ensure_msg_fields", "m", _keep_with_notification)


@contextmanager
def follow_trace(header: str | None) -> Iterator[None]:
    """Make what happens inside part of the chain that this header describes."""
    token = INBOUND_TRACE.set(header)
    try:
        yield
    finally:
        INBOUND_TRACE.reset(token)


@contextmanager
def deliver_from_bus() -> Iterator[None]:
    """Make what EventBridge delivers inside part of the chain, if the switch says so."""
    followed = current_switches(FunctionSwitches).loop_through_event_bus
    token = _FOLLOWED_BY_BUS.set(followed)
    try:
        yield
    finally:
        _FOLLOWED_BY_BUS.reset(token)


def begin_invocation(config: Config) -> str:
    """Return the trace header for the runtime of an invocation that is not refused."""
    sampled = (config.get("TracingConfig") or {}).get("Mode") == "Active"
    return extend_trace(INBOUND_TRACE.get(), _name_in_lineage(config), sampled)


def select_messages(config: Config, batch: Sequence[Any]) -> tuple[list[Any], str | None]:
    """Return those messages of a batch that the function may be invoked with, and their header.

    It is none of them if the function is in a recursive loop; this is then in its metrics. AWS
    does not say what happens to a batch of several chains: the switch `loop_batch` chooses.
    """
    chosen = list(batch)
    if current_switches(FunctionSwitches).loop_batch == "each":
        chosen = [message for message in batch if not _is_loop(config, _trace_of(message))]
    trace = merge_traces(_trace_of(message) for message in chosen)
    if len(chosen) < len(batch) or _is_loop(config, trace):
        _count_refusal(config)
    return ([], None) if _is_loop(config, trace) else (chosen, trace)


def _trace_of(message: Any) -> str | None:
    return (message.get("sys") or {}).get(TRACE_ATTRIBUTE)


def _name_in_lineage(config: Config) -> str:
    """Return the function's name in a lineage. All its versions count as one."""
    return identify_function(":".join(config["FunctionArn"].split(":")[:7]))


def _is_loop(config: Config, header: str | None) -> bool:
    function = use_seam(SERVICE, "_functions").get(config["FunctionName"]) or {}
    return (
        function.get("recursive_loop") != "Allow"
        and count_invocations(header, _name_in_lineage(config)) >= MAX_INVOCATIONS
    )


def _count_refusal(config: Config) -> None:
    use_seam(
        "ministack.services.cloudwatch",
        "record_metric",
        "namespace, metric_name, value, unit='None', dimensions=None",
    )(
        "AWS/Lambda",
        "RecursiveInvocationsDropped",
        1,
        "Count",
        {"FunctionName": config["FunctionName"]},
    )


def _remember_trace(
    original: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    async def handle_request(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers") or ())
        INBOUND_TRACE.set(headers.get(TRACE_HEADER, b"").decode("latin-1") or None)
        INVOCATION_TYPE.set(headers.get(TYPE_HEADER, b"").decode("latin-1"))
        await original(scope, receive, send)

    return handle_request


def _refuse_direct_invocation(___: Callable[..., Any]) -> Callable[..., Any]:
    """Replace the server's count, which only its own runtime sends.

    An event for later is accepted here and judged when its turn comes.
    """
    refuse = use_seam(
        "ministack.core.responses",
        "error_response_json",
        "code, message, status=400, extra=None, *, message_key='message', "
        "content_type='application/x-amz-json-1.0'",
    )

    def find_refusal(_: str, func: Config, __: int) -> Any:
        config = func["config"]
        if INVOCATION_TYPE.get() == "Event" or not _is_loop(config, INBOUND_TRACE.get()):
            return None
        _count_refusal(config)
        return refuse("RecursiveInvocationException", RECURSION_TEXT, 400)

    return find_refusal


def _refuse_asynchronous_event(original: Callable[..., None]) -> Callable[..., None]:
    def invoke(func: Config, event: Any) -> None:
        if not _drop_event(func, event):
            original(func, event)

    return invoke


def _refuse_notification(original: Callable[..., None]) -> Callable[..., None]:
    """Judge what a topic sends to a function, which the server executes by itself."""
    find = use_seam(SERVICE, "_get_func_record_for_ref", "function_ref")

    def deliver(endpoint: str, envelope: str, *words: Any) -> None:
        func = find(endpoint)[0]
        record = {"EventVersion": "1.0", "EventSource": "aws:sns", "Sns": json.loads(envelope)}
        if not func or not _drop_event(func, {"Records": [record]}):
            original(endpoint, envelope, *words)

    return deliver


def _drop_event(func: Config, event: Any) -> bool:
    """Return whether an asynchronous event is dropped because its chain is too long.

    It goes to the function's on-failure destination or dead-letter queue, if there is one.
    """
    config = func.get("config") or func
    if not _is_loop(config, INBOUND_TRACE.get()):
        return False
    _count_refusal(config)
    if target := _find_failure_target(func, config):
        error = {"errorType": "RecursiveInvocationException", "errorMessage": RECURSION_TEXT}
        use_seam(SERVICE, "_route_async_failure", "target_arn, func_name, event, result")(
            target, config["FunctionName"], event, {"body": error}
        )
    return True


def _find_failure_target(func: Config, config: Config) -> str:
    """Return the on-failure destination or the dead-letter queue of a function; "" for neither."""
    settings = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get(
        "$LATEST"
    )
    destination = ((settings or {}).get("DestinationConfig") or {}).get("OnFailure") or {}
    letters = config.get("DeadLetterConfig") or {}
    return str(destination.get("Destination") or letters.get("TargetArn") or "")


def _keep_with_sent_message(original: Callable[..., Config]) -> Callable[..., Config]:
    """Keep the header of SendMessage with its message. An attribute of the message has precedence.

    Source: AWS X-Ray, "Amazon SQS and AWS X-Ray".
    """

    def build(now: float, sys_attrs_input: Any) -> Config:
        attributes = original(now, sys_attrs_input)
        if trace := INBOUND_TRACE.get():
            attributes.setdefault(TRACE_ATTRIBUTE, trace)
        return attributes

    return build


def _keep_with_notification(original: Callable[[Config], None]) -> Callable[[Config], None]:
    """Keep the header with messages that SNS and S3 make, which have no attributes yet.

    Those of EventBridge have some, and are followed only if the switch says so.
    """

    def complete(m: Config) -> None:
        made = "sys" not in m or _FOLLOWED_BY_BUS.get()
        original(m)
        if made and (trace := INBOUND_TRACE.get()):
            m["sys"].setdefault(TRACE_ATTRIBUTE, trace)

    return complete
