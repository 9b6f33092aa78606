"""What a run has to tell, as lines that can be searched: each begins with the sign of a change, or with a word and a colon."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

KINDS = {
    "done": "",
    "adopted": "accepted: ",
    "rejected": "wrong: ",
    "refused": "refused: ",
    "approval": "approval: ",
    "later": "later: ",
    "waits": "",
    "warnings": "warning: ",
    "foreign": "foreign: ",
}  # the lists of a report, in the order in which they are told
MOST = 20  # lines of what may be thousands: grants of somebody who shares the instance, dead letters of a storm


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The sentences of a report or of its summary."""
    for kind, word in KINDS.items():
        sentences = list(told.get(kind, []))
        shown = sentences[:MOST] if kind == "foreign" else sentences
        yield from (f"{word}{sentence}" for sentence in shown)
        if len(shown) < len(sentences):
            yield f"{word}{more(len(sentences) - len(shown))}"


def more(number: int) -> str:
    """What stands for so many lines that are not shown."""
    return f"… and {number:,} more; --json names them all"


def time(iso: str) -> str:
    """A time as it is shown.

    >>> time("2026-11-24T10:00:00+00:00")
    '2026-11-24 10:00:00Z'
    """
    return iso.replace("T", " ").replace("+00:00", "Z")


def moment(seconds: float) -> str:
    """A time in seconds since 1970, in ISO 8601, UTC.

    >>> moment(60)
    '1970-01-01T00:01:00+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def count(number: int, word: str) -> str:
    """So many of something.

    >>> count(1, "grant"), count(2000, "grant")
    ('1 grant', '2,000 grants')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def visible(text: str) -> str:
    r"""A text in one line: what nobody sees in it, or would move a terminal's cursor, is written out.

    >>> print(visible("UserA/a b.csv"), visible("red\x1b[31m\n"))
    UserA/a b.csv red\x1b[31m\n
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def lasted(seconds: float) -> str:
    """How long something took.

    >>> lasted(4.6), lasted(192), lasted(7260)
    ('5 s', '3 min 12 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
