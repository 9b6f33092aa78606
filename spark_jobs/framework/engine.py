"""One pass of Spark over the files of an input: features, quarantine, and counts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812  -- as users of Spark know it

from framework import columns
from framework.columns import SKIPPED, SPLITS, name_category, name_number
from framework.contract import MAX_LINE_BYTES, Contract
from framework.exits import CONTRACT, WRONG_HEADER, JobFailed
from framework.headers import find_header_fault, is_reordered_header
from framework.lines import HEADER_FAULT
from framework.measures import BILLION, MAX_BILLIONTHS, Counts, collect_counts
from framework.parquet_rows import count_rows, read_rows
from framework.split_folders import SplitFolders

MAX_HEADER_BYTES = 1_000  # of a quarantined line that may be a header, with its reason
MAX_CHECKED_HEADERS = 1_000  # different ones in the quarantine of one run
GLOB_CHARACTERS = re.compile(r"([\\{}\[\]*?])")  # Spark takes a path with these for a pattern
BOM_BYTES = 3  # the size of the byte order mark, which Hadoop's reader removes

# Java compiles no method of more bytes (HotSpot's HugeMethodLimit).
MAX_METHOD_BYTES = 8_000
# These hold for this pass alone, whatever the cluster has configured. Keeping one file open for
# each split avoids a sort, which begins when that many files are open. Without ANSI mode, a cell
# that is not a number becomes null. A step whose one method would be too large for Java to compile
# is made of several methods instead.
SESSION_SETTINGS = {
    "spark.sql.maxConcurrentOutputFileWriters": len(SPLITS) + 1,
    "spark.sql.ansi.enabled": False,
    "spark.sql.codegen.hugeMethodLimit": MAX_METHOD_BYTES,
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": 1,
    "spark.sql.files.openCostInBytes": 1,
}
READ_OPTIONS = {
    "lineSep": "\n",
    # A line and what ends it must stay below this.
    "mapreduce.input.linerecordreader.line.maxlength": MAX_LINE_BYTES + 2,
}
WRITE_OPTIONS = {"compression": "none", "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}


def transform_files(
    spark: SparkSession, sources: Sequence[str], target: str, files: int, contract: Contract
) -> Counts:
    r"""Write the rows of the `sources` to target/train, target/validation, target/quarantine.

    Each of these folders has at most `files` text files. They are deleted first; a split without
    lines gets no folder. Lines end with \n or \r\n.

    Raises JobFailed with CONTRACT if a line is longer than 1 MiB. Hadoop's reader skips such a line
    without holding it in memory; it is detected at the end by the bytes that are missing. Raises it
    also if a header line, wherever it stands, names the columns in another order, or if Parquet has
    other columns.
    """
    session, folder = derive_session(spark, files), SplitFolders(spark, target, SPLITS)
    folder.delete_splits()
    size, seen = sum(map(folder.file_size, sources)), Observation()
    one_in = _choose_sample(session, sources, size, contract)
    lines = read_input(session, sources, contract).coalesce(files)
    rows = columns.classify_lines(lines, contract)
    _write_splits(rows.observe(seen, *_observe_columns(one_in, contract)), folder.staging, contract)
    check_all_read(seen.get, size, sources, contract)
    folder.rename_splits()
    reasons = count_reasons(session, f"{target}/quarantine", seen.get)
    if HEADER_FAULT in reasons:
        check_headers(session, f"{target}/quarantine", sources, contract)
    return collect_counts(seen.get, reasons, one_in, contract)


def derive_session(spark: SparkSession, files: int) -> SparkSession:
    """Return a session of the same Spark with the settings of a pass."""
    session = spark.newSession()
    for name, value in {**SESSION_SETTINGS, "spark.sql.files.minPartitionNum": files}.items():
        session.conf.set(name, value)
    return session


def read_input(session: SparkSession, sources: Sequence[str], contract: Contract) -> DataFrame:
    """Return the lines of the files as `value`; a row of Parquet is a line of JSON."""
    if not contract.is_text:
        return read_rows(session, sources, contract)
    return _read_lines(session, *sources)


def _read_lines(session: SparkSession, *paths: str) -> DataFrame:
    escaped = [GLOB_CHARACTERS.sub(r"\\\1", path) for path in paths]
    return session.read.options(**READ_OPTIONS).text(escaped)


def _choose_sample(
    session: SparkSession, sources: Sequence[str], size: int, contract: Contract
) -> int:
    """Return N if one row in N is sampled: as many rows as there can be are few enough then."""
    rows = size // contract.min_line_bytes if contract.is_text else count_rows(session, sources)
    return max(1, -(-rows // contract.sample_rows))


def _observe_columns(one_in: int, contract: Contract) -> Iterator[Column]:
    """Yield what is counted in passing (see measures.collect_counts); each costs time on every
    row.
    """
    yield F.count(F.lit(1)).alias("rows")
    yield F.sum("octets").alias("octets")
    yield F.count("hash").alias("kept")
    yield F.count(F.when(F.col("split") == SPLITS.index("train"), 1)).alias("train")
    yield F.count(F.when(F.col("split") == SKIPPED, 1)).alias("headers")
    for column in contract.counted:
        category = F.col(name_category(column))
        for at, word in enumerate(column.categories):
            yield F.count(F.when(category == at, 1)).alias(f"{column.name} = {word}")
    for column in contract.measured:
        number, name = F.col(name_number(column)), column.name
        # Whole numbers, since Spark compares them by one instruction, and doubles by a method that
        # handles NaN.
        bounds = [float(bound.value) for bound in (column.lower, column.upper) if bound]
        is_small = len(bounds) == 2 and max(map(abs, bounds)) <= MAX_BILLIONTHS
        ends = (number * BILLION + 0.5).cast("bigint") if is_small else number
        yield F.min(ends).alias(f"{name} min")
        yield F.max(ends).alias(f"{name} max")
        yield F.sum(number).alias(f"{name} sum")
        if not column.required:
            yield F.count(number).alias(f"{name} known")
    picked = F.when(F.pmod("hash", F.lit(one_in)) == 0, _format_sample(contract))
    # Histograms are made from a sample of the rows, collected as one text. Counting them in Spark
    # takes 171 counters for abalone, which would double the time of the pass.
    yield F.concat_ws("\n", F.collect_list(picked)).alias("sample")


def _format_sample(contract: Contract) -> Column:
    """Return the text of a sampled row: its output, or its numbers if some may be missing."""
    if contract.is_sampled_as_written:
        return F.col("value")
    numbers = (F.col(name_number(one)).cast("string") for one in contract.measured)
    return F.concat_ws(",", *(F.coalesce(number, F.lit("")) for number in numbers))


def _write_splits(rows: DataFrame, path: str, contract: Contract) -> None:
    kept = rows.where(F.col("split") != SKIPPED)
    written = columns.format_rows(kept, contract)
    written.write.options(**WRITE_OPTIONS).partitionBy("split").text(path)


def check_all_read(
    observed: Mapping[str, Any], size: int, sources: Sequence[str], contract: Contract
) -> None:
    """Raise JobFailed if some bytes of the files are in no line: a line was too long."""
    read = (observed["octets"] or 0) + observed["rows"]
    if contract.is_text and size - read > BOM_BYTES * len(sources):
        why = (
            f"has a line of more than {MAX_LINE_BYTES:,} bytes, which cannot be a line of "
            f"{len(contract.columns)} columns"
        )
        where = name_sources(sources)
        raise JobFailed(CONTRACT, f"{where} {why}. Upload it again with a line for each row.")


def name_sources(sources: Sequence[str]) -> str:
    """Return what an input is called in a sentence.

    >>> name_sources(["s3a://a/b"]), name_sources(["s3a://a/b", "s3a://a/c"])
    ('s3a://a/b', 'One of 2 files (s3a://a/b …)')
    """
    return sources[0] if len(sources) == 1 else f"One of {len(sources)} files ({sources[0]} …)"


def count_reasons(session: SparkSession, path: str, observed: Mapping[str, Any]) -> dict[str, int]:
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


def check_headers(
    session: SparkSession, path: str, sources: Sequence[str], contract: Contract
) -> None:
    """Raise JobFailed if a header in the quarantine names the columns in another order.

    Files that were put together have headers below the first line. What follows such a header would
    become wrong features.
    """
    short = F.octet_length("value") <= MAX_HEADER_BYTES
    headers = F.col("value").startswith(f"{HEADER_FAULT}\t") & short
    found = _read_lines(session, path).where(headers).distinct().limit(MAX_CHECKED_HEADERS)
    for line in sorted(row["value"].partition("\t")[2] for row in found.collect()):
        if is_reordered_header(line, contract):
            why = find_header_fault(line, contract, "A line below the first one")
            raise JobFailed(CONTRACT, f"{why} {WRONG_HEADER.format(name_sources(sources))}")
