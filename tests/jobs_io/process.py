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
    from abalone.making import Made, Task


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
    """`file_size` is the most bytes that a file of it may have, as on a disk that is nearly full; 0: as many as there is room for."""
    command = [sys.executable, "-B", "-m", "tests.jobs_io.process", *words]  # byte code that is cut short would outlive the test
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


def run_here(grounds: Grounds, words: list[str] | None = None, make: "Callable[[Task], Made] | None" = None) -> Ended:
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


def by_the_rules(task: "Task") -> "Made":
    """What Spark would make, made by the plain-Python rules, each split in files of a hundred rows."""
    from abalone import lines, measures
    from abalone.making import Made, judge
    from abalone.store import Staged

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        task.source.download(task.found, here / "input")
        told = [lines.one(line) for line in lines.split((here / "input").read_bytes())]
        for split in ("train", "validation", "quarantine"):
            (here / "output" / split).mkdir(parents=True)
            rows = [text for name, text in told if name == split]
            for at in range(0, len(rows), 100):
                path = here / "output" / split / f"part-{at // 100:05d}-{os.getpid()}.txt"
                path.write_text("".join(f"{row}\n" for row in rows[at : at + 100]), errors="surrogateescape")
        store = Staged(task.output, task.run_id, Local(here), "", "")
        counts = measures.counted(
            observed(told), Counter(text.partition("\t")[0] for split, text in told if split == "quarantine"), 1
        )
        task.summary.rows, task.summary.quarantine = dict(counts.rows), dict(counts.quarantine)
        judge(task, store)
        store.keep()
    return Made(counts, "staged", "made by the plain-Python rules", "none")


def observed(told: list[tuple[str, str]]) -> dict[str, Any]:
    """What Spark would have observed of these rows."""
    from abalone.contract import NUMBERS, SEXES
    from abalone.measures import PARTS

    texts = [text for split, text in told if split != "quarantine"]
    kept = [text.split(",") for text in texts]
    seen: dict[str, Any] = {"rows": len(told), "kept": len(kept), "train": sum(split == "train" for split, _ in told)}
    seen |= {sex: sum(",".join(cells[1:3]) == hot for cells in kept) for sex, hot in SEXES.items()}
    for at, name in enumerate(NUMBERS):
        numbers = [float(cells[0 if name == "rings" else at + 3]) for cells in kept]
        ends = {"min": min(numbers, default=None), "max": max(numbers, default=None)}
        seen |= {f"{name} {end}": value if value is None else round(value * PARTS) for end, value in ends.items()}
        seen[f"{name} sum"] = sum(numbers)
    return seen | {"sample": "\n".join(texts)}


@dataclass(frozen=True)
class Local:
    """A cluster that is this machine."""

    here: Path

    def fetched(self, name: str) -> Path:
        return self.here / name


if __name__ == "__main__":
    from abalone.job import main

    sys.exit(main(sys.argv[1:], by_the_rules))
