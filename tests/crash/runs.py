"""Runs in processes of their own, which can be killed; see warm.py."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from grantor.core.triggers import Trigger
from tests.conftest import ROOT
from tests.estate import Estate

PATIENCE = 20.0  # seconds for one run
CODE = os.pathsep.join(map(str, (ROOT, ROOT / "layers/grantor")))


class Runs:
    """One run at a time, each forked from one warm process; what it says goes to the log."""

    def __init__(self, estate: Estate, log: Path) -> None:
        self._log = log
        command = [
            sys.executable,
            "-m",
            "tests.crash.warm",
            json.dumps(asdict(estate.names)),
            str(estate.config),
        ]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        with log.open("ab") as said:
            environment = {"PATH": os.environ["PATH"], "PYTHONPATH": CODE}
            self._warm = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=said, **pipes)

    def begin(self, triggers: Sequence[Trigger], ahead: float) -> int:
        """A run for these triggers, with a clock that is so many seconds ahead; its process id."""
        order = {
            "triggers": [(trigger.kind, trigger.subjects) for trigger in triggers],
            "ahead": ahead,
        }
        self._warm.stdin.write(json.dumps(order).encode() + b"\n")
        return self._answer()

    def over(self, patience: float) -> int | None:
        """How the run ended, as subprocess tells it; None if it has not within so many seconds."""
        return self._answer() if select.select([self._warm.stdout], [], [], patience)[0] else None

    def kill(self, run: int) -> None:
        os.kill(run, signal.SIGKILL)
        ended = self.over(PATIENCE)
        assert ended == -signal.SIGKILL, f"the run ended with {ended}; see {self._log}"

    def close(self) -> None:
        self._warm.stdin.close()
        self._warm.wait(PATIENCE)
        self._warm.stdout.close()

    def _answer(self) -> int:
        line = self._warm.stdout.readline()
        assert line, f"the warm process died:\n{self._log.read_text()}"
        return int(line)


@contextmanager
def warm(estate: Estate, log: Path) -> Iterator[Runs]:
    """Runs of this estate, and of every other that is laid out later on the same server."""
    runs = Runs(estate, log)
    try:
        yield runs
    finally:
        runs.close()
