"""How a queue feeds a function, where the server is less strict than Lambda.

This is the batching window, the role's permissions and the report of failed items. The server keeps
the polling: which messages are visible, how many batches run at once, the dead letters.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.server.account import function_may
from sandbox.server.recursion import follow_trace, select_messages
from sandbox.server.seams import use_seam, wrap_seam

SERVICE = "ministack.services.lambda_svc"
SQS = "ministack.services.sqs"
CLOUD = "ministack.services.cloudformation.provisioners"
# What the execution role must be allowed; AWS, "Creating and configuring an Amazon SQS event
# source mapping".
REQUIRED_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
PAUSE_AFTER_FAILURE = 1.0  # seconds from a failed batch to the next one
# Event source mapping -> end of its batching window, in seconds since the epoch.
WINDOW_ENDS: dict[str, float] = {}
# Ids of the messages that a function is working on; received and noted under the lock.
MESSAGES_IN_FLIGHT: set[str] = set()
RECEIVING = threading.Lock()
Mapping = dict[str, Any]


def install() -> None:
    """Refuse the mappings that Lambda refuses, and deliver batches as Lambda does."""
    wrap_seam(SERVICE, "_create_esm", "data", _check_creation)
    wrap_seam(SERVICE, "_update_esm", "esm_id, data", _check_change)
    handlers = use_seam(CLOUD, "_RESOURCE_HANDLERS")
    entry = handlers["AWS::Lambda::EventSourceMapping"]
    strict = {
        "create": _fail_in_stack(entry["create"], 1),
        "update": _fail_in_stack(entry["update"], 2),
    }
    handlers["AWS::Lambda::EventSourceMapping"] = entry | strict
    wrap_seam(SERVICE, "_poll_sqs", "", _hold_back_mappings)
    wrap_seam(SERVICE, "_dispatch_esm_batch", "esm_id, fn, *args", _close_window)
    wrap_seam(
        SERVICE,
        "_run_sqs_batch",
        "esm, func_rec, event, batch, queue_url, queue_name",
        _apply_failure_report,
    )
    wrap_seam(SQS, "_receive_messages_for_esm", "queue_url, max_number", _receive_full_batch)


def close_windows() -> None:
    """Close all windows."""
    WINDOW_ENDS.clear()
    MESSAGES_IN_FLIGHT.clear()


def _find_problem(mapping: Mapping) -> str | None:
    """Return why Lambda would refuse the mapping, in Lambda's words; None if it would not."""
    arn = str(mapping.get("EventSourceArn", ""))
    config = use_seam(SERVICE, "_get_func_record_for_ref", "function_ref")(
        str(mapping.get("FunctionName", ""))
    )[1]
    if ":sqs:" not in arn or config is None:
        return None
    queue = use_seam(SQS, "_queue_by_arn", "arn")(arn)
    if queue is None:
        return (
            "Error occurred while ReceiveMessage. SQS Error Code: "
            "AWS.SimpleQueueService.NonExistentQueue."
        )
    patience, timeout = (
        int(queue["attributes"].get("VisibilityTimeout", 30)),
        int(config.get("Timeout", 3)),
    )
    if patience < timeout:
        return (
            f"Queue visibility timeout: {patience} seconds is less than Function timeout: "
            f"{timeout} seconds"
        )
    if int(mapping.get("BatchSize") or 10) > 10 and not int(
        mapping.get("MaximumBatchingWindowInSeconds") or 0
    ):
        return (
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )
    return _find_missing_permission(config, arn)


def _find_missing_permission(config: dict[str, Any], queue: str) -> str | None:
    misses = next(
        (action for action in REQUIRED_ACTIONS if not function_may(config, f"sqs:{action}", queue)),
        None,
    )
    return (
        misses and f"The provided execution role does not have permissions to call {misses} on SQS"
    )


def _check_creation(original: Callable[..., Any]) -> Callable[..., Any]:
    refuse, wake = (
        use_seam(SERVICE, "_invalid_parameter_value", "message"),
        use_seam(SERVICE, "_esm_wake"),
    )

    def create(data: Mapping) -> Any:
        if why := _find_problem(data):
            return refuse(why)
        made = original(data)
        wake.set()
        return made

    return create


def _check_change(original: Callable[..., Any]) -> Callable[..., Any]:
    refuse, known = (
        use_seam(SERVICE, "_invalid_parameter_value", "message"),
        use_seam(SERVICE, "_esms"),
    )

    def update(esm_id: str, data: Mapping) -> Any:
        why = _find_problem(known.get(esm_id, {}) | data)
        return refuse(why) if why else original(esm_id, data)

    return update


def _fail_in_stack(original: Callable[..., Any], position: int) -> Callable[..., Any]:
    """Make a CloudFormation handler fail its resource where Lambda would refuse.

    The handler's properties are at this position.
    """

    def handle(*words: Any) -> Any:
        if why := _find_problem(words[position]):
            raise ValueError(f"Invalid request provided: {why}")
        return original(*words)

    return handle


def _hold_back_mappings(original: Callable[[], bool]) -> Callable[[], bool]:
    """Before each poll, hold back mappings whose window is open or whose role may not read."""
    mappings = use_seam(SERVICE, "_iter_all_esms", "")

    def poll() -> bool:
        for account, region, mapping in mappings():
            if ":sqs:" in mapping["EventSourceArn"] and mapping.get("Enabled", True):
                with _enter_scope(account, region):
                    _consider_mapping(mapping)
        return original()

    return poll


def _consider_mapping(mapping: Mapping) -> None:
    name, queue, now = mapping["UUID"], mapping["EventSourceArn"], time.time()
    waiting = _list_visible_times(queue, now)
    config = use_seam(SERVICE, "_get_func_record_for_ref", "function_ref")(mapping["FunctionArn"])[
        1
    ]
    if not waiting or config is None:
        WINDOW_ENDS.pop(name, None)
    elif why := _find_missing_permission(config, queue):
        mapping["LastProcessingResult"] = f"PROBLEM: {why}"
        _pause_mapping(name, now + PAUSE_AFTER_FAILURE)
    else:
        _gather_batch(mapping, waiting, now)


def _gather_batch(mapping: Mapping, waiting: list[float], now: float) -> None:
    """Open the mapping's window with its first message, or end it once it is over or full."""
    name, window = mapping["UUID"], mapping.get("MaximumBatchingWindowInSeconds")
    end = WINDOW_ENDS.get(name, min(waiting) + (window or 0))
    if window and len(waiting) < mapping["BatchSize"] and now < end:
        if name not in WINDOW_ENDS:
            WINDOW_ENDS[name] = end
            threading.Timer(end - now, use_seam(SERVICE, "_esm_wake").set).start()
        return _pause_mapping(name, end)
    paused = use_seam(SERVICE, "_esm_backoff_until")
    if name in WINDOW_ENDS and paused.get(name) == WINDOW_ENDS[name]:
        paused.pop(name)
    return None


def _pause_mapping(name: str, until: float) -> None:
    """Make the server's poller skip the mapping until then. A longer pause stays in force."""
    paused = use_seam(SERVICE, "_esm_backoff_until")
    paused[name] = max(paused.get(name, 0), until)


def _list_visible_times(arn: str, now: float) -> list[float]:
    """List since when each visible message of a queue is visible."""
    queue = use_seam(SQS, "_queue_by_arn", "arn")(arn)
    times = [message.get("visible_at", 0.0) for message in (queue or {}).get("messages", ())]
    return [time for time in times if time <= now]


@contextmanager
def _enter_scope(account: str, region: str) -> Iterator[None]:
    """Set the account and Region that the server's tables are read for."""
    responses = "ministack.core.responses"
    variables = use_seam(responses, "_request_account_id"), use_seam(responses, "_request_region")
    tokens = [
        variable.set(value) for variable, value in zip(variables, (account, region), strict=True)
    ]
    try:
        yield
    finally:
        for variable, token in zip(variables, tokens, strict=True):
            variable.reset(token)


def _close_window(original: Callable[..., None]) -> Callable[..., None]:
    """End a window with the batch that it gathered, not before.

    While the function is busy, the batch stays due.
    """

    def dispatch(esm_id: str, fn: Any, *words: Any) -> None:
        WINDOW_ENDS.pop(esm_id, None)
        original(esm_id, fn, *words)

    return dispatch


def _apply_failure_report(_: Callable[..., None]) -> Callable[..., None]:
    """Replace how the server handles reports of failures.

    It ignores reports that it cannot read, and so loses their messages.
    """
    execute = use_seam(SERVICE, "_execute_function", "func, event")
    delete = use_seam(SQS, "_delete_messages_for_esm", "queue_url, receipt_handles")

    def run(
        esm: Mapping, func_rec: Any, event: Any, batch: list[Any], queue_url: str, _: str
    ) -> None:
        try:
            run_batch(esm, func_rec, event, batch, queue_url)
        finally:
            MESSAGES_IN_FLIGHT.difference_update(message["id"] for message in batch)

    def run_batch(
        esm: Mapping, func_rec: Any, event: Any, batch: list[Any], queue_url: str
    ) -> None:
        config = func_rec.get("config") or func_rec
        batch, trace = select_messages(config, batch)
        if not batch:
            # They are received again until the redrive policy moves them.
            esm["LastProcessingResult"] = "PROBLEM: Function call failed"
            return _pause_mapping(esm["UUID"], time.time() + PAUSE_AFTER_FAILURE)
        with follow_trace(trace):
            result = execute(func_rec, _keep_records(event, batch))
        if result.get("error"):
            esm["LastProcessingResult"] = "PROBLEM: Function call failed"
            return _pause_mapping(esm["UUID"], time.time() + PAUSE_AFTER_FAILURE)
        failed = _find_failed_messages(
            esm, result.get("body"), {message["id"] for message in batch}
        )
        delete(
            queue_url,
            {message["receipt_handle"] for message in batch if message["id"] not in failed},
        )
        esm["LastProcessingResult"] = "OK"
        return None

    return run


def _keep_records(event: dict[str, Any], batch: list[Any]) -> dict[str, Any]:
    """Return the event with the records of these messages."""
    kept = {message["id"] for message in batch}
    return event | {
        "Records": [record for record in event["Records"] if record["messageId"] in kept]
    }


def _find_failed_messages(mapping: Mapping, answer: Any, every: set[str]) -> set[str]:
    """Return the messages that failed according to the function's answer.

    These are all messages if Lambda cannot read the answer. Source: AWS, "Handling errors for
    an SQS event source in Lambda", success and failure conditions.
    """
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []) or not answer:
        return set()
    listed = answer.get("batchItemFailures") or [] if isinstance(answer, dict) else [answer]
    failed: set[Any] = {
        item.get("itemIdentifier") if isinstance(item, dict) else None for item in listed
    }
    return failed if failed.issubset(every) else every


def _receive_full_batch(
    original: Callable[[str, int], list[Any]],
) -> Callable[[str, int], list[Any]]:
    """Return a batch larger than one receive of ten, as a mapping with a window may have."""

    def receive(queue_url: str, max_number: int) -> list[Any]:
        batch: list[Any] = []
        with RECEIVING:
            while len(batch) < max_number and (
                more := original(queue_url, max_number - len(batch))
            ):
                batch += more
            MESSAGES_IN_FLIGHT.update(message["id"] for message in batch)
        return batch

    return receive
