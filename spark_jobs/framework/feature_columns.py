"""The features of a row as Spark expressions: those of features.py."""

from collections.abc import Iterator
from itertools import groupby

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  -- the usual name among Spark users

from framework.cell_columns import take_day
from framework.contract import Contract, Feature
from framework.features import MAX_COMPUTED, MILLION

DECIMALS = len(str(MILLION)) - 1
DATE_PARTS = {
    "year": F.year, "month": F.month, "day": F.dayofmonth,
    "weekday": lambda day: F.weekday(day) + 1,
    "days": lambda day: F.datediff(day, F.lit("1970-01-01").cast("date")),
}  # fmt: skip


def add_computed(judged: DataFrame, contract: Contract) -> DataFrame:
    """Add the value of each computed feature and its number of millionths, as columns.

    They stand in columns of their own, since the text of a feature uses them several times.
    """
    computed = [
        (at, feature) for at, feature in enumerate(contract.features)
        if feature.kind in ("log", "ratio")
    ]  # fmt: skip
    if not computed:
        return judged
    values = (_compute(feature, contract).alias(f"value_{at}") for at, feature in computed)
    counts = (_count_millionths(F.col(f"value_{at}")).alias(f"count_{at}") for at, _ in computed)
    return judged.select("*", *values).select("*", *counts)


def _compute(feature: Feature, contract: Contract) -> Expression:
    """Return the value of a computed feature; null if a value is missing, or for a ratio to 0."""
    known, numbers = F.col("fit"), []
    for name in feature.columns:
        cell = F.col("cells")[contract.names.index(name)]
        numbers.append(cell.cast("double"))
        if not contract.find_column(name).required:
            known &= ~cell.isin(*contract.missing_words)
    if feature.kind == "log":
        return F.when(known, F.log(F.lit(1.0) + numbers[0]))
    return F.when(known & (numbers[1] != 0), numbers[0] / numbers[1])


def _count_millionths(value: Expression) -> Expression:
    size = F.when(F.abs(value) > MAX_COMPUTED, MAX_COMPUTED).otherwise(F.abs(value))
    return F.floor(size * float(MILLION) + 0.5).cast("bigint")


def format_features(contract: Contract) -> Expression:
    """Return the line of the output, if all cells are within the contract."""
    parts, place = [_format_label(contract)], 0
    for run, features in groupby(_mark_runs(contract), lambda marked: marked[0]):
        listed = [feature for _, feature in features]
        if run is not None and len(listed) > 1:
            parts.append(_slice_columns(contract, listed))
        else:
            parts += [_format_feature(place + at, one, contract) for at, one in enumerate(listed)]
        place += len(listed)
    return F.concat_ws(",", *parts)


def _mark_runs(contract: Contract) -> Iterator[tuple[int | None, Feature]]:
    """Yield each feature with a number that it shares with others of one run, or None.

    The features of a run are numbers that stand side by side in the line as in the output, so one
    slice of the line is all of them.
    """
    for at, feature in enumerate(contract.features):
        place = contract.names.index(feature.columns[0])
        column = contract.columns[place]
        is_text = feature.kind == "number" and column.required and contract.is_plain
        yield (place - at if is_text and contract.delimiter == "," else None), feature


def _slice_columns(contract: Contract, features: list[Feature]) -> Expression:
    """Return the text of neighbouring columns, in bytes: those before and behind are cut off."""
    first, last = (contract.names.index(features[at].columns[0]) for at in (0, -1))
    before, start = _measure_columns(contract, range(first))
    behind, end = _measure_columns(contract, range(last + 1, len(contract.columns)))
    start += first + 1
    end += len(contract.columns) - 1 - last
    value, length = F.col("value").cast("binary"), F.octet_length("value")
    for cell in before + behind:
        length = length - F.octet_length(cell)
    begin = F.lit(start)
    for cell in before:
        begin = begin + F.octet_length(cell)
    return value.substr(begin, length - (start - 1 + end)).cast("string")


def _measure_columns(contract: Contract, places: range) -> tuple[list[Expression], int]:
    """Return the cells whose length varies, and the bytes of the others together."""
    varying, fixed = [], 0
    for at in places:
        column = contract.columns[at]
        lengths = {len(word.encode()) for word in column.words}
        if column.required and len(lengths) == 1:
            fixed += lengths.pop()
        else:
            varying.append(F.col("cells")[at])
    return varying, fixed


def _format_label(contract: Contract) -> Expression:
    at, column = contract.names.index(contract.label), contract.find_column(contract.label)
    cell = F.col("cells")[at]
    if column.enum:
        first, *others = [F.when(cell == word, str(at)) for at, word in enumerate(column.enum)]
        return F.coalesce(first, *others)
    return _format_truth(cell, column.true_values) if column.type == "boolean" else cell


def _format_truth(cell: Expression, words: tuple[str, ...]) -> Expression:
    return F.when(cell.isin(*words), "1").otherwise("0")


def _format_feature(place: int, feature: Feature, contract: Contract) -> Expression:
    if feature.kind in ("log", "ratio"):
        return F.coalesce(_format_millionths(place), F.lit(feature.missing))
    column = contract.find_column(feature.columns[0])
    cell = F.col("cells")[contract.names.index(column.name)]
    if feature.kind == "one_hot":
        return _format_flags(feature, contract, cell)
    if feature.kind == "number":
        text = cell
    elif feature.kind == "boolean":
        text = _format_truth(cell, column.true_values)
    else:
        text = DATE_PARTS[feature.kind](take_day(cell)).cast("string")
    if column.required:
        return text
    known = F.when(~cell.isin(*contract.missing_words), text)
    return F.coalesce(known, F.lit(feature.missing))


def _format_flags(feature: Feature, contract: Contract, cell: Expression) -> Expression:
    """Return the flags as one text for each value of the column: Spark compares it once."""
    column = contract.find_column(feature.columns[0])
    flags = {
        word: ",".join("1" if word == value else "0" for value in feature.values)
        for word in column.enum
    }
    first, *others = [F.when(cell == word, hot) for word, hot in flags.items()]
    if column.required:
        return F.coalesce(first, *others)
    known = F.when(~cell.isin(*contract.missing_words), F.coalesce(first, *others))
    return F.coalesce(known, F.lit(",".join("0" * len(feature.values))))


def _format_millionths(place: int) -> Expression:
    """Return the text of a computed feature; null if it has no value."""
    value, count = F.col(f"value_{place}"), F.col(f"count_{place}")
    digits = count.cast("string")
    sign = F.when((value < 0) & (count != 0), "-").otherwise("")
    padded = F.lpad(digits, DECIMALS + 1, "0")
    small = F.length(digits) <= DECIMALS
    whole = F.when(small, "0").otherwise(digits.substr(F.lit(1), F.length(digits) - DECIMALS))
    decimals = F.when(small, padded.substr(2, DECIMALS)).otherwise(
        digits.substr(F.length(digits) - DECIMALS + 1, F.lit(DECIMALS))
    )
    return F.concat(sign, whole, F.lit("."), decimals)
