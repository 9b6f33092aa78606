"""The queues of a stack, each with its dead-letter queue."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.conftest import ACCOUNT, REGION
from tests.grantor_setup import GrantorSetup


@dataclass
class Queues:
    """The queues by their names: event-queue, event-dlq, upload-queue, upload-dlq."""

    sqs: Any
    base_url: str

    @classmethod
    def create(cls, setup: GrantorSetup) -> "Queues":
        """Create the queues that the setup lacks."""
        sqs = setup.client("sqs")
        for name in ("event", "upload"):
            sqs.create_queue(QueueName=f"{name}-dlq")
            dead = {
                "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dlq",
                "maxReceiveCount": 5,
            }
            url = sqs.create_queue(QueueName=f"{name}-queue")["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(dead)})
        return cls(sqs, setup.names.event_queue.rpartition("/")[0])

    def send(self, name: str, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=f"{self.base_url}/{name}", MessageBody=body)

    def receive(self, name: str) -> list[str]:
        """Receive all messages that are visible now, which hides them from others."""
        return list(self._receive_bodies(name))

    def _receive_bodies(self, name: str) -> Iterator[str]:
        asked = {
            "QueueUrl": f"{self.base_url}/{name}",
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": 60,
        }
        while messages := self.sqs.receive_message(**asked).get("Messages"):
            yield from (message["Body"] for message in messages)
