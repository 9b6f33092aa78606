"""Spark and plain Python agree on every line, whatever the contract is."""

import os
from collections import Counter

import pytest

from tests.spark.rules.random_contracts import KINDS, build_contract, build_rows
from tests.spark.rules.spark_result import compute_splits, run_spark

# Each five seeds have one contract of each kind: CSV with and without quotes, JSON lines.
SEEDS = range(5 * len(KINDS)) if os.environ.get("FUZZ") == "long" else range(len(KINDS))


@pytest.mark.parametrize("seed", SEEDS)
def test_spark_and_plain_python_agree_on_ten_thousand_dirty_lines_of_a_random_contract(
    spark, tmp_path, seed
):
    contract = build_contract(seed)
    content = "".join(f"{line}\n" for line in build_rows(contract, 10_000, seed)).encode(
        errors="surrogateescape"
    )

    counts, splits = run_spark(spark, tmp_path, content, contract=contract)

    assert splits == compute_splits(content, contract)
    assert counts.quarantine == Counter(text.partition("\t")[0] for text in splits["quarantine"])
    assert len(splits["train"]) > 30, "and good ones"
