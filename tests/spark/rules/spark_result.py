"""What Spark makes of a file, and what the oracle would: each as the lines of the three splits, in
the file's order.
"""

from pathlib import Path

from pyspark.sql import SparkSession

from abalone import engine, lines
from abalone.measures import Counts
from tests.spark.conftest import ROOT

REAL = ROOT.parent / "shared/data/abalone.csv"
SAMPLE = ROOT / "functions/load_dataset/abalone_sample.csv"
GOOD = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15"

SPLITS = ("train", "validation", "quarantine")
Splits = dict[str, list[str]]


def run_spark(
    spark: SparkSession, folder: Path, content: bytes, files: int = 1
) -> tuple[Counts, Splits]:
    (folder / "abalone.csv").write_bytes(content)
    counts = engine.transform_file(spark, str(folder / "abalone.csv"), str(folder / "out"), files)
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


def compute_splits(content: bytes) -> Splits:
    found: Splits = {split: [] for split in SPLITS}
    for line in lines.split_lines(content):
        split, text = lines.transform_line(line)
        if split != "header":
            found[split].append(text)
    return found


def _list_parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*"))
