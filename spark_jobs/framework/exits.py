"""How the job ends: with an exit code for machines and a sentence for people.

The exit code is all that SageMaker's event carries of a failure.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass

DONE = 0
ARGUMENTS = 2  # wrong arguments
ACCESS = 10  # a grant is missing, or a grant or credential was revoked
INPUT = 11  # the input is missing, or was replaced in the meantime
CONTRACT = 12  # the input breaks the contract: empty, compressed, other columns
QUARANTINE = 13  # too many lines are in quarantine
CAPABILITY = 14  # this Spark cannot do what was ordered
INTERNAL = 20

DISK_FULL = (
    "The disk is full. Give the job a larger volume (instances: {volume: …} in the policy file) "
    "and start it again. If that does not help, the cluster's own files lie on another disk: let "
    "S3A read and write (leave access: staged out), or use larger instances."
)
OUT_OF_MEMORY = (
    "The job ran out of memory. Give the job larger instances (instances: {type: …}); if the input "
    "has a line of hundreds of megabytes, correct the input."
)
ACCESS_REVOKED = (
    "S3 refused a request that a grant had allowed at the start: a grant or a credential was "
    "revoked or has expired. Check the grants"
)
WRONG_HEADER = "Upload {} again with the contract's columns, in its order."
INPUT_GONE = "The input existed at the start and is gone. Upload it again; that starts a new run"

# Signs of an error in the texts of S3A, the AWS SDKs and the file systems, in the order in which
# the job looks for them. S3A wraps a denial by a grant in an AWSClientIOException, which is not an
# AccessDeniedException, so only the text tells.
DENIED = (
    "You do not have ", "AccessDenied", "Access Denied", "Forbidden", "ExpiredToken",
    "InvalidToken", "InvalidAccessKeyId", "Status Code: 403", "not authorized to perform",
    "AWSBadRequestException",  # from S3A, for HeadObject with an expired credential
)  # fmt: skip
REPLACED = ("RemoteFileChangedException", "did not match expected ETag", "PreconditionFailed")
MISSING = (
    "FileNotFoundException",
    "Path does not exist",
    "PATH_NOT_FOUND",
    "NoSuchKey",
    "NoSuchVersion",
    "HeadObject operation: Not Found",
)
ERROR_SIGNS = (
    (("No space left on device", "Disk quota exceeded", "File too large"), INTERNAL, DISK_FULL),
    (
        ("OutOfMemoryError", "Requested array size exceeds VM limit", "Cannot grow BufferHolder"),
        INTERNAL,
        OUT_OF_MEMORY,
    ),
    (
        REPLACED,
        INPUT,
        "The input was replaced while it was read; the new data starts a run of its own",
    ),
    (DENIED, ACCESS, ACCESS_REVOKED),
    (MISSING, INPUT, INPUT_GONE),
)
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(unsafe_hash=True)  # not frozen: Python sets the traceback of an exception
class JobFailed(Exception):
    """The job cannot go on: an exit code, and a sentence that says why and what to do."""

    code: int
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def explain_failure(failure: BaseException) -> JobFailed:
    """Turn any exception into a JobFailed; one line of its own text stays in the sentence."""
    if known := next(
        (cause for cause in _iterate_causes(failure) if isinstance(cause, JobFailed)), None
    ):
        return known
    if any(
        isinstance(cause, OSError) and cause.errno in DISK_FULL_ERRNOS
        for cause in _iterate_causes(failure)
    ):
        return JobFailed(INTERNAL, DISK_FULL)
    if any(isinstance(cause, MemoryError) for cause in _iterate_causes(failure)):
        return JobFailed(INTERNAL, OUT_OF_MEMORY)
    text = _collect_text(failure)
    for signs, code, sentence in ERROR_SIGNS:
        if any(sign in text for sign in signs):
            return JobFailed(code, f"{sentence.rstrip('.')}. ({_pick_line(text, signs)})")
    why = f"The job failed with an internal error: {_pick_line(text, ())}"
    return JobFailed(INTERNAL, f"{why}. See its log; you can try the same input again.")


def _iterate_causes(failure: BaseException | None) -> Iterator[BaseException]:
    while failure is not None:
        yield failure
        failure = failure.__cause__ or failure.__context__


def _collect_text(failure: BaseException) -> str:
    """Collect the texts of the failure and its causes, with the stack traces of Java."""
    return "\n".join(
        f"{type(cause).__name__}: {cause}\n{getattr(cause, '_stackTrace', None) or ''}"
        for cause in _iterate_causes(failure)
    )


def _pick_line(text: str, signs: tuple[str, ...]) -> str:
    """Return the line that says why, at most 300 characters of it.

    That is the first line with a sign in it, else the last cause, else the first line.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if any(sign in line for sign in signs)] or [
        line.removeprefix("Caused by: ")
        for line in reversed(lines)
        if line.startswith("Caused by: ")
    ]
    return (causes or lines or ["no word of why"])[0][:300]
