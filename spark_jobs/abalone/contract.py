r"""The data contract: what a line of abalone.csv holds, what the job makes of it, and drift
thresholds.

    sex                                                M, F or I (infant)
    length, diameter, height                           above 0, at most 2, in 200 mm
    whole, shucked, viscera and shell weight           above 0, at most 10, in 200 g
    rings                                              a whole number from 1 to 60

Source: Nash et al. (1994), Abalone, UCI Machine Learning Repository, doi:10.24432/C55C7W.
A number is digits, optionally followed by a point and more digits. A line ends with \n or \r\n.
Both engines take the rules from this module alone: plain Python (lines.py) and Spark (columns.py).

A header line names these columns in this order. It is skipped wherever it stands, since files that
were put together from parts have several. A header in another order fails the run: columns are
taken by their position, so other numbers would become features. Spark's CSV reader ignores the
header's order by default (SPARK-23786, enforceSchema).
"""

from dataclasses import dataclass

VERSION = "2"

# The one-hot encoding of each sex; F is neither flag. The encoding is fixed. The article's
# StringIndexer orders by frequency, so the meaning of its columns changes with the data.
SEXES = {"M": "1,0", "I": "0,1", "F": "0,0"}
COLUMNS = (
    "sex", "length", "diameter", "height", "whole_weight", "shucked_weight",
    "viscera_weight", "shell_weight", "rings",
)  # fmt: skip
NUMBERS = COLUMNS[1:]
LABEL = "rings"

# Java and Python read these patterns alike. Groups are possessive, so that matching never
# backtracks. Digits are not possessive: Java is a third faster that way, and what may follow them
# is never a digit. The end is not `$`, which in Java also matches before U+0085.
END = r"(?![\s\S])"
NUMBER = r"[0-9]+(?:\.[0-9]+)?+"
LINE = rf"^[MFI](?:,{NUMBER}){{8}}+{END}"
BLANK = rf"^[ \t]*+{END}"
NAME_MARGIN = r'[ \t"]*+'  # around the name of a column
# A line whose first cell names the first column. Each part of a file that was put together may
# begin with a byte order mark.
HEADER = rf"^\uFEFF?+{NAME_MARGIN}[Ss][Ee][Xx]{NAME_MARGIN},"
NUMERIC_PREFIX = rf"^[^,]*+(?:,{NUMBER}(?=,|{END}))*+"


def _match_name(column: str) -> str:
    """Return a pattern for the column's name in any case, with or without quotes."""
    words = "".join("[ _.-]*+" if sign == "_" else f"[{sign.upper()}{sign}]" for sign in column)
    return f"{NAME_MARGIN}{words}{NAME_MARGIN}"


HEADER_IN_ORDER = rf"^\uFEFF?+{','.join(map(_match_name, COLUMNS))}{END}"

# The split of a row is decided by a hash of its features, so the same row falls into the same split
# in every run, however Spark partitions the file.
SALT = "v1|"
TRAIN_SHARE, SHARE_BASE = 8000, 10000

MAX_LINE_BYTES = 1 << 20  # Spark holds a line in memory as one piece
MIN_LINE_BYTES = len("M,0,0,0,0,0,0,0,0\n")
# Histograms and deviations are computed from at most this many rows: all rows of a file of up to
# 4.7 MB, and of a larger file the rows that a hash picks.
MAX_SAMPLE_ROWS = 1 << 18


@dataclass(frozen=True)
class Bins:
    """The bins of a histogram: `per_unit` bins to a unit from 0 on, and one overflow bin."""

    per_unit: int
    count: int
    upper_bound: float

    @property
    def edges(self) -> tuple[float, ...]:
        """The edges, one more than there are bins; a value on an edge belongs to the bin above."""
        return (*(at / self.per_unit for at in range(self.count + 1)), float(self.upper_bound))

    def find_bin(self, value: float) -> int:
        """Return the index of the bin that a value lies in."""
        return min(int(value * self.per_unit), self.count)


BINS = {
    "length": Bins(20, 20, 2), "diameter": Bins(25, 20, 2), "height": Bins(50, 20, 2),
    "whole_weight": Bins(5, 20, 10), "shucked_weight": Bins(10, 20, 10),
    "viscera_weight": Bins(20, 20, 10), "shell_weight": Bins(20, 20, 10),
    "rings": Bins(1, 30, 60),
}  # fmt: skip


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


DRIFT_THRESHOLDS = DriftThresholds()
