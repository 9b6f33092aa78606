"""Customers by pandas: features, a stable split, and a filter; no reasons, no counts.

python churn_pandas_job.py churn.csv out: out/train.csv and out/validation.csv are written.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

MISSING = ["", "NA"]
EPOCH = pd.Timestamp("1970-01-01", tz="UTC")


def main(source: str, target: str) -> None:
    """Write target/train.csv and target/validation.csv."""
    read = pd.read_csv(source, dtype=str, na_values=MISSING, keep_default_na=False)
    numbers = ["tenure", "monthly_charge", "total_charge", "support_calls"]
    read[numbers] = read[numbers].apply(pd.to_numeric, errors="coerce")
    signup = pd.to_datetime(read["signup"], format="%Y-%m-%d", errors="coerce")
    contact = pd.to_datetime(
        read["last_contact"], format="%Y-%m-%dT%H:%M:%SZ", errors="coerce", utc=True
    )
    made = pd.DataFrame(
        {
            "churned": (read["churned"] == "yes").astype(int),
            "tenure": read["tenure"],
            "monthly_charge": read["monthly_charge"],
            "total_log": np.log1p(read["total_charge"]).round(6).fillna(0),
            "total_ratio": _divide(read["total_charge"], read["tenure"]).round(6).fillna(0),
            "support_calls": read["support_calls"].fillna(0),
            "paperless": (read["paperless"] == "yes").astype(int),
            **{plan: (read["plan"] == plan).astype(int) for plan in ("plus", "pro")},
            "year": signup.dt.year,
            "month": signup.dt.month,
            "days": (contact - EPOCH).dt.days.fillna(0),
        }
    )
    kept = (
        read["plan"].isin(["basic", "plus", "pro"])
        & read["churned"].isin(["yes", "no"])
        & read["tenure"].between(0, 144)
        & read["monthly_charge"].between(0, 500)
        & signup.notna()
    )
    train = pd.util.hash_pandas_object(read["customer_id"], index=False) % 10000 < 8000
    for name, chosen in (("train", train), ("validation", ~train)):
        made[kept & chosen].to_csv(f"{target}/{name}.csv", header=False, index=False)


def _divide(part: pd.Series, whole: pd.Series) -> pd.Series:
    return (part / whole).where(whole > 0)


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(parents=True)
    main(*sys.argv[1:])
