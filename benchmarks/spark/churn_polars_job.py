"""Customers by polars: features, a stable split, and a filter; no reasons, no counts.

python churn_polars_job.py churn.csv out: out/train.csv and out/validation.csv are written.
"""

import sys
from pathlib import Path

import polars as pl

MISSING = ["", "NA"]


def main(source: str, target: str) -> None:
    """Write target/train.csv and target/validation.csv."""
    read = pl.scan_csv(source, infer_schema=False, null_values=MISSING)
    typed = read.with_columns(
        pl.col("tenure", "support_calls").cast(pl.Int64, strict=False),
        pl.col("monthly_charge", "total_charge").cast(pl.Float64, strict=False),
        pl.col("signup").str.to_date(strict=False),
        pl.col("last_contact").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", strict=False),
    )
    kept = typed.filter(
        pl.col("plan").is_in(["basic", "plus", "pro"]),
        pl.col("churned").is_in(["yes", "no"]),
        pl.col("tenure").is_between(0, 144),
        pl.col("monthly_charge").is_between(0, 500),
        pl.col("signup").is_not_null(),
    )
    ratio = pl.when(pl.col("tenure") > 0).then(pl.col("total_charge") / pl.col("tenure"))
    rows = kept.select(
        (pl.col("churned") == "yes").cast(pl.Int8),
        "tenure",
        "monthly_charge",
        pl.col("total_charge").log1p().round(6).fill_null(0).alias("total_log"),
        ratio.round(6).fill_null(0).alias("total_ratio"),
        pl.col("support_calls").fill_null(0),
        (pl.col("paperless") == "yes").cast(pl.Int8).fill_null(0),
        *((pl.col("plan") == plan).cast(pl.Int8).alias(plan) for plan in ("plus", "pro")),
        pl.col("signup").dt.year().alias("year"),
        pl.col("signup").dt.month().alias("month"),
        (pl.col("last_contact").dt.epoch("d").fill_null(0)).alias("days"),
        (pl.col("customer_id").hash(7) % 10000 < 8000).alias("train"),
    ).collect()
    for name, chosen in (("train", pl.col("train")), ("validation", ~pl.col("train"))):
        rows.filter(chosen).drop("train").write_csv(f"{target}/{name}.csv", include_header=False)


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True)
    main(*sys.argv[1:])
