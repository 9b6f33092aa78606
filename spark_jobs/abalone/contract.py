r"""The data contract: what a line of abalone.csv is, what is made of it, and from when on a change is worth a sentence.

    sex                                                M, F or I (infant)
    length, diameter, height                           above 0, at most 2, in 200 mm
    whole, shucked, viscera and shell weight           above 0, at most 10, in 200 g
    rings                                              a whole number from 1 to 60

Nash et al. (1994), Abalone, UCI Machine Learning Repository, doi:10.24432/C55C7W. Numbers are plain: digits, and after a point more digits.
A line ends with \n or \r\n. Both engines read this page and no other: the plain-Python one (lines.py) and Spark's (columns.py).
"""

from dataclasses import dataclass

VERSION = "1"

# What one-hot encoding makes of each sex, F being neither. It is fixed: the article's StringIndexer orders by frequency, so what a column means
# changes with the data.
SEXES = {"M": "1,0", "I": "0,1", "F": "0,0"}
COLUMNS = (
    "sex", "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight", "rings",
)  # fmt: skip
NUMBERS = COLUMNS[1:]
LABEL = "rings"

# Java and Python read these alike. Groups are possessive, so that no line is tried twice; digits are not, for Java is a third faster so, and
# what may follow them is no digit. The end is not `$`, which in Java stands before U+0085, too.
END = r"(?![\s\S])"
NUMBER = r"[0-9]+(?:\.[0-9]+)?+"
LINE = rf"^[MFI](?:,{NUMBER}){{8}}+{END}"
BLANK = rf"^[ \t]*+{END}"
HEADER = r'^"?+[Ss][Ee][Xx]"?+,'
NUMBERS_SO_FAR = rf"^[^,]*+(?:,{NUMBER}(?=,|{END}))*+"

# Of a hash of what is written, by which the same row falls into the same split in every run, however Spark cuts the file up.
SALT = "v1|"
TRAIN, OF = 8000, 10000

LONGEST_LINE = 1 << 20  # bytes; Spark holds a line in memory as one piece
SHORTEST_LINE = len("M,0,0,0,0,0,0,0,0\n")
# Rows at most that fall into histograms: all of a file up to 4.7 MB, and of a larger one those that a hash picks.
SAMPLE = 1 << 18


@dataclass(frozen=True)
class Bins:
    """A histogram's bins: so many to a unit, from 0 on, and a last one up to the column's end."""

    a_unit: int
    count: int
    most: float

    @property
    def edges(self) -> tuple[float, ...]:
        """One more than there are bins; a value on an edge belongs to the bin above."""
        return (*(at / self.a_unit for at in range(self.count + 1)), float(self.most))


BINS = {
    "length": Bins(20, 20, 2), "diameter": Bins(25, 20, 2), "height": Bins(50, 20, 2),
    "whole_weight": Bins(5, 20, 10), "shucked_weight": Bins(10, 20, 10), "viscera_weight": Bins(20, 20, 10), "shell_weight": Bins(20, 20, 10),
    "rings": Bins(1, 30, 60),
}  # fmt: skip


@dataclass(frozen=True)
class Drift:
    """From when on something has moved since the run before, if chance alone would hardly move it so in so few rows."""

    mean: float = 0.25  # standard deviations
    end: float = 3.0  # standard deviations by which the largest or smallest value lies further out
    shape: float = 0.2  # population stability index; 0.1 is called small, 0.25 large
    category: float = 0.05  # of the rows
    quarantine: float = 0.005  # of the rows
    rows: float = 2.0  # times as many, or as few
    chance: float = 4.0  # standard errors


DRIFT = Drift()
