"""The Spark session of a run: its configuration, and a limit for its start.

What the cluster has configured stays. A run by hand has no configuration.json and needs none. A
session that gets no executor would wait for the job's time limit, and one without a resource
manager would try without end, so both end here, with a sentence that says why.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from framework.configuration import endpoint_properties, spark_defaults
from framework.exits import INTERNAL, JobFailed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START_SECONDS = 180.0  # until Spark has an executor; a cluster that works needs less than a minute
POLL_SECONDS = 0.1  # between two looks for an executor
NO_START = (
    "Spark had no executor after {seconds:.0f} seconds: {why}. Use larger machines, or more of "
    "them (instances: {{type: …, count: …}} in the policy file); the job's log has more."
)


class StartTimeout(BaseException):
    """The time for the start is over. It is no Exception: py4j would hide one from its caller."""


@contextmanager
def open_session(*buckets: str, seconds: float = START_SECONDS) -> Iterator["SparkSession"]:
    """Open a session whose S3A asks Access Grants for every request on these buckets.

    Raises JobFailed if Spark has no executor after so many seconds. The limit holds in the main
    thread, where signals arrive.
    """
    from pyspark.sql import SparkSession

    builder = SparkSession.Builder().appName("grantor")
    configured = _list_configured()
    wanted = spark_defaults(*buckets) | endpoint_properties(os.environ)
    for name, value in wanted.items():
        if name not in configured:
            builder = builder.config(name, value)
    spark: SparkSession | None = None
    try:
        with _limit_time(seconds):
            spark = builder.getOrCreate()
            _wait_for_executor(spark)
    except StartTimeout:
        why = _explain_timeout(spark)
        raise JobFailed(INTERNAL, NO_START.format(seconds=seconds, why=why)) from None
    try:
        yield spark
    finally:
        spark.stop()


def _list_configured() -> set[str]:
    """Return the names of properties that have a value already.

    A JVM that spark-submit has started knows them. Before there is one, they are in the file that
    it will read.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.find_spark_home import _find_spark_home

    # pyspark has no public way to the JVM.
    is_started = SparkContext._gateway is not None  # noqa: SLF001  -- as said above
    if is_started or "PYSPARK_GATEWAY_PORT" in os.environ:
        SparkContext._ensure_initialized()  # noqa: SLF001  -- likewise
        return {name for name, _ in SparkConf().getAll()}
    folder = os.environ.get("SPARK_CONF_DIR") or str(Path(_find_spark_home()) / "conf")
    lines: list[str] = []
    with suppress(FileNotFoundError):
        lines = (Path(folder) / "spark-defaults.conf").read_text().splitlines()
    words = (line.replace("=", " ", 1).split() for line in lines if not line.startswith("#"))
    return {found[0] for found in words if found}


@contextmanager
def _limit_time(seconds: float) -> Iterator[None]:
    """Raise StartTimeout in the block if it takes longer, also while it waits for the JVM."""

    def end_wait(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise StartTimeout

    before = signal.signal(signal.SIGALRM, end_wait)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _wait_for_executor(spark: "SparkSession") -> None:
    """Wait until an executor has registered, beside the driver. A local master has none."""
    context = spark.sparkContext
    if context.master == "local" or context.master.startswith("local["):
        return
    known = context._jsc.sc()  # noqa: SLF001  -- pyspark has no public way to the executors
    while known.getExecutorMemoryStatus().size() < 2:
        time.sleep(POLL_SECONDS)


def _explain_timeout(spark: "SparkSession | None") -> str:
    if spark is None:
        return "the cluster's resource manager did not answer"
    asked = spark.sparkContext.getConf().get("spark.executor.memory", "1g")
    return f"no machine has the memory for one, for which Spark requests {asked}, or none is free"
