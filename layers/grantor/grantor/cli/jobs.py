"""`grantor jobs`: waiting uploads, uploads that start nothing because of their names, running jobs
and past runs; or one run in full.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from urllib.parse import quote

from grantor.aws.job_store import JobRun, JobStore, WaitingUpload
from grantor.aws.services import Services
from grantor.cli.output import (
    LABEL_WIDTH,
    MAX_JOB_AGE,
    Progress,
    format_count,
    format_duration,
    format_seconds,
    format_time,
)
from grantor.cli.session import CommandError, Session
from grantor.core.grant import LedgerEntry, State, covers, iam_grantee
from grantor.core.jobs.decide import StartAction
from grantor.core.jobs.job_status import JobStatus
from grantor.core.jobs.request import role_name
from grantor.core.jobs.unreported import NearMiss

# By the first characters of a Region's name.
# Of an upload for which nothing waits; an older version recorded it as waiting.
OVER = tuple(
    f": {action}" for action in (StartAction.RUNNING, StartAction.FAILED, StartAction.GIVEN_UP)
)
CONSOLE_DOMAINS = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}


def run_jobs(session: Session) -> int:
    """Return 0. Raises CommandError (exit code 1) if no run of a job has the given name."""
    store = JobStore(session.services.table)
    if session.arguments.name:
        return show_job(session, store, session.arguments.name)
    return list_jobs(session, store)


def list_jobs(session: Session, store: JobStore) -> int:
    """Print waiting uploads, near misses, running jobs and past runs, in this order, newest runs
    first.
    """
    now = datetime.fromtimestamp(session.services.clock(), UTC)
    with Progress("reading the ledger"):
        recent = takewhile(lambda run: job_age(run, now) < MAX_JOB_AGE, store.iterate_runs())
        running = [run for run in recent if may_be_running(run, now)]
        stuck = find_stuck_uploads(store.iterate_waiting(), running)
        waiting = sorted(stuck, key=lambda upload: upload.since)
        ended = (run for run in store.iterate_runs() if not may_be_running(run, now))
        runs = [*running, *islice(ended, session.arguments.limit)]
        missed = list_near_misses(store, now)
    session.output.print_lines(_format_jobs(waiting, missed, runs, now))
    region = session.services.clients.region
    session.output.print_json(
        {
            "waiting": list(map(waiting_value, waiting)),
            "near_misses": [near_miss_value(at, miss) for at, miss in missed],
            "runs": [job_value(run, region) for run in runs],
        }
    )
    return 0


def show_job(session: Session, store: JobStore, name: str) -> int:
    """Print one run in full."""
    pointer = store.read_pointer(name)
    run = pointer and store.read_run(pointer.record)
    if not run:
        raise CommandError(
            f"no record of run {name}: grantor jobs lists the runs of the last 90 days"
        )
    with Progress("reading the ledger"):
        details = JobDetails.read(session.services, run, _read_attempts(store, run))
    session.output.print_lines(details.lines())
    session.output.print_json(details.value())
    return 0


def find_stuck_uploads(
    waiting: Iterable[WaitingUpload], running: Iterable[JobRun]
) -> Iterator[WaitingUpload]:
    """Leave out uploads that wait only for their own run to end: the run is listed itself."""
    started = {f"{run.label} is started as {run.name}" for run in running}
    for upload in waiting:
        causes = upload.why.split("; ")
        causes = [why for why in causes if not why.endswith(OVER)]
        if not started.issuperset(causes):
            yield upload


def list_near_misses(
    store: JobStore, now: datetime, runs: Iterable[JobRun] | None = None
) -> list[tuple[float, NearMiss]]:
    """List the uploads that start nothing and nearly have the name of a job's input, each with its
    time in seconds since the epoch, the newest one first.

    Those that a run of the input has followed are left out: somebody has uploaded it rightly.
    Costs a call per megabyte; if there are any, also the reading of all runs, unless given.
    """
    seconds = now.timestamp()
    found = (one for missed in store.iterate_missed() for one in missed.list_misses(seconds))
    recent = sorted(found, key=lambda one: -one[0])
    if not recent:
        return []
    last: dict[str, str] = {}
    for run in store.iterate_runs() if runs is None else runs:
        last[run.upload] = max(run.at, last.get(run.upload, ""))
    return [one for one in recent if last.get(one[1].nearest, "") < format_seconds(one[0])]


def list_failed_runs(runs: Iterable[JobRun], waiting: Iterable[WaitingUpload]) -> list[JobRun]:
    """List the last run of each input of a job, if it failed and nothing waits for its upload.

    `runs` are all runs, newest first.
    """
    last: dict[tuple[str, str, str], JobRun] = {}
    for run in runs:
        last.setdefault((run.job, run.input, run.output), run)
    waits = {one.upload for one in waiting}
    ends = (JobStatus.FAILED, JobStatus.STOPPED)
    return [run for run in last.values() if run.status in ends and run.upload not in waits]


@dataclass(frozen=True)
class UploadOverview:
    """What has become of uploads, as far as a person may have to act: those that wait for their
    job, the last run of each input where it failed, and near misses.
    """

    waiting: Sequence[WaitingUpload]
    failed: Sequence[JobRun]
    near_misses: Sequence[tuple[float, NearMiss]]  # each with seconds since the epoch

    @classmethod
    def read(cls, store: JobStore, now: datetime) -> "UploadOverview":
        """Costs a call per megabyte of runs (about 1,000), of waiting uploads and near misses."""
        runs = list(store.iterate_runs())
        running = [run for run in runs if may_be_running(run, now)]
        waiting = list(find_stuck_uploads(store.iterate_waiting(), running))
        failed = list_failed_runs(runs, waiting)
        return cls(waiting, failed, list_near_misses(store, now, runs))

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield a line for each of them, with its label."""
        for upload in sorted(self.waiting, key=lambda one: one.since):
            yield "waits", " ".join(_describe_waiting(upload).split())
        yield from (("failed", f"{format_time(run.at)}  {run.sentence}") for run in self.failed)
        yield from (("missed", _describe_near_miss(at, miss)) for at, miss in self.near_misses)

    def to_json(self, region: str) -> dict[str, Any]:
        """Return the same as plain values."""
        return {
            "waiting": list(map(waiting_value, self.waiting)),
            "failed": [job_value(run, region) for run in self.failed],
            "near_misses": [near_miss_value(at, miss) for at, miss in self.near_misses],
        }


def job_age(run: JobRun, now: datetime) -> timedelta:
    """How long ago the run was begun."""
    return now - datetime.fromisoformat(run.at)


def may_be_running(run: JobRun, now: datetime) -> bool:
    """Whether no end is recorded, and the run is younger than any processing job can be."""
    return not JobStatus(run.status).is_over and job_age(run, now) < MAX_JOB_AGE


def describe_job(run: JobRun, now: datetime) -> str:
    """Return the outcome of the run, or how long it has been running."""
    if may_be_running(run, now):
        duration = format_duration(job_age(run, now).total_seconds())
        return f"{run.label} has been running for {duration}"
    unknown = f"{run.label} was begun, and its end is not recorded: see SageMaker's console"
    return run.sentence or unknown


def format_job(run: JobRun, now: datetime) -> Iterator[str]:
    """Format a run in two lines: when, and its outcome; then name, duration, input and report."""
    yield f"{format_time(run.at)}  {describe_job(run, now)}"
    report = f", report {run.report}" if run.report else ""
    count = f" ({format_count(run.inputs, 'object')})" if run.inputs > 1 else ""
    yield f"  {run.name}, {_format_took(run)}on {run.input}{count}{report}"


def waiting_value(upload: WaitingUpload) -> dict[str, Any]:
    """Return a waiting upload as plain values, with timestamps."""
    times: dict[str, Any] = {
        "since": format_seconds(upload.since),
        "due": format_seconds(upload.due),
        "arrived": format_seconds(upload.arrived) if upload.arrived else None,
        "began": format_seconds(upload.began) if upload.began else None,
    }
    return asdict(upload) | times


def near_miss_value(at: float, miss: NearMiss) -> dict[str, Any]:
    """Return a near miss as plain values."""
    return asdict(miss) | {"at": format_seconds(at), "sentence": str(miss)}


def job_value(run: JobRun, region: str) -> dict[str, Any]:
    """Return the run as plain values, with the address of SageMaker's console for it."""
    return asdict(run) | {"console": console_url(run.name, region)}


def console_url(name: str, region: str) -> str:
    """Return the address at which SageMaker's console shows a processing job.

    >>> console_url("grantor-abalone-0123-a1", "eu-west-1")
    'https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/processing-jobs/grantor-abalone-0123-a1'
    """
    domains = (domain for start, domain in CONSOLE_DOMAINS.items() if region.startswith(start))
    host = f"{region}.{next(domains, 'console.aws.amazon.com')}"
    path = f"#/processing-jobs/{quote(name, errors='replace')}"
    return f"https://{host}/sagemaker/home?region={region}{path}"


@dataclass(frozen=True)
class JobDetails:
    """Everything that is known of one run.

    `grants` are those of ours, as they are now, that cover the run's input or its output.
    """

    run: JobRun
    attempts: Sequence[JobRun]
    grants: Sequence[LedgerEntry]
    region: str
    now: datetime

    @classmethod
    def read(cls, services: Services, run: JobRun, attempts: Sequence[JobRun]) -> "JobDetails":
        """Costs one query of the ledger."""
        entries, _ = services.ledger.read_grantee(iam_grantee(run.role))
        covering = [entry for entry in entries if _covers_run(entry, run)]
        now = datetime.fromtimestamp(services.clock(), UTC)
        return cls(run, attempts, covering, services.clients.region, now)

    def lines(self) -> Iterator[str]:
        """Return one line for each fact, which begins with a label."""
        yield from (f"{label:<{LABEL_WIDTH}} {text}" for label, text in self._facts() if text)

    def value(self) -> dict[str, Any]:
        """Return the same as plain values."""
        grants = [
            {"permission": str(entry.grant.permission), "scope": entry.grant.scope, "id": entry.id}
            for entry in self.grants
        ]
        attempts = [
            {"name": run.name, "at": run.at, "status": run.status, "cause": run.cause}
            for run in self.attempts
        ]
        return job_value(self.run, self.region) | {"grants": grants, "attempts": attempts}

    def _facts(self) -> Iterator[tuple[str, str]]:
        run = self.run
        yield "run", run.name
        yield "outcome", describe_job(run, self.now)
        yield "status", self._format_status()
        yield "job", run.job + (f" for profile {run.profile}" if run.profile else "")
        yield "as", f"role/{role_name(run.role)}"
        yield "upload", run.upload if run.upload != run.input else ""
        size = format_count(run.size, "byte")
        if run.inputs > 1:
            yield "input", f"{run.input}: {format_count(run.inputs, 'object')}, {size}"
            yield "objects", f"{run.folder}inputs.json"
        else:
            yield "input", f"{run.input}, version {run.version}, ETag {run.etag}, {size}"
        yield "machines", run.machines
        yield "passed", _format_passed(run.passed_over)
        yield "output", run.output
        yield "rows", _format_counts(run.rows)
        yield "reasons", _format_counts(run.quarantine)
        yield from (("grant", text) for text in self._format_grants())
        yield "manifest", run.manifest
        yield "report", run.report
        yield "folder", run.folder
        yield "console", console_url(run.name, self.region)
        yield "Spark UI", f"make spark-ui RUN={run.name}"
        yield from (("attempt", text) for text in self._format_attempts())

    def _format_status(self) -> str:
        run = self.run
        ended = f", ended {format_time(run.ended)}" if run.ended else ""
        return f"{run.status}, {_format_took(run)}begun {format_time(run.at)}{ended}"

    def _format_grants(self) -> Iterator[str]:
        for entry in self.grants:
            state = "" if entry.state is State.LIVE else f" ({entry.state})"
            reasons = "; ".join(sorted(map(str, entry.reasons)))
            yield f"{entry.grant.permission} {entry.grant.scope}{state}, because {reasons}"
        if not self.grants:
            yield "none of our grants covers its input or its output now"

    def _format_attempts(self) -> Iterator[str]:
        for run in self.attempts:
            if run.name != self.run.name:
                cause = f" ({run.cause})" if run.cause else ""
                yield f"{run.attempt}: {format_time(run.at)}  {run.status}{cause}  {run.name}"


def _read_attempts(store: JobStore, run: JobRun) -> list[JobRun]:
    """Every attempt at the same run, the first one first."""
    attempts = (other for other in store.iterate_runs() if other.run == run.run)
    return sorted(attempts, key=lambda attempt: attempt.attempt)


def _covers_run(entry: LedgerEntry, run: JobRun) -> bool:
    scope = entry.grant.scope
    return covers(scope, run.input) or covers(scope, f"{run.output}*")


def _format_jobs(
    waiting: Iterable[WaitingUpload],
    missed: Iterable[tuple[float, NearMiss]],
    runs: Iterable[JobRun],
    now: datetime,
) -> Iterator[str]:
    lines = [
        *(line for upload in waiting for line in _format_waiting(upload)),
        *(_describe_near_miss(at, miss) for at, miss in missed),
        *(line for run in runs for line in format_job(run, now)),
    ]
    yield from lines or ["no upload is waiting for its job, and no job has run in the last 90 days"]


def _format_waiting(upload: WaitingUpload) -> Iterator[str]:
    first, *more = _describe_waiting(upload).split("\n")
    yield first
    yield from (f"  {line}" for line in more)


def _describe_waiting(upload: WaitingUpload) -> str:
    why = upload.why or "it will be looked at again"
    return f"{format_time(format_seconds(upload.since))}  waits: {upload.upload}: {why}"


def _describe_near_miss(at: float, miss: NearMiss) -> str:
    return f"{format_time(format_seconds(at))}  {miss}"


def _format_passed(count: int) -> str:
    if not count:
        return ""
    uploads = format_count(count, "upload")
    return f"{uploads} since the previous run, unchanged or replaced before they were processed"


def _format_took(run: JobRun) -> str:
    return f"{format_duration(run.seconds)}, " if run.seconds else ""


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
