"""How a custom resource answers CloudFormation, so that a failure is told at once instead of after an hour of waiting.

The answer's shape: AWS CloudFormation User Guide, "Custom resource response objects".
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
from grantor.aws.clients import Clients, NotYet, code, passing

logger = Logger(service="custom-resource")


class Later(Exception):
    """The work is not done and goes on in another invocation, which answers; the text says what it waits for."""


def answer(event: Mapping[str, Any], context: Any, work: Callable[[], dict[str, str]]) -> None:
    """Do the work and tell CloudFormation how it went: SUCCESS with what it returned, or FAILED with the reason.

    Later goes through, and nothing is told.
    """
    try:
        status, reason, data = "SUCCESS", "", work()
    except Later:
        raise
    except Exception as error:
        logger.exception("the work failed")
        status, reason, data = "FAILED", f"{type(error).__name__}: {error}", {}
    told = {
        "Status": status,
        "Reason": reason or f"see log stream {context.log_stream_name}",
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    _put(event["ResponseURL"], json.dumps(told).encode())


def _put(url: str, body: bytes) -> None:
    # The URL is one that CloudFormation signed for this request; the signature covers an empty content type.
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310  -- it is CloudFormation's own
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310  -- as above
        pass


UNDONE = "ROLLBACK_IN_PROGRESS"  # the end of a creation that failed; a nested stack is then deleted
GOING = {"DELETE_IN_PROGRESS", UNDONE}
RESERVE = 10  # seconds of an invocation that are kept for calling itself again, or for answering
MARGIN = 30  # seconds before CloudFormation gives up in which it is told why
NEW = 60  # seconds in which a right that was just given may not be known everywhere
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


@dataclass(frozen=True)
class Turn:
    """One invocation's part of the work: `left` is how many milliseconds it has, `until` when the whole must be done (since 1970)."""

    left: Callable[[], int]
    since: float
    until: float
    undone: bool  # the stack was never completed: nobody has put anything in it

    def go_on(self, why: str = "there is more to do") -> None:
        """Returns while there is time. Later when this invocation is at its end, RuntimeError when CloudFormation's patience is."""
        if time.time() > self.until:
            raise RuntimeError(f"{why}: it took too long; delete the stack again and it goes on from here")
        if self.left() < RESERVE * 1000:
            raise Later(why)


Work = Callable[[Mapping[str, Any], Turn], dict[str, str]]


def leave(event: Mapping[str, Any], context: Any, work: Work) -> None:
    """Do the work when the stack is deleted, or its creation undone, and answer CloudFormation when it is done.

    Nothing is done for a creation or a change; nor when an update takes the resource out of a stack that stays.
    """
    clients = Clients()
    try:
        answer(event, context, lambda: _leave(event, context, work, clients) if event["RequestType"] == "Delete" else {})
    except Later as later:
        logger.info("to be continued", extra={"waits_for": str(later)})
        again = json.dumps({**event, "Since": _since(event)}).encode()
        clients.functions.invoke(FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=again)


def _leave(event: Mapping[str, Any], context: Any, work: Work, clients: Clients) -> dict[str, str]:
    status, above = cloudformation.statuses(clients.cloudformation, event["StackId"])
    if status not in GOING:
        return {}
    properties, since = event["ResourceProperties"], _since(event)
    patience = float(properties.get("ServiceTimeout", 3600)) - MARGIN
    turn = Turn(context.get_remaining_time_in_millis, since, since + patience, UNDONE in (status, above))
    return _until_done(work, properties, turn)


def _until_done(work: Work, properties: Mapping[str, Any], turn: Turn) -> dict[str, str]:
    pause = 0.1
    while True:
        try:
            with passing():
                return work(properties, turn)
        except NotYet as error:
            why = str(error)
        except ClientError as error:
            if code(error) not in DENIED or time.time() > turn.since + NEW:
                raise
            why = str(error)
        turn.go_on(why)
        time.sleep(pause)
        pause = min(pause * 1.5, 5)


def _since(event: Mapping[str, Any]) -> float:
    """When CloudFormation asked, seconds since 1970: the first invocation's own time."""
    return float(event.get("Since") or time.time())
