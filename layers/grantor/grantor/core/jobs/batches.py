"""Batches: the objects that match a glob, as one input of a job.

A batch is level-triggered. Events say that something has arrived; what the run is over is what is
there when nothing has arrived for the job's `quiet` time. The ETag of a batch is a digest of the
keys and ETags of its objects, so a file that is replaced, added or removed makes another run, and
the same files make the same run.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grantor.core.grant import split_uri
from grantor.core.key_pattern import KeyPattern
from grantor.core.rules import Job
from grantor.core.snapshot import InputObject
from grantor.settings import MAX_BATCH_OBJECTS, MAX_BATCH_PAGES, MAX_BATCH_TIME

INPUTS_FILE = "inputs.json"  # in the folder of a run, beside summary.json
INPUTS_VERSION = 1
LISTED_KEYS = 1_000 * MAX_BATCH_PAGES


class BatchTooLarge(ValueError):
    """More objects match a glob than one run can be over; the text says what to do."""


def build_batch(pattern: str, listed: Iterable[InputObject]) -> InputObject | None:
    """Build the input of a run over all `listed` objects that match; None if none does.

    Raises BatchTooLarge.
    """
    match = KeyPattern(pattern).match
    members = tuple(sorted((one for one in listed if match(one.uri) is not None), key=_uri_of))
    if len(members) > MAX_BATCH_OBJECTS:
        raise BatchTooLarge(
            f"{len(members):,} objects match {pattern}, and one run is over at most "
            f"{MAX_BATCH_OBJECTS:,}: write a capture such as {{day}} in place of a *, so that each "
            "value of it is a run of its own, or move what has been processed to another folder"
        )
    if not members:
        return None
    return InputObject(
        pattern,
        _hash_lines([one.uri, one.etag] for one in members),
        sum(one.size for one in members),
        _hash_lines([one.uri, one.etag, one.version, one.uploaded] for one in members),
        max(one.uploaded for one in members),
        members,
    )


def explain_long_list(pattern: str) -> str:
    """Say that too many keys begin like those that match, so that not all of them were listed."""
    stem = KeyPattern(pattern).stem
    return (
        f"more than {LISTED_KEYS:,} versions of objects begin with {stem}, and Grantor lists no "
        f"more of them to find those that match {pattern}: write more of the key before the first "
        "* or {…}, or move what has been processed to another folder"
    )


def group_members(
    pattern: str, listed: Iterable[InputObject]
) -> Mapping[tuple[tuple[str, str], ...], Sequence[InputObject]]:
    """Group the objects that match by the values of the pattern's captures, in the keys' order."""
    found: dict[tuple[tuple[str, str], ...], list[InputObject]] = defaultdict(list)
    match = KeyPattern(pattern).match
    for one in listed:
        if (values := match(one.uri)) is not None:
            found[tuple(values.items())].append(one)
    return found


def dump_inputs(batch: InputObject) -> bytes:
    """Write inputs.json: what the job of a batch reads."""
    listed = [
        {
            "bucket": split_uri(one.uri)[0],
            "key": split_uri(one.uri)[1],
            "etag": one.etag,
            "version": one.version,
            "size": one.size,
        }
        for one in batch.members
    ]
    value = {"schema_version": INPUTS_VERSION, "pattern": batch.uri, "inputs": listed}
    return json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class QuietCheck:
    """Whether a batch is complete: nothing has arrived for the job's `quiet` time.

    Times are in seconds since the epoch. `since` is when the batch has begun to wait; `arrived` is
    the last arrival that is known, by an event or by the list of S3. The time of an event counts
    too, because S3 dates an object that was uploaded in parts from the beginning of its upload.
    """

    job: Job
    upload: str  # s3://bucket/…, the objects that the batch waits for
    arrived: float
    since: float
    now: float

    @property
    def seconds_left(self) -> float:
        """How long nothing may arrive before the run starts; 0 or less if it can start."""
        return self.arrived + self.job.quiet.total_seconds() - self.now

    @property
    def is_endless(self) -> bool:
        """Whether objects have kept arriving for longer than MAX_BATCH_TIME."""
        waited = self.now - self.since
        return self.seconds_left > 0 and waited > MAX_BATCH_TIME.total_seconds()

    @property
    def sentence(self) -> str:
        """Say what the batch waits for; the same in each look."""
        seconds = self.job.quiet.total_seconds()
        return (
            f"{self.job.name} on {self.upload}: wait until uploads pause; it starts when nothing "
            f"has arrived for {seconds:.0f} seconds"
        )

    def explain_endless(self) -> str:
        """Say that the batch does not end, and what to do; the same in each look."""
        hours = MAX_BATCH_TIME.total_seconds() / 3600
        return (
            f"{self.job.id} on {self.upload}: objects have arrived for more than {hours:.0f} hour "
            f"without a pause of {self.job.quiet.total_seconds():.0f} seconds, so no run has "
            "started: write a shorter quiet, or a capture in place of a * so that each value of it "
            "is a run of its own, or let whoever uploads put a last object, and wait for that"
        )


def _hash_lines(lines: Iterable[Sequence[object]]) -> str:
    text = json.dumps(list(lines), separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _uri_of(one: InputObject) -> str:
    return one.uri
