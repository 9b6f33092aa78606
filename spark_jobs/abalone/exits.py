"""How the job ends: a code for machines, a sentence for people. The code is all of a failure that SageMaker's event carries."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass

DONE = 0
ARGUMENTS = 2  # it was called wrongly
ACCESS = 10  # a grant is missing, or a credential was taken back
INPUT = 11  # the input is missing, or was replaced meanwhile
CONTRACT = 12  # the input is not what the contract says: empty, compressed, other columns
QUARANTINE = 13  # too many lines were refused
CAPABILITY = 14  # this Spark cannot do what was asked for
INTERNAL = 20

FULL = "The disk is full. Give the job a larger volume (instances: {volume: …} in the policy file) and start it again."
MEMORY = (
    "The memory was not enough. Give the job larger instances (instances: {type: …}); if the input has a line of hundreds of "
    "megabytes, mend the input."
)
TAKEN_BACK = "S3 refused a request that a grant had allowed at the start: a grant or a credential was taken back, or has expired. Look at the grants"
GONE = "The input was there at the start and is not any more. Upload it again; that starts a new run"

# What the errors of S3A, the AWS SDKs and the file systems say, in the order in which they are looked for. S3A hides a grant's denial in
# an AWSClientIOException, which is no AccessDeniedException, so text is all there is.
DENIED = (
    "You do not have ", "AccessDenied", "Access Denied", "Forbidden", "ExpiredToken", "InvalidToken", "InvalidAccessKeyId",
    "Status Code: 403", "not authorized to perform", "AWSBadRequestException",  # so S3A says of HeadObject with an old credential
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
SIGNS = (
    (("No space left on device", "Disk quota exceeded", "File too large"), INTERNAL, FULL),
    (("OutOfMemoryError", "Requested array size exceeds VM limit", "Cannot grow BufferHolder"), INTERNAL, MEMORY),
    (REPLACED, INPUT, "The input was replaced while it was read; what has come starts a run of its own"),
    (DENIED, ACCESS, TAKEN_BACK),
    (MISSING, INPUT, GONE),
)
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Failed(Exception):
    """The job cannot go on: one of the codes above, and what a person should know and do."""

    code: int
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def explained(failure: BaseException) -> Failed:
    """Any exception as one that a person can use; its own words stay in the sentence, cut to a line."""
    if known := next((cause for cause in _causes(failure) if isinstance(cause, Failed)), None):
        return known
    if any(isinstance(cause, OSError) and cause.errno in DISK for cause in _causes(failure)):
        return Failed(INTERNAL, FULL)
    if any(isinstance(cause, MemoryError) for cause in _causes(failure)):
        return Failed(INTERNAL, MEMORY)
    text = _text(failure)
    for signs, code, sentence in SIGNS:
        if any(sign in text for sign in signs):
            return Failed(code, f"{sentence.rstrip('.')}. ({_line(text, signs)})")
    return Failed(INTERNAL, f"The job failed inside: {_line(text, ())}. Its log tells where; the same input may be tried again.")


def _causes(failure: BaseException | None) -> Iterator[BaseException]:
    while failure is not None:
        yield failure
        failure = failure.__cause__ or failure.__context__


def _text(failure: BaseException) -> str:
    """All that the failure and its causes say; of Java's exceptions the stack trace too, where the cause's text is."""
    return "\n".join(
        f"{type(cause).__name__}: {cause}\n{getattr(cause, '_stackTrace', None) or ''}" for cause in _causes(failure)
    )


def _line(text: str, signs: tuple[str, ...]) -> str:
    """The line that says why: the first with a sign in it, else the last cause, else the first; at most 300 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if any(sign in line for sign in signs)] or [
        line.removeprefix("Caused by: ") for line in reversed(lines) if line.startswith("Caused by: ")
    ]
    return (telling or lines or ["no word of why"])[0][:300]
