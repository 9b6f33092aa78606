"""Lines as people and programs spoil them: mutations of good lines, the same for the same seed."""

import random

SEXES = ("M", "F", "I", "X", "m", "", "MM", "\u041c", "male", " M")
NUMBERS = (
    "", " ", "\t", "nan", "NaN", "inf", "-Infinity", "null", "NA", "?", "-", "+", ".", "..", "0", "0.0", "00", "000000.000000000", "-0",
    "-0.1", "+0.1", "1.", ".1", "1d", "1f", "1D", "0x1p3", "0x10", "1e2", "1E-3", "1e400", "1e-400", "1_000", "1,5", "1.2.3", " 0.5", "0.5 ",
    "0.5\t", "2", "2.0", "2.000000001", "1.999999999", "10", "10.0", "10.000000001", "9.5", "60", "61", "60.000000000", "999999", "1000000",
    "0.123456789", "0.1234567891", "\u0661\u0662", "\uff11", "\u00bd", "0.5\u00a0", "0\u066b5", '"0.5"', "'0.5'", "0;5", "1L", "True",
)  # fmt: skip
SIGNS = (
    "\x00", "\x01", "\x07", "\x0b", "\x0c", "\x1a", "\x1b", "\x1f", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u200b", "\u00e9", "\U0001f41a",
    "\udced\udca0\udc80", "\udce9", "\udcff\udcfe", "\udcf0\udc9f", "\r", "\r\r", "\t", " ", ",", ",,", '"', "\\", "\\N", "$", "%s", "'", ";", "|",
)  # fmt: skip
WHOLE = ("", " ", "\t \t", "\r", "\r\r", " \r", "sex,length", "Sex,Length,Diameter,Height,Whole weight,Shucked weight,Viscera weight,Shell weight,Rings",
         '"sex","length","diameter"', "sexes,1", ",,,,,,,,", "M", "M,", "#", "0", "{}", "\udcff", ",0.1,0.1,0.1,0.1,0.1,0.1,0.1,1")  # fmt: skip


def build_dirty_lines(count: int, seed: int) -> list[str]:
    """So many; about a tenth are still good."""
    chance = random.Random(seed)
    return [_line(chance) for _ in range(count)]


def _line(chance: random.Random) -> str:
    if chance.random() < 0.03:
        return chance.choice(WHOLE)
    cells = _good(chance)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        cells = chance.choice(SPOILING)(chance, cells)
    line = ",".join(cells)
    for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
        at = chance.randint(0, len(line))
        line = line[:at] + chance.choice(SIGNS) + line[at:]
    return line + chance.choice(("", "", "", "\r"))


def _good(chance: random.Random) -> list[str]:
    measures = [
        str(round(chance.uniform(0, most), chance.randint(0, 9)))
        for most in (2, 2, 2, 10, 10, 10, 10)
    ]
    return [chance.choice("MFI"), *measures, str(chance.randint(1, 60))]


def _spoilt(chance: random.Random, cells: list[str]) -> list[str]:
    at = chance.randrange(len(cells))
    return [*cells[:at], chance.choice(NUMBERS if at else SEXES), *cells[at + 1 :]]


def _shorter(chance: random.Random, cells: list[str]) -> list[str]:
    at = chance.randrange(len(cells))
    return cells[:at] + cells[at + 1 :] or [""]


def _longer(chance: random.Random, cells: list[str]) -> list[str]:
    at = chance.randint(0, len(cells))
    return [*cells[:at], chance.choice(NUMBERS), *cells[at:]]


def _shuffled(chance: random.Random, cells: list[str]) -> list[str]:
    return chance.sample(cells, len(cells))


SPOILING = (_spoilt, _spoilt, _spoilt, _spoilt, _shorter, _longer, _shuffled)
