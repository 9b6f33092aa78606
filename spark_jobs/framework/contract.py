r"""A data contract as a value: what a row of a table holds, and what the job makes of it.

The contract of a job is a file: a Frictionless Data Resource with a Table Schema (Data Package v2),
as far as parse_contract.py reads it. Both engines take the rules from this value alone: plain
Python (lines.py) and Spark (columns.py).

A number is digits, optionally followed by a point and more digits; a minus sign may precede it if
the range allows negative values. A line ends with \n or \r\n, also within quotes: one row is one
line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

NUMERIC = ("number", "integer")
TEMPORAL = ("date", "datetime")
# Beyond these, doubles do not tell whole numbers apart any more.
MIN_NUMBER, MAX_NUMBER = -1e15, 1e15
SHARE_BASE = 10_000  # the share of the training set is counted in these parts
MAX_LINE_BYTES = 1 << 20  # Spark holds a line in memory as one piece
MAX_SHOWN_VALUES = 4  # of an enum, in the reason of a quarantined line
# The categories of a column are counted up to here: each costs a counter on every row.
MAX_CATEGORIES = 20


@dataclass(frozen=True)
class Bound:
    """One end of a range: a number, or the text of a date or time; and whether it belongs."""

    value: float | str
    inclusive: bool = True


@dataclass(frozen=True)
class Column:
    """One column: its type, and what a value has to satisfy."""

    name: str
    type: str = "string"  # string, number, integer, boolean, date, datetime
    required: bool = False
    lower: Bound | None = None
    upper: Bound | None = None
    enum: tuple[str, ...] = ()
    pattern: str = ""  # of a whole value, read alike by Java and Python
    min_length: int = 0  # in characters, of a string
    max_length: int | None = None
    true_values: tuple[str, ...] = ("true", "True", "TRUE", "1")
    false_values: tuple[str, ...] = ("false", "False", "FALSE", "0")

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.type in NUMERIC

    @property
    def is_signed(self) -> bool:
        """Whether the range allows negative numbers, and so a minus sign."""
        return self.lower is None or float(self.lower.value) < 0

    @property
    def words(self) -> tuple[str, ...]:
        """The values that the column can have, if the contract lists them."""
        return self.true_values + self.false_values if self.type == "boolean" else self.enum

    @property
    def categories(self) -> tuple[str, ...]:
        """The values whose rows are counted."""
        return self.enum if len(self.enum) <= MAX_CATEGORIES else ()

    @property
    def format_fault(self) -> str:
        """The reason for the quarantine if a value has not the form of the type."""
        if self.enum:
            *most, last = self.enum
            several = len(self.enum) <= MAX_SHOWN_VALUES
            shown = f"{', '.join(most)} or {last}" if most else last
            return f"{self.name} not {shown if several else 'one of its values'}"
        wrong = {
            "string": "not UTF-8", "boolean": "not true or false", "date": "not a date",
            "datetime": "not a date and time",
        }  # fmt: skip
        return f"{self.name} {wrong.get(self.type, 'not a number')}"


@dataclass(frozen=True)
class Feature:
    """One or more cells of the output, made from one or two columns.

    `kind` is number, boolean, one_hot, log, ratio, year, month, day, weekday or days.
    """

    kind: str
    columns: tuple[str, ...]
    missing: str = ""  # what stands for a missing value
    values: tuple[str, ...] = ()  # of one_hot: the values that have a flag

    @property
    def width(self) -> int:
        """The number of cells."""
        return len(self.values) if self.kind == "one_hot" else 1


@dataclass(frozen=True)
class Bins:
    """The bins of a histogram: `count` equal ones from `start` to `end`, and one beyond if needed.

    The numbers are decimal texts, so that an edge is the double nearest to its decimal value.
    """

    start: str
    end: str
    count: int
    upper_bound: str = ""  # of the column; if it lies beyond `end`, one more bin reaches to it

    @property
    def edges(self) -> tuple[float, ...]:
        """The edges, one more than there are bins; a value on an edge belongs to the bin above."""
        start, end = Fraction(self.start), Fraction(self.end)
        width = (end - start) / self.count
        beyond = Fraction(self.upper_bound or self.end)
        inner = tuple(float(start + at * width) for at in range(self.count + 1))
        return (*inner, float(beyond)) if beyond > end else inner


@dataclass(frozen=True)
class DriftThresholds:
    """From which change on a run reports drift, unless chance explains the change."""

    mean: float = 0.25  # standard deviations
    end: float = 3.0  # standard deviations by which the min or max lies further out
    shape: float = 0.2  # population stability index; 0.1 is called small, 0.25 large
    category: float = 0.05  # of the rows
    quarantine: float = 0.005  # of the rows
    rows: float = 2.0  # factor by which the number of rows grew or shrank
    chance: float = 4.0  # standard errors


@dataclass(frozen=True)
class Contract:
    """What the rows of an input hold, and what the job makes of them.

    The split of a row is decided by a hash over `salt` and its features, so the same row falls into
    the same split in every run, however Spark partitions the file.
    """

    name: str
    title: str
    path: str  # the usual name of the file
    columns: tuple[Column, ...]
    version: str = "1"
    format: str = "csv"  # csv, jsonl, parquet
    compression: str = ""  # or gz
    header: bool = True  # whether the first line of each file must be a header
    delimiter: str = ","
    quoted: bool = True  # whether cells may be quoted, as RFC 4180 says
    missing_words: tuple[str, ...] = ("",)
    label: str = ""
    features: tuple[Feature, ...] = ()
    salt: str = "v1|"
    train_share: int = 8_000  # of SHARE_BASE
    # Histograms and deviations are computed from at most this many rows, which a hash picks.
    sample_rows: int = 1 << 18
    bins: Mapping[str, Bins] = field(default_factory=dict, hash=False)
    drift: DriftThresholds = DriftThresholds()
    units: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def find_column(self, name: str) -> Column:
        """Return a column by its name."""
        return self.columns[self.names.index(name)]

    @property
    def is_text(self) -> bool:
        """Whether the input is lines of text."""
        return self.format != "parquet"

    @property
    def is_delimited(self) -> bool:
        """Whether a line is cells with delimiters between, and may be a header."""
        return self.format == "csv"

    @property
    def is_plain(self) -> bool:
        """Whether cells stand in the line as they are, without quotes around them."""
        return self.is_delimited and not self.quoted

    @property
    def may_mistake_header(self) -> bool:
        """Whether a line that begins with the name of the first column may be a row."""
        first = self.columns[0]
        return self.is_delimited and first.type == "string" and not first.enum

    @property
    def measured(self) -> tuple[Column, ...]:
        """The numeric columns whose numbers are in the output: the report measures them."""
        shown = {one.columns[0] for one in self.features if one.kind == "number"} | {self.label}
        return tuple(one for one in self.columns if one.is_numeric and one.name in shown)

    @property
    def is_sampled_as_written(self) -> bool:
        """Whether a line of the output holds the numbers of all measured columns."""
        return all(column.required for column in self.measured)

    @property
    def counted(self) -> tuple[Column, ...]:
        """The columns whose categories are counted."""
        return tuple(column for column in self.columns if column.categories)

    @property
    def min_line_bytes(self) -> int:
        """The least number of bytes of a row with its line feed."""
        if not self.is_delimited:
            return len("{}\n")
        shortest = (
            min(map(len, words)) if (words := one.words) and one.required else int(one.required)
            for one in self.columns
        )
        return sum(shortest) + len(self.columns)

    def find_output_cell(self, name: str) -> int:
        """Return the index of the cell of the output that holds a measured column."""
        at = 1
        for feature in self.features:
            if (feature.kind, feature.columns) == ("number", (name,)):
                return at
            at += feature.width
        return 0
