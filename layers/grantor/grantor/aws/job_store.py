"""What is stored about jobs in the ledger's table: inputs, runs, waiting uploads and alerts.

    pk            sk                                what
    job input     32 hex digits (identity.subject)  the status of the job on an input, and its claim
    job name      grantor-abalone-…-a1              which input and run a processing job is for
    job run       2026-11-24T09:00:00Z grantor-…    a run; an input's last one does not expire
    job waiting   s3://data/UserA/abalone.csv       an upload to look at again, and when
    job alert     16 hex digits                     the hash of a sentence that was sent as an alert
    job near miss s3://data/UserA/abalone.csv       uploads that nearly had this name, which a job
                                                    waits for

There is no lease. A claim is one conditional write, made before the processing job is created, and
keeps a second run away. Whoever finds a claim asks SageMaker about the job's name, and so notices
if the claimant has died.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from grantor.aws.dynamodb import DynamoDBTable
from grantor.core.jobs.decide import InputStatus
from grantor.core.jobs.job_status import FailureCause, JobStatus
from grantor.core.jobs.outcome import JobOutcome
from grantor.core.jobs.request import Attempt
from grantor.core.jobs.unreported import NearMiss
from grantor.settings import (
    ALERT_QUIET_TIME,
    JOB_RETENTION,
    MAX_NEAR_MISSES,
    MAX_UPLOAD_KEY_BYTES,
    NEAR_MISS_RETENTION,
)

NEVER_RUN = InputStatus()


@dataclass(frozen=True)
class JobRun:
    """One processing job: what it was for, and its outcome.

    Times are ISO 8601, UTC; `seconds` is its duration.
    """

    name: str
    at: str
    job: str = ""  # policy/a.yaml#abalone
    program: str = ""  # `run` in the policy file: the job type
    label: str = ""  # abalone for userA
    role: str = ""
    profile: str = ""
    upload: str = ""
    input: str = ""
    version: str = ""
    etag: str = ""
    size: int = 0
    output: str = ""
    run: str = ""
    attempt: int = 0
    status: str = str(JobStatus.IN_PROGRESS)
    cause: str = ""
    sentence: str = ""
    ended: str = ""
    seconds: float = 0.0
    rows: Mapping[str, int] = field(default_factory=dict)
    quarantine: Mapping[str, int] = field(default_factory=dict)
    manifest: str = ""
    report: str = ""
    folder: str = ""  # s3://operations/runs/ROLE/NAME/, with spark-events/ and summary.json
    # Versions of the input since the last run that no run was for: replaced, or the same again
    passed_over: int = 0
    inputs: int = 1  # objects that it reads; those of a batch match `input`
    machines: str = ""  # 2 x ml.m5.xlarge

    @classmethod
    def from_attempt(
        cls, attempt: Attempt, at: float, folder: str, passed_over: int = 0
    ) -> "JobRun":
        """Build the run of an attempt that is claimed at this time (seconds since the epoch)."""
        start, given = attempt.start, attempt.input
        return cls(
            name=attempt.name,
            at=_format_time(at),
            job=start.job.id,
            program=start.job.run,
            label=attempt.label,
            role=start.role,
            profile=start.profile,
            upload=start.upload,
            input=given.uri,
            version=given.version,
            etag=given.etag,
            size=given.size,
            output=start.output,
            run=attempt.run,
            attempt=attempt.number,
            folder=folder,
            passed_over=passed_over,
            inputs=len(given.members) or 1,
            machines=f"{start.job.instances.count} x {start.job.instances.type}",
        )

    @property
    def sort_key(self) -> str:
        """The sort key of the run's item."""
        return f"{self.at} {self.name}"

    def with_outcome(self, outcome: JobOutcome, ended: float) -> "JobRun":
        """The same run with its outcome; `ended` is in seconds since the epoch.

        Of the job's own links only those to its own place are kept: its role may write any.
        """
        summary, place = outcome.summary, f"{self.output}runs/{self.run}/"
        manifest, report = f"{place}_manifest.json", f"{place}report.html"
        return replace(
            self,
            status=str(outcome.status),
            cause=str(outcome.cause),
            sentence=outcome.sentence,
            ended=_format_time(ended),
            seconds=outcome.seconds,
            rows=summary.rows,
            quarantine=summary.quarantine,
            manifest=manifest if summary.manifest == manifest else "",
            report=report if summary.report == report else "",
        )


@dataclass(frozen=True)
class InputItem:
    """The status of the job on an input, and the revision of its item.

    `record` is the sort key of the input's last run.
    """

    subject: str
    status: InputStatus = NEVER_RUN
    record: str = ""
    rev: int = 0


@dataclass(frozen=True)
class JobPointer:
    """The input and the run's sort key that belong to a processing job's name."""

    subject: str
    record: str


@dataclass(frozen=True)
class WaitingUpload:
    """An upload that waits, and why.

    `due` is when its own message comes, 0 if it has none; times are seconds since the epoch. A
    batch that waits until uploads pause also has when the last one has `arrived`, and when the
    batch `began` to wait; otherwise both are 0.
    """

    upload: str
    since: float
    due: float
    attempt: int
    why: str
    arrived: float = 0.0
    began: float = 0.0


@dataclass(frozen=True)
class MissedInput:
    """Uploads that nearly had the name of a job's input, each with its time in seconds since the
    epoch, the newest first.
    """

    nearest: str  # s3://bucket/key
    job: str  # policy/a.yaml#abalone
    uploads: Mapping[str, float]

    def add(self, upload: str, at: float) -> "MissedInput":
        """With one more upload; the oldest ones give way."""
        found = {upload: at} | {one: time for one, time in self.uploads.items() if one != upload}
        return replace(self, uploads=dict(list(found.items())[:MAX_NEAR_MISSES]))

    def list_misses(self, now: float) -> list[tuple[float, NearMiss]]:
        """Each upload that is still remembered as a near miss, with its time."""
        oldest = now - NEAR_MISS_RETENTION.total_seconds()
        recent = ((one, at) for one, at in self.uploads.items() if at > oldest)
        return [(at, NearMiss(one, self.nearest, self.job)) for one, at in recent]


class JobStore:
    """The items of jobs in one table."""

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table

    def read_input(self, subject: str) -> InputItem:
        """Read the status of the job on an input. Costs one call."""
        item = self._table.get_item("job input", subject)
        if not item:
            return InputItem(subject)
        status = _parse_status(json.loads(item["status"]))
        return InputItem(subject, status, item["record"], item["rev"])

    def replace_input(self, seen: InputItem, status: InputStatus, record: str) -> InputItem | None:
        """Write a new status, unless somebody has changed it since it was read: then return None.

        Costs one call.

        After a RetryableError it may have been written. The next attempt then finds a claim, and
        asks SageMaker about it.
        """
        rev = seen.rev + 1
        text = json.dumps(asdict(status))
        item = {"pk": "job input", "sk": seen.subject, "status": text, "record": record, "rev": rev}
        if self._table.replace_item(item, seen.rev) is not None:
            return None
        return InputItem(seen.subject, status, record, rev)

    def record_run(self, subject: str, run: JobRun) -> None:
        """Write a run, and the pointer from its name. Costs two calls."""
        pointer = {"subject": subject, "record": run.sort_key, "ttl": _expiry_seconds(run.at)}
        text = json.dumps(asdict(run), ensure_ascii=False)
        self._table.put_item({"pk": "job name", "sk": run.name, **pointer})
        self._table.put_item({"pk": "job run", "sk": run.sort_key, "run": text})

    def expire_run(self, record: str) -> None:
        """Let a run expire 90 days after it began, because it is not its input's last one.

        Costs two calls.
        """
        if item := self._table.get_item("job run", record):
            self._table.put_item({**item, "ttl": _expiry_seconds(record.partition(" ")[0])})

    def delete_run(self, record: str) -> None:
        """Delete a run whose processing job was never created. Costs one call."""
        self._table.delete_item("job run", record)

    def read_pointer(self, name: str) -> JobPointer | None:
        """Read the pointer of a processing job's name; None if it is not one of ours.

        Costs one call.
        """
        item = self._table.get_item("job name", name)
        return JobPointer(item["subject"], item["record"]) if item else None

    def read_run(self, record: str) -> JobRun | None:
        """Read a run by its sort key; None if there is none. Costs one call."""
        item = self._table.get_item("job run", record)
        return _parse_run(item) if item else None

    def iterate_runs(self) -> Iterator[JobRun]:
        """Iterate over all stored runs, newest first.

        Costs a call per megabyte, about 1,000 runs, made as it is read.
        """
        return map(_parse_run, self._table.query_partition("job run", backwards=True))

    def read_waiting(self, upload: str) -> WaitingUpload | None:
        """Read why and since when an upload waits; None if it does not. Costs one call."""
        item = self._table.get_item("job waiting", _upload_key(upload))
        return _parse_waiting(item) if item else None

    def iterate_waiting(self) -> Iterator[WaitingUpload]:
        """Iterate over all waiting uploads. Costs a call per megabyte."""
        return map(_parse_waiting, self._table.query_partition("job waiting"))

    def record_waiting(self, waiting: WaitingUpload) -> None:
        """Record that an upload waits. Costs one call."""
        key = {"pk": "job waiting", "sk": _upload_key(waiting.upload)}
        self._table.put_item({**key, **asdict(waiting)})

    def delete_waiting(self, upload: str) -> None:
        """Record that an upload no longer waits. Costs one call."""
        self._table.delete_item("job waiting", _upload_key(upload))

    def record_near_miss(self, miss: NearMiss, now: float) -> None:
        """Record an upload that nearly had the name of a job's input.

        Costs two calls. Of two that are recorded at the same moment, one may be lost: this informs
        people, and nothing depends on it.
        """
        item = self._table.get_item("job near miss", _upload_key(miss.nearest))
        held = _parse_missed(item) if item else MissedInput(miss.nearest, miss.job, {})
        self.replace_missed(replace(held, job=miss.job).add(miss.upload, now), now)

    def iterate_missed(self) -> Iterator[MissedInput]:
        """Iterate over the inputs of jobs that uploads have nearly had. Costs a call per MB."""
        return map(_parse_missed, self._table.query_partition("job near miss"))

    def replace_missed(self, missed: MissedInput, now: float) -> None:
        """Write the near misses of an input; delete the item if none is left. Costs one call."""
        key = _upload_key(missed.nearest)
        if not missed.uploads:
            self._table.delete_item("job near miss", key)
            return
        end, text = int(now + NEAR_MISS_RETENTION.total_seconds()), json.dumps(asdict(missed))
        self._table.put_item({"pk": "job near miss", "sk": key, "missed": text, "ttl": end})

    def was_alerted(self, sentence: str, now: float) -> bool:
        """Whether this sentence was sent as an alert within the last day. Costs one call."""
        item = self._table.get_item("job alert", _hash_sentence(sentence))
        return bool(item and item["ttl"] > now)

    def record_alert(self, sentence: str, now: float) -> None:
        """Record that this sentence was sent as an alert. Costs one call."""
        end = int(now + ALERT_QUIET_TIME.total_seconds())
        self._table.put_item({"pk": "job alert", "sk": _hash_sentence(sentence), "ttl": end})


def _parse_status(item: Mapping[str, Any]) -> InputStatus:
    status, cause = JobStatus(item["status"]), FailureCause(item["cause"])
    return InputStatus(**{**item, "status": status, "cause": cause})


def _parse_run(item: Mapping[str, Any]) -> JobRun:
    return JobRun(**json.loads(item["run"]))


def _parse_waiting(item: Mapping[str, Any]) -> WaitingUpload:
    since, due = float(item["since"]), float(item["due"])
    arrived, began = float(item.get("arrived", 0)), float(item.get("began", 0))
    return WaitingUpload(item["upload"], since, due, item["attempt"], item["why"], arrived, began)


def _parse_missed(item: Mapping[str, Any]) -> MissedInput:
    return MissedInput(**json.loads(item["missed"]))


def _upload_key(upload: str) -> str:
    text = upload.encode()
    if len(text) <= MAX_UPLOAD_KEY_BYTES:
        return upload
    return f"sha256 {hashlib.sha256(text).hexdigest()}"


def _hash_sentence(sentence: str) -> str:
    return hashlib.sha256(sentence.encode()).hexdigest()[:16]


def _format_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _expiry_seconds(at: str) -> int:
    return int((datetime.fromisoformat(at) + JOB_RETENTION).timestamp())
