"""The contract's rules as Spark expressions: those of lines.py, for billions of lines, without
Python.

A line costs one regular expression, one split, a cast for each number and one hash; cells in quotes
or in JSON cost more. The reason for a quarantine is computed for quarantined lines alone, and in a
step of its own: Spark makes one method of a step, and Java never compiles a method of more than
8,000 bytes.
"""

from collections.abc import Iterable
from functools import reduce
from operator import and_

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  -- the usual name among Spark users

from framework import cell_columns, feature_columns
from framework.contract import (
    MAX_NUMBER,
    MIN_NUMBER,
    SHARE_BASE,
    TEMPORAL,
    Bound,
    Column,
    Contract,
)
from framework.headers import normalize_name
from framework.line_patterns import (
    build_header_patterns,
    build_line_pattern,
    build_prefix_pattern,
    get_separator,
)
from framework.lines import BLANK_FAULT, HEADER_FAULT
from framework.value_forms import BLANK

SPLITS = ("train", "validation", "quarantine")
QUARANTINE = SPLITS.index("quarantine")
SKIPPED = len(SPLITS)  # the split of header lines, which are not written


def classify_lines(lines: DataFrame, contract: Contract) -> DataFrame:
    """Turn each line (`value`) into a row.

    A row has the `octets` of the line, its `split` (an index of SPLITS, or SKIPPED), and as `value`
    its features or the line itself. For the measures it has, or else null: the index of the
    category of each counted column, if the line can be parsed; the measured numbers and the `hash`
    if it becomes features. Indexes are narrower than words, and Spark copies each row on its way.
    """
    judged = feature_columns.add_computed(_judge_cells(lines, contract), contract)
    written = judged.select(
        "octets",
        "fit",
        F.when(F.col("fit"), feature_columns.format_features(contract))
        .otherwise(F.col("value"))
        .alias("value"),
        *_index_categories(contract),
        *(_keep_if_fit(column) for column in contract.measured),
    )
    salted = F.concat(F.lit(contract.salt), F.col("value"))
    hashed = written.select("*", F.when(F.col("fit"), F.crc32(salted)).alias("hash"))
    kept = [name_number(column) for column in contract.measured]
    counted = [name_category(column) for column in contract.counted]
    return hashed.select(
        "octets", _assign_split(contract).alias("split"), "value", *counted, *kept, "hash"
    )


def judge_lines(lines: DataFrame, contract: Contract) -> DataFrame:
    """Turn each line (`value`) into a row with its `octets`, whether it is `fit`, and its `cells`.

    A line is fit if it keeps to the contract; `header` is whether it is one that is skipped.
    """
    header = F.lit(False)
    if contract.is_delimited:
        header = F.col("value").rlike(build_header_patterns(contract)[1])
    return _judge_cells(lines, contract).select("*", (~F.col("fit") & header).alias("header"))


def _judge_cells(lines: DataFrame, contract: Contract) -> DataFrame:
    read = lines.select(
        _strip_carriage_return().alias("value"), F.octet_length(F.col("value")).alias("octets")
    )
    within = _is_within_contract(contract)
    if contract.may_mistake_header:
        within &= ~_names_first_column(contract)
    fit = F.coalesce(within, F.lit(False)).alias("fit")
    return parse_cells(read, contract).select("*", fit)


def _names_first_column(contract: Contract) -> Expression:
    return F.col("value").rlike(build_header_patterns(contract)[0])


def format_rows(rows: DataFrame, contract: Contract) -> DataFrame:
    """Return what is written, `value` and `split`; a quarantined line is preceded by its reason."""
    refused = F.col("split") == QUARANTINE
    parsed = parse_cells(rows.select("value", "split"), contract, refused)
    reason = F.when(F.col("cells").isNull(), _find_format_fault(contract)).otherwise(
        _find_value_fault(contract)
    )
    return parsed.select(
        F.when(refused, F.concat_ws("\t", reason, F.col("value")))
        .otherwise(F.col("value"))
        .alias("value"),
        "split",
    )


def name_number(column: Column) -> str:
    """Return what the numbers of a column are called, without the signs that a name may have."""
    return f"number_{normalize_name(column.name)}"


def name_category(column: Column) -> str:
    """Return what the index of a column's category is called."""
    return f"category_{normalize_name(column.name)}"


def _strip_carriage_return() -> Expression:
    # In bytes, since a line may hold bytes that are not characters.
    octets = F.col("value").cast("binary")
    return F.when(
        F.col("value").endswith("\r"),
        octets.substr(F.lit(1), F.octet_length(F.col("value")) - 1).cast("string"),
    ).otherwise(F.col("value"))


def parse_cells(lines: DataFrame, contract: Contract, which: Expression | None = None) -> DataFrame:
    """Add the cells and the numbers of the lines whose cells all have their forms; null for others.

    `which` selects the lines that are looked at.
    """
    if contract.is_plain:
        plain, source = lines, F.col("value")
    else:
        plain = cell_columns.add_plain_cells(lines, contract, which)
        source = F.col("plain")
    fits = source.rlike(build_line_pattern(contract))
    chosen = fits if which is None else which & fits
    separator = _quote_pattern(get_separator(contract))
    split = plain.select("*", F.when(chosen, F.split(source, separator, -1)).alias("cells"))
    numbers = (
        F.col("cells")[at].cast("double").alias(name_number(column))
        for at, column in enumerate(contract.columns)
        if column.is_numeric
    )
    return split.select("*", *numbers)


def _quote_pattern(separator: str) -> str:
    return separator if separator in ",;\t " or separator < " " else f"\\{separator}"


def _is_missing(at: int, contract: Contract) -> Expression:
    return F.col("cells")[at].isin(*contract.missing_words)


def _is_within_contract(contract: Contract) -> Expression:
    """Whether the cells, whose form is right, keep to the contract."""
    known = []
    for at, column in enumerate(contract.columns):
        conditions = list(_list_conditions(at, column))
        if conditions:
            within = reduce(and_, conditions)
            known.append(within if column.required else _is_missing(at, contract) | within)
    return reduce(and_, known) if known else F.col("cells").isNotNull()


def _list_conditions(at: int, column: Column) -> Iterable[Expression]:
    """Yield what a value that is not missing has to satisfy."""
    cell = F.col("cells")[at]
    if column.is_numeric:
        value = F.col(name_number(column))
        yield _is_above(value, column.lower or Bound(MIN_NUMBER))
        yield _is_below(value, column.upper or Bound(MAX_NUMBER))
        if column.type == "integer":
            yield value == F.floor(value)
    elif column.type in TEMPORAL:
        yield cell_columns.take_day(cell).isNotNull()
        if column.lower:
            yield _is_above(cell_columns.take_second(cell, column), column.lower)
        if column.upper:
            yield _is_below(cell_columns.take_second(cell, column), column.upper)
    else:
        if column.min_length:
            yield F.length(cell) >= column.min_length
        if column.max_length is not None:
            yield F.length(cell) <= column.max_length
        if column.pattern:
            yield cell.rlike(cell_columns.enclose_pattern(column.pattern))


def _is_above(value: Expression, bound: Bound) -> Expression:
    return value >= bound.value if bound.inclusive else value > bound.value


def _is_below(value: Expression, bound: Bound) -> Expression:
    return value <= bound.value if bound.inclusive else value < bound.value


def _index_categories(contract: Contract) -> Iterable[Expression]:
    for column in contract.counted:
        cell = F.col("cells")[contract.names.index(column.name)]
        first, *others = [F.when(cell == word, at) for at, word in enumerate(column.categories)]
        yield F.coalesce(first, *others).alias(name_category(column))


def _keep_if_fit(column: Column) -> Expression:
    name = name_number(column)
    return F.when(F.col("fit"), F.col(name)).alias(name)


def _assign_split(contract: Contract) -> Expression:
    train = F.when(
        F.pmod(F.col("hash"), F.lit(SHARE_BASE)) < contract.train_share, SPLITS.index("train")
    ).otherwise(SPLITS.index("validation"))
    refused: Expression = F.lit(QUARANTINE)
    if contract.is_delimited:
        header = F.col("value").rlike(build_header_patterns(contract)[1])
        refused = F.when(header, SKIPPED).otherwise(QUARANTINE)
    return F.when(F.col("hash").isNull(), refused).otherwise(train)


def _find_format_fault(contract: Contract) -> Expression:
    """Return the reason for a line whose cells do not all have the form of their types."""
    separator = get_separator(contract)
    source = F.col("value" if contract.is_plain else "plain")
    at = _count_sign(F.regexp_extract(source, build_prefix_pattern(contract), 0), separator)
    fault = F.element_at(F.array(*(F.lit(one.format_fault) for one in contract.columns)), at + 1)
    absent = (F.lit("" if one.enum else f"{one.name} missing") for one in contract.columns)
    missing = F.element_at(F.array(*absent), at + 1)
    cell = F.element_at(F.split(source, _quote_pattern(separator), -1), at + 1)
    is_missing = cell.rlike(BLANK) | cell.isin(*contract.missing_words)
    found = F.when(F.col("value").rlike(BLANK), BLANK_FAULT)
    if contract.is_delimited:
        found = found.when(_names_first_column(contract), HEADER_FAULT)
    if not contract.is_plain:
        found = found.when(F.col("shape").isNotNull(), F.col("shape"))
    count = len(contract.columns)
    return (
        found.when(_count_sign(source, separator) != count - 1, f"not {count} columns")
        .when(is_missing & (missing != ""), missing)
        .otherwise(fault)
    )


def _count_sign(text: Expression, sign: str) -> Expression:
    return (F.octet_length(text) - F.octet_length(F.replace(text, F.lit(sign), F.lit("")))).cast(
        "int"
    )


def _find_value_fault(contract: Contract) -> Expression:
    """Return the reason for a line whose cells have the right form, and break the contract."""
    faults = [F.when(_names_first_column(contract), HEADER_FAULT)] * contract.may_mistake_header
    for at, column in enumerate(contract.columns):
        cases = list(_list_faults(at, column))
        if not column.required:
            cases = [(~_is_missing(at, contract) & fault, reason) for fault, reason in cases]
        faults += [F.when(fault, reason) for fault, reason in cases]
    return F.coalesce(*faults) if faults else F.lit(None).cast("string")


def _list_faults(at: int, column: Column) -> Iterable[tuple[Expression, str]]:
    name, cell = column.name, F.col("cells")[at]
    if column.is_numeric:
        value, lower = F.col(name_number(column)), column.lower or Bound(MIN_NUMBER)
        if lower.value == 0 and not lower.inclusive:
            yield value == 0, f"{name} 0"
        below = ~_is_above(value, lower)
        yield below | ~_is_below(value, column.upper or Bound(MAX_NUMBER)), f"{name} out of range"
        if column.type == "integer":
            yield value != F.floor(value), f"{name} not whole"
    elif column.type in TEMPORAL:
        yield cell_columns.take_day(cell).isNull(), column.format_fault
        second = cell_columns.take_second(cell, column)
        if column.lower:
            yield ~_is_above(second, column.lower), f"{name} out of range"
        if column.upper:
            yield ~_is_below(second, column.upper), f"{name} out of range"
    else:
        if column.min_length:
            yield F.length(cell) < column.min_length, f"{name} too short"
        if column.max_length is not None:
            yield F.length(cell) > column.max_length, f"{name} too long"
        if column.pattern:
            pattern = cell_columns.enclose_pattern(column.pattern)
            yield ~cell.rlike(pattern), f"{name} not as its pattern says"
