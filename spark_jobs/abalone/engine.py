"""One pass of Spark over a file: features to train and to validate with, what is refused, and what is to be told of it all."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812  -- as users of Spark know it

from abalone import columns
from abalone.columns import SPLITS
from abalone.contract import LONGEST_LINE, NUMBERS, SAMPLE, SEXES, SHORTEST_LINE
from abalone.exits import CONTRACT, Failed
from abalone.measures import PARTS, Counts, counted

MEANT = re.compile(r"([\\{}\[\]*?])")  # what Spark takes for a pattern
BOM = 3  # bytes, which Hadoop's reader takes away

# Of this pass alone, whatever the cluster has configured: a file open for each split spares a sort (which begins
# when so many are open), and what is no number is null.
SETTINGS = {
    "spark.sql.maxConcurrentOutputFileWriters": len(SPLITS) + 1,
    "spark.sql.ansi.enabled": False,
    "spark.sql.shuffle.partitions": 1,
    "spark.sql.files.openCostInBytes": 1,
}
READING = {
    "lineSep": "\n",
    "mapreduce.input.linerecordreader.line.maxlength": LONGEST_LINE + 2,
}  # which it and its end stay below
WRITING = {"compression": "none", "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}


def transform(spark: SparkSession, source: str, target: str, files: int) -> Counts:
    r"""Write the lines of the file `source` to target/train, target/validation and target/quarantine, each in at most so many files of text.

    What stood in these three goes first; where no line belongs, none is made. Lines end with \n or \r\n. Failed(CONTRACT) if one is longer
    than a mebibyte: it is passed over without being held in memory, and seen in the end by the bytes that are missing; nothing counts then.
    """
    session, folder = _session(spark, files), _Folder(spark, target)
    folder.clear()
    size, seen = folder.size(source), Observation()
    one_in = max(1, -(-size // (SHORTEST_LINE * SAMPLE)))
    rows = columns.rows(_lines(session, source).coalesce(files)).observe(seen, *_asked(one_in))
    _write(rows, folder.apart)
    _whole(seen.get, size, source)
    folder.settle()
    return counted(seen.get, _reasons(session, f"{target}/quarantine", seen.get), one_in)


def _session(spark: SparkSession, files: int) -> SparkSession:
    session = spark.newSession()
    for name, value in {**SETTINGS, "spark.sql.files.minPartitionNum": files}.items():
        session.conf.set(name, value)
    return session


def _lines(session: SparkSession, path: str) -> DataFrame:
    return session.read.options(**READING).text(MEANT.sub(r"\\\1", path))


def _asked(one_in: int) -> Iterator[Column]:
    """What is counted while the rows go by: see measures.counted. Each figure more is paid for by every row."""
    yield F.count(F.lit(1)).alias("rows")
    yield F.sum("octets").alias("octets")
    yield F.count("hash").alias("kept")
    yield F.count(F.when(F.col("split") == SPLITS.index("train"), 1)).alias("train")
    for at, sex in enumerate(SEXES):
        yield F.count(F.when(F.col("sex") == at, 1)).alias(sex)
    for name in NUMBERS:
        # As whole numbers: those Spark compares by one instruction, others by a method that minds NaN.
        whole = (F.col(name) * PARTS + 0.5).cast("bigint")
        yield from (F.min(whole).alias(f"{name} min"), F.max(whole).alias(f"{name} max"), F.sum(name).alias(f"{name} sum"))
    # Histograms from a part of the rows, as one text: the 171 counters that it takes to count each would take as long as all else.
    picked = F.when(F.pmod("hash", F.lit(one_in)) == 0, F.col("value"))
    yield F.concat_ws("\n", F.collect_list(picked)).alias("sample")


def _write(rows: DataFrame, path: str) -> None:
    columns.explained(rows).write.options(**WRITING).partitionBy("split").text(path)


def _whole(told: Mapping[str, Any], size: int, source: str) -> None:
    """Failed if bytes of the file are in none of its lines: then a line was too long, and was passed over."""
    if size - (told["octets"] or 0) - told["rows"] > BOM:
        why = f"has a line of more than {LONGEST_LINE:,} bytes, which can be no line of nine columns"
        raise Failed(CONTRACT, f"{source} {why}. Upload it again with a line for each row.")


def _reasons(session: SparkSession, path: str, told: Mapping[str, Any]) -> dict[str, int]:
    """Read back from where they stand: few rows are refused, and all the others would pay for counting them on their way."""
    if told["rows"] == told["kept"]:
        return {}
    reason = F.substring_index("value", "\t", 1).alias("reason")
    return {row["reason"]: row["count"] for row in _lines(session, path).groupBy(reason).count().collect()}


class _Folder:
    """Where the splits stand, in whatever file system. Spark can only write them as split=0, …; they are renamed in the end."""

    def __init__(self, spark: SparkSession, target: str) -> None:
        self._path = spark.sparkContext._jvm.org.apache.hadoop.fs.Path  # noqa: SLF001  -- pyspark has no public way there
        self._settings = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
        self._target, self.apart = target, f"{target}/apart"

    def clear(self) -> None:
        for name in ("apart", *SPLITS):
            path = self._path(f"{self._target}/{name}")
            path.getFileSystem(self._settings).delete(path, True)

    def size(self, source: str) -> int:
        """Bytes of a file."""
        path = self._path(source)
        return int(path.getFileSystem(self._settings).getFileStatus(path).getLen())

    def settle(self) -> None:
        files = self._path(self._target).getFileSystem(self._settings)
        for at, split in enumerate(SPLITS):
            written, wanted = self._path(f"{self.apart}/split={at}"), self._path(f"{self._target}/{split}")
            if files.exists(written) and not files.rename(written, wanted):
                raise OSError(f"{written.toString()} could not be renamed to {wanted.toString()}")
        files.delete(self._path(self.apart), True)
