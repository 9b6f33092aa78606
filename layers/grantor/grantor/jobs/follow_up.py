"""What follows a look at an upload: reports on jobs, the outcome of runs that have ended, and the
record of an upload that waits.

Reports are log lines, metrics, events of our own on EventBridge, and alerts where a person must
act.

An upload, or a batch, that waits has one message of its own at a time. A batch whose uploads have
not paused yet costs one read and at most one write for all its events in one invocation; its
message comes when it may be complete. So a batch of a thousand uploads is listed a few times, not a
thousand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError
from grantor.aws.job_services import JobServices
from grantor.aws.job_store import InputItem, JobRun, WaitingUpload
from grantor.aws.notifications import DetailType, dump_log
from grantor.core.jobs.batches import QuietCheck
from grantor.core.jobs.job_status import FailureCause, JobDescription, JobStatus
from grantor.core.jobs.outcome import JobOutcome, derive_outcome, disown_job, parse_summary
from grantor.core.planning.rendering import SCHEMA_VERSION
from grantor.core.rules import Job
from grantor.core.triggers import UploadTrigger, is_event_time
from grantor.settings import (
    UPLOAD_ALERT_SECONDS,
    UPLOAD_RETRY_ATTEMPTS,
    UPLOAD_RETRY_MAX_SECONDS,
    UPLOAD_RETRY_SLACK_SECONDS,
)

logger = Logger(service="start-spark-job", json_serializer=dump_log)
metrics = Metrics(namespace="Grantor", service="start-spark-job")


class RetryWhen(Enum):
    """When to look at an upload again."""

    NEVER = "nothing is left to do"
    ON_EVENT = "at the next event: a run ends, grants change, the schedule fires"
    SOON = "soon, by a message of its own"
    PAUSE = "when uploads pause, by a message of its own"


@dataclass(frozen=True)
class StartResult:
    """The result of one start."""

    sentence: str
    retry: RetryWhen = RetryWhen.NEVER
    delay: float = 0.0  # seconds until there is something to do, if that is known
    arrived: float = 0.0  # when the last object of a batch has arrived, if uploads have to pause


def report_started(jobs: JobServices, run: JobRun, uploaded_at: float | None) -> None:
    """Report that a processing job was created.

    `uploaded_at` is when its data arrived, by its event, in seconds since the epoch. A time that no
    event can have is not measured.
    """
    metrics.add_metric("JobsStarted", MetricUnit.Count, 1)
    now = jobs.clock()
    if uploaded_at is not None and is_event_time(uploaded_at, now):
        elapsed = max(0.0, (now - uploaded_at) * 1000)
        metrics.add_metric("UploadToStart", MetricUnit.Milliseconds, elapsed)
    sentence = f"{run.label} is started as {run.name}"
    logger.info(sentence, job=run.name, input=run.input, role=run.role)
    _log_delivery_errors(lambda: _put_job_event(jobs, DetailType.JOB_STARTED, run, sentence))


def report_end(jobs: JobServices, run: JobRun, outcome: JobOutcome) -> None:
    """Report that a run has ended, with an alert if it failed.

    A run whose input was replaced or deleted meanwhile needs no alert: what is there now is looked
    at next. Raises RetryableError or ClientError if the alert cannot be sent; then the caller
    reports again.
    """
    failed = outcome.status is not JobStatus.COMPLETED
    superseded = failed and outcome.cause is FailureCause.INPUT
    log = logger.error if failed and not superseded else logger.info
    log(outcome.sentence, job=run.name, rows=dict(outcome.summary.rows))
    metric = "JobsSuperseded" if superseded else "JobsFailed" if failed else "JobsCompleted"
    _add_end_metrics(outcome, metric)
    kind = DetailType.JOB_FAILED if failed else DetailType.JOB_COMPLETED
    _log_delivery_errors(lambda: _put_job_event(jobs, kind, run, outcome.sentence))
    if failed and not superseded:
        verb = "failed" if outcome.status is JobStatus.FAILED else "was stopped"
        alert_once(jobs, f"{run.label} {verb}", outcome.sentence, run.name)


def report_waiting(sentence: str) -> None:
    """Report that an upload is looked at again later."""
    logger.warning(sentence)
    metrics.add_metric("JobsWaiting", MetricUnit.Count, 1)


def alert_once(jobs: JobServices, headline: str, sentence: str, cause: str = "") -> None:
    """Send an alert, once a day for each cause; without a cause, the sentence is the cause.

    Raises as report_end does.
    """
    why, now = cause or sentence, jobs.clock()
    if jobs.store.was_alerted(why, now):
        return
    logger.error(sentence)
    subject = f"Grantor {jobs.services.names.stack_name}: {headline}"
    jobs.services.notifications.send_alert(subject, list_lines(sentence))
    # Recorded last: after a crash, two alerts are better than none.
    jobs.store.record_alert(why, now)


def list_lines(sentence: str) -> list[str]:
    """The lines of a sentence that proposes rules: all but the first are indented, so that no text
    of others in it begins a line.
    """
    first, *more = sentence.split("\n")
    return [first, *(f"  {line}" for line in more)]


def settle_ended_job(jobs: JobServices, name: str) -> str:
    """Settle the run of a processing job that has ended, unless that is done.

    Returns the upload to look at now; "" for a job that this stack did not start. Raises
    RetryableError while SageMaker itself does not show that the job has ended.
    """
    pointer = jobs.store.read_pointer(name)
    run = jobs.store.read_run(pointer.record) if pointer else None
    if pointer is None or run is None:
        return ""
    held = jobs.store.read_input(pointer.subject)
    if held.status.name == name and held.status.status is JobStatus.IN_PROGRESS:
        description = jobs.jobs.describe_job(name)
        own = description is not None and held.status.is_own_job(description)
        if description is None or (own and not description.status.is_over):
            raise RetryableError(
                f"an event says that {name} has ended; SageMaker does not show it yet"
            )
        settle_run(jobs, held, description)
    return run.upload


def settle_run(jobs: JobServices, held: InputItem, description: JobDescription) -> None:
    """Record and report the outcome of the run that is in progress on the input.

    The input is released last: after a crash, all of it is repeated, with one alert.
    """
    run = jobs.store.read_run(held.record)
    run = run or JobRun(description.name, held.record.partition(" ")[0])
    if held.status.is_own_job(description):
        summary = parse_summary(jobs.operations.read_small(f"{run.folder}summary.json"))
        outcome = derive_outcome(run.label or run.name, description, summary, run.program)
    else:
        outcome = disown_job(run.label or run.name, description)
    ended = run.with_outcome(outcome, description.ended or jobs.clock())
    jobs.store.record_run(held.subject, ended)
    report_end(jobs, ended, outcome)
    status = held.status.end_attempt(outcome.status, outcome.cause)
    jobs.store.replace_input(held, status, held.record)


def _put_job_event(jobs: JobServices, kind: DetailType, run: JobRun, sentence: str) -> None:
    detail = {
        "schema_version": SCHEMA_VERSION,
        "kind": "job",
        "stack": jobs.services.names.stack_name,
        "job": run.job,
        "name": run.name,
        "profile": run.profile,
        "role": run.role,
        "input": run.input,
        "output": run.output,
        "run_id": run.run,
        "attempt": run.attempt,
        "started_at": run.at,
        "status": run.status,
        "cause": run.cause or None,
        "sentence": sentence,
        "rows": dict(run.rows),
        "quarantine": dict(run.quarantine),
        "manifest": run.manifest or None,
    }
    jobs.services.notifications.put_event(kind, detail)


def _log_delivery_errors(deliver: Callable[[], None]) -> None:
    """Deliver a report; an error is logged, since a report must not undo a job."""
    try:
        deliver()
    except (ClientError, RetryableError):
        logger.exception("the event could not be put on EventBridge")


def _add_end_metrics(outcome: JobOutcome, metric: str) -> None:
    metrics.add_metric(metric, MetricUnit.Count, 1)
    metrics.add_metric("JobSeconds", MetricUnit.Seconds, outcome.seconds)
    for name, rows in (("RowsIn", "in"), ("RowsInQuarantine", "quarantine")):
        if rows in outcome.summary.rows:
            metrics.add_metric(name, MetricUnit.Count, outcome.summary.rows[rows])


@dataclass(frozen=True)
class WaitingRecord:
    """What is recorded about an upload that waits, during one look at it."""

    jobs: JobServices
    trigger: UploadTrigger

    @cached_property
    def _held(self) -> WaitingUpload | None:
        return self.jobs.store.read_waiting(self.trigger.upload)

    @cached_property
    def _now(self) -> float:
        return self.jobs.clock()

    def check_pause(self, job: Job) -> StartResult | None:
        """Say that the job waits until uploads pause; None if it does not, as far as events tell.

        Costs one read for a job with `quiet`, and nothing for others. It lists nothing.
        """
        if not job.quiet:
            return None
        arrived = self._last_arrival
        began = (self._held.began if self._held else 0.0) or self._now
        check = QuietCheck(job, self.trigger.upload, arrived, began, self._now)
        if check.seconds_left <= 0:
            return None
        if not check.is_endless:
            return StartResult(check.sentence, RetryWhen.PAUSE, check.seconds_left, arrived)
        why = check.explain_endless()
        alert_once(self.jobs, "a batch does not end", why)
        return StartResult(why, RetryWhen.PAUSE, UPLOAD_RETRY_MAX_SECONDS, arrived)

    @property
    def _last_arrival(self) -> float:
        """When the last object has arrived, as far as events tell; none is in the future."""
        held = self._held.arrived if self._held else 0.0
        return max(held, min(self.trigger.arrived, self._now))

    def update(self, results: Sequence[StartResult]) -> None:
        """Record that the upload waits for what the results say, or that it waits no longer."""
        store, held = self.jobs.store, self._held
        pending = [result for result in results if result.retry is not RetryWhen.NEVER]
        why = "; ".join(result.sentence for result in pending)
        soon = [result.delay for result in pending if result.retry is RetryWhen.SOON]
        paused = [result for result in pending if result.retry is RetryWhen.PAUSE]
        if not pending:
            if held:
                store.delete_waiting(self.trigger.upload)
        elif soon:
            self._retry_soon(why, 0.0 if 0.0 in soon else min(soon))
        elif paused:
            self._wait_for_pause(why, paused)
        elif held is None or (held.due, held.why) != (0.0, why):
            since = held.since if held else self._now
            store.record_waiting(WaitingUpload(self.trigger.upload, since, 0.0, 0, why))

    def _retry_soon(self, why: str, delay: float) -> None:
        held, now = self._held, self._now
        since = held.since if held and held.why == why else now
        report_waiting(why)
        if now - since > UPLOAD_ALERT_SECONDS:
            sentence = (
                f"{self.trigger.upload} has waited for {(now - since) / 60:.0f} minutes: {why}"
            )
            alert_once(self.jobs, "a job waits", sentence, why)
        if self._has_message:
            return
        # Without a message, events about all waiting uploads are soon enough.
        due, attempt = self._enqueue_message(delay) if self._may_retry else (0.0, 0)
        found = WaitingUpload(self.trigger.upload, since, due, attempt, why)
        self.jobs.store.record_waiting(found)

    def _wait_for_pause(self, why: str, paused: Sequence[StartResult]) -> None:
        """Record the last arrival, and make sure that a message comes when uploads may be over."""
        held, now = self._held, self._now
        began = (held.began if held else 0.0) or now
        arrived = max(result.arrived for result in paused)
        if held and self._has_message:
            due, attempt = held.due, held.attempt
        else:
            logger.info(why, upload=self.trigger.upload)
            due, attempt = self._enqueue_message(min(result.delay for result in paused))
        found = WaitingUpload(self.trigger.upload, began, due, attempt, why, arrived, began)
        if found != held:
            self.jobs.store.record_waiting(found)

    @property
    def _has_message(self) -> bool:
        """Whether a message about the upload is in the queue, besides the one that is processed."""
        held = self._held
        return bool(held and held.due > self._now and held.attempt != self.trigger.attempt)

    @property
    def _may_retry(self) -> bool:
        trigger = self.trigger
        is_own = bool(trigger.attempt) or not trigger.waiting
        return is_own and trigger.attempt < UPLOAD_RETRY_ATTEMPTS

    def _enqueue_message(self, delay: float) -> tuple[float, int]:
        """Enqueue a message about the upload; return when it has arrived, and its number."""
        attempt = self.trigger.attempt + 1
        seconds = self.jobs.queue.enqueue_later(replace(self.trigger, attempt=attempt), delay)
        return self._now + seconds + UPLOAD_RETRY_SLACK_SECONDS, attempt
