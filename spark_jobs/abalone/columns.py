"""The contract's rules as Spark expressions: those of lines.py, for billions of lines, without
Python.

Every line costs one regular expression, one split, eight casts and one hash. The reason for a
quarantine is computed for quarantined lines alone, and in a step of its own: Spark makes one method
of a step, and Java never compiles a method of more than 8,000 bytes.
"""

from collections.abc import Iterable
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  -- the usual name among Spark users

from abalone.contract import (
    BINS,
    BLANK,
    COLUMNS,
    HEADER,
    HEADER_IN_ORDER,
    LABEL,
    LINE,
    NUMBERS,
    NUMERIC_PREFIX,
    SALT,
    SEXES,
    SHARE_BASE,
    TRAIN_SHARE,
)

SPLITS = ("train", "validation", "quarantine")
SKIPPED = len(SPLITS)  # the split of header lines, which are not written


def classify_lines(lines: DataFrame) -> DataFrame:
    """Turn each line (`value`) into a row.

    A row has the `octets` of the line, its `split` (an index of SPLITS, or SKIPPED), and as `value`
    its features or the line itself. For the measures it has, or else null: `sex` (an index of
    SEXES) if the line can be parsed; the numbers and their `hash` if it becomes features. Indexes
    are narrower than words, and Spark copies each row on its way.
    """
    read = lines.select(
        _strip_carriage_return().alias("value"), F.octet_length(F.col("value")).alias("octets")
    )
    parsed = _parse_cells(read, F.col("value").rlike(LINE))
    judged = parsed.select("*", F.coalesce(_is_within_contract(), F.lit(False)).alias("fit"))
    numbers = [F.when(F.col("fit"), F.col(name)).alias(name) for name in NUMBERS]
    written = judged.select(
        "octets",
        "fit",
        F.when(F.col("fit"), _format_features()).otherwise(F.col("value")).alias("value"),
        _index_of(F.col("cells")[0], SEXES).alias("sex"),
        *numbers,
    )
    hashed = written.select(
        "*", F.when(F.col("fit"), F.crc32(F.concat(F.lit(SALT), F.col("value")))).alias("hash")
    )
    return hashed.select("octets", _assign_split().alias("split"), "value", "sex", *NUMBERS, "hash")


def format_rows(rows: DataFrame) -> DataFrame:
    """Return what is written, `value` and `split`; a quarantined line is preceded by its reason."""
    refused = F.col("split") == SPLITS.index("quarantine")
    parsed = _parse_cells(rows.select("value", "split"), refused & F.col("value").rlike(LINE))
    reason = F.when(F.col("cells").isNull(), _find_format_fault()).otherwise(_find_range_fault())
    return parsed.select(
        F.when(refused, F.concat_ws("\t", reason, F.col("value")))
        .otherwise(F.col("value"))
        .alias("value"),
        "split",
    )


def _strip_carriage_return() -> Column:
    # In bytes, since a line may hold bytes that are not characters.
    octets = F.col("value").cast("binary")
    return F.when(
        F.col("value").endswith("\r"),
        octets.substr(F.lit(1), F.octet_length(F.col("value")) - 1).cast("string"),
    ).otherwise(F.col("value"))


def _parse_cells(lines: DataFrame, which: Column) -> DataFrame:
    """Add the cells and the numbers of the lines that `which` selects; null for the others."""
    split = lines.select("*", F.when(which, F.split(F.col("value"), ",", -1)).alias("cells"))
    return split.select(
        "*",
        *(
            F.col("cells")[at].cast("double").alias(name)
            for at, name in enumerate(COLUMNS)
            if name in NUMBERS
        ),
    )


def _is_within_contract() -> Column:
    within = [(F.col(name) > 0) & (F.col(name) <= BINS[name].upper_bound) for name in NUMBERS]
    return reduce(and_, within) & (F.col(LABEL) == F.floor(LABEL))


def _format_features() -> Column:
    """Put label and flags before the measures, which keep their text.

    The measures are all that is between the sex, which is a single letter, and the label.
    """
    cells, octets = F.col("cells"), F.col("value").cast("binary")
    measures = octets.substr(
        F.lit(len("M,") + 1), F.octet_length("value") - F.octet_length(cells[8]) - len("M,,")
    ).cast("string")
    first, *others = [F.when(cells[0] == sex, hot) for sex, hot in SEXES.items()]
    return F.concat_ws(",", cells[8], F.coalesce(first, *others), measures)


def _assign_split() -> Column:
    train = F.when(
        F.pmod(F.col("hash"), F.lit(SHARE_BASE)) < TRAIN_SHARE, SPLITS.index("train")
    ).otherwise(SPLITS.index("validation"))
    refused = F.when(F.col("value").rlike(HEADER_IN_ORDER), SKIPPED).otherwise(
        SPLITS.index("quarantine")
    )
    return F.when(F.col("hash").isNull(), refused).otherwise(train)


def _index_of(value: Column, words: Iterable[str]) -> Column:
    first, *others = [F.when(value == word, at) for at, word in enumerate(words)]
    return F.coalesce(first, *others)


def _find_format_fault() -> Column:
    at = _count_commas(F.regexp_extract(F.col("value"), NUMERIC_PREFIX, 0))
    column = F.element_at(F.array(*map(F.lit, NUMBERS)), at + 1)
    missing = F.element_at(F.split(F.col("value"), ",", -1), at + 2).rlike(BLANK)
    return (
        F.when(F.col("value").rlike(BLANK), "blank line")
        .when(F.col("value").rlike(HEADER), "header line")
        .when(_count_commas(F.col("value")) != len(COLUMNS) - 1, "not 9 columns")
        .when(~F.substring_index(F.col("value"), ",", 1).isin(*SEXES), "sex not M, F or I")
        .otherwise(F.concat_ws(" ", column, F.when(missing, "missing").otherwise("not a number")))
    )


def _count_commas(text: Column) -> Column:
    return (F.octet_length(text) - F.octet_length(F.replace(text, F.lit(","), F.lit("")))).cast(
        "int"
    )


def _find_range_fault() -> Column:
    faults = [
        F.when(F.col(name) == 0, f"{name} 0")
        .when(F.col(name) > BINS[name].upper_bound, f"{name} out of range")
        .when(
            (F.col(name) != F.floor(name)) if name == LABEL else F.lit(False), f"{name} not whole"
        )
        for name in NUMBERS
    ]
    return F.coalesce(*faults)
