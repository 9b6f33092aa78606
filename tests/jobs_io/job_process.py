"""Run one job in a process of its own, which can be killed. Plain Python computes in place of
Spark; everything else is the real job.
"""

import io
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conftest import ROOT
from tests.jobs_io.job_setup import JobSetup

if TYPE_CHECKING:
    from framework.compute import ComputedRun, ComputeTask


@dataclass(frozen=True)
class FinishedJob:
    """A job that has ended: its exit code and stderr."""

    code: int
    stderr: str

    @property
    def last_line(self) -> str:
        """The last line of stderr, which is the job's message."""
        return self.stderr.rstrip("\n").rpartition("\n")[2]


def start_job(setup: JobSetup, arguments: list[str], file_size: int = 0) -> subprocess.Popen[str]:
    """Start a job. `file_size` limits the bytes of a file, like a full disk; 0 is no limit."""
    command = [
        sys.executable,
        "-B",
        "-m",
        "tests.jobs_io.job_process",
        *arguments,
    ]  # byte code that is cut short would outlive the test
    given = {"PATH": os.environ["PATH"], **setup.build_environment()}
    process = subprocess.Popen(command, cwd=ROOT, env=given, stderr=subprocess.PIPE, text=True)
    if file_size:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_size, file_size))
    return process


def wait_for_job(process: subprocess.Popen[str]) -> FinishedJob:
    said = process.communicate(timeout=60)[1]
    return FinishedJob(process.returncode, said)


def run_job(setup: JobSetup, file_size: int = 0) -> FinishedJob:
    return wait_for_job(start_job(setup, setup.build_arguments(), file_size))


def run_job_in_process(
    setup: JobSetup,
    arguments: list[str] | None = None,
    make: "Callable[[ComputeTask], ComputedRun] | None" = None,
) -> FinishedJob:
    """Run a job in this process, which is faster; `make` can replace the computation."""
    from framework.job import main

    said = io.StringIO()
    with replace_environment(setup.build_environment()), redirect_stderr(said):
        code = main(arguments or setup.build_arguments(), make or compute_without_spark)
    return FinishedJob(code, said.getvalue())


@contextmanager
def replace_environment(variables: dict[str, str]) -> Iterator[None]:
    """Add variables to this process's environment inside the context."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def compute_without_spark(task: "ComputeTask") -> "ComputedRun":
    """Compute what Spark would, in plain Python, with files of a hundred rows."""
    from framework import headers, lines, measures
    from framework.compute import ComputedRun, check_quarantine
    from framework.exits import CONTRACT, JobFailed
    from framework.store import StagedStore

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        contract = task.order.job.contract
        listed = []
        for found in task.found.objects:
            task.source.download_object(found, here / "input")
            listed += lines.split_lines((here / "input").read_bytes())
        if wrong := headers.find_wrong_header(listed, contract):
            raise JobFailed(CONTRACT, headers.find_header_fault(listed[wrong - 1], contract))
        results = [lines.transform_line(line, contract) for line in listed]
        for split in ("train", "validation", "quarantine"):
            (here / "output" / split).mkdir(parents=True)
            rows = [text for name, text in results if name == split]
            for at in range(0, len(rows), 100):
                path = here / "output" / split / f"part-{at // 100:05d}-{os.getpid()}.txt"
                path.write_text(
                    "".join(f"{row}\n" for row in rows[at : at + 100]), errors="surrogateescape"
                )
        store = StagedStore(task.output, task.run_id, LocalClusterFolder(here), (), "")
        counts = measures.collect_counts(
            observe_rows(results),
            Counter(text.partition("\t")[0] for split, text in results if split == "quarantine"),
            1,
            contract,
        )
        task.summary.rows, task.summary.quarantine = dict(counts.rows), dict(counts.quarantine)
        task.summary.header_lines = counts.header_lines
        check_quarantine(task, store)
        store.keep_splits()
    return ComputedRun(counts, "staged", "made by the plain-Python rules", "none")


def observe_rows(results: list[tuple[str, str]]) -> dict[str, Any]:
    """Compute what Spark would observe of these rows."""
    from framework.measures import BILLION
    from tests.abalone import FLAGS, NUMBERS

    texts = [text for split, text in results if split in ("train", "validation")]
    kept = [text.split(",") for text in texts]
    seen: dict[str, Any] = {
        "rows": len(results),
        "headers": sum(split == "header" for split, _ in results),
        "kept": len(kept),
        "train": sum(split == "train" for split, _ in results),
    }
    seen |= {
        f"sex = {sex}": sum(",".join(cells[1:3]) == hot for cells in kept)
        for sex, hot in FLAGS.items()
    }
    for at, name in enumerate(NUMBERS):
        numbers = [float(cells[0 if name == "rings" else at + 3]) for cells in kept]
        ends = {"min": min(numbers, default=None), "max": max(numbers, default=None)}
        seen |= {
            f"{name} {end}": value if value is None else round(value * BILLION)
            for end, value in ends.items()
        }
        seen[f"{name} sum"] = sum(numbers)
    return seen | {"sample": "\n".join(texts)}


@dataclass(frozen=True)
class LocalClusterFolder:
    """The cluster's file system, which is this machine's."""

    here: Path

    def move_from_cluster(self, name: str) -> Path:
        return self.here / name


if __name__ == "__main__":
    from framework.job import main

    sys.exit(main(sys.argv[1:], compute_without_spark))
