"""A dead letter queue: what ended there is read, and goes back to the queue that it came from or stays."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grantor.aws.errors import passing

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TOGETHER = 10  # messages of one call (SQS)
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
