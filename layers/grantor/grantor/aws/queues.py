"""The queue of bells, which a run itself rings: about what it could not finish, and when something ends."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from math import ceil
from typing import TYPE_CHECKING, Any

from grantor.aws.clients import NotYet, passing
from grantor.core.jobs.upload_triggers import WAITING, JobBell
from grantor.core.triggers import OWN

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


FIRST_DELAY, LONGEST_DELAY = 5, 900  # seconds until the bell rings; SQS delays a message by at most 900
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
        self._send(bells, attempt, min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1)) if attempt else 0)

    def ring_in(self, bells: Sequence[str], seconds: float) -> None:
        """Ring about these in so many seconds, at most 900; one call."""
        self._send(bells, 0, min(LONGEST_DELAY, max(0, ceil(seconds))))

    def _send(self, bells: Sequence[str], attempt: int, delay: int) -> None:
        event = {"source": OWN, "detail-type": "Run Unfinished", "detail": {"bells": list(bells), "attempt": attempt}}
        body = json.dumps(event)
        if len(body) > SIZE:
            body = json.dumps(event | {"detail": {"attempt": attempt}})  # about everything
        self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay)

    def again(self, receipts: Iterable[tuple[str, int]]) -> None:
        """Let messages that failed come again sooner than their visibility timeout says, and later each time they did. A call each."""
        for receipt, received in receipts:
            seconds = min(LONGEST_DELAY, FIRST_DELAY * 4**received)
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)


TOGETHER = 10  # messages of one call (SQS)
FIRST_UPLOAD_DELAY, LONGEST_UPLOAD_DELAY = 10, 600  # seconds until it comes again: at first, and at most


class JobQueue:
    """The queue that every doorbell of jobs rings. ClientError when SQS refuses."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def later(self, bell: JobBell, known: float = 0.0) -> int:
        """Look at an upload again, for the bell's attempt; in how many seconds. One call.

        `known` are the seconds after which there will be something to do, if that is known.
        """
        seconds = min(LONGEST_UPLOAD_DELAY, math.ceil(known)) or delay(bell.attempt)
        self._client.send_message(QueueUrl=self._url, MessageBody=_message(bell), DelaySeconds=seconds)
        return seconds

    def now(self, bells: Iterable[JobBell]) -> None:
        """Look at these uploads, each by a message of its own; a call for each ten."""
        for together in batched(bells, TOGETHER):
            entries: Any = [{"Id": str(number), "MessageBody": _message(bell)} for number, bell in enumerate(together)]
            told = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if refused := told.get("Failed"):
                raise NotYet(f"the queue did not take {len(refused)} messages: {refused[0].get('Message')}")

    def again(self, receipts: Iterable[tuple[str, int]]) -> None:
        """Let messages that failed come again, later the more often they were received. A call each."""
        for receipt, received in receipts:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=delay(max(1, received))
            )


def _message(bell: JobBell) -> str:
    """Shaped as EventBridge's events are, so that it is read as they are."""
    detail = {"upload": bell.upload, "attempt": bell.attempt, "at": bell.at, "granted": bell.granted}
    return json.dumps({"source": OWN, "detail-type": WAITING, "detail": detail})


def delay(attempt: int) -> int:
    """Seconds before an attempt, counted from 1.

    >>> [delay(attempt) for attempt in (1, 2, 3, 7, 30)]
    [10, 20, 40, 600, 600]
    """
    return int(min(LONGEST_UPLOAD_DELAY, FIRST_UPLOAD_DELAY * 2 ** min(attempt - 1, 10)))


WAIT = 1  # seconds for which a call asks every server of the queue, instead of some of them (SQS's long polling)
HELD = 600  # seconds for which nobody else sees what was read; then it lies there again, whatever has happened


@dataclass(frozen=True)
class Letter:
    """A message that lies there: `sent` is when it was sent first, in seconds since 1970."""

    id: str
    body: str
    sent: float
    receipt: str


class DeadLetters:
    """The queue at `url`, and that at `back`, where its messages came from. NotYet when SQS can't do it now, ClientError when it won't."""

    def __init__(self, client: "SQSClient", url: str, back: str) -> None:
        self._client = client
        self._url = url
        self._back = back

    def some(self) -> list[Letter]:
        """At most ten of what lies there, hidden from others for a while; none once all of it was read. One call."""
        with passing():
            told = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=TOGETHER,
                WaitTimeSeconds=WAIT,
                VisibilityTimeout=HELD,
                AttributeNames=["SentTimestamp"],
            )
        return [
            Letter(one["MessageId"], one["Body"], int(one["Attributes"]["SentTimestamp"]) / 1000, one["ReceiptHandle"])
            for one in told.get("Messages", [])
        ]

    def send_back(self, letter: Letter) -> None:
        """It is sent as a new message, and only then gone from here: whatever fails, it is not lost. Two calls."""
        with passing():
            self._client.send_message(QueueUrl=self._back, MessageBody=letter.body)
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)

    def leave(self, letter: Letter) -> None:
        """Others see it again at once; one call."""
        with passing():
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)
