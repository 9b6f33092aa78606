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
