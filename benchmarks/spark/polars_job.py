"""The least cost: polars, on one machine and without a cluster.

Features, a stable split and a check of the ranges; no reasons, no counts.

python polars_job.py abalone.csv out: out/train.csv and out/validation.csv are written.
"""

import sys
from pathlib import Path

import polars as pl

COLUMNS = [
    "sex",
    "length",
    "diameter",
    "height",
    "whole_weight",
    "shucked_weight",
    "viscera_weight",
    "shell_weight",
    "rings",
]


def main(source: str, target: str) -> None:
    """Write target/train.csv and target/validation.csv."""
    read = pl.scan_csv(source, has_header=False, new_columns=COLUMNS, infer_schema=False)
    limits = {
        name: (2 if at < 4 else 10 if at < 8 else 60) for at, name in enumerate(COLUMNS) if at
    }
    within = [
        pl.col(name).cast(pl.Float64, strict=False).is_between(0, limit, closed="right")
        for name, limit in limits.items()
    ]
    flags = [(pl.col("sex") == sex).cast(pl.Int8).alias(sex) for sex in "MI"]
    kept = read.filter(pl.col("sex").is_in(["M", "F", "I"]), *within)
    side = (pl.struct(COLUMNS).hash(7) % 10000 < 8000).alias("train")
    rows = kept.select("rings", *flags, *COLUMNS[1:8], side).collect()
    for name, chosen in (("train", pl.col("train")), ("validation", ~pl.col("train"))):
        rows.filter(chosen).drop("train").write_csv(f"{target}/{name}.csv", include_header=False)


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True)
    main(*sys.argv[1:])
