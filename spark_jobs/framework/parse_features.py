"""Parse what a contract makes of its columns: the label and the features."""

from collections.abc import Callable, Mapping
from typing import Any

from framework.contract import TEMPORAL, Column, Contract, Feature
from framework.descriptor import DescriptorReader, Path, format_path, show_value, suggest

DATE_PARTS = ("year", "month", "day", "weekday", "days")
KINDS = ("number", "one_hot", "log", "ratio", *DATE_PARTS)
EXAMPLE = "a column's name, or {one_hot: plan}, {log: charge}, {ratio: [a, b]}, {month: signup}"


def _is_not_negative(column: Column) -> bool:
    return column.is_numeric and not column.is_signed


# What the column of each kind of feature has to be, and how that is called.
REQUIREMENTS: Mapping[str, tuple[Callable[[Column], bool], str]] = {
    "number": (lambda column: column.is_numeric or column.type == "boolean", "a number or boolean"),
    "one_hot": (lambda column: bool(column.enum), "a string with an enum"),
    "log": (_is_not_negative, "a number with a minimum of at least 0"),
    "ratio": (lambda column: column.is_numeric, "a number"),
    **dict.fromkeys(DATE_PARTS, (lambda column: column.type in TEMPORAL, "a date or datetime")),
}


def parse_features(
    reader: DescriptorReader, contract: Contract, found: Mapping[str, Any], path: Path
) -> tuple[str, tuple[Feature, ...]]:
    """Return the label and the features of the contract's own keys."""
    label = reader.read_text(found.get("label"), (*path, "label"), "label: the column to predict")
    if label:
        _check_label(reader, contract, label, (*path, "label"))
    listed = reader.read_list(found.get("features"), (*path, "features"), f"features: [{EXAMPLE}]")
    features = [
        _parse_feature(reader, contract, value, (*path, "features", at))
        for at, value in enumerate(listed)
    ]
    for at, feature in enumerate(features):
        if feature and label in feature.columns:
            cause = f"{label} is the label: a feature of it gives the answer away"
            reader.report((*path, "features", at), cause, "remove it")
        elif feature and feature in features[:at]:
            reader.report((*path, "features", at), "this feature is given twice", "remove one")
    return label, tuple(feature for feature in features if feature)


def _check_label(reader: DescriptorReader, contract: Contract, label: str, path: Path) -> None:
    if label not in contract.names:
        _report_unknown_column(reader, contract, label, path)
        return
    column = contract.find_column(label)
    if not (column.is_numeric or column.words):
        cause = f"{label} is {column.type}"
        reader.report(path, cause, "take a number, a boolean or a string with an enum")
    if not column.required:
        cause = f"{label} may be missing, and a row without a label teaches nothing"
        reader.report(path, cause, "write constraints: {required: true} for it")


def _parse_feature(
    reader: DescriptorReader, contract: Contract, value: Any, path: Path
) -> Feature | None:
    found = {"number": value} if isinstance(value, str) else value
    kinds = [kind for kind in KINDS if isinstance(found, Mapping) and kind in found]
    if len(kinds) != 1:
        reader.report(path, f"{show_value(value)} is no feature", f"write {EXAMPLE}")
        return None
    kind = kinds[0]
    more = ("missing",) if kind != "one_hot" else ("baseline",)
    reader.read_mapping(found, path, (kind, *more), EXAMPLE)
    columns = _read_columns(reader, contract, kind, found[kind], path)
    if columns is None:
        return None
    if kind == "one_hot":
        values = _read_flags(reader, columns[0], found.get("baseline"), (*path, "baseline"))
        return Feature(kind, (columns[0].name,), "", values)
    missing = _read_replacement(reader, found.get("missing"), (*path, "missing"))
    if kind == "number" and columns[0].type == "boolean":
        kind = "boolean"
    return Feature(kind, tuple(column.name for column in columns), missing)


def _read_columns(
    reader: DescriptorReader, contract: Contract, kind: str, value: Any, path: Path
) -> list[Column] | None:
    wanted = 2 if kind == "ratio" else 1
    names = value if isinstance(value, list) else [value]
    if len(names) != wanted:
        reader.report(path, f"{kind} has {len(names)} columns", f"write {wanted}")
        return None
    unknown = [name for name in names if name not in contract.names]
    for name in unknown:
        _report_unknown_column(reader, contract, name, path)
    if unknown:
        return None
    columns = [contract.find_column(name) for name in names]
    fits, what = REQUIREMENTS[kind]
    for column in columns:
        if not fits(column):
            cause = f"{kind} needs {what}, and {column.name} is {column.type}"
            reader.report(path, cause, "take another column, or another kind of feature")
    return columns


def _report_unknown_column(
    reader: DescriptorReader, contract: Contract, name: Any, path: Path
) -> None:
    where = format_path(("schema", "fields"))
    remedy = suggest(str(name), contract.names, f"name a column of {where}")
    reader.report(path, f"there is no column {show_value(name)}", remedy)


def _read_flags(
    reader: DescriptorReader, column: Column, baseline: Any, path: Path
) -> tuple[str, ...]:
    if baseline is not None and baseline not in column.enum:
        cause = f"{show_value(baseline)} is no value of {column.name}"
        reader.report(path, cause, f"write one of {', '.join(column.enum)}")
    flags = tuple(value for value in column.enum if value != baseline)
    if not flags and column.enum:
        reader.report(path, f"no value of {column.name} is left", "remove the baseline")
    return flags


def _read_replacement(reader: DescriptorReader, value: Any, path: Path) -> str:
    """Return what stands for a missing value: a number, or nothing."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        reader.report(path, f"{show_value(value)} is no number", "write missing: 0")
        return ""
    return repr(value)
