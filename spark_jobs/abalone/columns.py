"""The rules as expressions of Spark: those of lines.py, for billions of lines, and no Python to run them.

What every line needs is cheap: one regular expression, one split, eight casts, one hash. What is wrong with a line is asked of no other, and
in a step of its own: Java never compiles a method of more than 8,000 bytes, and Spark makes one method of a step.
"""

from collections.abc import Iterable
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  -- as users of Spark know it

from abalone.contract import (
    BINS,
    BLANK,
    COLUMNS,
    HEADER,
    LABEL,
    LINE,
    NUMBERS,
    NUMBERS_SO_FAR,
    OF,
    SALT,
    SEXES,
    TRAIN,
)

SPLITS = ("train", "validation", "quarantine")


def rows(lines: DataFrame) -> DataFrame:
    """Each line (`value`) as a row: the `octets` that it was, the `split` that it goes into (of SPLITS), and as `value` its features, or itself.

    And what is to be measured, else null: the `sex` (of SEXES) of a line that can be read; the numbers of one that makes features, and their
    `hash`. Places in those lists are narrower than their words, and each row is copied on its way.
    """
    read = lines.select(_stripped().alias("value"), F.octet_length(F.col("value")).alias("octets"))
    parsed = _parsed(read, F.col("value").rlike(LINE))
    judged = parsed.select("*", F.coalesce(_fit(), F.lit(False)).alias("fit"))
    numbers = [F.when(F.col("fit"), F.col(name)).alias(name) for name in NUMBERS]
    written = judged.select(
        "octets",
        "fit",
        F.when(F.col("fit"), _features()).otherwise(F.col("value")).alias("value"),
        _place(F.col("cells")[0], SEXES).alias("sex"),
        *numbers,
    )
    hashed = written.select("*", F.when(F.col("fit"), F.crc32(F.concat(F.lit(SALT), F.col("value")))).alias("hash"))
    return hashed.select("octets", _side().alias("split"), "value", "sex", *NUMBERS, "hash")


def explained(rows: DataFrame) -> DataFrame:
    """What is written: `value` and `split`. Before a line that is refused stands the reason."""
    refused = F.col("split") == SPLITS.index("quarantine")
    parsed = _parsed(rows.select("value", "split"), refused & F.col("value").rlike(LINE))
    reason = F.when(F.col("cells").isNull(), _misshapen()).otherwise(_outside())
    return parsed.select(
        F.when(refused, F.concat_ws("\t", reason, F.col("value"))).otherwise(F.col("value")).alias("value"), "split"
    )


def bins() -> Column:
    """In which bin of its histogram each number of a row lies: five bits each, the last column lowest."""
    places = (F.least(F.floor(F.col(name) * BINS[name].a_unit), F.lit(BINS[name].count)) for name in NUMBERS)
    return reduce(lambda packed, place: packed * 32 + place, places)


def _stripped() -> Column:
    # By bytes, for a line may hold some that are no character.
    octets = F.col("value").cast("binary")
    return F.when(
        F.col("value").endswith("\r"), octets.substr(F.lit(1), F.octet_length(F.col("value")) - 1).cast("string")
    ).otherwise(F.col("value"))


def _parsed(lines: DataFrame, which: Column) -> DataFrame:
    """With the cells and the numbers of these lines; null for others."""
    split = lines.select("*", F.when(which, F.split(F.col("value"), ",", -1)).alias("cells"))
    return split.select(
        "*", *(F.col("cells")[at].cast("double").alias(name) for at, name in enumerate(COLUMNS) if name in NUMBERS)
    )


def _fit() -> Column:
    within = [(F.col(name) > 0) & (F.col(name) <= BINS[name].most) for name in NUMBERS]
    return reduce(and_, within) & (F.col(LABEL) == F.floor(LABEL))


def _features() -> Column:
    """Label and flags before the measures as they stood: all between the sex, a single letter, and the label."""
    cells, octets = F.col("cells"), F.col("value").cast("binary")
    measures = octets.substr(F.lit(len("M,") + 1), F.octet_length("value") - F.octet_length(cells[8]) - len("M,,")).cast("string")
    first, *others = [F.when(cells[0] == sex, hot) for sex, hot in SEXES.items()]
    return F.concat_ws(",", cells[8], F.coalesce(first, *others), measures)


def _side() -> Column:
    train = F.when(F.pmod(F.col("hash"), F.lit(OF)) < TRAIN, SPLITS.index("train")).otherwise(SPLITS.index("validation"))
    return F.when(F.col("hash").isNull(), SPLITS.index("quarantine")).otherwise(train)


def _place(value: Column, words: Iterable[str]) -> Column:
    first, *others = [F.when(value == word, at) for at, word in enumerate(words)]
    return F.coalesce(first, *others)


def _misshapen() -> Column:
    at = _commas(F.regexp_extract(F.col("value"), NUMBERS_SO_FAR, 0))
    column = F.element_at(F.array(*map(F.lit, NUMBERS)), at + 1)
    missing = F.element_at(F.split(F.col("value"), ",", -1), at + 2).rlike(BLANK)
    return (
        F.when(F.col("value").rlike(BLANK), "blank line")
        .when(F.col("value").rlike(HEADER), "header line")
        .when(_commas(F.col("value")) != len(COLUMNS) - 1, "not 9 columns")
        .when(~F.substring_index(F.col("value"), ",", 1).isin(*SEXES), "sex not M, F or I")
        .otherwise(F.concat_ws(" ", column, F.when(missing, "missing").otherwise("not a number")))
    )


def _commas(text: Column) -> Column:
    return (F.octet_length(text) - F.octet_length(F.replace(text, F.lit(","), F.lit("")))).cast("int")


def _outside() -> Column:
    faults = [
        F.when(F.col(name) == 0, f"{name} 0")
        .when(F.col(name) > BINS[name].most, f"{name} out of range")
        .when((F.col(name) != F.floor(name)) if name == LABEL else F.lit(False), f"{name} not whole")
        for name in NUMBERS
    ]
    return F.coalesce(*faults)
