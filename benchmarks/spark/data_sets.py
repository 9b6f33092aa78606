"""The files that the jobs read, and the engine of an earlier commit, all below build/."""

import csv
import runpy
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from itertools import count, islice
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
REAL_FILE = ROOT.parent / "shared/data/abalone.csv"
SAMPLE_FILE = ROOT / "functions/load_dataset/abalone_sample.csv"
# The engine before contracts were data, with the program that measured it.
EARLIER = "f58a12be5508f655a55466ad48d1972030649db2"
EARLIER_PROGRAM = "benchmarks/spark/ours.py"
BLOCK = 100_000  # different customers; a larger file repeats them under other ids


def prepare_abalone(size: int) -> Path:
    """A file of so many rows: the real one as it is, if it has as many."""
    real = REAL_FILE if REAL_FILE.exists() else SAMPLE_FILE
    target = _make_folder("abalone", size) / "abalone.csv"
    if len(real.read_bytes().splitlines()) == size:
        shutil.copyfile(real, target)
    elif not target.exists():
        script, unfinished = (
            Path(__file__).with_name("generate_rows.py"),
            target.with_suffix(".new"),
        )
        python = ROOT / ".tools/polars/bin/python"
        subprocess.run([python, script, real, str(size), unfinished], check=True)
        unfinished.rename(target)
    return target


def prepare_churn(size: int) -> Path:
    """A file with a header and so many customers, as examples/jobs/generate_churn.py makes them."""
    target = _make_folder("churn", size) / "churn.csv"
    if not target.exists():
        unfinished = target.with_suffix(".new")
        with unfinished.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(_generate_customers(size))
        unfinished.rename(target)
    return target


def _generate_customers(size: int) -> Iterator[list[str]]:
    generator = runpy.run_path(str(ROOT / "examples/jobs/generate_churn.py"))
    yield generator["COLUMNS"]
    block = list(generator["generate_rows"](min(size, BLOCK)))
    for number in islice(count(), size):
        yield [f"C{number:07}", *block[number % len(block)][1:]]


def prepare_earlier_engine() -> Path:
    """Unpack the engine of f58a12b from the history; the program that runs it.

    Raises CalledProcessError in a clone without that commit: fetch the whole history.
    """
    target = ROOT / f"build/earlier-engine/{EARLIER[:7]}"
    if not target.exists():
        command = ["git", "archive", EARLIER, "spark_jobs", EARLIER_PROGRAM]
        packed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(target, filter="data")
    return target / EARLIER_PROGRAM


def _make_folder(data_set: str, size: int) -> Path:
    folder = ROOT / f"build/{data_set}/{size}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
