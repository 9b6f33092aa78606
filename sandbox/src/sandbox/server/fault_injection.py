"""Faults on request: the rules at /_sandbox/faults, and how they strike a call of any service."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.aws_requests import RequestedOperation
from sandbox.faults import FaultRule, FaultRules, InvalidRule, responses
from sandbox.server import control, dynamodb_checks
from sandbox.server.control import ANSWERS, read_body
from sandbox.server.seams import run_before_reset

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Done = Callable[[Send], Awaitable[None]]
KINDS_AFTER_CALL = (
    "lost",
    "cut",
    "stall",
    "unprocessed",
)  # the kinds that let the call complete first
FAULT_REQUEST = {"rules": list, "switches": dict}
FAULT_RULES = FaultRules()
# By number of the rule, for rules that hold connections open.
FORGOTTEN_RULES: dict[int, asyncio.Event] = {}


@dataclass(frozen=True)
class HttpExchange:
    """A request under way.

    `done(send)` carries out the call, `hang_up()` closes the connection without an answer.
    `closing()` returns when the server shuts down, which would otherwise wait for every call
    that is held.
    """

    receive: Receive
    send: Send
    done: Done
    hang_up: Callable[[], None]
    closing: Callable[[], Coroutine[Any, Any, None]]


def install() -> None:
    """Answer for the rules, and forget them when the server forgets everything."""
    ANSWERS["faults"] = answer_faults
    run_before_reset(forget_faults)


def answer_faults(method: str, query: dict[str, str], sent: bytes) -> tuple[int, Any]:
    """Answer which rules and switches are in force.

    POST sets some before, DELETE forgets one rule or everything.
    """
    try:
        if method == "POST":
            _set_faults(json.loads(sent))
        elif method == "DELETE":
            forget_faults(int(query["rule"]) if "rule" in query else None)
    except (ValueError, TypeError) as wrong:
        return 400, {"error": str(wrong)}
    rules = [
        {
            name: value
            for name, value in asdict(rule).items()
            if value not in ("", 0) or name == "struck"
        }
        for rule in FAULT_RULES
    ]
    return 200, {"rules": rules, "switches": control.list_changed_switches()}


def forget_faults(number: int | None = None) -> None:
    """Remove one rule, or all rules and switches. Calls that they hold end without an answer."""
    for rule in FAULT_RULES.remove(number):
        if held := FORGOTTEN_RULES.pop(rule.number, None):
            held.set()
    if number is None:
        control.restore_switches()


async def strike_call(rule: FaultRule, asked: RequestedOperation, exchange: HttpExchange) -> None:
    """Let the fault happen to a call.

    The call counts as struck once it is done, or refused, and before its caller sees that.
    """
    if rule.kind not in KINDS_AFTER_CALL:
        sent = await read_body(exchange.receive)
        rule.struck += 1
        return await _send_refusal(exchange.send, _build_refusal(rule, asked, sent))
    dynamodb_checks.HALVED_BATCH.set(rule.kind == "unprocessed")
    messages = await _withhold_answer(exchange.done)
    rule.struck += 1
    match rule.kind:
        case "lost":
            return await _send_refusal(exchange.send, responses.internal_error(asked))
        case "cut" if whole := b"".join(message.get("body", b"") for message in messages):
            return await _cut_answer(exchange.send, messages[0], whole)
        case "unprocessed":
            for message in messages:
                await exchange.send(message)
            return None
        case "stall":
            await _hold_connection(rule, exchange)
    return exchange.hang_up()


def _set_faults(wanted: Any) -> None:
    parts = wanted if isinstance(wanted, dict) else {"": wanted}
    if not (
        parts.keys() <= FAULT_REQUEST.keys()
        and all(isinstance(value, FAULT_REQUEST[name]) for name, value in parts.items())
    ):
        raise InvalidRule(
            "faults are set as "
            '{"rules": [{"service": …, "operation": …, "kind": …}], '
            '"switches": {"longest_page": 2}}'
        )
    FAULT_RULES.add(parts.get("rules", []))
    control.change_switches(parts.get("switches", {}))


def _build_refusal(rule: FaultRule, asked: RequestedOperation, sent: bytes) -> responses.Answer:
    match rule.kind:
        case "throttle":
            return responses.throttle_error(asked)
        case "conditional":
            return responses.condition_error(asked, sent)
        case "invalid-grantee":
            return responses.grantee_error(asked)
        case "refuse":
            return responses.service_error(asked, rule.code, rule.status, rule.message)
    return responses.internal_error(asked)


async def _withhold_answer(done: Done) -> list[Message]:
    """Carry out the call, and keep its answer from the caller."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await done(keep)
    return messages


async def _send_refusal(send: Send, answered: responses.Answer) -> None:
    status, answer_headers, text = answered
    headers = [(name.encode(), value.encode()) for name, value in answer_headers.items()]
    headers.append((b"content-length", str(len(text)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _cut_answer(send: Send, start: Message, whole: bytes) -> None:
    """Send half of the answer under the length of the whole.

    The server closes a connection whose answer is never finished.
    """
    headers = [
        header
        for header in start["headers"]
        if header[0].lower() not in (b"content-length", b"transfer-encoding")
    ]
    headers.append((b"content-length", str(len(whole)).encode()))
    await send(start | {"headers": headers})
    await send({"type": "http.response.body", "body": whole[: len(whole) // 2], "more_body": True})


async def _hold_connection(rule: FaultRule, exchange: HttpExchange) -> None:
    """Wait until the rule is forgotten, the caller disconnects, or the server shuts down."""
    forgotten = FORGOTTEN_RULES.setdefault(rule.number, asyncio.Event())
    ends: tuple[Coroutine[Any, Any, Any], ...] = (
        forgotten.wait(),
        _wait_for_disconnect(exchange.receive),
        exchange.closing(),
    )
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(end) for end in ends]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
