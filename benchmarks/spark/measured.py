"""What a command costs: wall, the CPU of all the processes that came of it, and the most memory that they held at one time."""

import ctypes
import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h: whoever loses its parent becomes a child of ours
REST = 20  # times as long as a look at the memory takes is rested before the next


@dataclass(frozen=True)
class Cost:
    """Seconds, seconds of CPU, and megabytes (the largest sum of proportional set sizes)."""

    wall: float
    cpu: float
    peak: float


def measured(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run it to its end, and the end of all that it started; RuntimeError with what it said if it fails."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    before, begun = _cpu(), time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with _Watch() as watch:
        said, _ = process.communicate()
        wall = time.monotonic() - begun
        _reap()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said.decode()[-4000:]}")
    return Cost(wall, _cpu() - before, watch.peak / 1e6)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


class _Watch:
    """Looks at the memory of all our descendants until it is closed."""

    def __init__(self) -> None:
        self.peak, self._end = 0, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        took = 0.0
        while not self._end.wait(max(0.05, REST * took)):
            begun = time.monotonic()
            self.peak = max(self.peak, sum(map(_held, _descendants(os.getpid()))))
            took = time.monotonic() - begun


def _descendants(parent: int) -> list[int]:
    children = [int(child) for task in Path(f"/proc/{parent}/task").glob("*/children") for child in _read(task).split()]
    return [one for child in children for one in (child, *_descendants(child))]


def _held(process: int) -> int:
    line = next(
        (line for line in _read(Path(f"/proc/{process}/smaps_rollup")).splitlines() if line.startswith("Pss:")), "Pss: 0 kB"
    )
    return int(line.split()[1]) * 1024


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
