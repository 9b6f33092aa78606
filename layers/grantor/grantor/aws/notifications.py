"""Text and lists cut to the size that a service takes, and never without saying so."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from grantor.aws.clients import NotYet, passing
from grantor.core.triggers import OWN

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient


LEFT_OUT = "left_out"  # where a cut mapping says how many items each of its lists lacks


def lines_cut(text: str, most: int) -> str:
    r"""The text in at most so many bytes: whole lines, and a last one that says how many are missing.

    >>> print(lines_cut("\n".join(f"+ grant {n}" for n in range(100)), 60))
    + grant 0
    + grant 1
    … and 98 more lines, cut for size
    """
    if _bytes(text) <= most:
        return text
    lines = text.split("\n")
    kept, room = 0, most - _bytes(f"… and {len(lines)} more lines, cut for size")
    while (room := room - _bytes(lines[kept]) - 1) >= 0:
        kept += 1
    return "\n".join([*lines[:kept], f"… and {len(lines) - kept} more lines, cut for size"])


def lists_cut(detail: Mapping[str, Any], most: int) -> dict[str, Any]:
    """The detail in at most so many bytes of JSON: its longest lists are halved, and `left_out` counts what each lacks.

    ValueError where it is too large without any list.

    >>> lists_cut({"run": "r1", "done": ["+ grant 1", "+ grant 2", "+ grant 3", "+ grant 4"]}, 74)
    {'run': 'r1', 'done': ['+ grant 1', '+ grant 2'], 'left_out': {'done': 2}}
    """
    cut: dict[str, Any] = dict(detail)
    while _bytes(json.dumps(cut, ensure_ascii=False)) > most:
        longest = max(
            (name for name, value in cut.items() if isinstance(value, list) and value), key=lambda n: _size(cut[n]), default=""
        )
        if not longest:
            raise ValueError(f"it has more than {most:,} bytes, and no list that could be cut")
        kept = cut[longest][: len(cut[longest]) // 2]
        missing = {**cut.get(LEFT_OUT, {}), longest: len(detail[longest]) - len(kept)}
        cut |= {longest: kept, LEFT_OUT: missing}
    return cut


def _size(value: Any) -> int:
    return _bytes(json.dumps(value, ensure_ascii=False))


def _bytes(text: str) -> int:
    return len(text.encode())


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
