"""The outcome of a run: its status, why it did not complete, and a sentence that says what to do.

A job gives its reason by its exit code. SageMaker repeats the code in the text of FailureReason,
and in no other field.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grantor.core.diagnostics import is_invisible, parse_json
from grantor.core.jobs.job_status import FailureCause, JobDescription, JobStatus
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES
from grantor.settings import MAX_JOB_SUMMARY_BYTES, MAX_OUTCOME_CHARACTERS

EXIT_PATTERN = re.compile(r"(?:returned non-zero exit status|exit code:?) (-?\d{1,3})")
# Of a driver that was killed: as a shell counts it, and as Python does, also in one byte.
KILLED_CODES = (137, -9, 247)
EXIT_CAUSES = {
    2: FailureCause.SET_UP,  # wrong arguments
    10: FailureCause.ACCESS,
    11: FailureCause.INPUT,
    12: FailureCause.CONTRACT,
    13: FailureCause.QUARANTINE,
    14: FailureCause.CAPABILITY,
    20: FailureCause.INTERNAL,
    **dict.fromkeys(KILLED_CODES, FailureCause.INFRASTRUCTURE),
}
# How AWS's container begins the message with which it replaces the job's own: the class of the
# exception that caused the failure, what failed, and the exception's text, cut to 1 KB in all.
# Source: aws/sagemaker-spark-container, src/smspark/errors.py and cli.py.
CONTAINER_MESSAGE = re.compile(
    r"Algorithm Error: \(caused by (\w+)\): ([^:]+)(?:: (.*))?", re.DOTALL
)
SPARK_FAILED = "CalledProcessError"  # the exception's text is the command line, and no reason
# The container sizes Spark by a list of instance types, and fails for one that is not in it.
UNKNOWN_MACHINE = re.compile(r"'([a-z][a-z0-9-]{1,15}\.(?:medium|(?:\d{0,2}x)?large))'")
# SageMaker's message of ResourceLimitExceeded, whose words for what it counts differ.
QUOTA_PATTERN = re.compile(
    r"limit '([\w. -]{1,80})' is (\d{1,9}) \w+, with current utilization of (\d{1,9}) \w+ "
    r"and a request delta of (\d{1,9}) "
)
# The console's host, by how a Region's name begins.
CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
COUNT_NAME = re.compile(r"[A-Za-z0-9_ ,.-]{1,40}")  # a name with which no sentence can be forged
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
    FailureCause.FOREIGN: "it is tried again under another name, at most three times",
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
    FailureCause.SUMMARY: (
        "the job's own code writes valid JSON, so something else runs as its role: look at "
        "summary.json in the run's folder; upload the data again to try again"
    ),
    FailureCause.FOREIGN: (
        "its outcome is not used: look in CloudTrail for who called CreateProcessingJob"
    ),
}
# How a text that somebody else wrote names an address, which a mail program makes a link of: the
# scheme of a URI, except for s3, and a dot before a word of letters. These suffixes of files are no
# top-level domains.
SCHEME = re.compile(r"(?i)\b(?!s3://)([a-z][a-z0-9+.-]*)://")
HOST_DOT = re.compile(
    r"(?<=[\w-])[.\u3002\uff0e\uff61](?=[^\W\d_]{2})(?!(?:csv|json|txt|html|parquet|yaml)(?![\w.-]))"
)
QUOTATION_MARKS = re.compile('["\u00ab\u00bb\u201c-\u201f\u300c-\u300f\uff02]')
COUNTED = 10**15  # rows; more than any file has


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
    header_lines: int = 0  # that were skipped
    fault: str = ""  # why it is not valid


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
    type.
    """
    code = _find_exit_code(job.reason, summary)
    seconds = max(0.0, job.ended - job.began) if job.began else 0.0
    if job.status is JobStatus.COMPLETED and not summary.fault:
        sentence = f"{label}: {_describe_success(summary)}"
        return JobOutcome(job.status, FailureCause.NONE, sentence, 0, seconds, summary)
    cause = _find_cause(job, code, seconds)
    verb = "was stopped" if job.status is JobStatus.STOPPED else "failed"
    number = f" (exit {code})" if code is not None else ""
    why = _explain_failure(job, summary, code)
    remedy = "" if summary.sentence else _find_remedy(cause, program)
    head = f"{label} {verb}: {cause}{number}" + (f": {why}" if why else "")
    sentence = "; ".join(filter(None, (head, remedy, NEXT_STEPS.get(cause, ""))))
    status = JobStatus.FAILED if cause is FailureCause.SUMMARY else job.status
    return JobOutcome(status, cause, sentence, code, seconds, summary)


def disown_job(label: str, job: JobDescription) -> JobOutcome:
    """Return the outcome of a run whose name a processing job has that Grantor did not start.

    Nothing that this job says or writes is used. The run starts again, under another name.
    """
    what = (
        f"SageMaker has a processing job {_clean_text(job.name)}, which runs as "
        f"{_clean_text(job.role)}, and its role, code, arguments or time of creation are not those "
        "that were ordered"
    )
    cause = FailureCause.FOREIGN
    sentence = f"{label} failed: {cause}: {what}; {REMEDIES[cause]}; {NEXT_STEPS[cause]}"
    return JobOutcome(JobStatus.FAILED, cause, sentence)


def parse_summary(text: bytes) -> JobSummary:
    """Parse a summary.json; invalid members are dropped. There is none if the text is empty."""
    if not text:
        return JobSummary()
    try:
        found = parse_json(text, MAX_JOB_SUMMARY_BYTES)
    except ValueError as error:
        return JobSummary(fault=_clean_text(str(error)))
    if not isinstance(found, dict):
        return JobSummary(fault="it is not an object")
    texts = {
        name: _clean_text(found.get(name)) for name in ("outcome", "sentence", "manifest", "report")
    }
    drift = found.get("drift")
    drifted = tuple(filter(None, map(_clean_text, drift if isinstance(drift, list) else ())))
    code = found.get("exit")
    return JobSummary(
        exit_code=code if type(code) is int and abs(code) < 1000 else None,
        rows=_read_counts(found.get("rows")),
        quarantine=_read_counts(found.get("quarantine")),
        drift=drifted[:20],
        header_lines=_read_counts({"lines": found.get("header_lines")}).get("lines", 0),
        **texts,
    )


def _explain_failure(job: JobDescription, summary: JobSummary, code: int | None) -> str:
    """Say why a run failed, from the first source that knows it; "" if none does."""
    if summary.fault:
        return f"its summary.json is not valid: {summary.fault}"
    if summary.sentence:
        return _quote_job(summary.sentence)
    if code in KILLED_CODES:
        return "the driver was killed, mostly because its machine had no more memory"
    if container := CONTAINER_MESSAGE.match(job.message):
        return _explain_container(*container.groups(""))
    if message := _clean_text(job.message):
        return _quote_job(message)
    reason = _clean_text(job.reason)
    return _quote_text("SageMaker says", reason) if reason else ""


def _explain_container(error: str, what: str, detail: str) -> str:
    """Say what AWS's container reports; it overwrites the message that the job has left."""
    if error == SPARK_FAILED:
        return "Spark ended with an error, and the job has left no summary that says why"
    if machine := _find_unknown_machine(error, detail):
        return (
            f"AWS's container does not know the instance type ml.{machine}; name another one "
            "(instances: {type: …})"
        )
    return _quote_text("AWS's container says", f"{what}: {detail}" if detail else what)


def _find_unknown_machine(error: str, detail: str) -> str:
    found = UNKNOWN_MACHINE.fullmatch(detail.strip()) if error == "KeyError" else None
    return found[1] if found else ""


def _describe_success(summary: JobSummary) -> str:
    said = _quote_job(summary.sentence) if summary.sentence else ""
    if summary.outcome == "already":
        return said or "this run was published already"
    if "in" not in summary.rows:
        return said or "done, but it left no summary"
    skipped = _describe_header_lines(summary.header_lines)
    rows = f"{summary.rows['in']:,} rows in{skipped}, {_describe_quarantine(summary)}"
    return f"{rows}; {_quote_job('; '.join(summary.drift))}" if summary.drift else rows


def _describe_header_lines(count: int) -> str:
    return f" and {count:,} header line{'s' if count > 1 else ''}" if count else ""


def _quote_job(text: str) -> str:
    """Mark a text as the job's: the job's role may write anything, also what looks like ours.

    >>> print(_quote_job('no "READ".'))
    the job says "no 'READ'"
    """
    return _quote_text("the job says", text)


def _quote_text(speaker: str, text: str) -> str:
    return f"{speaker} {quote_foreign(text.rstrip('.'))}"


def quote_foreign(text: str) -> str:
    """Quote a text of somebody else: one line that ends where its quotation ends, without a link.

    >>> print(quote_foreign('see "https://evil.example/a.csv", s3://b/a.csv or 0.5'))
    "see 'https[:]//evil[.]example/a.csv', s3://b/a.csv or 0.5"
    """
    inside = HOST_DOT.sub("[.]", SCHEME.sub(r"\1[:]//", _clean_text(text)))
    return f'"{QUOTATION_MARKS.sub("'", inside)}"'


def explain_quota(message: str, region: str) -> str:
    """Name the quota that SageMaker's message is about, with its numbers, and say what to do.

    A message of another shape is quoted.
    """
    found = QUOTA_PATTERN.search(message)
    if found is None:
        what, why = f"a quota of Amazon SageMaker in {region}", quote_foreign(message)
        return f"{what}: {why}; {_request_increase(region)}"
    size, used, wanted = (int(number) for number in found.groups()[1:])
    name = f'the quota "{found[1]}" of Amazon SageMaker in {region}'
    never = "; no job can start with this machine before it is raised" if wanted > size else ""
    state = f"it is {size}, {used} are in use, and the job needs {wanted}{never}"
    return f"{name}: {state}; {_request_increase(region)}"


def _request_increase(region: str) -> str:
    hosts = (host for begin, host in CONSOLES.items() if region.startswith(begin))
    console = f"https://{region}.{next(hosts, 'console.aws.amazon.com')}"
    return (
        f"request an increase at {console}/servicequotas/home/services/sagemaker/quotas, or name "
        "another machine in the job; the upload is tried again automatically"
    )


def _describe_quarantine(summary: JobSummary) -> str:
    count = summary.rows.get("quarantine", 0)
    reasons = ", ".join(
        f"{reason}: {number:,}" for reason, number in sorted(summary.quarantine.items())
    )
    return f"{count:,} in quarantine" + (f" ({reasons})" if reasons and count else "")


def _find_remedy(cause: FailureCause, program: str) -> str:
    kind = SHIPPED_JOB_TYPES.get(program)
    if cause is FailureCause.CONTRACT and kind and kind.input_remedy:
        return kind.input_remedy
    return REMEDIES.get(cause, "")


def _find_cause(job: JobDescription, code: int | None, seconds: float) -> FailureCause:
    if job.status is JobStatus.COMPLETED:
        return FailureCause.SUMMARY
    if job.status is JobStatus.STOPPED:
        return FailureCause.TIME if job.limit and seconds >= job.limit else FailureCause.STOPPED
    container = CONTAINER_MESSAGE.match(job.message)
    if container and _find_unknown_machine(container[1], container[3] or ""):
        return FailureCause.SET_UP
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
        " " if is_invisible(sign) or not sign.isprintable() else sign
        for sign in value[: 2 * MAX_OUTCOME_CHARACTERS]
    )
    return " ".join(line.split())[:MAX_OUTCOME_CHARACTERS]


def _read_counts(value: object) -> dict[str, int]:
    return dict(_iterate_counts(value)) if isinstance(value, dict) else {}


def _iterate_counts(value: Mapping[Any, Any]) -> Iterator[tuple[str, int]]:
    for name, number in list(value.items())[:50]:
        named = isinstance(name, str) and COUNT_NAME.fullmatch(name)
        if named and type(number) is int and 0 <= number < COUNTED:
            yield name, number
