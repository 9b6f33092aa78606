"""Installs what the Spark job needs in the background, and reports how far it is."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.session import ROOT
from harness.steps import ExpectationError, print_lines

TARGETS = (".tools/spark/.made", ".tools/spark/jars/.made")
LOG = "build/spark-installation.log"
PROGRESS_SECONDS = 10  # between two lines of progress
FAILURE_LINES = 15  # of the log, shown when the installation fails


class SparkInstallation:
    """`make` for the job's Python packages and jars, as a process beside the walk-through."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._log = root / LOG
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the installation if it still runs; make starts it anew the next time."""
        self._ended.set()
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()

    def start(self) -> None:
        """Start it, unless everything is installed already."""
        if self._run_make("--question").wait() == 0:
            return
        self._begun, self._process = time.monotonic(), self._run_make()
        print_lines(f"[Spark is being installed in the background; log: {LOG}]")
        threading.Thread(target=self._print_progress, daemon=True).start()

    def wait(self) -> None:
        """Return once everything is installed. Raises ExpectationError with the end of the log."""
        if self._process is None:
            return
        code = self._process.wait()
        self._ended.set()
        if code:
            tail = "\n".join(self._log.read_text().splitlines()[-FAILURE_LINES:])
            again = f"To try again: make {' '.join(TARGETS)}"
            raise ExpectationError(f"Spark is installed: make exited with {code}\n{tail}\n{again}")
        print_lines(f"[Spark is installed, after {time.monotonic() - self._begun:.0f} s]")
        self._process = None

    def _print_progress(self) -> None:
        process = self._process
        while process and process.poll() is None and not self._ended.wait(PROGRESS_SECONDS):
            print_lines(f"[{self._describe_progress()}]")

    def _describe_progress(self) -> str:
        packages = self._root.glob(".tools/spark/lib/python*/site-packages/*.dist-info")
        jars = self._root.glob(".tools/ivy/cache/*/*/jars/*.jar")
        seconds = time.monotonic() - self._begun
        return (
            f"Spark, {seconds:.0f} s: {len(list(packages))} of {self.count_locked('spark.txt')} "
            f"packages, {len(list(jars))} of {self.count_locked('spark-jars.txt')} jars; "
            f"{self.read_last_message()}"
        )

    def count_locked(self, lock: str) -> int:
        """How many packages or jars a lock file names."""
        lines = (self._root / "locks" / lock).read_text().splitlines()
        return sum(1 for line in lines if "==" in line or line.endswith(".jar"))

    def read_last_message(self) -> str:
        """The last message of make or uv, such as "Downloading pyspark (302.4MiB)"."""
        lines = (line.strip() for line in self._log.read_text(errors="replace").splitlines())
        messages = [line for line in lines if line and not line.startswith("+ ")]
        return messages[-1] if messages else "starting"

    def _run_make(self, *options: str) -> subprocess.Popen[bytes]:
        """Start make in a process group of its own, not as a part of the make above the demo."""
        inherited = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
        environment = {name: it for name, it in os.environ.items() if name not in inherited}
        command = ["make", "--no-print-directory", "QUIET=", *options, *TARGETS]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command, cwd=self._root, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
