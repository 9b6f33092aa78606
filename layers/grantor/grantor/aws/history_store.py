"""The history of grants in the operations bucket, which only ever grows.

grants/v1/day=2026-12-01/20261201T093000.250000Z-RUN-4f2a91c0.jsonl          what a run has done
checkpoints/v1/day=2026-12-01/20261201T094500.000000Z-RUN-91c04f2a.jsonl.gz  all grants at a time
writes/v1/DIGEST/VERSION/20261201T092959.000000Z-0b77c2d1.jsonl              who has written a file

All this is below history/. Each object is new and never written again. A name begins with the time
at which it was written, so S3 lists them in this order. DIGEST is that of a file's name: no name in
the history holds a word by which AWS's managed policies open objects of every bucket.

The state at a moment follows from the last checkpoint before it and the events up to the next one:
a complete run writes a checkpoint after it has recorded what earlier runs had not.
"""

import gzip
import hashlib
import io
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import ClientError

from grantor.aws.clients import error_code, map_concurrently, retryable
from grantor.core.access.grant_history import (
    GrantEvent,
    HistoryUnreadable,
    encode_event,
    parse_events,
    settle_events,
)
from grantor.core.planning.rendering import format_timestamp

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


EVENTS = "history/grants/v1/"
CHECKPOINTS = "history/checkpoints/v1/"
WRITES = "history/writes/v1/"
NAME_TIME = re.compile(r"day=[0-9-]{10}/([0-9]{8}T[0-9]{6}\.[0-9]{6}Z)-")
OVERLAP = timedelta(hours=1)  # at most, between the clocks of two runs: a notebook's may be wrong
EVENTS_PER_OBJECT = 2_000  # some 500 bytes each
MAX_CHECKPOINT_BYTES = 1_000_000_000  # of one that is unpacked: some 2,000,000 grants


class NoHistory(LookupError):
    """The history does not reach back to the time that was asked for; the text says since when."""


class HistoryStore:
    """The history in one bucket. What cannot be read raises HistoryUnreadable, ClientError or
    RetryableError, and never looks like no history.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put_events(self, events: Sequence[GrantEvent], run: str, now: datetime) -> None:
        """Write events that belong together; a call for each 2,000 events, none without any."""
        for some in batched(events, EVENTS_PER_OBJECT):
            self._put_new(f"{_name_object(EVENTS, run, now)}.jsonl", _encode_lines(some))

    def put_checkpoint(self, held: Iterable[GrantEvent], run: str, now: datetime) -> None:
        """Write all grants that exist, as events of the kinds held and found; one call."""
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as file:
            for events in batched(held, EVENTS_PER_OBJECT):  # 100,000 lines have 60 MB
                file.write(_encode_lines(events))
        self._put_new(f"{_name_object(CHECKPOINTS, run, now)}.jsonl.gz", packed.getvalue())

    def put_write(self, event: GrantEvent) -> None:
        """Write who has written a version of a policy file; one call."""
        name = f"{_format_name_time(event.at)}-{secrets.token_hex(4)}.jsonl"
        folder = _locate_write(event.file, event.version)
        self._put_new(f"{folder}{name}", _encode_lines([event]))

    def read_state(self, time: datetime) -> tuple[GrantEvent, ...]:
        """The settled events from which the grants that existed at `time` follow.

        Costs a call for each 1,000 objects of the days in question and of all checkpoints, and one
        for each object of the time between two checkpoints. Raises NoHistory if there is no
        checkpoint before that time.
        """
        checkpoints = list(self._list_objects(CHECKPOINTS))
        before = [one for one in checkpoints if one[0] <= time]
        if not before:
            raise NoHistory(_explain_start(checkpoints, self.bucket))
        written, key = before[-1]
        following = next((at for at, _ in checkpoints if at > time), None)
        events = self.read_events(written - OVERLAP, following + OVERLAP if following else None)
        return settle_events([*self._read_object(key), *events])

    def has_checkpoints(self) -> bool:
        """Whether anybody has ever written a checkpoint; a call for each 1,000 of them."""
        return any(True for _ in self._list_objects(CHECKPOINTS))

    def read_events(self, since: datetime, until: datetime | None = None) -> list[GrantEvent]:
        """The events that were written in this time, as they were written.

        Costs a call for each 1,000 objects from that time on, and one for each object.
        """
        keys = []
        for at, key in self._list_objects(EVENTS, since):
            if until and at > until:
                break
            if at >= since:
                keys.append(key)
        return [event for found in map_concurrently(self._read_object, keys) for event in found]

    def read_writers(self, versions: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Who has written these versions of policy files, as far as CloudTrail has reported it.

        Costs two calls for each.
        """
        asked = sorted(set(versions))
        found = dict(zip(asked, map_concurrently(self._read_writer, asked), strict=True))
        return {one: who for one, who in found.items() if who}

    def _read_writer(self, written: tuple[str, str]) -> str:
        keys = [key for _, key in self._list_keys(_locate_write(*written))]
        events = self._read_object(keys[0]) if keys else []
        return events[0].who if events else ""

    def _list_objects(
        self, folder: str, since: datetime | None = None
    ) -> Iterator[tuple[datetime, str]]:
        """The objects of a folder with days, in order, each with the time in its name; those of
        earlier days are left out.
        """
        after = f"{folder}day={since.astimezone(UTC):%Y-%m-%d}/" if since else folder
        for name, key in self._list_keys(folder, after):
            written = NAME_TIME.match(name)
            if written is None:
                raise HistoryUnreadable(
                    f"s3://{self.bucket}/{key}: the name is none that Grantor gives: move the "
                    "object out of the history"
                )
            yield _parse_name_time(written[1]), key

    def _list_keys(self, folder: str, after: str = "") -> Iterator[tuple[str, str]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=folder, StartAfter=after or folder
        )
        with retryable():
            for page in pages:
                for item in page.get("Contents", []):
                    yield item["Key"].removeprefix(folder), item["Key"]

    def _read_object(self, key: str) -> list[GrantEvent]:
        with retryable():
            body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        name = f"s3://{self.bucket}/{key}"
        return parse_events(name, _unpack(name, body) if key.endswith(".gz") else body)

    def _put_new(self, key: str, body: bytes) -> None:
        """Write an object that does not exist. If it does, an earlier attempt of this call has
        written it: its name is drawn by lot.
        """
        try:
            with retryable():
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) != "PreconditionFailed":
                raise


def _encode_lines(events: Iterable[GrantEvent]) -> bytes:
    return "".join(f"{encode_event(event)}\n" for event in events).encode()


def _unpack(name: str, body: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(body)) as unpacked:
            found = unpacked.read(MAX_CHECKPOINT_BYTES + 1)
    except (EOFError, OSError) as error:
        raise HistoryUnreadable(f"{name}: it cannot be unpacked: {error}") from error
    if len(found) > MAX_CHECKPOINT_BYTES:
        raise HistoryUnreadable(f"{name}: it has more than {MAX_CHECKPOINT_BYTES:,} bytes")
    return found


def _name_object(folder: str, run: str, now: datetime) -> str:
    day = now.astimezone(UTC).date().isoformat()
    return f"{folder}day={day}/{_format_name_time(now)}-{run}-{secrets.token_hex(4)}"


def _format_name_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def _parse_name_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)


def _locate_write(file: str, version: str) -> str:
    digest = hashlib.sha256(file.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{WRITES}{digest}/{quote(version, safe='') or 'deleted'}/"


def _explain_start(checkpoints: Sequence[tuple[datetime, str]], bucket: str) -> str:
    if not checkpoints:
        return (
            f"there is no history below s3://{bucket}/{CHECKPOINTS} yet: the next run over "
            "everything begins it"
        )
    begin = format_timestamp(checkpoints[0][0])
    return f"the history begins at {begin}: ask about a later time"
