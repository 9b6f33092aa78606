"""The summary of a job: counts and a sentence, never a row of data.

summary.json goes to the operations bucket, with the role's own permission there. The sentence goes
to SageMaker's message file and to stderr, as the last line.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from framework.access import make_role_session
from framework.formatting import print_line, show_text

MESSAGE_FILE = Path("/opt/ml/output/message")  # SageMaker returns its content as ExitMessage
MAX_MESSAGE_CHARS = 1000


@dataclass
class RunSummary:
    """The summary of a run so far; each step adds what it knows."""

    run_id: str = ""
    outcome: str = "failed"  # done, already, failed
    exit: int = 20
    sentence: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    quarantine: dict[str, int] = field(default_factory=dict)
    header_lines: int = 0
    drift: list[str] = field(default_factory=list)
    manifest: str = ""
    report: str = ""
    access: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def time_step(summary: RunSummary, name: str) -> Iterator[None]:
    """Record the time that the block takes, as a step of the job."""
    begun = time.monotonic()
    try:
        yield
    finally:
        summary.seconds[name] = round(time.monotonic() - begun, 3)


def report_summary(summary: RunSummary, target: str) -> None:
    """Put the summary at `target` (an s3:// URI, or empty) and print its sentence.

    If it cannot be written, that is printed first; the outcome of the job stays.
    """
    writers: tuple[Callable[[], None], ...] = (
        lambda: _put_summary(summary, target),
        lambda: _write_message(summary.sentence),
    )
    for write in writers:
        try:
            write()
        except Exception as failure:  # noqa: BLE001  -- the sentence is printed all the same
            print_line(f"The summary could not be written: {failure}", sys.stderr)
    print_line(summary.sentence, sys.stderr)


def _put_summary(summary: RunSummary, target: str) -> None:
    if target:
        bucket, _, key = target.removeprefix("s3://").partition("/")
        body = json.dumps(asdict(summary), indent=1).encode() + b"\n"
        make_role_session().client("s3").put_object(
            Bucket=bucket, Key=key, Body=body, ContentType="application/json"
        )


def _write_message(sentence: str) -> None:
    if MESSAGE_FILE.parent.is_dir():
        MESSAGE_FILE.write_text(show_text(sentence)[:MAX_MESSAGE_CHARS])
