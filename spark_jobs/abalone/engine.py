"""One pass of Spark over a file: features for training and validation, quarantine, and counts."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812  -- as users of Spark know it

from abalone import columns
from abalone.columns import SKIPPED, SPLITS
from abalone.contract import MAX_LINE_BYTES, MAX_SAMPLE_ROWS, MIN_LINE_BYTES, NUMBERS, SEXES
from abalone.exits import CONTRACT, WRONG_HEADER, JobFailed
from abalone.lines import find_header_fault, is_reordered_header
from abalone.measures import BILLION, Counts, collect_counts

HEADER_REASON = "header line"  # of a line in quarantine
MAX_HEADER_BYTES = 1_000  # of a quarantined line that may be a header, with its reason
MAX_CHECKED_HEADERS = 1_000  # different ones in the quarantine of one run
GLOB_CHARACTERS = re.compile(r"([\\{}\[\]*?])")  # Spark takes a path with these for a pattern
BOM_BYTES = 3  # the size of the byte order mark, which Hadoop's reader removes

# These hold for this pass alone, whatever the cluster has configured. Keeping one file open for
# each split avoids a sort, which begins when that many files are open. Without ANSI mode, a cell
# that is not a number becomes null.
SESSION_SETTINGS = {
    "spark.sql.maxConcurrentOutputFileWriters": len(SPLITS) + 1,
    "spark.sql.ansi.enabled": False,
    "spark.sql.shuffle.partitions": 1,
    "spark.sql.files.openCostInBytes": 1,
}
READ_OPTIONS = {
    "lineSep": "\n",
    # A line and what ends it must stay below this.
    "mapreduce.input.linerecordreader.line.maxlength": MAX_LINE_BYTES + 2,
}
WRITE_OPTIONS = {"compression": "none", "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}


def transform_file(spark: SparkSession, source: str, target: str, files: int) -> Counts:
    r"""Write the lines of the file `source` to target/train, target/validation, target/quarantine.

    Each of these folders has at most `files` text files. They are deleted first; a split without
    lines gets no folder. Lines end with \n or \r\n.

    Raises JobFailed with CONTRACT if a line is longer than 1 MiB. Hadoop's reader skips such a line
    without holding it in memory; it is detected at the end by the bytes that are missing. Raises it
    also if a header line, wherever it stands, names the columns in another order.
    """
    session, folder = _derive_session(spark, files), _SplitFolders(spark, target)
    folder.delete_splits()
    size, seen = folder.file_size(source), Observation()
    one_in = max(1, -(-size // (MIN_LINE_BYTES * MAX_SAMPLE_ROWS)))
    rows = columns.classify_lines(_read_lines(session, source).coalesce(files)).observe(
        seen, *_observe_columns(one_in)
    )
    _write_splits(rows, folder.staging)
    _check_all_read(seen.get, size, source)
    folder.rename_splits()
    reasons = _count_reasons(session, f"{target}/quarantine", seen.get)
    if HEADER_REASON in reasons:
        _check_headers(session, f"{target}/quarantine", source)
    return collect_counts(seen.get, reasons, one_in)


def _derive_session(spark: SparkSession, files: int) -> SparkSession:
    session = spark.newSession()
    for name, value in {**SESSION_SETTINGS, "spark.sql.files.minPartitionNum": files}.items():
        session.conf.set(name, value)
    return session


def _read_lines(session: SparkSession, path: str) -> DataFrame:
    return session.read.options(**READ_OPTIONS).text(GLOB_CHARACTERS.sub(r"\\\1", path))


def _observe_columns(one_in: int) -> Iterator[Column]:
    """Yield what is counted in passing (see measures.collect_counts); each costs time on every
    row.
    """
    yield F.count(F.lit(1)).alias("rows")
    yield F.sum("octets").alias("octets")
    yield F.count("hash").alias("kept")
    yield F.count(F.when(F.col("split") == SPLITS.index("train"), 1)).alias("train")
    yield F.count(F.when(F.col("split") == SKIPPED, 1)).alias("headers")
    for at, sex in enumerate(SEXES):
        yield F.count(F.when(F.col("sex") == at, 1)).alias(sex)
    for name in NUMBERS:
        # Whole numbers, since Spark compares them by one instruction, and doubles by a method that
        # handles NaN.
        whole = (F.col(name) * BILLION + 0.5).cast("bigint")
        yield from (
            F.min(whole).alias(f"{name} min"),
            F.max(whole).alias(f"{name} max"),
            F.sum(name).alias(f"{name} sum"),
        )
    # Histograms are made from a sample of the rows, collected as one text. Counting them in Spark
    # takes 171 counters, which would double the time of the pass.
    picked = F.when(F.pmod("hash", F.lit(one_in)) == 0, F.col("value"))
    yield F.concat_ws("\n", F.collect_list(picked)).alias("sample")


def _write_splits(rows: DataFrame, path: str) -> None:
    kept = rows.where(F.col("split") != SKIPPED)
    columns.format_rows(kept).write.options(**WRITE_OPTIONS).partitionBy("split").text(path)


def _check_all_read(observed: Mapping[str, Any], size: int, source: str) -> None:
    """Raise JobFailed if some bytes of the file are in none of its lines: a line was too long."""
    if size - (observed["octets"] or 0) - observed["rows"] > BOM_BYTES:
        why = (
            f"has a line of more than {MAX_LINE_BYTES:,} bytes, which cannot be a line of nine "
            "columns"
        )
        raise JobFailed(CONTRACT, f"{source} {why}. Upload it again with a line for each row.")


def _count_reasons(session: SparkSession, path: str, observed: Mapping[str, Any]) -> dict[str, int]:
    """Count the rows by reason, from the quarantine as written.

    Few rows are quarantined; counting the reasons in the main pass would cost time on every row.
    """
    if observed["rows"] == observed["kept"] + observed["headers"]:
        return {}
    reason = F.substring_index("value", "\t", 1).alias("reason")
    return {
        row["reason"]: row["count"]
        for row in _read_lines(session, path).groupBy(reason).count().collect()
    }


def _check_headers(session: SparkSession, path: str, source: str) -> None:
    """Raise JobFailed if a header in the quarantine names the columns in another order.

    Files that were put together have headers below the first line. What follows such a header would
    become wrong features.
    """
    short = F.octet_length("value") <= MAX_HEADER_BYTES
    headers = F.col("value").startswith(f"{HEADER_REASON}\t") & short
    found = _read_lines(session, path).where(headers).distinct().limit(MAX_CHECKED_HEADERS)
    for line in sorted(row["value"].partition("\t")[2] for row in found.collect()):
        if is_reordered_header(line):
            why = find_header_fault(line, "A line below the first one")
            raise JobFailed(CONTRACT, f"{why} {WRONG_HEADER.format(source)}")


class _SplitFolders:
    """The folders of the splits, in any file system of Hadoop.

    Spark can only write them as split=0, …, so they are renamed at the end.
    """

    def __init__(self, spark: SparkSession, target: str) -> None:
        # pyspark has no public way to the JVM.
        self._path = spark.sparkContext._jvm.org.apache.hadoop.fs.Path  # noqa: SLF001
        self._settings = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
        self._target, self.staging = target, f"{target}/apart"

    def delete_splits(self) -> None:
        for name in ("apart", *SPLITS):
            path = self._path(f"{self._target}/{name}")
            path.getFileSystem(self._settings).delete(path, True)

    def file_size(self, source: str) -> int:
        """Return the size of a file in bytes."""
        path = self._path(source)
        return int(path.getFileSystem(self._settings).getFileStatus(path).getLen())

    def rename_splits(self) -> None:
        files = self._path(self._target).getFileSystem(self._settings)
        for at, split in enumerate(SPLITS):
            written, wanted = (
                self._path(f"{self.staging}/split={at}"),
                self._path(f"{self._target}/{split}"),
            )
            if files.exists(written) and not files.rename(written, wanted):
                raise OSError(f"cannot rename {written.toString()} to {wanted.toString()}")
        files.delete(self._path(self.staging), True)
