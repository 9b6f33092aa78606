"""What a run tells the world: one event of our own, for whoever listens, and a message where a person must act."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from grantor.aws.cut import lines_cut, lists_cut
from grantor.aws.errors import NotYet, passing
from grantor.core.doorbell import OWN

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient

EVENT = 250_000  # bytes of a detail; EventBridge takes 256 KB for the whole entry
MESSAGE = 250_000  # bytes; SNS takes 256 KB
SUBJECT = 100  # characters; SNS takes ASCII in one line


class Kind(StrEnum):
    """What happened, as the event's detail-type."""

    RECONCILED = "Grants Reconciled"
    PLAN_REFUSED = "Plan Refused"
    POLICY_REJECTED = "Policy Rejected"
    UNFINISHED = "Run Unfinished"
    JOB_STARTED = "Job Started"
    JOB_COMPLETED = "Job Completed"
    JOB_FAILED = "Job Failed"


class Notices:
    """The default event bus, and the topic of those who are to be called."""

    def __init__(self, events: "EventBridgeClient", sns: "SNSClient", topic: str) -> None:
        self._events = events
        self._sns = sns
        self._topic = topic

    def tell(self, kind: Kind, detail: Mapping[str, Any]) -> None:
        """Put one event on the bus; one call. Long lists are cut, and the detail's `left_out` says by how much.

        NotYet when EventBridge can not take it now, ClientError when it won't.
        """
        entry: Any = {"Source": OWN, "DetailType": str(kind), "Detail": json.dumps(lists_cut(detail, EVENT), ensure_ascii=False)}
        with passing():
            answer = self._events.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            refusal = answer["Entries"][0]
            raise NotYet(f"EventBridge did not take the event: {refusal.get('ErrorCode')}: {refusal.get('ErrorMessage')}")

    def call(self, subject: str, text: str) -> None:
        """Send a message to a person; one call. A long text ends with how many lines are missing. Raises as tell."""
        with passing():
            self._sns.publish(TopicArn=self._topic, Subject=_line(subject), Message=lines_cut(text, MESSAGE))


def _line(subject: str) -> str:
    """The subject as SNS takes it: one line of ASCII.

    >>> _line("Größe:  3 of 4 grants")
    'Gr??e: 3 of 4 grants'
    """
    plain = " ".join(subject.split()).encode("ascii", "replace").decode()
    return plain if len(plain) <= SUBJECT else f"{plain[: SUBJECT - 3]}..."
