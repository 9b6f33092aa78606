"""Other contracts than abalone's in Spark, several files, and the kept outputs of abalone."""

import gzip
import hashlib

import pytest

from framework.engine import transform_files
from framework.exits import CONTRACT, JobFailed
from tests.abalone import transform_line
from tests.contracts import SHOP, build_shop_line
from tests.spark.rules.dirty_lines import build_dirty_lines
from tests.spark.rules.random_contracts import build_contract, build_rows
from tests.spark.rules.spark_result import (
    SAMPLE,
    compute_splits,
    read_splits,
    run_spark,
)

# The first digits of the SHA-256 of each split, as the engine before contracts were data wrote it
# (f58a12b). It called header lines invalid, so these are lines without one.
KEPT = {
    "dirty lines": {
        "train": "8dfdb20acf630254", "validation": "a02d2e818a6754b6", "quarantine": "7aeed19b4290acb0"
    },
    "the sample": {"train": "a413989ae8de379e", "validation": "558d7f3c50373fd4"},
}  # fmt: skip


def build_kept_inputs():
    lines = [line for line in build_dirty_lines(10_000, 7) if transform_line(line)[0] != "header"]
    return {"dirty lines": encode(lines), "the sample": SAMPLE.read_bytes()}


def encode(lines):
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


@pytest.mark.parametrize("name", KEPT)
def test_the_outputs_of_abalone_are_those_of_the_engine_that_was_written_for_it(
    spark, tmp_path, name
):
    run_spark(spark, tmp_path, build_kept_inputs()[name])

    assert {
        split: hashlib.sha256(encode(lines)).hexdigest()[:16]
        for split, lines in read_splits(tmp_path / "out").items()
        if lines
    } == KEPT[name]


def test_spark_and_plain_python_agree_on_a_random_contract(spark, tmp_path):
    """The five kinds of contract are in tests/spark/contracts."""
    contract = build_contract(1)
    content = encode(build_rows(contract, 2_000, 1))

    assert run_spark(spark, tmp_path, content, contract=contract)[1] == compute_splits(
        content, contract
    )


def test_files_of_a_batch_make_one_run_and_each_may_have_a_header(spark, tmp_path):
    sources = []
    for at in range(3):
        path = tmp_path / f"part {at}.csv"
        rows = [build_shop_line(number) for number in range(100 * at, 100 * at + 100)]
        path.write_bytes(encode([",".join(SHOP.names), *rows]))
        sources.append(str(path))

    counts = transform_files(spark, sources, str(tmp_path / "out"), 2, SHOP)

    assert (counts.rows["in"], counts.header_lines, counts.quarantine) == (300, 3, {})
    assert counts.categories == {"plan": {"basic": 100, "plus": 100, "pro": 100}}
    assert counts.columns["charge"].missing == pytest.approx(0.1)


def test_compressed_data_is_decompressed_before_spark_reads_it(tmp_path):
    from framework.store import _decompress_file

    path = tmp_path / "input"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    _decompress_file(path, "shop.csv.gz")
    assert path.read_bytes() == b"a\nb\n"

    path.write_bytes(gzip.compress(b"a\n" * 100)[:-9])
    with pytest.raises(JobFailed, match=r"shop\.csv\.gz is damaged") as refused:
        _decompress_file(path, "shop.csv.gz")
    assert refused.value.code == CONTRACT
