"""What a command costs: wall time, CPU of all its processes, and their peak memory."""

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

# PR_SET_CHILD_SUBREAPER of linux/prctl.h: a process that loses its parent becomes our child.
SUBREAPER = 36
LEAST_PAUSE_SECONDS = 0.05
PAUSE_FACTOR = 20  # between two looks at the memory: so many times as long as a look takes
SHOWN_OUTPUT = 4000  # characters of a failed command's output


@dataclass(frozen=True)
class ProcessCost:
    """Seconds, seconds of CPU, and megabytes (the largest sum of proportional set sizes)."""

    wall: float
    cpu: float
    peak: float


def measure_command(command: Sequence[str], environment: Mapping[str, str]) -> ProcessCost:
    """Run a command and all that it starts to the end. Raises RuntimeError if it fails."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    before, begun = _read_child_cpu(), time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with _MemoryWatch() as watch:
        printed, _ = process.communicate()
        wall = time.monotonic() - begun
        _reap_children()
    if process.returncode:
        tail = printed.decode()[-SHOWN_OUTPUT:]
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    return ProcessCost(wall, _read_child_cpu() - before, watch.peak / 1e6)


def _read_child_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap_children() -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


class _MemoryWatch:
    """Samples the memory of all our descendants until it is closed."""

    def __init__(self) -> None:
        self.peak, self._end = 0, threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _sample(self) -> None:
        took = 0.0
        while not self._end.wait(max(LEAST_PAUSE_SECONDS, PAUSE_FACTOR * took)):
            begun = time.monotonic()
            self.peak = max(self.peak, sum(map(_read_memory, _list_descendants(os.getpid()))))
            took = time.monotonic() - begun


def _list_descendants(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    children = [int(child) for task in tasks for child in _read_text(task).split()]
    return [one for child in children for one in (child, *_list_descendants(child))]


def _read_memory(process: int) -> int:
    lines = _read_text(Path(f"/proc/{process}/smaps_rollup")).splitlines()
    line = next((line for line in lines if line.startswith("Pss:")), "Pss: 0 kB")
    return int(line.split()[1]) * 1024


def _read_text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
