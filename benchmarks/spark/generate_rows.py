"""Write a file of so many rows, drawn from a real one.

Each measure is moved by up to 5 %, and rounded as in UCI's file. The seed is fixed.

python generate_rows.py abalone.csv 1000000 out.csv
"""

import sys

import polars as pl

SEED = 7
# Lengths in steps of 0.005, weights in steps of 0.0005.
UNITS = {at: (1000 if at < 4 else 10000) for at in range(1, 8)}


def main(source: str, count: int, target: str) -> None:
    """Write `count` rows drawn from `source` to `target`."""
    real = pl.read_csv(source, has_header=False)
    drawn = real.select(pl.all().gather(pl.int_range(count, eager=True).hash(SEED) % len(real)))
    moved = [_move_measure(at, unit, count) for at, unit in UNITS.items()]
    drawn.with_columns(moved).write_csv(target, include_header=False)


def _move_measure(at: int, unit: int, count: int) -> pl.Expr:
    chance = (pl.int_range(count).hash(SEED + at) % 100_001) / 100_000
    value = pl.col(f"column_{at}") * (0.95 + chance / 10)
    return ((value * unit / 5).round() * 5 / unit).round(4).alias(f"column_{at}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
