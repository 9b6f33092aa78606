"""The queue of bells, which a run itself rings: about what it could not finish, and when something ends."""

import json
from collections.abc import Iterable, Sequence
from math import ceil
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

    def ring(self, bells: Sequence[str], attempt: int = 0) -> None:
        """Ring about these: at once, or later with each attempt to do what could not be done yet.

        One call. The message is shaped as EventBridge's events are, so that it is read as they are.
        """
        self._send(bells, attempt, min(LONGEST, FIRST * 2 ** (attempt - 1)) if attempt else 0)

    def ring_in(self, bells: Sequence[str], seconds: float) -> None:
        """Ring about these in so many seconds, at most 900; one call."""
        self._send(bells, 0, min(LONGEST, max(0, ceil(seconds))))

    def _send(self, bells: Sequence[str], attempt: int, delay: int) -> None:
        event = {"source": OWN, "detail-type": "Run Unfinished", "detail": {"bells": list(bells), "attempt": attempt}}
        body = json.dumps(event)
        if len(body) > SIZE:
            body = json.dumps(event | {"detail": {"attempt": attempt}})  # about everything
        self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay)

    def again(self, receipts: Iterable[tuple[str, int]]) -> None:
        """Let messages that failed come again sooner than their visibility timeout says, and later each time they did. A call each."""
        for receipt, received in receipts:
            seconds = min(LONGEST, FIRST * 4**received)
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
