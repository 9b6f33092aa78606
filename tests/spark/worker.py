"""Runs jobs one after another on one Spark, whose start costs seconds: each line in is an order,
each line out what became of it.

An order is JSON: the job's `arguments`, the `environment` that it has, the `properties` of Spark
that hold for it, `late`, the seconds that it waits before it uses Spark, and `file_size`, the most
bytes that a file may have, as on a disk that is nearly full (0: any).
"""

import io
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from framework.compute import compute_run
from framework.job import main
from framework.session import open_session

# Java reads where the role's credentials are from its environment, which stays, or from these,
# which can be set.
JAVA = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "aws.containerCredentialsFullUri",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "aws.containerAuthorizationToken",
}


def run_jobs() -> None:
    with open_session() as spark:
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(run_job(spark, json.loads(line))), flush=True)


def run_job(spark: SparkSession, order: dict[str, Any]) -> dict[str, Any]:
    said, begun = io.StringIO(), time.monotonic()
    os.environ.update(order["environment"])
    with set_properties(spark, order["properties"]), redirect_stderr(said):
        code = main(
            order["arguments"], partial(compute_run, start=partial(reuse_session, spark, order))
        )
    return {"code": code, "stderr": said.getvalue(), "seconds": round(time.monotonic() - begun, 2)}


@contextmanager
def reuse_session(spark: SparkSession, order: dict[str, Any], *_: str) -> Iterator[SparkSession]:
    """The session that is there already."""
    time.sleep(order["late"])  # the time that credentials last is what is tested here
    java = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    limit = order["file_size"] or resource.RLIM_INFINITY
    before = [(pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)) for pid in (java, os.getpid())]
    for pid, (_, hard) in before:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield spark
    finally:
        for pid, limits in before:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def set_properties(spark: SparkSession, properties: dict[str, str]) -> Iterator[None]:
    settings, jvm = spark.sparkContext._jsc.hadoopConfiguration(), spark.sparkContext._jvm
    for name, there in JAVA.items():
        jvm.java.lang.System.setProperty(there, os.environ[name])
    for name, value in properties.items():
        settings.set(name.removeprefix("spark.hadoop."), value)
    try:
        yield
    finally:
        for name in properties:
            settings.unset(name.removeprefix("spark.hadoop."))


if __name__ == "__main__":
    run_jobs()
