"""Jobs are told of: as log lines and metrics, as events of our own on the bus, and to a person where one must act."""

from collections.abc import Callable

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet
from grantor.aws.job_store import Held, JobRun
from grantor.aws.notifications import Kind
from grantor.aws.services import JobWorld
from grantor.core.jobs.decide import Cause, Status, Told
from grantor.core.jobs.outcome import Outcome, outcome, read_summary

logger = Logger(service="start-spark-job")
metrics = Metrics(namespace="Grantor", service="start-spark-job")


def started(jobs: JobWorld, run: JobRun, rung_at: float | None) -> None:
    """A processing job is made; `rung_at` is when its data arrived, in seconds since 1970."""
    metrics.add_metric("JobsStarted", MetricUnit.Count, 1)
    if rung_at is not None:
        metrics.add_metric("UploadToStart", MetricUnit.Milliseconds, max(0.0, (jobs.clock() - rung_at) * 1000))
    sentence = f"{run.label} is started as {run.name}"
    logger.info(sentence, job=run.name, input=run.input, role=run.role)
    _quietly(lambda: _announce(jobs, Kind.JOB_STARTED, run, sentence))


def report_end(jobs: JobWorld, run: JobRun, came: Outcome) -> None:
    """A run is over; a person is called if it has failed. What can't be told raises NotYet or ClientError: then it is told again.

    Input that was replaced or deleted meanwhile is nobody's business: what is there now is looked at next.
    """
    failed = came.status is not Status.COMPLETED
    overtaken = failed and came.cause is Cause.INPUT
    (logger.error if failed and not overtaken else logger.info)(came.sentence, job=run.name, rows=dict(came.summary.rows))
    _measure(came, "JobsOvertaken" if overtaken else "JobsFailed" if failed else "JobsCompleted")
    _quietly(lambda: _announce(jobs, Kind.JOB_FAILED if failed else Kind.JOB_COMPLETED, run, came.sentence))
    if failed and not overtaken:
        person(jobs, f"{run.label} {'failed' if came.status is Status.FAILED else 'was stopped'}", came.sentence, run.name)


def waits(sentence: str) -> None:
    """Something is looked at again later."""
    logger.warning(sentence)
    metrics.add_metric("JobsWaiting", MetricUnit.Count, 1)


def person(jobs: JobWorld, headline: str, sentence: str, cause: str = "") -> None:
    """Call a person because of this, once a day for each cause; without one, the sentence is the cause. Raises as ended."""
    why, now = cause or sentence, jobs.clock()
    if jobs.records.said(why, now):
        return
    logger.error(sentence)
    jobs.world.notices.call(f"Grantor {jobs.world.names.stack}: {headline}", sentence)
    # Last: after a crash a person is rather called twice than not at all.
    jobs.records.has_said(why, now)


def _announce(jobs: JobWorld, kind: Kind, run: JobRun, sentence: str) -> None:
    detail = {
        "stack": jobs.world.names.stack, "job": run.job, "name": run.name, "profile": run.profile, "role": run.role,
        "input": run.input, "output": run.output, "run": run.run, "attempt": run.attempt, "sentence": sentence,
        "rows": dict(run.rows), "quarantine": dict(run.quarantine), "manifest": run.manifest,
    }  # fmt: skip
    jobs.world.notices.tell(kind, detail)


def _quietly(tell: Callable[[], None]) -> None:
    """A job is not undone by its report: what can't be told is logged instead."""
    try:
        tell()
    except (ClientError, NotYet):
        logger.exception("it could not be told of on the bus")


def _measure(came: Outcome, ended: str) -> None:
    metrics.add_metric(ended, MetricUnit.Count, 1)
    metrics.add_metric("JobSeconds", MetricUnit.Seconds, came.seconds)
    for name, rows in (("RowsIn", "in"), ("RowsInQuarantine", "quarantine")):
        if rows in came.summary.rows:
            metrics.add_metric(name, MetricUnit.Count, came.summary.rows[rows])


def ended(jobs: JobWorld, name: str) -> str:
    """Settle the run of a processing job that has ended, if that is not done yet; the upload that is to be looked at now.

    "" for a job that nobody here has started. NotYet while SageMaker does not say itself that it is over.
    """
    pointer = jobs.records.pointer(name)
    run = jobs.records.run(pointer.record) if pointer else None
    if pointer is None or run is None:
        return ""
    held = jobs.records.held(pointer.subject)
    if held.standing.name == name and held.standing.status is Status.IN_PROGRESS:
        told = jobs.jobs.describe(name)
        if told is None or not told.status.over:
            raise NotYet(f"{name} is said to have ended, and SageMaker does not show it yet")
        settle(jobs, held, told)
    return run.upload


def settle(jobs: JobWorld, held: Held, told: Told) -> None:
    """Write down and tell what came of the run that the input stands in.

    The input is freed last: after a crash all of it is done again, and a person is called once.
    """
    run = jobs.records.run(held.record) or JobRun(told.name, held.record.partition(" ")[0])
    came = outcome(run.label or run.name, told, read_summary(jobs.operations.read(f"{run.folder}summary.json")))
    over = run.over(came, told.ended or jobs.clock())
    jobs.records.keep(held.subject, over)
    report_end(jobs, over, came)
    jobs.records.swap(held, held.standing.ended(came.status, came.cause), held.record)
