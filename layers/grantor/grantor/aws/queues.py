"""The SQS queues: of events, of uploads, and their dead-letter queues.

The two queues of events and uploads raise AWS's errors as they are.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from math import ceil
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import CONNECTION_ERRORS, RetryableError, retryable
from grantor.core.triggers import (
    EVENT_SOURCE,
    JOB_WAITING,
    UploadTrigger,
    compute_delay,
    parse_event,
)
from grantor.limits import MAX_SQS_DELAY_SECONDS, SQS_BATCH_MESSAGES
from grantor.settings import (
    DEAD_LETTER_VISIBILITY_SECONDS,
    DEAD_LETTER_WAIT_SECONDS,
    EVENT_RETRY_FIRST_SECONDS,
    EVENT_RETRY_MAX_SECONDS,
    MAX_EVENT_MESSAGE_BYTES,
    UPLOAD_RETRY_FIRST_SECONDS,
    UPLOAD_RETRY_MAX_SECONDS,
)

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_sqs import SQSClient


type Record = Mapping[str, Any]  # an SQS message as Lambda passes it


class EventQueue:
    """The event queue.

    Runs enqueue what they have to do later; everything else comes from EventBridge.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def enqueue_now(self, subjects: Sequence[str], attempt: int = 0) -> None:
        """Enqueue a trigger for these subjects; from attempt 1 on with a delay that grows.

        Costs one call.

        The message has the shape of an EventBridge event, so that it is parsed like one.
        """
        delay = _event_delay(attempt) if attempt else 0
        self._send_event(subjects, attempt, delay)

    def enqueue_later(self, subjects: Sequence[str], seconds: float) -> None:
        """Enqueue a trigger with a delay of so many seconds, at most 900. Costs one call."""
        self._send_event(subjects, 0, min(MAX_SQS_DELAY_SECONDS, max(0, ceil(seconds))))

    def _send_event(self, subjects: Sequence[str], attempt: int, delay: int) -> None:
        detail = {"subjects": list(subjects), "attempt": attempt}
        event = {"source": EVENT_SOURCE, "detail-type": "Run Deferred", "detail": detail}
        body = json.dumps(event)
        if len(body) > MAX_EVENT_MESSAGE_BYTES:
            body = json.dumps(event | {"detail": {"attempt": attempt}})  # means everything
        self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay)

    def retry_later(self, receipts: Iterable[tuple[str, int]]) -> None:
        """Return failed messages to the queue, with a delay that grows with each receipt.

        That is sooner than the queue's visibility timeout. Costs a call per message.
        """
        for receipt, received in receipts:
            self._client.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=receipt,
                VisibilityTimeout=_event_delay(received + 1, factor=4),
            )


def _event_delay(attempt: int, factor: int = 2) -> int:
    return int(compute_delay(attempt, EVENT_RETRY_FIRST_SECONDS, EVENT_RETRY_MAX_SECONDS, factor))


class UploadQueue:
    """The upload queue, which the job launcher reads."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def enqueue_later(self, trigger: UploadTrigger, known: float = 0.0) -> int:
        """Enqueue an upload for another look, with a delay that grows with its attempt.

        Returns the delay in seconds. `known` is the delay if it is known when there will be
        something to do. Costs one call.
        """
        seconds = min(UPLOAD_RETRY_MAX_SECONDS, ceil(known)) or _upload_delay(trigger.attempt)
        self._client.send_message(
            QueueUrl=self._url, MessageBody=_format_message(trigger), DelaySeconds=seconds
        )
        return seconds

    def enqueue_now(self, triggers: Iterable[UploadTrigger]) -> None:
        """Enqueue uploads for another look, one message each.

        Costs a call per ten. Raises RetryableError if SQS takes only some.
        """
        for batch in batched(triggers, SQS_BATCH_MESSAGES):
            entries: Any = [
                {"Id": str(number), "MessageBody": _format_message(trigger)}
                for number, trigger in enumerate(batch)
            ]
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if failed := answer.get("Failed"):
                why = failed[0].get("Message")
                raise RetryableError(f"the queue did not take {len(failed)} messages: {why}")

    def retry_later(self, receipts: Iterable[tuple[str, int]]) -> None:
        """Return failed messages to the queue, with a delay that grows with each receipt.

        Costs a call per message.
        """
        for receipt, received in receipts:
            self._client.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=receipt,
                VisibilityTimeout=_upload_delay(max(1, received)),
            )


def _format_message(trigger: UploadTrigger) -> str:
    """Format a trigger like an EventBridge event, so that it is parsed like one."""
    detail = {
        "upload": trigger.upload,
        "attempt": trigger.attempt,
        "at": trigger.at,
        "granted": trigger.granted,
    }
    return json.dumps({"source": EVENT_SOURCE, "detail-type": JOB_WAITING, "detail": detail})


def _upload_delay(attempt: int) -> int:
    return int(compute_delay(attempt, UPLOAD_RETRY_FIRST_SECONDS, UPLOAD_RETRY_MAX_SECONDS))


@dataclass(frozen=True)
class DeadLetter:
    """A message in a dead-letter queue.

    `sent` is when it was first sent, in seconds since the epoch.
    """

    id: str
    body: str
    sent: float
    receipt: str


class DeadLetterQueue:
    """The dead-letter queue at `url`, whose messages came from the queue at `back`."""

    def __init__(self, client: "SQSClient", url: str, back: str) -> None:
        self._client = client
        self._url = url
        self._back = back

    def receive_letters(self) -> list[DeadLetter]:
        """Receive up to ten messages, hidden from others for ten minutes; none once all were read.

        Costs one call.
        """
        with retryable():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=SQS_BATCH_MESSAGES,
                WaitTimeSeconds=DEAD_LETTER_WAIT_SECONDS,
                VisibilityTimeout=DEAD_LETTER_VISIBILITY_SECONDS,
                AttributeNames=["SentTimestamp"],
            )
        return [
            DeadLetter(
                message["MessageId"],
                message["Body"],
                int(message["Attributes"]["SentTimestamp"]) / 1000,
                message["ReceiptHandle"],
            )
            for message in answer.get("Messages", [])
        ]

    def resend_letter(self, letter: DeadLetter) -> None:
        """Send a copy to the original queue, then delete the letter, so that it is never lost.

        Costs two calls.
        """
        with retryable():
            self._client.send_message(QueueUrl=self._back, MessageBody=letter.body)
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)

    def release_letter(self, letter: DeadLetter) -> None:
        """Make a letter visible to others at once. Costs one call."""
        with retryable():
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
            )


def parse_record(record: Record, logger: "Logger") -> Mapping[str, Any] | None:
    """Parse the event in a message.

    Returns None and logs an error if it is not an event; the message ends in the dead-letter queue.
    """
    event = parse_event(record["body"])
    if event is None:
        logger.error(
            "a message is not an event", message_id=record["messageId"], body=record["body"][:100]
        )
    return event


def retry_sooner(
    retry_later: Callable[[Iterable[tuple[str, int]]], None],
    failed: Iterable[Record],
    logger: "Logger",
) -> None:
    """Have SQS deliver failed messages again before the visibility timeout. Errors are only logged.

    `retry_later` gets each message's receipt and how often it was received.
    """
    received = [
        (record["receiptHandle"], int(record["attributes"]["ApproximateReceiveCount"]))
        for record in failed
    ]
    try:
        retry_later(received)
    except (ClientError, *CONNECTION_ERRORS):
        logger.exception("SQS delivers the messages again after their visibility timeout")
