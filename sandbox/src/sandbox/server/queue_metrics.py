"""The age of a queue's oldest message, as CloudWatch has it: SQS publishes it, the server does not.

AWS/SQS ApproximateAgeOfOldestMessage in seconds, by QueueName (SQS Developer Guide, "Available
CloudWatch metrics for Amazon SQS"). AWS publishes each minute; here it is measured when somebody
asks, so it is never late.
"""

import time
from collections.abc import Callable
from typing import Any

from sandbox.server.seams import use_seam, wrap_seam

CLOUDWATCH = "ministack.services.cloudwatch"
NAMESPACE, METRIC = "AWS/SQS", "ApproximateAgeOfOldestMessage"


def install() -> None:
    """Publish the ages before CloudWatch answers for its metrics."""
    parameters = "params, cbor_data, is_cbor, is_json=False"
    wrap_seam(CLOUDWATCH, "_get_metric_data", parameters, _publish_first)


def _publish_first(original: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*words: Any, **options: Any) -> Any:
        publish_ages()
        return original(*words, **options)

    return answer


def publish_ages() -> None:
    """Publish the age of the oldest message of each queue of the account that has messages."""
    parameters = "namespace, metric_name, value, unit='None', dimensions=None"
    record = use_seam(CLOUDWATCH, "record_metric", parameters)
    now = time.time()
    for queue in list(use_seam("ministack.services.sqs", "_queues").values()):
        sent = [one.get("enqueued_at", one.get("sent_at", now)) for one in queue["messages"]]
        if sent:
            name = queue["attributes"]["QueueArn"].rpartition(":")[2]
            record(NAMESPACE, METRIC, now - min(sent), "Seconds", {"QueueName": name})
