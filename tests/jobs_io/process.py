"""One job in a process of its own, which can be killed. The plain-Python rules make its files; all else is the job as it is."""

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
from tests.jobs_io.grounds import Grounds

if TYPE_CHECKING:
    from abalone.compute import ComputedRun, ComputeTask


@dataclass(frozen=True)
class Ended:
    """How a job ended, and all that it said on stderr."""

    code: int
    said: str

    @property
    def sentence(self) -> str:
        """The last line."""
        return self.said.rstrip("\n").rpartition("\n")[2]


def start(grounds: Grounds, words: list[str], file_size: int = 0) -> subprocess.Popen[str]:
    """`file_size` limits the bytes of a file, as on a disk that is nearly full; 0 means no limit."""
    command = [
        sys.executable,
        "-B",
        "-m",
        "tests.jobs_io.process",
        *words,
    ]  # byte code that is cut short would outlive the test
    given = {"PATH": os.environ["PATH"], **grounds.environment()}
    process = subprocess.Popen(command, cwd=ROOT, env=given, stderr=subprocess.PIPE, text=True)
    if file_size:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_size, file_size))
    return process


def ended(process: subprocess.Popen[str]) -> Ended:
    said = process.communicate(timeout=60)[1]
    return Ended(process.returncode, said)


def run(grounds: Grounds, file_size: int = 0) -> Ended:
    return ended(start(grounds, grounds.words(), file_size))


def run_here(
    grounds: Grounds,
    words: list[str] | None = None,
    make: "Callable[[ComputeTask], ComputedRun] | None" = None,
) -> Ended:
    """The same in this process, which is quicker; `make` makes the files instead."""
    from abalone.job import main

    said = io.StringIO()
    with environment(grounds.environment()), redirect_stderr(said):
        code = main(words or grounds.words(), make or by_the_rules)
    return Ended(code, said.getvalue())


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """This process's environment, with these variables, for a while."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def by_the_rules(task: "ComputeTask") -> "ComputedRun":
    """What Spark would make, made by the plain-Python rules, each split in files of a hundred rows."""
    from abalone import lines, measures
    from abalone.compute import ComputedRun, check_quarantine
    from abalone.store import StagedStore

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        task.source.download_object(task.found, here / "input")
        results = [
            lines.transform_line(line) for line in lines.split_lines((here / "input").read_bytes())
        ]
        for split in ("train", "validation", "quarantine"):
            (here / "output" / split).mkdir(parents=True)
            rows = [text for name, text in results if name == split]
            for at in range(0, len(rows), 100):
                path = here / "output" / split / f"part-{at // 100:05d}-{os.getpid()}.txt"
                path.write_text(
                    "".join(f"{row}\n" for row in rows[at : at + 100]), errors="surrogateescape"
                )
        store = StagedStore(task.output, task.run_id, LocalClusterFolder(here), "", "")
        counts = measures.collect_counts(
            observed(results),
            Counter(text.partition("\t")[0] for split, text in results if split == "quarantine"),
            1,
        )
        task.summary.rows, task.summary.quarantine = dict(counts.rows), dict(counts.quarantine)
        check_quarantine(task, store)
        store.keep_splits()
    return ComputedRun(counts, "staged", "made by the plain-Python rules", "none")


def observed(results: list[tuple[str, str]]) -> dict[str, Any]:
    """What Spark would have observed of these rows."""
    from abalone.contract import NUMBERS, SEXES
    from abalone.measures import BILLION

    texts = [text for split, text in results if split != "quarantine"]
    kept = [text.split(",") for text in texts]
    seen: dict[str, Any] = {
        "rows": len(results),
        "kept": len(kept),
        "train": sum(split == "train" for split, _ in results),
    }
    seen |= {sex: sum(",".join(cells[1:3]) == hot for cells in kept) for sex, hot in SEXES.items()}
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
    """A cluster that is this machine."""

    here: Path

    def move_from_cluster(self, name: str) -> Path:
        return self.here / name


if __name__ == "__main__":
    from abalone.job import main

    sys.exit(main(sys.argv[1:], by_the_rules))
