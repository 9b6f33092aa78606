"""Runs in processes of their own, which can be killed; see fork_server.py."""

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
from tests.grantor_setup import GrantorSetup

TIMEOUT_SECONDS = 20.0  # seconds for one run
PYTHONPATH = os.pathsep.join(map(str, (ROOT, ROOT / "layers/grantor")))


class ForkedRuns:
    """Starts one run at a time, forked from one server process; stderr goes to the log."""

    def __init__(self, setup: GrantorSetup, log: Path) -> None:
        self._log = log
        command = [
            sys.executable,
            "-m",
            "tests.crash.fork_server",
            json.dumps(asdict(setup.names)),
            str(setup.config),
            json.dumps(setup.sandbox.root_keys),
        ]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        with log.open("ab") as said:
            environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH}
            self._server = subprocess.Popen(
                command, cwd=ROOT, env=environment, stderr=said, **pipes
            )

    def start(self, triggers: Sequence[Trigger], ahead: float) -> int:
        """Start a run whose clock is so many seconds ahead; return its process id."""
        order = {
            "triggers": [(trigger.kind, trigger.subjects) for trigger in triggers],
            "ahead": ahead,
        }
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        return self._read_answer()

    def poll(self, patience: float) -> int | None:
        """Wait so many seconds for the end of the run; return its exit code, or None."""
        return (
            self._read_answer()
            if select.select([self._server.stdout], [], [], patience)[0]
            else None
        )

    def kill(self, run: int) -> None:
        os.kill(run, signal.SIGKILL)
        ended = self.poll(TIMEOUT_SECONDS)
        assert ended == -signal.SIGKILL, f"the run ended with {ended}; see {self._log}"

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait(TIMEOUT_SECONDS)
        self._server.stdout.close()

    def _read_answer(self) -> int:
        line = self._server.stdout.readline()
        assert line, f"the warm process died:\n{self._log.read_text()}"
        return int(line)


@contextmanager
def start_fork_server(setup: GrantorSetup, log: Path) -> Iterator[ForkedRuns]:
    """Start a server for runs of this setup and of any later one on the same sandbox."""
    runs = ForkedRuns(setup, log)
    try:
        yield runs
    finally:
        runs.close()
