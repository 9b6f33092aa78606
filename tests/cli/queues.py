"""The estate's queues as a deploy makes them: those that doorbells ring, and those of what nobody answered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.conftest import ACCOUNT, REGION
from tests.estate import Estate


@dataclass
class Queues:
    """Each of them keeps what it is sent, until somebody looks."""

    sqs: Any
    place: str

    @classmethod
    def of(cls, estate: Estate) -> "Queues":
        """Made, as far as the estate has them not."""
        sqs = estate.client("sqs")
        for name in ("bells", "uploads"):
            sqs.create_queue(QueueName=f"dead-{name}")
            dead = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-{name}", "maxReceiveCount": 5}
            url = sqs.create_queue(QueueName=name)["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(dead)})
        return cls(sqs, estate.names.bells.rpartition("/")[0])

    def send(self, name: str, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=f"{self.place}/{name}", MessageBody=body)

    def take(self, name: str) -> list[str]:
        """What anyone may receive there now, and with that nobody else."""
        return list(self._bodies(name))

    def _bodies(self, name: str) -> Iterator[str]:
        asked = {"QueueUrl": f"{self.place}/{name}", "MaxNumberOfMessages": 10, "VisibilityTimeout": 60}
        while messages := self.sqs.receive_message(**asked).get("Messages"):
            yield from (message["Body"] for message in messages)
