"""The job's Spark: as the cluster has it configured, and with what the job needs where nobody has said otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from abalone.configuration import spark_defaults

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def session(*buckets: str) -> Iterator["SparkSession"]:
    """A session whose S3A asks Access Grants about these buckets. A run by hand brings no configuration.json, and needs none."""
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    configured = SparkConf()
    for name, value in spark_defaults(*buckets).items():
        configured.setIfMissing(name, value)
    spark = SparkSession.Builder().appName("abalone").config(conf=configured).getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()
