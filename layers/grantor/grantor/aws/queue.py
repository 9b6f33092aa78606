"""The queue of bells: a run that could not finish rings again, later each time."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from grantor.core.doorbell import OWN

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

FIRST, LONGEST = 5, 900  # seconds until the bell rings; SQS delays a message by at most 900
SIZE = 200_000  # bytes; a message has at most 256 KB


class Queue:
    """The queue that every doorbell rings. ClientError when SQS refuses."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def ring(self, bells: Sequence[str], attempt: int = 0) -> int:
        """Ring about these in so many seconds as it returns: none for what is merely unfinished, then longer with each attempt.

        One call. The message is shaped as EventBridge's events are, so that it is read as they are.
        """
        delay = min(LONGEST, FIRST * 2 ** (attempt - 1)) if attempt else 0
        event = {"source": OWN, "detail-type": "Run Unfinished", "detail": {"bells": list(bells), "attempt": attempt}}
        body = json.dumps(event)
        if len(body) > SIZE:
            body = json.dumps(event | {"detail": {"attempt": attempt}})  # about everything
        self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay)
        return delay

    def again(self, receipts: Iterable[tuple[str, int]]) -> None:
        """Let messages that failed come again sooner than their visibility timeout says, and later each time they did. A call each."""
        for receipt, received in receipts:
            seconds = min(LONGEST, FIRST * 4**received)
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
