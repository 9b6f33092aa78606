"""Messages of a queue that carries events: what each holds, and when those come again that failed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from grantor.aws.errors import UNANSWERED
from grantor.core.event import event_in

Record = Mapping[str, Any]  # a message as Lambda hands it over


def carried(record: Record, logger: Logger) -> Mapping[str, Any] | None:
    """The event that a message carries; None, after saying so, if it is none: then the message ends among the dead ones."""
    event = event_in(record["body"])
    if event is not None:
        return event
    logger.error("a message is no event", message_id=record["messageId"], body=record["body"][:100])
    return None


def sooner(again: Callable[[Iterable[tuple[str, int]]], None], failed: Iterable[Record], logger: Logger) -> None:
    """What failed comes again long before the queue's visibility timeout is over, as far as the queue can be told.

    `again` takes each message's receipt and how often it was received.
    """
    received = [(record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"])) for record in failed]
    try:
        again(received)
    except (ClientError, *UNANSWERED):
        logger.exception("they come again when their visibility timeout is over")
