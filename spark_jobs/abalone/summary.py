"""What is told of a job at its end: counts and a sentence, never a row of data.

summary.json goes to the operations bucket by the role's own right there; the sentence goes to SageMaker's message file and to stderr, as the
last line.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from abalone.access import own_session

MESSAGE = Path("/opt/ml/output/message")  # SageMaker shows what stands there as ExitMessage
LONGEST = 1000  # characters of it


@dataclass
class Summary:
    """What became of the job so far; each step adds what it knows."""

    run_id: str = ""
    outcome: str = "failed"  # done, already, failed
    exit: int = 20
    sentence: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    quarantine: dict[str, int] = field(default_factory=dict)
    drift: list[str] = field(default_factory=list)
    manifest: str = ""
    report: str = ""
    access: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def step(summary: Summary, name: str) -> Iterator[None]:
    """What is done within is a step of the job, and its time is told."""
    begun = time.monotonic()
    try:
        yield
    finally:
        summary.seconds[name] = round(time.monotonic() - begun, 3)


def tell(summary: Summary, place: str) -> None:
    """Put it at `place` (an s3:// URI, or empty), and say the sentence. What cannot be put is said before it; the outcome stays."""
    for how in (lambda: _put(summary, place), lambda: _leave(summary.sentence)):
        try:
            how()
        except Exception as failure:  # noqa: BLE001  -- what became of the data is told all the same
            print(f"The summary could not be left: {failure}", file=sys.stderr)
    print(summary.sentence, file=sys.stderr, flush=True)


def _put(summary: Summary, place: str) -> None:
    if place:
        bucket, _, key = place.removeprefix("s3://").partition("/")
        body = json.dumps(asdict(summary), indent=1, ensure_ascii=False).encode() + b"\n"
        own_session().client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _leave(sentence: str) -> None:
    if MESSAGE.parent.is_dir():
        MESSAGE.write_text(sentence[:LONGEST])
