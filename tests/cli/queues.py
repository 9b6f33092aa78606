"""The queues of an estate as a deploy creates them, each with its dead-letter queue."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.conftest import ACCOUNT, REGION
from tests.estate import Estate


@dataclass
class Queues:
    """The queues by their names: event-queue, event-dlq, upload-queue, upload-dlq."""

    sqs: Any
    place: str

    @classmethod
    def of(cls, estate: Estate) -> "Queues":
        """Create the queues that the estate lacks."""
        sqs = estate.client("sqs")
        for name in ("event", "upload"):
            sqs.create_queue(QueueName=f"{name}-dlq")
            dead = {
                "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dlq",
                "maxReceiveCount": 5,
            }
            url = sqs.create_queue(QueueName=f"{name}-queue")["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(dead)})
        return cls(sqs, estate.names.event_queue.rpartition("/")[0])

    def send(self, name: str, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=f"{self.place}/{name}", MessageBody=body)

    def take(self, name: str) -> list[str]:
        """Receive all messages that are visible now, which hides them from others."""
        return list(self._bodies(name))

    def _bodies(self, name: str) -> Iterator[str]:
        asked = {
            "QueueUrl": f"{self.place}/{name}",
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": 60,
        }
        while messages := self.sqs.receive_message(**asked).get("Messages"):
            yield from (message["Body"] for message in messages)
