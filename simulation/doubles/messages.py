"""SQS, EventBridge and SNS: messages that come late, twice, in another order, or never."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulation.choices import Choices
from simulation.doubles.gate import Request, ServiceClient
from simulation.scheduler import Scheduler

VISIBILITY_SECONDS = 720.0  # as the event queue of the template
MAX_RECEIVES = 5  # likewise
EVENT_FATES = ("prompt", "prompt", "prompt", "late", "lost", "doubled")
LATE_SECONDS = (30.0, 400.0, 1200.0)


class QueueClient(ServiceClient):
    """A client of SQS."""

    service = "sqs"


class BusClient(ServiceClient):
    """A client of EventBridge."""

    service = "events"


class TopicClient(ServiceClient):
    """A client of SNS."""

    service = "sns"


@dataclass(eq=False)
class Message:
    """A message of the event queue. It is hidden until `visible_at`."""

    id: str
    body: str
    visible_at: float
    sent_at: float
    received: int = 0


@dataclass
class Queue:
    """The event queue and its dead-letter queue."""

    scheduler: Scheduler
    choices: Choices
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    _number: int = 0

    def send_message(self, request: Request) -> Any:
        self.add(request["MessageBody"], request.get("DelaySeconds", 0))
        return {"MessageId": f"m{self._number}"}

    def change_message_visibility(self, request: Request) -> Any:
        for message in self.messages:
            if message.id == request["ReceiptHandle"]:
                self._hide(message, request["VisibilityTimeout"])
        return {}

    def add(self, body: str, delay: float = 0.0) -> None:
        """Put a message into the queue, visible after so many seconds."""
        self._number += 1
        now = self.scheduler.now
        message = Message(f"m{self._number}", body, now + delay, now)
        self.messages.append(message)
        if delay:
            self.scheduler.call_at(message.visible_at, lambda: None)

    @property
    def visible(self) -> list[Message]:
        """What can be received now."""
        return [one for one in self.messages if one.visible_at <= self.scheduler.now]

    def receive(self) -> list[Message]:
        """Receive some messages, in any order; they are hidden until they are deleted."""
        found = self.visible
        if len(found) > 1 and self.choices.happens(2):
            found = found[::-1]
        batch = found[: len(found) - self.choices.draw(len(found))]
        for message in batch:
            message.received += 1
            if message.received > MAX_RECEIVES:
                self.messages.remove(message)
                self.dead.append(message)
            else:
                self._hide(message, VISIBILITY_SECONDS)
        return [one for one in batch if one.received <= MAX_RECEIVES]

    def delete(self, message: Message) -> None:
        """Delete a message that was handled."""
        if message in self.messages:
            self.messages.remove(message)

    def _hide(self, message: Message, seconds: float) -> None:
        message.visible_at = self.scheduler.now + seconds
        self.scheduler.call_at(message.visible_at, lambda: None)


@dataclass
class Bus:
    """EventBridge: brings events of AWS to the queue, and keeps those of runs."""

    scheduler: Scheduler
    choices: Choices
    queue: Queue
    is_reliable: bool = False
    published: list[Mapping[str, Any]] = field(default_factory=list)
    fates: dict[str, int] = field(default_factory=dict)
    on_publish: Callable[[Mapping[str, Any]], None] = lambda _: None
    notes: Callable[[str], None] = lambda _: None

    def put_events(self, request: Request) -> Any:
        for entry in request["Entries"]:
            event = {"type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
            self.published.append(event)
            self.on_publish(event)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in request["Entries"]]}

    def bring(self, event: Mapping[str, Any]) -> None:
        """Bring an event of AWS to the queue: late, twice, or not at all."""
        fate = EVENT_FATES[0] if self.is_reliable else self.choices.pick(EVENT_FATES)
        self.fates[fate] = self.fates.get(fate, 0) + 1
        body = json.dumps(event)
        self.notes(f"event is {fate}: {event.get('detail-type')}")
        if fate == "late":
            seconds = self.choices.pick(LATE_SECONDS)
            self.scheduler.call_at(self.scheduler.now + seconds, lambda: self.queue.add(body))
        elif fate != "lost":
            for _ in range(2 if fate == "doubled" else 1):
                self.queue.add(body)


@dataclass
class Topic:
    """SNS: the alerts that people have got."""

    alerts: list[tuple[str, str]] = field(default_factory=list)

    def publish(self, request: Request) -> Any:
        self.alerts.append((request["Subject"], request["Message"]))
        return {"MessageId": "a"}
