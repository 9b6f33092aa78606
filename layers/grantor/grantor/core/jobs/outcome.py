"""What came of a run: its status, why it did not complete, and a sentence for people that says what to do.

A job's own reasons are its exit codes; SageMaker repeats them in FailureReason, and in nothing else that a machine can read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grantor.core.jobs.decide import Cause, Status, Told

LONGEST = 400  # characters of a text that somebody else has written
EXIT = re.compile(r"(?:returned non-zero exit status|exit code:?) (-?\d{1,3})")
EXITS = {
    2: Cause.SET_UP,  # it was called wrongly
    10: Cause.ACCESS,
    11: Cause.INPUT,
    12: Cause.CONTRACT,
    13: Cause.QUARANTINE,
    14: Cause.CAPABILITY,
    20: Cause.INTERNAL,
    137: Cause.INFRASTRUCTURE,  # killed, mostly for its memory
}
# What SageMaker begins a FailureReason with when it was the job's code, and when it was not.
CODE = ("AlgorithmError", "Algorithm Error")
SERVICE = ("InternalServerError", "CapacityError", "ResourceLimitExceeded", "InternalError")
# What happens next by itself; and what a person can do, where the job did not say so in its own sentence.
NEXT = {
    Cause.ACCESS: "it is tried again when grants change",
    Cause.INTERNAL: "it is tried again by itself, three times at most",
    Cause.INFRASTRUCTURE: "it is tried again by itself, three times at most",
}
REMEDIES = {
    Cause.ACCESS: "see that its role holds the grants",
    Cause.INPUT: "what has come since starts a run of its own; upload it again if it was deleted by mistake",
    Cause.CONTRACT: "upload a file of abalone's nine columns, as lines of plain text",
    Cause.QUARANTINE: "see the reasons in the quarantine, and upload a better file, or allow more by max_quarantine",
    Cause.CAPABILITY: "the image does not know S3 Access Grants; see the job's log",
    Cause.INTERNAL: "see the job's log",
    Cause.SET_UP: "see what SageMaker says; it is tried again when the data is uploaded again",
    Cause.TIME: "give the job more time or machines (time_limit, instances), and upload the data again",
    Cause.STOPPED: "somebody stopped it; upload the data again to start it again",
}


@dataclass(frozen=True)
class Summary:
    """The job's own summary.json, as far as it holds what it should: the role that wrote it may have written anything."""

    outcome: str = ""
    exit: int | None = None
    sentence: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    quarantine: Mapping[str, int] = field(default_factory=dict)
    drift: tuple[str, ...] = ()
    manifest: str = ""
    report: str = ""


@dataclass(frozen=True)
class Outcome:
    """What is recorded of a run that is over, and told."""

    status: Status
    cause: Cause
    sentence: str
    exit: int | None = None
    seconds: float = 0.0  # that it ran
    summary: Summary = Summary()


def outcome(label: str, told: Told, summary: Summary) -> Outcome:
    """`label` is what a sentence calls the run: "abalone for userA"."""
    code, seconds = _exit(told.reason, summary), max(0.0, told.ended - told.began) if told.began else 0.0
    if told.status is Status.COMPLETED:
        return Outcome(told.status, Cause.NONE, f"{label}: {_done(summary)}", 0, seconds, summary)
    cause = _cause(told, code, seconds)
    return Outcome(told.status, cause, _failed(label, told, cause, code, summary), code, seconds, summary)


def read_summary(text: bytes) -> Summary:
    """What the bytes hold of a summary; of what is not as it should be, nothing."""
    try:
        found = json.loads(text)
    except ValueError:
        return Summary()
    if not isinstance(found, dict):
        return Summary()
    words = {name: _word(found.get(name)) for name in ("outcome", "sentence", "manifest", "report")}
    drift = found.get("drift")
    drifted = tuple(filter(None, map(_word, drift if isinstance(drift, list) else ())))
    code = found.get("exit")
    return Summary(
        exit=code if type(code) is int else None,
        rows=_counts(found.get("rows")),
        quarantine=_counts(found.get("quarantine")),
        drift=drifted[:20],
        **words,
    )


def _done(summary: Summary) -> str:
    if summary.outcome == "already":
        return summary.sentence or "this very run was published already"
    if "in" not in summary.rows:
        return summary.sentence or "done, and it left no summary"
    return "; ".join([f"{summary.rows['in']:,} rows in, {_quarantined(summary)}", *summary.drift])


def _quarantined(summary: Summary) -> str:
    count = summary.rows.get("quarantine", 0)
    reasons = ", ".join(f"{reason}: {number:,}" for reason, number in sorted(summary.quarantine.items()))
    return f"{count:,} in quarantine" + (f" ({reasons})" if reasons and count else "")


def _failed(label: str, told: Told, cause: Cause, code: int | None, summary: Summary) -> str:
    verb = "was stopped" if told.status is Status.STOPPED else "failed"
    number = f" (exit {code})" if code is not None else ""
    why = (summary.sentence or _word(told.message) or _word(told.reason)).rstrip(".")
    then = ["" if summary.sentence else REMEDIES.get(cause, ""), NEXT.get(cause, "")]
    return "; ".join([f"{label} {verb}: {cause}{number}" + (f": {why}" if why else ""), *filter(None, then)])


def _cause(told: Told, code: int | None, seconds: float) -> Cause:
    if told.status is Status.STOPPED:
        return Cause.TIME if told.limit and seconds >= told.limit else Cause.STOPPED
    if code is not None:
        return EXITS.get(code, Cause.INTERNAL)
    if told.reason.startswith(CODE):
        return Cause.INTERNAL
    return Cause.INFRASTRUCTURE if told.reason.startswith(SERVICE) else Cause.SET_UP


def _exit(reason: str, summary: Summary) -> int | None:
    """The exit code; SageMaker sometimes sends people to the log instead, and then the job's own word has to do."""
    found = EXIT.search(reason)
    if found:
        return int(found[1])
    return summary.exit if summary.exit and reason.startswith(CODE) else None


def _word(value: object) -> str:
    """A text in one line that can be printed; "" if it is none."""
    if not isinstance(value, str):
        return ""
    line = "".join(sign if sign.isprintable() else " " for sign in value[: 2 * LONGEST])
    return " ".join(line.split())[:LONGEST]


def _counts(value: object) -> dict[str, int]:
    return dict(_numbers(value)) if isinstance(value, dict) else {}


def _numbers(value: Mapping[Any, Any]) -> Iterator[tuple[str, int]]:
    for name, number in list(value.items())[:50]:
        if isinstance(number, int) and not isinstance(number, bool):
            yield _word(name), number
