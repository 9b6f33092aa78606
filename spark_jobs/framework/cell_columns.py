"""Take the cells out of quotes or out of JSON as Spark expressions: those of cells.py.

The cells are put together again with a separator that no cell holds, so that the rest of the rules
is the same for all formats.
"""

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  -- the usual name among Spark users

from framework.cells import KEYS_FAULT, OBJECT_FAULT, QUOTES_FAULT
from framework.contract import Column, Contract
from framework.line_patterns import (
    JSON_LINE,
    JSON_VALUE,
    KEY,
    QUOTED_CELL,
    SPACE,
    UNIT_SEPARATOR,
)
from framework.value_forms import END, escape_word

QUOTE = '"'


def add_plain_cells(
    lines: DataFrame, contract: Contract, which: Expression | None = None
) -> DataFrame:
    """Add `plain`, the cells with separators between, and `shape`, the reason if there are none."""
    chosen = F.lit(True) if which is None else which
    if contract.is_delimited:
        return _add_quoted_cells(lines, contract, chosen)
    return _add_object_values(lines, contract, chosen)


def _add_quoted_cells(lines: DataFrame, contract: Contract, chosen: Expression) -> DataFrame:
    value, sign = F.col("value"), escape_word(contract.delimiter)
    bare = rf'[^"{sign}]*+'
    cell = f"(?:{QUOTED_CELL}|{bare})"
    shape = rf"^{cell}(?:{sign}{cell})*+{END}"
    marked = lines.select(
        "*",
        F.when(chosen & value.contains(QUOTE), ~value.rlike(shape)).alias("wrong"),
    )
    # With a delimiter in front, each match begins with one, and none is empty.
    led = F.concat(F.lit(contract.delimiter), value)
    found = F.regexp_extract_all(led, F.lit(f"{sign}({cell})"), F.lit(1))
    listed = marked.select("*", F.when(~F.col("wrong"), found).alias("found"))
    cells = [_unquote(F.get(F.col("found"), F.lit(at))) for at in range(len(contract.columns))]
    # As many cells as there are, so that a wrong number is found.
    more = F.array_repeat(F.lit(UNIT_SEPARATOR), F.size("found") - len(contract.columns))
    fewer = F.slice(F.array(*cells), 1, F.least(F.size("found"), F.lit(len(contract.columns))))
    joined = F.concat(F.array_join(fewer, UNIT_SEPARATOR), F.array_join(more, ""))
    translated = F.translate(value, contract.delimiter, UNIT_SEPARATOR)
    plain = F.when(F.col("wrong").isNull(), F.when(chosen, translated)).otherwise(
        F.when(~F.col("wrong"), joined)
    )
    return listed.select(
        *lines.columns, plain.alias("plain"), F.when(F.col("wrong"), QUOTES_FAULT).alias("shape")
    )


def _unquote(cell: Expression) -> Expression:
    inner = cell.substr(F.lit(2), F.length(cell) - 2)
    doubled = F.replace(inner, F.lit(QUOTE * 2), F.lit(QUOTE))
    return F.when(cell.startswith(QUOTE), doubled).otherwise(cell)


def _add_object_values(lines: DataFrame, contract: Contract, chosen: Expression) -> DataFrame:
    pair = f"({KEY}){SPACE}:{SPACE}({JSON_VALUE})"
    keys, values = (
        F.regexp_extract_all(F.col("value"), F.lit(pair), F.lit(group)) for group in (1, 2)
    )
    valid = chosen & F.col("value").rlike(JSON_LINE)
    read = lines.select(
        "*",
        valid.alias("valid"),
        F.when(valid, keys).alias("keys"),
        F.when(valid, values).alias("values"),
    )
    known = F.array(*(F.lit(f'"{name}"') for name in contract.names))
    wrong = (F.size(F.array_distinct("keys")) != F.size("keys")) | (
        F.size(F.array_except("keys", known)) > 0
    )
    judged = read.select(
        "*", F.when(~F.col("valid"), OBJECT_FAULT).when(wrong, KEYS_FAULT).alias("shape")
    )
    cells = (_take_value(name) for name in contract.names)
    plain = F.when(F.col("shape").isNull(), F.concat_ws(UNIT_SEPARATOR, *cells))
    return judged.select(*lines.columns, plain.alias("plain"), "shape")


def _take_value(name: str) -> Expression:
    at = F.array_position("keys", f'"{name}"').cast("int")
    token = F.get(F.col("values"), at - 1)
    inner = token.substr(F.lit(2), F.length(token) - 2)
    decoded = F.from_json(F.concat(F.lit("["), token, F.lit("]")), "array<string>")[0]
    text = F.when(token.contains("\\"), decoded).otherwise(inner)
    value = F.when(token.startswith(QUOTE), text).when(token != F.lit("null"), token)
    return F.coalesce(value, F.lit(""))


def take_day(cell: Expression) -> Expression:
    """Return the date of a cell that has the form of a date; null if there is no such day."""
    return cell.substr(1, 10).cast("date")


def take_second(cell: Expression, column: Column) -> Expression:
    """Return what is compared of a date or time, as text: a time up to the second."""
    return cell if column.type == "date" else cell.substr(1, 19)


def enclose_pattern(pattern: str) -> str:
    """Return a pattern that matches a whole value."""
    return f"(?s)^(?:{pattern}){END}"
