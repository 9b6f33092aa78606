"""The outcome of a run: its status, why it did not complete, and a sentence that says what to do.

A job gives its reason by its exit code. SageMaker repeats the code in the text of FailureReason,
and in no other field.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grantor.core.jobs.decide import FailureCause, JobDescription, JobStatus
from grantor.core.policy.shipped_jobs import SHIPPED_JOBS
from grantor.settings import MAX_OUTCOME_CHARACTERS

EXIT_PATTERN = re.compile(r"(?:returned non-zero exit status|exit code:?) (-?\d{1,3})")
EXIT_CAUSES = {
    2: FailureCause.SET_UP,  # wrong arguments
    10: FailureCause.ACCESS,
    11: FailureCause.INPUT,
    12: FailureCause.CONTRACT,
    13: FailureCause.QUARANTINE,
    14: FailureCause.CAPABILITY,
    20: FailureCause.INTERNAL,
    137: FailureCause.INFRASTRUCTURE,  # killed, mostly for lack of memory
}
# How FailureReason begins if the job's code failed, and if the service failed.
CODE_ERROR_PREFIXES = ("AlgorithmError", "Algorithm Error")
SERVICE_ERROR_PREFIXES = (
    "InternalServerError",
    "CapacityError",
    "ResourceLimitExceeded",
    "InternalError",
)
# What happens next without anybody's help. And what a person can do, used if the job's own sentence
# is missing.
NEXT_STEPS = {
    FailureCause.ACCESS: "it is tried again when grants change",
    FailureCause.INTERNAL: "it is tried again automatically, at most three times",
    FailureCause.INFRASTRUCTURE: "it is tried again automatically, at most three times",
}
REMEDIES = {
    FailureCause.ACCESS: "check that its role holds the grants",
    FailureCause.INPUT: (
        "newer data starts a run of its own; upload the data again if it was deleted by mistake"
    ),
    FailureCause.CONTRACT: "upload a file that meets the job's contract",
    FailureCause.QUARANTINE: (
        "see the reasons in the quarantine, and upload a better file, "
        "or allow more with max_quarantine"
    ),
    FailureCause.CAPABILITY: "the image does not know S3 Access Grants; see the job's log",
    FailureCause.INTERNAL: "see the job's log",
    FailureCause.SET_UP: ("see SageMaker's message; upload the data again to try again"),
    FailureCause.TIME: (
        "give the job more time or machines (time_limit, instances), and upload the data again"
    ),
    FailureCause.STOPPED: "somebody stopped it; upload the data again to start it again",
}


@dataclass(frozen=True)
class JobSummary:
    """The job's summary.json, as far as it is valid: the role that wrote it may write anything."""

    outcome: str = ""
    exit_code: int | None = None
    sentence: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    quarantine: Mapping[str, int] = field(default_factory=dict)
    drift: tuple[str, ...] = ()
    manifest: str = ""
    report: str = ""


@dataclass(frozen=True)
class JobOutcome:
    """The outcome of a run that has ended, which is recorded and reported."""

    status: JobStatus
    cause: FailureCause
    sentence: str
    exit_code: int | None = None
    seconds: float = 0.0  # how long it ran
    summary: JobSummary = JobSummary()


def derive_outcome(
    label: str, job: JobDescription, summary: JobSummary, program: str = ""
) -> JobOutcome:
    """Derive the outcome of a run.

    `label` is what a sentence calls the run, such as "abalone for userA"; `program` is the job's
    name in SHIPPED_JOBS.
    """
    code = _find_exit_code(job.reason, summary)
    seconds = max(0.0, job.ended - job.began) if job.began else 0.0
    if job.status is JobStatus.COMPLETED:
        sentence = f"{label}: {_describe_success(summary)}"
        return JobOutcome(job.status, FailureCause.NONE, sentence, 0, seconds, summary)
    cause = _find_cause(job, code, seconds)
    verb = "was stopped" if job.status is JobStatus.STOPPED else "failed"
    number = f" (exit {code})" if code is not None else ""
    why = (summary.sentence or _clean_text(job.message) or _clean_text(job.reason)).rstrip(".")
    remedy = "" if summary.sentence else _find_remedy(cause, program)
    head = f"{label} {verb}: {cause}{number}" + (f": {why}" if why else "")
    sentence = "; ".join(filter(None, (head, remedy, NEXT_STEPS.get(cause, ""))))
    return JobOutcome(job.status, cause, sentence, code, seconds, summary)


def parse_summary(text: bytes) -> JobSummary:
    """Parse a summary.json; invalid members are dropped."""
    try:
        found = json.loads(text)
    except ValueError:
        return JobSummary()
    if not isinstance(found, dict):
        return JobSummary()
    texts = {
        name: _clean_text(found.get(name)) for name in ("outcome", "sentence", "manifest", "report")
    }
    drift = found.get("drift")
    drifted = tuple(filter(None, map(_clean_text, drift if isinstance(drift, list) else ())))
    code = found.get("exit")
    return JobSummary(
        exit_code=code if type(code) is int else None,
        rows=_read_counts(found.get("rows")),
        quarantine=_read_counts(found.get("quarantine")),
        drift=drifted[:20],
        **texts,
    )


def _describe_success(summary: JobSummary) -> str:
    if summary.outcome == "already":
        return summary.sentence or "this run was published already"
    if "in" not in summary.rows:
        return summary.sentence or "done, but it left no summary"
    return "; ".join(
        [f"{summary.rows['in']:,} rows in, {_describe_quarantine(summary)}", *summary.drift]
    )


def _describe_quarantine(summary: JobSummary) -> str:
    count = summary.rows.get("quarantine", 0)
    reasons = ", ".join(
        f"{reason}: {number:,}" for reason, number in sorted(summary.quarantine.items())
    )
    return f"{count:,} in quarantine" + (f" ({reasons})" if reasons and count else "")


def _find_remedy(cause: FailureCause, program: str) -> str:
    if cause is FailureCause.CONTRACT and program in SHIPPED_JOBS:
        return SHIPPED_JOBS[program].input_remedy
    return REMEDIES.get(cause, "")


def _find_cause(job: JobDescription, code: int | None, seconds: float) -> FailureCause:
    if job.status is JobStatus.STOPPED:
        return FailureCause.TIME if job.limit and seconds >= job.limit else FailureCause.STOPPED
    if code is not None:
        return EXIT_CAUSES.get(code, FailureCause.INTERNAL)
    if job.reason.startswith(CODE_ERROR_PREFIXES):
        return FailureCause.INTERNAL
    return (
        FailureCause.INFRASTRUCTURE
        if job.reason.startswith(SERVICE_ERROR_PREFIXES)
        else FailureCause.SET_UP
    )


def _find_exit_code(reason: str, summary: JobSummary) -> int | None:
    """Return the exit code from FailureReason, or else from the job's summary.

    FailureReason sometimes refers to the log instead of naming the code.
    """
    found = EXIT_PATTERN.search(reason)
    if found:
        return int(found[1])
    return (
        summary.exit_code if summary.exit_code and reason.startswith(CODE_ERROR_PREFIXES) else None
    )


def _clean_text(value: object) -> str:
    """Return a text as one printable line; "" if the value is not a text."""
    if not isinstance(value, str):
        return ""
    line = "".join(
        sign if sign.isprintable() else " " for sign in value[: 2 * MAX_OUTCOME_CHARACTERS]
    )
    return " ".join(line.split())[:MAX_OUTCOME_CHARACTERS]


def _read_counts(value: object) -> dict[str, int]:
    return dict(_iterate_counts(value)) if isinstance(value, dict) else {}


def _iterate_counts(value: Mapping[Any, Any]) -> Iterator[tuple[str, int]]:
    for name, number in list(value.items())[:50]:
        if isinstance(number, int) and not isinstance(number, bool):
            yield _clean_text(name), number
