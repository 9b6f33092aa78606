"""The event bus, the alert topic and the log of the functions; a message that is too large is
shortened, and says by how much.

Everything that leaves here has passed show_text or dump_json: a text of others forges no line and
hides no character.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from grantor.aws.clients import RetryableError, retryable
from grantor.core.diagnostics import dump_json, show_text
from grantor.core.planning.rendering import truncate_lines
from grantor.core.triggers import EVENT_SOURCE
from grantor.limits import MAX_SNS_SUBJECT_CHARACTERS
from grantor.settings import MAX_ALERT_BYTES, MAX_EVENT_DETAIL_BYTES

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient


TRUNCATED = "truncated"  # the member that counts how many items each shortened list lacks


def shorten_lists(document: Mapping[str, Any], max_bytes: int) -> dict[str, Any]:
    """The document in at most so many bytes of JSON: its longest lists are halved until it fits.

    `truncated` names each shortened list ("changes", "policy.accepted") with the number of items
    that it lacks. Raises ValueError if the document is too large even without its lists.

    >>> shorten_lists({"focus": ["profile D/a", "profile D/b", "profile D/c", "profile D/d"]}, 66)
    {'focus': ['profile D/a', 'profile D/b'], 'truncated': {'focus': 2}}
    """
    lists = _find_lists(document)
    kept = {path: len(items) for path, items in lists.items()}
    while count_bytes(shortened := _cut_lists(document, lists, kept)) > max_bytes:
        longest = max(
            kept,
            key=lambda path: count_bytes(lists[path][: kept[path]]) if kept[path] else 0,
            default="",
        )
        if not kept.get(longest):
            raise ValueError(
                f"it has more than {max_bytes:,} bytes, and no list that could be shortened"
            )
        kept[longest] //= 2
    return shortened


def limit_lists(document: Mapping[str, Any], max_items: int) -> dict[str, Any]:
    """The document with at most so many items in each list; `truncated` as in shorten_lists."""
    lists = _find_lists(document)
    return _cut_lists(
        document, lists, {path: min(len(items), max_items) for path, items in lists.items()}
    )


def dump_log(document: Mapping[str, Any]) -> str:
    r"""A log document as a line of JSON: its sentence as people see it, other values exact.

    >>> print(dump_log({"message": "a\u202e", "files": ["a\u202e"]}))
    {"message":"a\\u202e","files":["a\u202e"]}
    """
    message = document.get("message")
    shown = {"message": show_text(message)} if isinstance(message, str) else {}
    return dump_json({**document, **shown}, default=str)


def count_bytes(value: Any) -> int:
    """The size of the value as compact JSON."""
    return len(dump_json(value).encode())


def _find_lists(document: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Every list of the document and of its objects, by its path."""
    found = {name: value for name, value in document.items() if isinstance(value, list)}
    for name, value in document.items():
        if isinstance(value, Mapping) and name != TRUNCATED:
            found |= {f"{name}.{path}": items for path, items in _find_lists(value).items()}
    return found


def _cut_lists(
    document: Mapping[str, Any], lists: Mapping[str, list[Any]], kept: Mapping[str, int]
) -> dict[str, Any]:
    shortened = dict(document)
    for path in [path for path, items in lists.items() if kept[path] < len(items)]:
        *parents, name = path.split(".")
        place = shortened
        for parent in parents:
            place[parent] = place = dict(place[parent])
        place[name] = lists[path][: kept[path]]
        lacking = len(lists[path]) - kept[path]
        shortened[TRUNCATED] = {**shortened.get(TRUNCATED, {}), path: lacking}
    return shortened


class DetailType(StrEnum):
    """What happened, as the event's detail-type."""

    RECONCILED = "Grants Reconciled"
    APPROVAL_REQUIRED = "Approval Required"
    POLICY_REJECTED = "Policy Rejected"
    RUN_DEFERRED = "Run Deferred"
    JOB_STARTED = "Job Started"
    JOB_COMPLETED = "Job Completed"
    JOB_FAILED = "Job Failed"


class Notifications:
    """The default event bus and the alert topic."""

    def __init__(self, events: "EventBridgeClient", sns: "SNSClient", topic: str) -> None:
        self._events = events
        self._sns = sns
        self._topic = topic

    def put_event(self, detail_type: DetailType, detail: Mapping[str, Any]) -> None:
        """Put one event on the bus; one call. Long lists are shortened, and the detail's
        `truncated` says by how much.
        """
        text = dump_json(shorten_lists(detail, MAX_EVENT_DETAIL_BYTES))
        entry: Any = {"Source": EVENT_SOURCE, "DetailType": str(detail_type), "Detail": text}
        with retryable():
            answer = self._events.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            refusal = answer["Entries"][0]
            code, message = refusal.get("ErrorCode"), refusal.get("ErrorMessage")
            raise RetryableError(f"EventBridge did not take the event: {code}: {message}")

    def send_alert(self, subject: str, lines: list[str]) -> None:
        """Send a message to the topic; one call. A text that is too long ends with the number of
        missing lines.
        """
        message = truncate_lines("\n".join(map(show_text, lines)), MAX_ALERT_BYTES)
        with retryable():
            self._sns.publish(
                TopicArn=self._topic, Subject=format_subject(subject), Message=message
            )


def format_subject(subject: str) -> str:
    """The subject as SNS takes it: one line of ASCII.

    >>> format_subject("Größe:  3 of 4 grants")
    'Gr??e: 3 of 4 grants'
    """
    plain = " ".join(show_text(subject).split()).encode("ascii", "replace").decode()
    if len(plain) <= MAX_SNS_SUBJECT_CHARACTERS:
        return plain
    return f"{plain[: MAX_SNS_SUBJECT_CHARACTERS - 3]}..."
