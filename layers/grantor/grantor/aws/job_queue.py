"""The queue of uploads: an upload that has to wait comes again as a message of its own, and later each time."""

import json
import math
from collections.abc import Iterable
from itertools import batched
from typing import TYPE_CHECKING, Any

from grantor.aws.errors import NotYet
from grantor.core.doorbell import OWN
from grantor.core.jobs.doorbells import WAITING, JobBell

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TOGETHER = 10  # messages of one call (SQS)
FIRST, LONGEST = 10, 600  # seconds until it comes again: at first, and at most


class JobQueue:
    """The queue that every doorbell of jobs rings. ClientError when SQS refuses."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def later(self, bell: JobBell, known: float = 0.0) -> int:
        """Look at an upload again, for the bell's attempt; in how many seconds. One call.

        `known` are the seconds after which there will be something to do, if that is known.
        """
        seconds = min(LONGEST, math.ceil(known)) or delay(bell.attempt)
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
    return int(min(LONGEST, FIRST * 2 ** min(attempt - 1, 10)))
