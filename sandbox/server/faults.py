"""Faults on request: the rules that are in force at /_sandbox/faults, and the blow itself, in front of every service alike."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.faults import Misfit, Rule, Rules, refusals
from sandbox.operations import Asked
from sandbox.server import switches, tables
from sandbox.server.control import ANSWERS, body
from sandbox.server.seams import wrap

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Done = Callable[[Send], Awaitable[None]]
AFTER = ("lost", "cut", "stall", "unprocessed")  # the kinds that let the call be done first
SHAPES = {"rules": list, "switches": dict}
RULES = Rules()
FORGOTTEN: dict[int, asyncio.Event] = {}  # by the rule's number, for those whose calls are held open


@dataclass(frozen=True)
class Exchange:
    """A request under way: `done(send)` does the call itself, `hang_up()` closes the connection without an answer.

    `closing()` returns when the server goes down, which would otherwise wait for every call that is held.
    """

    receive: Receive
    send: Send
    done: Done
    hang_up: Callable[[], None]
    closing: Callable[[], Awaitable[None]]


def install() -> None:
    """Answer for the rules; forget them with everything else."""
    ANSWERS["faults"] = answer
    wrap("ministack.services.sts", "reset", "", _resetting)


def answer(method: str, query: dict[str, str], sent: bytes) -> tuple[int, Any]:
    """POST sets rules and switches, DELETE forgets one rule or everything, and each answers what is then in force, as GET does."""
    try:
        if method == "POST":
            _set(json.loads(sent))
        elif method == "DELETE":
            forget(int(query["rule"]) if "rule" in query else None)
    except (ValueError, TypeError) as wrong:
        return 400, {"error": str(wrong)}
    rules = [{name: value for name, value in asdict(rule).items() if value not in ("", 0) or name == "struck"} for rule in RULES]
    return 200, {"rules": rules, "switches": switches.switched_since_start()}


def forget(number: int | None = None) -> None:
    """Take one rule out of force, or all rules and switches; calls that it holds end without an answer."""
    for rule in RULES.forget(number):
        if held := FORGOTTEN.pop(rule.number, None):
            held.set()
    if number is None:
        switches.switch_back()


async def strike(rule: Rule, asked: Asked, exchange: Exchange) -> None:
    """Let the fault happen to a call. It counts as struck once the call is done, or refused, and before the caller hears of it."""
    if rule.kind not in AFTER:
        sent = await body(exchange.receive)
        rule.struck += 1
        return await _say(exchange.send, _refusal(rule, asked, sent))
    tables.HALVED.set(rule.kind == "unprocessed")
    messages = await _unheard(exchange.done)
    rule.struck += 1
    match rule.kind:
        case "lost":
            return await _say(exchange.send, refusals.failed(asked))
        case "cut" if whole := b"".join(message.get("body", b"") for message in messages):
            return await _cut(exchange.send, messages[0], whole)
        case "unprocessed":
            for message in messages:
                await exchange.send(message)
            return None
        case "stall":
            await _hold(rule, exchange)
    return exchange.hang_up()


def _set(wanted: Any) -> None:
    parts = wanted if isinstance(wanted, dict) else {"": wanted}
    if not (parts.keys() <= SHAPES.keys() and all(isinstance(value, SHAPES[name]) for name, value in parts.items())):
        raise Misfit('faults are set as {"rules": [{"service": …, "operation": …, "kind": …}], "switches": {"longest_page": 2}}')
    RULES.add(parts.get("rules", []))
    switches.switch(parts.get("switches", {}))


def _refusal(rule: Rule, asked: Asked, sent: bytes) -> refusals.Answer:
    match rule.kind:
        case "throttle":
            return refusals.throttled(asked)
        case "conditional":
            return refusals.unmet(asked, sent)
        case "invalid-grantee":
            return refusals.unknown_grantee(asked)
        case "refuse":
            return refusals.refused(asked, rule.code, rule.status, rule.message)
    return refusals.failed(asked)


async def _unheard(done: Done) -> list[Message]:
    """Do the call, and keep its answer from the caller."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await done(keep)
    return messages


async def _say(send: Send, answered: refusals.Answer) -> None:
    status, told, text = answered
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    headers.append((b"content-length", str(len(text)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _cut(send: Send, start: Message, whole: bytes) -> None:
    """Half of the answer, under the length of the whole; the server closes a connection whose answer is never finished."""
    headers = [header for header in start["headers"] if header[0].lower() not in (b"content-length", b"transfer-encoding")]
    headers.append((b"content-length", str(len(whole)).encode()))
    await send(start | {"headers": headers})
    await send({"type": "http.response.body", "body": whole[: len(whole) // 2], "more_body": True})


async def _hold(rule: Rule, exchange: Exchange) -> None:
    """Wait until the rule is forgotten, the caller goes away, or the server goes down."""
    forgotten = FORGOTTEN.setdefault(rule.number, asyncio.Event())
    ends = (forgotten.wait(), _gone(exchange.receive), exchange.closing())
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(end) for end in ends]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _resetting(original: Callable[[], None]) -> Callable[[], None]:
    def reset() -> None:
        forget()
        original()

    return reset
