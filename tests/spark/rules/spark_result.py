"""What Spark makes of a file, and what the oracle would: each as the lines of the three splits, in
the file's order.
"""

from pathlib import Path

from pyspark.sql import SparkSession

from framework import engine, lines
from framework.contract import Contract
from framework.measures import Counts
from tests.abalone import CONTRACT
from tests.spark.conftest import ROOT

REAL = ROOT.parent / "shared/data/abalone.csv"
SAMPLE = ROOT / "functions/load_dataset/abalone_sample.csv"
GOOD = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15"

SPLITS = ("train", "validation", "quarantine")
Splits = dict[str, list[str]]


def run_spark(
    spark: SparkSession,
    folder: Path,
    content: bytes,
    files: int = 1,
    contract: Contract = CONTRACT,
) -> tuple[Counts, Splits]:
    source, target = folder / contract.path, folder / "out"
    source.write_bytes(content)
    counts = engine.transform_files(spark, [str(source)], str(target), files, contract)
    return counts, read_splits(folder / "out")


def read_splits(out: Path) -> Splits:
    return {
        split: [
            line
            for part in _list_parts(out / split)
            for line in lines.split_lines(part.read_bytes())
        ]
        for split in SPLITS
    }


def compute_splits(content: bytes, contract: Contract = CONTRACT) -> Splits:
    found: Splits = {split: [] for split in SPLITS}
    for line in lines.split_lines(content):
        split, text = lines.transform_line(line, contract)
        if split != "header":
            found[split].append(text)
    return found


def _list_parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*"))
