"""Parse a contract: a Frictionless Data Resource with a Table Schema, as far as it is supported.

Of the standard (Data Package v2), the resource has name, title, description, path, format,
compression, encoding, dialect and schema; a field has name, type, title, description, constraints,
and the words of a boolean. Whatever else stands there is an error, never passed over: a rule that
nothing checks is worse than none. Our own keys are below `grantor`, as the standard allows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from framework.contract import (
    NUMERIC,
    SHARE_BASE,
    TEMPORAL,
    Bins,
    Bound,
    Column,
    Contract,
    DriftThresholds,
)
from framework.descriptor import Descriptor, DescriptorReader, Path, show_value
from framework.parse_features import parse_features
from framework.value_forms import DATE, DATETIME, find_pattern_fault

# Without it, Frictionless' tools take a descriptor for one of the first version of the standard.
PROFILE = "https://datapackage.org/profiles/2.0/dataresource.json"
RESOURCE_KEYS = (
    "$schema", "name", "title", "description", "path", "format", "mediatype", "compression",
    "encoding", "dialect", "schema", "grantor",
)  # fmt: skip
DIALECT_KEYS = ("header", "delimiter", "quoteChar", "doubleQuote")
FIELD_KEYS = (
    "name", "type", "title", "description", "example", "constraints", "trueValues", "falseValues",
)  # fmt: skip
CONSTRAINTS_BY_TYPE = {
    "string": ("required", "enum", "pattern", "minLength", "maxLength"),
    "boolean": ("required",),
    **dict.fromkeys(
        (*NUMERIC, *TEMPORAL),
        ("required", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    ),
}
GRANTOR_KEYS = (
    "version", "label", "features", "split", "sample", "bins", "drift", "units",
    "quoted",
)  # fmt: skip
THRESHOLDS = tuple(one.name for one in fields(DriftThresholds))
COLUMN_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_ .-]{0,62}[A-Za-z0-9_])?")
RESOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
DEFAULT_BINS = 20
MAX_BINS, MAX_COLUMNS, MAX_SAMPLE_ROWS = 100, 200, 1 << 20
MAX_SALT_CHARS = 64
MAX_WORD_CHARS = 256
# Java matches a group that is repeated by recursion: a long value would exhaust the stack.
MAX_PATTERN_VALUE_CHARS = 1_000


def parse_contract(descriptor: Descriptor, *, has_script: bool = False) -> Contract:
    """Parse a contract; with a script, label and features may be missing, and are not used.

    Raises ContractError with all faults.
    """
    parser = _ContractParser()
    contract = parser.parse_resource(descriptor.values, has_script=has_script)
    if parser.faults:
        raise descriptor.make_error(parser.faults)
    return contract


class _ContractParser(DescriptorReader):
    def parse_resource(self, value: Any, *, has_script: bool) -> Contract:
        found = self.read_mapping(value, (), RESOURCE_KEYS, "name: …, path: …, schema: …")
        name = self.read_text(found.get("name"), ("name",), "name: churn")
        if name and not RESOURCE_NAME.fullmatch(name):
            self.report(("name",), f"{show_value(name)} is no name", "use a-z, 0-9, ., _ and -")
        self.read_choice(found.get("$schema"), ("$schema",), (PROFILE,))
        self.read_choice(found.get("encoding"), ("encoding",), ("utf-8", "utf8", "UTF-8"))
        kind = self.read_choice(
            found.get("format"), ("format",), ("csv", "jsonl", "ndjson", "parquet"), "csv"
        )
        contract = Contract(
            name=name,
            title=self.read_text(found.get("title"), ("title",), "title: …", name or "-"),
            path=self._read_path(found.get("path")),
            columns=(),
            format="jsonl" if kind == "ndjson" else kind,
            compression=self._read_compression(found.get("compression"), kind),
        )
        contract = self._add_dialect(contract, found.get("dialect"))
        contract = self._add_schema(contract, found.get("schema"))
        return self._add_own_keys(contract, found.get("grantor"), has_script=has_script)

    def _read_path(self, value: Any) -> str:
        path = self.read_text(value, ("path",), "path: churn.csv, the usual name of the file")
        if "/" in path:
            self.report(
                ("path",), f"{show_value(path)} has a folder", "write the name of the file alone"
            )
        return path

    def _read_compression(self, value: Any, kind: str) -> str:
        if value is not None and kind == "parquet":
            self.report(("compression",), "Parquet compresses its columns itself", "remove it")
        return str(self.read_choice(value, ("compression",), ("gz",), ""))

    def _add_dialect(self, contract: Contract, value: Any) -> Contract:
        if value is None:
            return contract
        if not contract.is_delimited:
            self.report(("dialect",), f"{contract.format} has no dialect", "remove it")
            return contract
        found = self.read_mapping(value, ("dialect",), DIALECT_KEYS, "{header: true}")
        delimiter = self.read_text(
            found.get("delimiter"), ("dialect", "delimiter"), 'delimiter: ","', ","
        )
        if not re.fullmatch(r"[\t !#-/:-@\[-`{-~]", delimiter):
            cause = f"{show_value(delimiter)} is not one sign of ASCII that is no letter or digit"
            self.report(("dialect", "delimiter"), cause, 'write ",", ";" or "\\t"')
            delimiter = ","
        self.read_choice(found.get("doubleQuote"), ("dialect", "doubleQuote"), (True,))
        self.read_choice(found.get("quoteChar"), ("dialect", "quoteChar"), ('"',))
        header = self.read_choice(found.get("header"), ("dialect", "header"), (True, False), True)
        return replace(contract, delimiter=delimiter, header=bool(header))

    def _add_schema(self, contract: Contract, value: Any) -> Contract:
        path: Path = ("schema",)
        found = self.read_mapping(value, path, ("fields", "missingValues"), "schema: {fields: […]}")
        words = self._read_words(found.get("missingValues"), (*path, "missingValues"), ("",))
        if not contract.is_delimited and "" not in words:
            words = ("", *words)  # of a null
        listed = self.read_list(
            found.get("fields"), (*path, "fields"), "fields: [{name: …, type: …}, …]"
        )
        if len(listed) > MAX_COLUMNS:
            self.report((*path, "fields"), f"there are more than {MAX_COLUMNS}", "use fewer")
        columns = tuple(
            self._read_column(one, (*path, "fields", at)) for at, one in enumerate(listed)
        )
        for at, column in enumerate(columns):
            if both := [word for word in column.words if word in words]:
                cause = f"{show_value(both[0])} is a value of {column.name}, and in missingValues"
                self.report((*path, "fields", at), cause, "remove it from one of the two")
        plain = [re.sub("[ _.-]", "", one.name.lower()) for one in columns]
        for at, name in enumerate(plain):
            if name in plain[:at]:
                cause = f"{columns[at].name} differs from another column only in case or signs"
                self.report((*path, "fields", at, "name"), cause, "rename one")
        return replace(contract, columns=columns, missing_words=words)

    def _read_words(self, value: Any, path: Path, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of texts, such as the values of an enum."""
        if value is None:
            return default
        words = self.read_list(value, path, "a list of texts, such as [basic, plus]")
        for at, word in enumerate(words):
            if not isinstance(word, str):
                cause = f"{show_value(word)} is not a text"
                self.report((*path, at), cause, f'write "{word}" within quotation marks')
            elif not word.isprintable() or len(word) > MAX_WORD_CHARS:
                self.report((*path, at), f"{show_value(word)} is no value", "use printable signs")
            elif word in words[:at]:
                self.report((*path, at), f"{show_value(word)} is given twice", "remove one")
        return tuple(word for word in words if isinstance(word, str))

    def _read_column(self, value: Any, path: Path) -> Column:
        found = self.read_mapping(value, path, FIELD_KEYS, "{name: length, type: number}")
        name = self.read_text(found.get("name"), (*path, "name"), "name: length")
        if name and not COLUMN_NAME.fullmatch(name):
            cause = f"{show_value(name)} is no column's name"
            self.report((*path, "name"), cause, "begin with a letter; use letters, digits, _ . -")
        kind = self.read_choice(
            found.get("type"), (*path, "type"), tuple(CONSTRAINTS_BY_TYPE), "string"
        )
        column = Column(name, kind)
        for key in ("trueValues", "falseValues"):
            if key in found and kind != "boolean":
                self.report((*path, key), f"a {kind} has no {key}", "remove it")
        if kind == "boolean":
            truths, falsehoods = (
                self._read_words(found.get(key), (*path, key), default)
                for key, default in (
                    ("trueValues", column.true_values),
                    ("falseValues", column.false_values),
                )
            )
            column = replace(column, true_values=truths, false_values=falsehoods)
            if both := set(truths) & set(falsehoods):
                cause = f"{show_value(min(both))} is true and false"
                self.report(path, cause, "remove it from one of the two")
        return self._add_constraints(column, found.get("constraints"), (*path, "constraints"))

    def _add_constraints(self, column: Column, value: Any, path: Path) -> Column:
        if value is None:
            return column
        known = CONSTRAINTS_BY_TYPE[column.type]
        found = self.read_mapping(value, path, known, "{required: true}")
        required = self.read_choice(
            found.get("required"), (*path, "required"), (True, False), False
        )
        column = replace(column, required=bool(required))
        if column.type == "string":
            return self._add_text_constraints(column, found, path)
        lower = self._read_bound(found, "minimum", "exclusiveMinimum", column, path)
        upper = self._read_bound(found, "maximum", "exclusiveMaximum", column, path)
        if lower and upper and lower.value > upper.value:  # type: ignore[operator]
            self.report(path, f"nothing lies from {lower.value} to {upper.value}", "swap them")
        return replace(column, lower=lower, upper=upper)

    def _add_text_constraints(self, column: Column, found: Mapping[str, Any], path: Path) -> Column:
        enum = self._read_words(found.get("enum"), (*path, "enum"), ())
        pattern = str(found.get("pattern") or "")
        if wrong := pattern and find_pattern_fault(pattern):
            self.report((*path, "pattern"), wrong, "write one that Java and Python read alike")
        if enum and {"pattern", "minLength", "maxLength"} & found.keys():
            self.report(path, "enum already lists the values", "remove the other constraints")
        longest = MAX_PATTERN_VALUE_CHARS if pattern else 1 << 20
        least, most = (
            self.read_number(found.get(key), (*path, key), 0, longest, -1)
            for key in ("minLength", "maxLength")
        )
        return replace(
            column,
            enum=enum,
            pattern="" if wrong else pattern,
            min_length=max(0, int(least)),
            max_length=int(most) if most >= 0 else longest if pattern else None,
        )

    def _read_bound(
        self, found: Mapping[str, Any], inclusive: str, exclusive: str, column: Column, path: Path
    ) -> Bound | None:
        given = [key for key in (inclusive, exclusive) if found.get(key) is not None]
        if len(given) > 1:
            self.report((*path, exclusive), f"{inclusive} says the same", "remove one")
        if not given or not (column.is_numeric or column.type in TEMPORAL):
            return None
        value, at = found[given[0]], (*path, given[0])
        if column.is_numeric:
            number = self.read_number(value, at, -1e15, 1e15, 0.0)
            return Bound(number, given[0] == inclusive)
        form = DATE if column.type == "date" else DATETIME
        text = value if isinstance(value, str) else ""
        if not re.fullmatch(form, text):
            shown = "2020-01-31" if column.type == "date" else "2020-01-31T00:00:00Z"
            self.report(at, f"{show_value(value)} is no {column.type}", f'write "{shown}"')
            return None
        return Bound(text[:19], given[0] == inclusive)

    def _add_own_keys(self, contract: Contract, value: Any, *, has_script: bool) -> Contract:
        path: Path = ("grantor",)
        if value is None:
            self.report(path, "this is missing", 'write grantor: {version: "1", label: …}')
            return contract
        found = self.read_mapping(value, path, GRANTOR_KEYS, '{version: "1", label: …}')
        version = self.read_text(
            found.get("version"), (*path, "version"), 'version: "1", and another with each change'
        )
        quoted = self.read_choice(found.get("quoted"), (*path, "quoted"), (True, False), True)
        if quoted is False and not contract.is_delimited:
            self.report((*path, "quoted"), f"{contract.format} has no quoted cells", "remove it")
        contract = replace(contract, version=version, quoted=bool(quoted))
        if not has_script or "label" in found or "features" in found:
            label, features = parse_features(self, contract, found, path)
            contract = replace(contract, label=label, features=features)
        sample = self.read_number(
            found.get("sample"), (*path, "sample"), 1, MAX_SAMPLE_ROWS, contract.sample_rows
        )
        contract = self._add_split(contract, found.get("split"), (*path, "split"))
        return replace(
            contract,
            sample_rows=int(sample),
            bins=self._read_bins(contract, found.get("bins"), (*path, "bins")),
            drift=self._read_drift(found.get("drift"), (*path, "drift")),
            units=self._read_units(contract.names, found.get("units"), (*path, "units")),
        )

    def _add_split(self, contract: Contract, value: Any, path: Path) -> Contract:
        if value is None:
            return contract
        found = self.read_mapping(value, path, ("train", "salt"), "{train: 0.8}")
        share = self.read_number(found.get("train"), (*path, "train"), 0, 1, 0.8)
        salt = self.read_text(found.get("salt"), (*path, "salt"), 'salt: "v1|"', contract.salt)
        if len(salt) > MAX_SALT_CHARS or not salt.isprintable():
            self.report((*path, "salt"), f"{show_value(salt)} is no salt", "use printable signs")
        return replace(contract, salt=salt, train_share=round(share * SHARE_BASE))

    def _read_bins(self, contract: Contract, value: Any, path: Path) -> dict[str, Bins]:
        given = value if isinstance(value, Mapping) else {}
        names = [column.name for column in contract.measured]
        if value is not None:
            self.read_mapping(value, path, names, "{length: {from: 0, to: 1, count: 20}}")
        bins = {}
        for column in contract.measured:
            stated = given.get(column.name)
            found = (
                _derive_bins(column)
                if stated is None
                else self._read_own_bins(column, stated, (*path, column.name))
            )
            if found:
                bins[column.name] = found
        return bins

    def _read_own_bins(self, column: Column, value: Any, path: Path) -> Bins | None:
        found = self.read_mapping(value, path, ("from", "to", "count"), "{from: 0, to: 1}")
        ends = [_format_decimal(found.get(key)) for key in ("from", "to")]
        if "" in ends or float(ends[0]) >= float(ends[1]):
            self.report(path, "the bins do not go up", "write {from: 0, to: 1, count: 20}")
            return None
        count = self.read_number(found.get("count"), (*path, "count"), 1, MAX_BINS, DEFAULT_BINS)
        upper = _format_decimal(column.upper.value) if column.upper else ""
        return Bins(ends[0], ends[1], int(count), upper)

    def _read_drift(self, value: Any, path: Path) -> DriftThresholds:
        if value is None:
            return DriftThresholds()
        found = self.read_mapping(value, path, THRESHOLDS, "{mean: 0.25}")
        given = {
            name: self.read_number(found[name], (*path, name), 0, 1e6, 1.0)
            for name in THRESHOLDS
            if found.get(name) is not None
        }
        return replace(DriftThresholds(), **given)

    def _read_units(self, names: Sequence[str], value: Any, path: Path) -> dict[str, str]:
        if value is None:
            return {}
        found = self.read_mapping(value, path, names, "{length: mm}")
        return {
            name: self.read_text(unit, (*path, name), f"{name}: mm") for name, unit in found.items()
        }


def _derive_bins(column: Column) -> Bins | None:
    """Return equal bins over the column's range, if the contract states both of its ends."""
    if column.lower is None or column.upper is None or column.lower.value == column.upper.value:
        return None
    ends = _format_decimal(column.lower.value), _format_decimal(column.upper.value)
    return Bins(*ends, DEFAULT_BINS, ends[1]) if all(ends) else None


def _format_decimal(value: Any) -> str:
    """Return a number as a decimal text; "" if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    text = repr(value).removesuffix(".0")
    return text if DECIMAL.fullmatch(text) else f"{value:.0f}" if value == int(value) else ""
