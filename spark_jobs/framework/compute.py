"""Compute a run's files with Spark; nothing is published here.

Spark reads and writes through S3A if the image and the grants allow it, otherwise the driver stages
the data.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framework import capability, measures, publish
from framework.access import READ, READWRITE
from framework.arguments import JobOrder
from framework.exits import ACCESS, CAPABILITY, CONTRACT, QUARANTINE, JobFailed, explain_failure
from framework.first_bytes import describe_format
from framework.inputs import FoundInput
from framework.objects import ObjectFolder
from framework.publish import RunFolder
from framework.session import open_session
from framework.store import S3A_UNSAFE_KEY, RunStore, S3AStore, open_staged_store
from framework.summary import RunSummary, time_step

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BYTES_PER_FILE = 64 << 20  # bytes of input for which one more file of output pays
# Bytes of input for one file of output at most: CopyObject takes objects of up to 5 GB.
MAX_BYTES_PER_FILE = 1 << 30


@dataclass(frozen=True)
class ComputeTask:
    """What to compute: the input as it was found, the output, and the summary to fill in."""

    order: JobOrder
    found: FoundInput
    source: ObjectFolder
    output: RunFolder
    summary: RunSummary

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.summary.run_id


@dataclass(frozen=True)
class ComputedRun:
    """A run whose files are in its folder: its counts, how S3 was reached and why, the Spark
    version.
    """

    counts: Any
    mode: str
    why: str
    spark: str


def compute_run(
    task: ComputeTask, start: Callable[..., AbstractContextManager["SparkSession"]] = open_session
) -> ComputedRun:
    """Compute the run's files; `start` opens a Spark session for the given buckets.

    Raises JobFailed if the input breaks the contract, if too many lines are quarantined, or if the
    data cannot be reached in the ordered access mode.
    """
    obstacle = None if task.order.access == "staged" else _find_s3a_obstacle(task)
    if task.order.access == "s3a" and obstacle:
        raise obstacle
    buckets = {task.order.input_bucket, task.order.output_bucket}
    with _time_session_start(task, start(*buckets)) as spark:
        mode, why = _choose_mode(task.order, spark, obstacle)
        try:
            return _compute_in_mode(mode, why, task, spark)
        except Exception as failure:
            # AWS's plugin (2.3.0) may keep a credential after it has expired, because its cache may
            # lose the expiry: staging may still work then.
            refused = explain_failure(failure)
            if mode == "staged" or task.order.access == "s3a" or refused.code != ACCESS:
                raise
            return _compute_in_mode("staged", f"S3A was refused: {refused.sentence}", task, spark)


def _compute_in_mode(mode: str, why: str, task: ComputeTask, spark: "SparkSession") -> ComputedRun:
    with time_step(task.summary, "transform"), _open_store(mode, task, spark) as store:
        return ComputedRun(_transform_input(task, spark, store), mode, why, spark.version)


@contextmanager
def _time_session_start(
    task: ComputeTask, session: AbstractContextManager["SparkSession"]
) -> Iterator["SparkSession"]:
    """Enter the session, and time its start as a step of the run."""
    with ExitStack() as until_the_end:
        with time_step(task.summary, "start Spark"):
            spark = until_the_end.enter_context(session)
        yield spark


def _find_s3a_obstacle(task: ComputeTask) -> JobFailed | None:
    """Return what keeps S3A from reaching input and output, as far as the job can see without
    Spark.

    That is compressed data, a key that S3A cannot name, or a missing grant that only S3A needs.
    """
    order = task.order
    if order.job.contract.compression:
        why = f"{order.input_uri} is compressed, so the driver decompresses it. Leave out --access"
        return JobFailed(CAPABILITY, f"{why}, or use --access staged.")
    for name in (*(one.key for one in task.found.objects), order.output_folder.rstrip("/")):
        if S3A_UNSAFE_KEY.search(name):
            return JobFailed(
                CAPABILITY,
                f"S3A with Access Grants cannot name {name!r}. Use --access staged, "
                "or plain letters.",
            )
    try:
        # S3A also looks whether the input is a folder, and renames the files that it wrote.
        below = order.input_scope if order.inputs else f"{order.input_key}/*"
        task.source.narrow_scope(below).require_grants(READ)
        run_prefix = task.output.run_prefix(task.run_id)
        task.output.objects.narrow_scope(f"{run_prefix}*").require_grants(READWRITE)
    except JobFailed as refused:
        return refused
    return None


def _choose_mode(
    order: JobOrder, spark: "SparkSession", obstacle: JobFailed | None
) -> tuple[str, str]:
    """Return "s3a" or "staged", and why S3A is not used."""
    if order.access == "staged":
        return "staged", "as ordered"
    why = (
        str(obstacle)
        if obstacle
        else capability.find_missing_capability(spark, order.input_bucket, order.output_bucket)
    )
    if order.access == "s3a" and why:
        raise JobFailed(
            CAPABILITY,
            f"S3A cannot be used: {why}. "
            "Use --access staged, or an image whose S3A knows S3 Access Grants.",
        )
    return ("staged", why) if why else ("s3a", "")


def _open_store(
    mode: str, task: ComputeTask, spark: "SparkSession"
) -> AbstractContextManager[RunStore]:
    if mode == "staged":
        return open_staged_store(spark, task.source, task.found, task.output, task.run_id)
    bucket = task.order.input_bucket
    sources = tuple(f"s3a://{bucket}/{one.key}" for one in task.found.objects)
    return nullcontext(S3AStore(task.output, task.run_id, sources))


def _transform_input(task: ComputeTask, spark: "SparkSession", store: RunStore) -> Any:
    try:
        counts = _run_engine(task, spark, store)
        encoded = measures.encode_counts(counts)
        task.summary.rows, task.summary.quarantine = encoded["rows"], encoded["quarantine"]
        task.summary.header_lines = counts.header_lines
        check_quarantine(task, store)
        store.keep_splits()
    except BaseException as failure:
        # What is left of a failed run is of no use, except quarantined lines, which explain it.
        if not (isinstance(failure, JobFailed) and failure.code == QUARANTINE):
            with suppress(Exception):
                publish.delete_run(task.output, task.run_id)
        raise
    return counts


def _run_engine(task: ComputeTask, spark: "SparkSession", store: RunStore) -> Any:
    """Compute the run's files from the contract, or by the job's script."""
    job = task.order.job
    if not job.script:
        from framework import engine  # needs pyspark, which nothing else here does

        files = _count_output_files(task.found, spark)
        return engine.transform_files(spark, store.sources, store.target, files, job.contract)
    from framework import script_engine

    inputs = tuple(f"s3://{task.order.input_bucket}/{one.key}" for one in task.found.objects)
    output = task.output.format_uri(task.output.run_prefix(task.run_id))
    context = script_engine.ScriptContext(
        job.name, task.run_id, task.order.parameters, inputs, output
    )
    return script_engine.transform_by_script(spark, store.sources, store.target, job, context)


def _count_output_files(found: FoundInput, spark: "SparkSession") -> int:
    """Return the number of output files: none tiny, none huge, up to the cluster's parallelism."""
    wanted = min(
        math.ceil(found.bytes / BYTES_PER_FILE), int(spark.sparkContext.defaultParallelism)
    )
    return max(1, wanted, math.ceil(found.bytes / MAX_BYTES_PER_FILE))


def check_quarantine(task: ComputeTask, store: RunStore) -> None:
    """Raise JobFailed if no line can be used, or if more lines are quarantined than tolerated."""
    rows, source, tolerated = task.summary.rows, task.order.input_uri, task.order.quarantine_limit
    reasons = ", ".join(
        f"{reason}: {count:,}" for reason, count in sorted(task.summary.quarantine.items())
    )
    if not rows["in"]:
        lines = "lines below its header" if task.summary.header_lines else "lines"
        raise JobFailed(CONTRACT, f"{source} has no {lines}. Upload it again with its data.")
    if rows["quarantine"] == rows["in"]:
        contract = task.order.job.contract
        how = f"Upload {', '.join(contract.names)} as {describe_format(contract)}"
        raise JobFailed(CONTRACT, f"No line of {source} fits the contract ({reasons}). {how}.")
    if tolerated.is_exceeded(rows["quarantine"], rows["in"]):
        store.keep_splits(("quarantine",))
        where = task.output.format_uri(f"{task.output.run_prefix(task.run_id)}quarantine/")
        why = (
            f"{rows['quarantine']:,} of {rows['in']:,} lines were refused ({reasons}), and "
            f"{tolerated.text} are tolerated"
        )
        raise JobFailed(
            QUARANTINE,
            f"{why}. They lie in {where}; upload a better file, or allow more by max_quarantine.",
        )
