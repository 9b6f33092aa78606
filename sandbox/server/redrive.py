"""StartMessageMoveTask, which the server's SQS lacks: what lies in a dead letter queue goes back to where it came from, all at once.

Amazon SQS API Reference, "StartMessageMoveTask": a moved message is a new one, with an enqueue time of its own; only a queue that is the dead letter queue of another
is a source.
"""

import base64
import json
import time
import uuid
from typing import Any

from sandbox.server.seams import use

SQS = "ministack.services.sqs"
CAME_FROM = "DeadLetterQueueSourceArn"
Queue = dict[str, Any]


def install() -> None:
    """Add the operation to the server's."""
    use(SQS, "_HANDLERS")["StartMessageMoveTask"] = start


def start(data: dict[str, Any], _: str) -> dict[str, str]:
    """Move every message that can be received now; the task is done when it is answered."""
    source = _queue(data["SourceArn"])
    if not any(_dead_letters(queue) == data["SourceArn"] for queue in use(SQS, "_queues").values()):
        raise _refused("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    now = time.time()
    waiting = [message for message in source["messages"] if message["visible_at"] <= now]
    for message in waiting:
        _queue(data.get("DestinationArn") or message["sys"][CAME_FROM])["messages"].append(_anew(message, now))
    source["messages"] = [message for message in source["messages"] if message not in waiting]
    use(SQS, "esm_wake").set()
    task = {"taskId": str(uuid.uuid4()), "sourceArn": data["SourceArn"]}
    return {"TaskHandle": base64.b64encode(json.dumps(task).encode()).decode()}


def _anew(message: dict[str, Any], now: float) -> dict[str, Any]:
    system = {name: value for name, value in message["sys"].items() if name != CAME_FROM}
    fresh = {"id": str(uuid.uuid4()), "receipt_handle": None, "visible_at": now, "enqueued_at": now, "receive_count": 0}
    return message | fresh | {"first_receive_at": None, "sys": system}


def _queue(arn: str) -> Queue:
    found: Queue | None = use(SQS, "_queue_by_arn", "arn")(arn)
    if found is None:
        raise _refused("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
    return found


def _dead_letters(queue: Queue) -> str:
    policy = queue["attributes"].get("RedrivePolicy")
    return str(json.loads(policy).get("deadLetterTargetArn", "")) if policy else ""


def _refused(code: str, message: str) -> Exception:
    refusal: Exception = use(SQS, "_Err")(code, message)
    return refusal
