"""How Spark makes a run's files: by S3A if this image and the grants allow it, else through the driver. Nothing is published here."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone import capability, measures, publish
from abalone.access import BOTH, READ
from abalone.arguments import Order
from abalone.contract import COLUMNS
from abalone.exits import ACCESS, CAPABILITY, CONTRACT, QUARANTINE, Failed, explained
from abalone.objects import Found, Objects
from abalone.publish import Output
from abalone.session import session
from abalone.store import UNNAMEABLE, Store, Straight, staged
from abalone.summary import Summary, step

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

A_FILE = 64 << 20  # bytes of input that are worth a file of output
LARGEST = 1 << 30  # bytes of input for one file at most: S3 copies objects of up to 5 GB in one request


@dataclass(frozen=True)
class Task:
    """What is to be made: from which object, as it was found, into which run of which output; the summary is told what comes of it."""

    order: Order
    found: Found
    source: Objects
    output: Output
    summary: Summary

    @property
    def run_id(self) -> str:
        """The run that is made."""
        return self.summary.run_id


@dataclass(frozen=True)
class Made:
    """The run's files stand in its folder: what was counted, how S3 was reached and why so, and by which Spark."""

    counts: Any
    mode: str
    why: str
    spark: str


def made(task: Task, start: Callable[..., AbstractContextManager["SparkSession"]] = session) -> Made:
    """Made by Spark, of which `start` gives a session for the buckets that it is told.

    Failed if the input is not what the contract says, too much of it is refused, or it can not be reached as ordered.
    """
    obstacle = None if task.order.access == "staged" else _obstacle(task)
    if task.order.access == "s3a" and obstacle:
        raise obstacle
    buckets = {task.order.input_bucket, task.order.output_bucket}
    with _started(task, start(*buckets)) as spark:
        mode, why = _mode(task.order, spark, obstacle)
        try:
            return _made(mode, why, task, spark)
        except Exception as failure:
            # AWS's plugin (2.3.0) may hold a credential for longer than it lasts: it sets a time in its cache that may get lost.
            refused = explained(failure)
            if mode == "staged" or task.order.access == "s3a" or refused.code != ACCESS:
                raise
            return _made("staged", f"S3A was refused: {refused.sentence}", task, spark)


def _made(mode: str, why: str, task: Task, spark: "SparkSession") -> Made:
    with step(task.summary, "transform"), _store(mode, task, spark) as store:
        return Made(_transformed(task, spark, store), mode, why, spark.version)


@contextmanager
def _started(task: Task, session: AbstractContextManager["SparkSession"]) -> Iterator["SparkSession"]:
    """The session; starting it is a step."""
    with ExitStack() as until_the_end:
        with step(task.summary, "start Spark"):
            spark = until_the_end.enter_context(session)
        yield spark


def _obstacle(task: Task) -> Failed | None:
    """What keeps S3A from reaching input and output, as far as one can tell without Spark: a name, or a grant that it needs besides."""
    for name in (task.order.input_key, task.order.output_folder.rstrip("/")):
        if UNNAMEABLE.search(name):
            return Failed(
                CAPABILITY, f"S3A with Access Grants has no way to say {name!r}. Use --access staged, or plain letters."
            )
    try:
        task.source.within(f"{task.order.input_key}/*").need(READ)  # S3A looks whether the input is a folder, too
        task.output.objects.within(f"{task.output.folder(task.run_id)}*").need(BOTH)  # and renames what it wrote
    except Failed as refused:
        return refused
    return None


def _mode(order: Order, spark: "SparkSession", obstacle: Failed | None) -> tuple[str, str]:
    """s3a or staged, and why not s3a."""
    if order.access == "staged":
        return "staged", "as ordered"
    why = str(obstacle) if obstacle else capability.missing(spark, order.input_bucket, order.output_bucket)
    if order.access == "s3a" and why:
        raise Failed(
            CAPABILITY, f"S3A can not be used: {why}. Use --access staged, or an image whose S3A knows S3 Access Grants."
        )
    return ("staged", why) if why else ("s3a", "")


def _store(mode: str, task: Task, spark: "SparkSession") -> AbstractContextManager[Store]:
    if mode == "staged":
        return staged(spark, task.source, task.found, task.output, task.run_id)
    return nullcontext(Straight(task.output, task.run_id, f"s3a://{task.order.input_bucket}/{task.order.input_key}"))


def _transformed(task: Task, spark: "SparkSession", store: Store) -> Any:
    from abalone import engine  # it needs pyspark, which nothing else here does

    try:
        counts = engine.transform(spark, store.source, store.target, _files(task.found, spark))
        told = measures.to_json(counts)
        task.summary.rows, task.summary.quarantine = told["rows"], told["quarantine"]
        judge(task, store)
        store.keep()
    except BaseException as failure:
        # Nobody would look for what is left; but lines that were refused, somebody may want to see.
        if not (isinstance(failure, Failed) and failure.code == QUARANTINE):
            with suppress(Exception):
                publish.clear(task.output, task.run_id)
        raise
    return counts


def _files(found: Found, spark: "SparkSession") -> int:
    """How many files of output: none tiny, none huge, and as many as are written at the same time in between."""
    wanted = min(math.ceil(found.bytes / A_FILE), int(spark.sparkContext.defaultParallelism))
    return max(1, wanted, math.ceil(found.bytes / LARGEST))


def judge(task: Task, store: Store) -> None:
    """Failed if the whole input is refused: all of its lines were, or too many."""
    rows, source, tolerated = task.summary.rows, task.order.input, task.order.tolerated
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(task.summary.quarantine.items()))
    if not rows["in"]:
        raise Failed(CONTRACT, f"{source} has no line. Upload it again with its lines.")
    if rows["quarantine"] == rows["in"]:
        how = f"Upload {', '.join(COLUMNS)} as lines of plain text, with commas between and without a header"
        raise Failed(CONTRACT, f"No line of {source} is as the contract says ({reasons}). {how}.")
    if tolerated.exceeded(rows["quarantine"], rows["in"]):
        store.keep(("quarantine",))
        where = task.output.uri(f"{task.output.folder(task.run_id)}quarantine/")
        why = f"{rows['quarantine']:,} of {rows['in']:,} lines were refused ({reasons}), and {tolerated.text} are tolerated"
        raise Failed(QUARANTINE, f"{why}. They lie in {where}; upload a better file, or allow more by max_quarantine.")
