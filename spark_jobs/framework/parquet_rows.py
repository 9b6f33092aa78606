"""Rows of Parquet as lines of JSON, so that one set of rules judges all formats.

A quarantined row is such a line, too. Doubles are written without an exponent.
"""

from collections.abc import Sequence

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  -- the usual name among Spark users

from framework.contract import Contract
from framework.exits import CONTRACT, JobFailed

# Between these, Java writes a double without an exponent.
LEAST_PLAIN, MOST_PLAIN = 1e-3, 1e7
PLAIN_DOUBLE = "decimal(38,15)"
NESTED = ("array", "map", "struct", "binary", "variant", "interval")


def read_rows(session: SparkSession, sources: Sequence[str], contract: Contract) -> DataFrame:
    """Return a line of JSON for each row, as `value`.

    Raises JobFailed with CONTRACT if the columns are not those of the contract, or are nested.
    """
    rows = session.read.parquet(*sources)
    found = dict(rows.dtypes)
    if wrong := _find_other_columns(list(found), contract):
        raise JobFailed(CONTRACT, f"{sources[0]} {wrong} Upload it again with these columns.")
    nested = [name for name, kind in found.items() if kind.startswith(NESTED)]
    if nested:
        why = f"{sources[0]} holds {found[nested[0]]} in {nested[0]}, and no plain value."
        raise JobFailed(CONTRACT, f"{why} Upload it again with plain values.")
    plain = (_format_plainly(name, found[name]).alias(name) for name in contract.names)
    return rows.select(F.to_json(F.struct(*plain)).alias("value"))


def count_rows(session: SparkSession, sources: Sequence[str]) -> int:
    """Return the number of rows, which the files state at their ends."""
    return int(session.read.parquet(*sources).count())


def _find_other_columns(found: list[str], contract: Contract) -> str:
    missing = [name for name in contract.names if name not in found]
    more = [name for name in found if name not in contract.names]
    parts = [
        f"{what} {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"
        for what, names in (("lacks", missing), ("has also", more))
        if names
    ]
    contracted = f"The contract: {', '.join(contract.names)}."
    return f"{' and '.join(parts)}. {contracted}" if parts else ""


def _format_plainly(name: str, kind: str) -> Expression:
    value = F.col(f"`{name}`")
    if kind == "timestamp" or kind.startswith("timestamp"):
        return F.date_format(value, "yyyy-MM-dd'T'HH:mm:ss'Z'")
    if kind not in ("double", "float"):
        return value.cast("string")
    text = value.cast("string")
    plain = (value == 0) | F.abs(value).between(LEAST_PLAIN, MOST_PLAIN)
    decimal = value.cast(PLAIN_DOUBLE).cast("string")
    return F.when(plain, text).otherwise(F.coalesce(decimal, text))
