"""What is written down of jobs, in the ledger's table: how each input stands, every run, who waits, and what was said to a person.

    pk            sk                                what
    job input     32 hex digits (identity.subject)  how the job stands on the input: the claim that keeps a second run away
    job name      grantor-abalone-…-a1              which input and which run a processing job is for
    job run       2026-11-24T09:00:00Z grantor-…    the run, for whoever looks; the last of each input has no end
    job waiting   s3://data/UserA/abalone.csv       an upload that is looked at again, and when
    job said      16 hex digits                     a sentence that a person was called because of

There is no lease: the claim is one conditional write, and a name is claimed before its processing job is made. Whoever finds a claim
asks SageMaker about the name, so a claim whose owner has died is known by it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from grantor.aws.dynamodb import Table
from grantor.core.jobs.decide import Cause, Standing, Status
from grantor.core.jobs.identity import Attempt
from grantor.core.jobs.outcome import Outcome

KEPT = timedelta(days=90)
SAID = timedelta(days=1)
NEVER = Standing()
LONGEST = 900  # bytes of an upload in a sort key, which has at most 1,024


@dataclass(frozen=True)
class JobRun:
    """One processing job: what it was for, how it went. Times are ISO 8601, UTC; `seconds` that it ran."""

    name: str
    at: str
    job: str = ""  # policy/a.yaml#abalone
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
    status: str = str(Status.IN_PROGRESS)
    cause: str = ""
    sentence: str = ""
    ended: str = ""
    seconds: float = 0.0
    rows: Mapping[str, int] = field(default_factory=dict)
    quarantine: Mapping[str, int] = field(default_factory=dict)
    manifest: str = ""
    report: str = ""
    folder: str = ""  # s3://operations/runs/ROLE/NAME/, with spark-events/ and summary.json
    passed_over: int = 0  # versions of the input since the run before: replaced before their turn, or the same again

    @classmethod
    def of(cls, attempt: Attempt, at: float, folder: str, passed_over: int = 0) -> "JobRun":
        """The record of an attempt that is claimed at this time (seconds since 1970)."""
        start, given = attempt.start, attempt.given
        return cls(
            attempt.name, _iso(at), start.job.id, attempt.label, start.role, start.profile, start.upload, given.uri, given.version,
            given.etag, given.size, start.output, attempt.run, attempt.number, folder=folder,
            passed_over=passed_over,
        )  # fmt: skip

    @property
    def key(self) -> str:
        """The sort key of its record."""
        return f"{self.at} {self.name}"

    def over(self, came: Outcome, ended: float) -> "JobRun":
        """The same run, once it is over; `ended` in seconds since 1970."""
        found = came.summary
        counts, links = {"rows": found.rows, "quarantine": found.quarantine}, {"manifest": found.manifest, "report": found.report}
        told = {"status": str(came.status), "cause": str(came.cause), "sentence": came.sentence, "ended": _iso(ended)}
        changes: dict[str, Any] = {**told, **counts, **links, "seconds": came.seconds}
        return replace(self, **changes)


@dataclass(frozen=True)
class Held:
    """How an input stands, and which revision of its item that is; `record` is the sort key of its last run's record."""

    subject: str
    standing: Standing = NEVER
    record: str = ""
    rev: int = 0


@dataclass(frozen=True)
class Pointer:
    """What a processing job's name leads to."""

    subject: str
    record: str


@dataclass(frozen=True)
class Waiting:
    """An upload that is looked at again: since when, when next by a message of its own (seconds since 1970; 0: none), and why."""

    upload: str
    since: float
    due: float
    attempt: int
    why: str


class JobRecords:
    """The records of one table. Each word raises NotYet when DynamoDB can't do it now, and ClientError when it won't."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def held(self, subject: str) -> Held:
        """How an input stands; one call."""
        item = self._table.get("job input", subject)
        return Held(subject, _standing(json.loads(item["standing"])), item["record"], item["rev"]) if item else Held(subject)

    def swap(self, held: Held, standing: Standing, record: str) -> Held | None:
        """Write how it stands now, unless somebody has done so since it was read: then None, and nothing is changed. One call.

        After NotYet it may have been written all the same; who asks again finds a claim, and asks SageMaker about it.
        """
        text = json.dumps(asdict(standing))
        item = {"pk": "job input", "sk": held.subject, "standing": text, "record": record, "rev": held.rev + 1}
        return None if self._table.swap(item, held.rev) is not None else Held(held.subject, standing, record, held.rev + 1)

    def keep(self, subject: str, run: JobRun) -> None:
        """Write a run down, and what its name leads to. Two calls."""
        self._table.put({"pk": "job name", "sk": run.name, "subject": subject, "record": run.key, "ttl": _end(run.at)})
        self._table.put({"pk": "job run", "sk": run.key, "run": json.dumps(asdict(run), ensure_ascii=False)})

    def last_no_more(self, record: str) -> None:
        """Another run of its input has followed: its record is kept for 90 days from its beginning. Two calls."""
        if item := self._table.get("job run", record):
            self._table.put({**item, "ttl": _end(record.partition(" ")[0])})

    def drop(self, record: str) -> None:
        """Forget a run that never came to be. One call."""
        self._table.remove("job run", record)

    def pointer(self, name: str) -> Pointer | None:
        """What a processing job's name leads to; None if nobody here has made it. One call."""
        item = self._table.get("job name", name)
        return Pointer(item["subject"], item["record"]) if item else None

    def run(self, record: str) -> JobRun | None:
        """The run of a record; one call."""
        item = self._table.get("job run", record)
        return _run(item) if item else None

    def runs(self) -> Iterator[JobRun]:
        """Every run that is remembered, the newest first; a call for each megabyte, about 1,000 of them, made as it is read."""
        return map(_run, self._table.query("job run", backwards=True))

    def waiting(self, upload: str) -> Waiting | None:
        """Whether, and since when, an upload waits; one call."""
        item = self._table.get("job waiting", _key(upload))
        return _waiting(item) if item else None

    def all_waiting(self) -> Iterator[Waiting]:
        """Every upload that is looked at again; a call for each megabyte."""
        return map(_waiting, self._table.query("job waiting"))

    def wait(self, waiting: Waiting) -> None:
        """Look at it again; one call."""
        self._table.put({"pk": "job waiting", "sk": _key(waiting.upload), **asdict(waiting)})

    def waits_no_more(self, upload: str) -> None:
        """Nothing is left to wait for; one call."""
        self._table.remove("job waiting", _key(upload))

    def said(self, sentence: str, now: float) -> bool:
        """Whether a person was called because of this within the last day; one call."""
        item = self._table.get("job said", _short(sentence))
        return bool(item and item["ttl"] > now)

    def has_said(self, sentence: str, now: float) -> None:
        """A person has been called because of this; one call."""
        self._table.put({"pk": "job said", "sk": _short(sentence), "ttl": int(now + SAID.total_seconds())})


def _standing(told: Mapping[str, Any]) -> Standing:
    return Standing(**{**told, "status": Status(told["status"]), "cause": Cause(told["cause"])})


def _run(item: Mapping[str, Any]) -> JobRun:
    return JobRun(**json.loads(item["run"]))


def _waiting(item: Mapping[str, Any]) -> Waiting:
    return Waiting(item["upload"], float(item["since"]), float(item["due"]), item["attempt"], item["why"])


def _key(upload: str) -> str:
    return upload if len(upload.encode()) <= LONGEST else f"sha256 {hashlib.sha256(upload.encode()).hexdigest()}"


def _short(sentence: str) -> str:
    return hashlib.sha256(sentence.encode()).hexdigest()[:16]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _end(at: str) -> int:
    return int((datetime.fromisoformat(at) + KEPT).timestamp())
