"""What a queue brings to a function, where the server is laxer than Lambda: the window, the role's rights, the report of failures.

The server keeps the polling itself: which messages are visible, how many batches run at once, the dead letters.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.server.execution_role import may
from sandbox.server.seams import use, wrap

SERVICE = "ministack.services.lambda_svc"
SQS = "ministack.services.sqs"
CLOUD = "ministack.services.cloudformation.provisioners"
# What the execution role must be allowed; AWS, "Creating and configuring an Amazon SQS event source mapping".
NEEDS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
PAUSE = 1.0  # seconds from a batch that failed to the next one
HELD: dict[str, float] = {}  # event source mapping → when its batching window ends, in seconds since the epoch
Mapping = dict[str, Any]


def install() -> None:
    """Refuse the mappings that Lambda refuses, and bring batches as Lambda does."""
    wrap(SERVICE, "_create_esm", "data", _checking)
    wrap(SERVICE, "_update_esm", "esm_id, data", _checking_change)
    handlers = use(CLOUD, "_RESOURCE_HANDLERS")
    entry = handlers["AWS::Lambda::EventSourceMapping"]
    strict = {"create": _raising(entry["create"], 1), "update": _raising(entry["update"], 2)}
    handlers["AWS::Lambda::EventSourceMapping"] = entry | strict
    wrap(SERVICE, "_poll_sqs", "", _pausing)
    wrap(SERVICE, "_dispatch_esm_batch", "esm_id, fn, *args", _closing_window)
    wrap(SERVICE, "_run_sqs_batch", "esm, func_rec, event, batch, queue_url, queue_name", _heeding_report)
    wrap(SQS, "_receive_messages_for_esm", "queue_url, max_number", _in_full)


def forget() -> None:
    """Close all windows."""
    HELD.clear()


def _problem(mapping: Mapping) -> str | None:
    """Why Lambda would refuse the mapping, in Lambda's words; None if it would not."""
    arn = str(mapping.get("EventSourceArn", ""))
    config = use(SERVICE, "_get_func_record_for_ref", "function_ref")(str(mapping.get("FunctionName", "")))[1]
    if ":sqs:" not in arn or config is None:
        return None
    queue = use(SQS, "_queue_by_arn", "arn")(arn)
    if queue is None:
        return "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."
    patience, timeout = int(queue["attributes"].get("VisibilityTimeout", 30)), int(config.get("Timeout", 3))
    if patience < timeout:
        return f"Queue visibility timeout: {patience} seconds is less than Function timeout: {timeout} seconds"
    if int(mapping.get("BatchSize") or 10) > 10 and not int(mapping.get("MaximumBatchingWindowInSeconds") or 0):
        return "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    return _missing_right(config, arn)


def _missing_right(config: dict[str, Any], queue: str) -> str | None:
    misses = next((action for action in NEEDS if not may(config, f"sqs:{action}", queue)), None)
    return misses and f"The provided execution role does not have permissions to call {misses} on SQS"


def _checking(original: Callable[..., Any]) -> Callable[..., Any]:
    refuse, wake = use(SERVICE, "_invalid_parameter_value", "message"), use(SERVICE, "_esm_wake")

    def create(data: Mapping) -> Any:
        if why := _problem(data):
            return refuse(why)
        made = original(data)
        wake.set()
        return made

    return create


def _checking_change(original: Callable[..., Any]) -> Callable[..., Any]:
    refuse, known = use(SERVICE, "_invalid_parameter_value", "message"), use(SERVICE, "_esms")

    def update(esm_id: str, data: Mapping) -> Any:
        why = _problem(known.get(esm_id, {}) | data)
        return refuse(why) if why else original(esm_id, data)

    return update


def _raising(original: Callable[..., Any], position: int) -> Callable[..., Any]:
    """CloudFormation's handler, whose properties stand at this position, failing its resource where Lambda would refuse."""

    def handle(*words: Any) -> Any:
        if why := _problem(words[position]):
            raise ValueError(f"Invalid request provided: {why}")
        return original(*words)

    return handle


def _pausing(original: Callable[[], bool]) -> Callable[[], bool]:
    """Before each look at the queues, hold back the mappings whose window still gathers, or whose role may not read."""
    mappings = use(SERVICE, "_iter_all_esms", "")

    def poll() -> bool:
        for account, region, mapping in mappings():
            if ":sqs:" in mapping["EventSourceArn"] and mapping.get("Enabled", True):
                with _in_scope(account, region):
                    _consider(mapping)
        return original()

    return poll


def _consider(mapping: Mapping) -> None:
    name, queue, now = mapping["UUID"], mapping["EventSourceArn"], time.time()
    waiting = _visible(queue, now)
    config = use(SERVICE, "_get_func_record_for_ref", "function_ref")(mapping["FunctionArn"])[1]
    if not waiting or config is None:
        HELD.pop(name, None)
    elif why := _missing_right(config, queue):
        mapping["LastProcessingResult"] = f"PROBLEM: {why}"
        _pause(name, now + PAUSE)
    else:
        _gather(mapping, waiting, now)


def _gather(mapping: Mapping, waiting: int, now: float) -> None:
    """Open the mapping's window, or let it pass when that has ended or a batch is full."""
    name, window = mapping["UUID"], mapping.get("MaximumBatchingWindowInSeconds")
    if window and waiting < mapping["BatchSize"] and now < HELD.get(name, now + 1):
        if name not in HELD:
            HELD[name] = now + window
            threading.Timer(window, use(SERVICE, "_esm_wake").set).start()
        return _pause(name, HELD[name])
    paused = use(SERVICE, "_esm_backoff_until")
    if name in HELD and paused.get(name) == HELD[name]:
        paused.pop(name)
    return None


def _pause(name: str, until: float) -> None:
    """Have the server's poller pass the mapping over until then; a longer pause stands."""
    paused = use(SERVICE, "_esm_backoff_until")
    paused[name] = max(paused.get(name, 0), until)


def _visible(arn: str, now: float) -> int:
    queue = use(SQS, "_queue_by_arn", "arn")(arn)
    return sum(message.get("visible_at", 0) <= now for message in queue["messages"]) if queue else 0


@contextmanager
def _in_scope(account: str, region: str) -> Iterator[None]:
    """The account and Region that the server's tables are read for."""
    responses = "ministack.core.responses"
    variables = use(responses, "_request_account_id"), use(responses, "_request_region")
    tokens = [variable.set(value) for variable, value in zip(variables, (account, region), strict=True)]
    try:
        yield
    finally:
        for variable, token in zip(variables, tokens, strict=True):
            variable.reset(token)


def _closing_window(original: Callable[..., None]) -> Callable[..., None]:
    """A window ends with the batch that it gathered, not before: while the function is busy, the batch stays due."""

    def dispatch(esm_id: str, fn: Any, *words: Any) -> None:
        HELD.pop(esm_id, None)
        original(esm_id, fn, *words)

    return dispatch


def _heeding_report(_: Callable[..., None]) -> Callable[..., None]:
    """In the place of the server's: it passes over reports of failures that it cannot read, and so loses their messages."""
    execute = use(SERVICE, "_execute_function", "func, event")
    delete = use(SQS, "_delete_messages_for_esm", "queue_url, receipt_handles")

    def run(esm: Mapping, func_rec: Any, event: Any, batch: list[Any], queue_url: str, _: str) -> None:
        result = execute(func_rec, event)
        if result.get("error"):
            esm["LastProcessingResult"] = "PROBLEM: Function call failed"
            return _pause(esm["UUID"], time.time() + PAUSE)
        failed = _reported(esm, result.get("body"), {message["id"] for message in batch})
        delete(queue_url, {message["receipt_handle"] for message in batch if message["id"] not in failed})
        esm["LastProcessingResult"] = "OK"
        return None

    return run


def _reported(mapping: Mapping, answer: Any, every: set[str]) -> set[str]:
    """The messages that the function's answer says have failed, all of them if Lambda cannot read it.

    Source: AWS, "Handling errors for an SQS event source in Lambda", success and failure conditions.
    """
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []) or not answer:
        return set()
    listed = answer.get("batchItemFailures") or [] if isinstance(answer, dict) else [answer]
    failed = {item.get("itemIdentifier") if isinstance(item, dict) else None for item in listed}
    return failed if failed.issubset(every) else every


def _in_full(original: Callable[[str, int], list[Any]]) -> Callable[[str, int], list[Any]]:
    """A batch larger than one receive of ten, as a mapping with a window may ask for."""

    def receive(queue_url: str, max_number: int) -> list[Any]:
        batch: list[Any] = []
        while len(batch) < max_number and (more := original(queue_url, max_number - len(batch))):
            batch += more
        return batch

    return receive
