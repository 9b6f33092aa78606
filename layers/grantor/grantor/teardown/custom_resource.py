"""Run the work of a custom resource and respond to CloudFormation.

The response also reports a failure, so that CloudFormation need not wait an hour for a timeout. Its
format: AWS CloudFormation User Guide, "Custom resource response objects".
"""

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from grantor.aws import cloudformation
from grantor.aws.clients import Clients, RetryableError, error_code, retryable
from grantor.aws.notifications import dump_log
from grantor.core.diagnostics import show_text
from grantor.settings import (
    NEW_PERMISSION_SECONDS,
    TEARDOWN_ANSWER_SECONDS,
    TEARDOWN_RESERVE_SECONDS,
)

logger = Logger(service="custom-resource", json_serializer=dump_log)


class ContinueLater(Exception):
    """The work continues in another invocation, which responds; the text says what it waits for."""


def run_and_respond(
    event: Mapping[str, Any], context: Any, work: Callable[[], dict[str, str]]
) -> None:
    """Do the work and respond: SUCCESS with what it returned, or FAILED with the reason.

    Lets ContinueLater through, without a response.
    """
    try:
        status, reason, data = "SUCCESS", "", work()
    except ContinueLater:
        raise
    except Exception as error:
        logger.exception("the work failed")
        status, reason, data = "FAILED", show_text(f"{type(error).__name__}: {error}"), {}
    response = {
        "Status": status,
        "Reason": reason or f"see log stream {context.log_stream_name}",
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    _send_response(event["ResponseURL"], json.dumps(response).encode())


def _send_response(url: str, body: bytes) -> None:
    # The URL comes from CloudFormation, which signed it for an empty content type.
    headers = {"Content-Type": ""}
    request = urllib.request.Request(url, body, headers, method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


ROLLBACK_STATUS = "ROLLBACK_IN_PROGRESS"  # a failed creation is undone; nested stacks are deleted
DELETION_STATUSES = {"DELETE_IN_PROGRESS", ROLLBACK_STATUS}
DENIAL_CODES = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


@dataclass(frozen=True)
class TeardownPass:
    """One invocation of a teardown step. Times are in seconds since the epoch."""

    remaining_millis: Callable[[], int]  # of this invocation
    started_at: float  # when CloudFormation asked for the deletion
    deadline: float  # of the whole deletion
    rolled_back: bool  # the stack was never completed, so nobody has put data into it

    def check_time(self, why: str = "there is more to do") -> None:
        """Check that there is time left.

        Raises ContinueLater if this invocation is near its end, and RuntimeError if
        CloudFormation's timeout is.
        """
        if time.time() > self.deadline:
            again = "delete the stack again to continue from here"
            raise RuntimeError(f"{why}: it took too long; {again}")
        if self.remaining_millis() < TEARDOWN_RESERVE_SECONDS * 1000:
            raise ContinueLater(why)


TeardownStep = Callable[[Mapping[str, Any], TeardownPass], dict[str, str]]


def run_teardown(event: Mapping[str, Any], context: Any, step: TeardownStep) -> None:
    """Run a step if the stack is deleted or its creation undone; respond when it is done.

    Does nothing if the resource is created or changed, or if an update removes the resource from a
    stack that stays.
    """
    clients = Clients()
    deletes = event["RequestType"] == "Delete"

    def work() -> dict[str, str]:
        return _run_step(event, context, step, clients) if deletes else {}

    try:
        run_and_respond(event, context, work)
    except ContinueLater as later:
        _continue_later(event, context, later)


def run_resumable(event: Mapping[str, Any], context: Any, step: TeardownStep) -> None:
    """Run a step, whatever happens to the stack; respond when it is done, in this invocation or in
    one that goes on.
    """
    try:
        run_always(event, context, step)
    except ContinueLater as later:
        _continue_later(event, context, later)


def run_always(event: Mapping[str, Any], context: Any, step: TeardownStep) -> None:
    """Run a step, whatever happens to the stack; respond when it is done."""

    def work() -> dict[str, str]:
        turn = _begin_pass(event, context, rolled_back=False)
        return _repeat_until_done(step, event["ResourceProperties"], turn)

    run_and_respond(event, context, work)


def _continue_later(event: Mapping[str, Any], context: Any, later: ContinueLater) -> None:
    """Let another invocation of the same function go on, with the time of the first."""
    logger.info("another invocation continues", extra={"waits_for": str(later)})
    again = json.dumps({**event, "Since": _started_at(event)}).encode()
    Clients().functions.invoke(
        FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=again
    )


def _run_step(
    event: Mapping[str, Any], context: Any, step: TeardownStep, clients: Clients
) -> dict[str, str]:
    status, parent = cloudformation.read_statuses(clients.cloudformation, event["StackId"])
    if status not in DELETION_STATUSES:
        return {}
    turn = _begin_pass(event, context, rolled_back=ROLLBACK_STATUS in (status, parent))
    return _repeat_until_done(step, event["ResourceProperties"], turn)


def _begin_pass(event: Mapping[str, Any], context: Any, *, rolled_back: bool) -> TeardownPass:
    started_at = _started_at(event)
    timeout = float(event["ResourceProperties"].get("ServiceTimeout", 3600))
    deadline = started_at + timeout - TEARDOWN_ANSWER_SECONDS
    return TeardownPass(context.get_remaining_time_in_millis, started_at, deadline, rolled_back)


def _repeat_until_done(
    step: TeardownStep, properties: Mapping[str, Any], turn: TeardownPass
) -> dict[str, str]:
    pause = 0.1
    while True:
        try:
            with retryable():
                return step(properties, turn)
        except RetryableError as error:
            why = str(error)
        except ClientError as error:
            is_new = time.time() <= turn.started_at + NEW_PERMISSION_SECONDS
            if error_code(error) not in DENIAL_CODES or not is_new:
                raise
            why = str(error)
        turn.check_time(why)
        time.sleep(pause)
        pause = min(pause * 1.5, 5)


def _started_at(event: Mapping[str, Any]) -> float:
    """Return when the first invocation began, in seconds since the epoch."""
    return float(event.get("Since") or time.time())
