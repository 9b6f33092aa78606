"""The life of one job: inputs, the container, outputs, and what SageMaker says of its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from sandbox.processing.container import HERE, Container, Place
from sandbox.processing.jobs import Job
from sandbox.processing.switches import JobSwitches
from sandbox.processing.transfer import Refusal, Store, Upload, download

GLANCE = 0.05  # seconds between two looks at a container
EACH = 1.0  # seconds between two uploads of an output that is Continuous


@dataclass(frozen=True)
class Outcome:
    """How a job ended, in the words of DescribeProcessingJob."""

    status: str
    failure: str = ""
    message: str = ""


@dataclass(frozen=True)
class Turn:
    """What others want of a job that runs: that it is stopped, or gone at once."""

    stopping: Event = field(default_factory=Event)
    killed: Event = field(default_factory=Event)


@dataclass
class Run:
    """One job in its container. `log` takes its output, line by line."""

    job: Job
    container: Container
    place: Place
    store: Store
    log: Callable[[list[str]], None]
    switches: JobSwitches
    turn: Turn
    _read: int = 0

    def outcome(self) -> Outcome:
        """Run the job from its inputs to its outputs; never raises for what the job does."""
        try:
            self.container.make(self.job.asked, self.job.arn, self.place)
            for each in self.job.asked.get("ProcessingInputs") or ():
                download(each["S3Input"], self.container.path(each["S3Input"]["LocalPath"]), self.store)
            return self._run(self._uploads())
        except Refusal as refusal:
            return Outcome("Failed", f"ClientError: {refusal}")
        except UnicodeDecodeError:
            return Outcome("Failed", "ClientError: The file /opt/ml/output/message is not UTF-8 encoded.")

    def _run(self, uploads: list[Upload]) -> Outcome:
        status, stopped = self._contain([each for each in uploads if each.continuous])
        message = self.container.message()
        for each in uploads:
            if each.continuous or (status == 0 and not stopped):
                each.sync()
        if stopped:
            return Outcome("Stopped", message=message)
        return Outcome("Failed", self._reason(status, message), message) if status else Outcome("Completed", message=message)

    def _contain(self, continuous: list[Upload]) -> tuple[int, bool]:
        """Run the container to its end: its exit status, and whether it was stopped before."""
        process = self._start()
        try:
            stopped = self._watch(process, continuous)
        finally:
            _kill(process)  # what the entrypoint left behind ends with its container
        self._collect(last=True)
        return process.returncode, stopped

    def _watch(self, process: subprocess.Popen[bytes], continuous: list[Upload]) -> bool:
        begun = uploaded = time.monotonic()
        asked_to_end = 0.0
        while not _ended(process):
            now = time.monotonic()
            self._collect()
            if now - uploaded > EACH:
                uploaded = now
                for each in continuous:
                    each.sync()
            if not asked_to_end and (self.turn.stopping.is_set() or now - begun > self.job.limit):
                asked_to_end = now
                process.terminate()
            if self.turn.killed.is_set() or (asked_to_end and now - asked_to_end > self.switches.job_stop_seconds):
                _kill(process)
        return bool(asked_to_end)

    def _start(self) -> subprocess.Popen[bytes]:
        asked = self.job.asked
        command = [sys.executable, "-S", "-E", "-B", str(HERE / "first.py"), *self.container.command(asked)]
        with self._output.open("wb") as out:
            return subprocess.Popen(
                command, cwd=self.container.folder, env=self.container.variables(asked, self.place), stdin=subprocess.PIPE,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    @property
    def _output(self) -> Path:
        return self.container.folder / "output.log"

    def _collect(self, *, last: bool = False) -> None:
        """Hand on the lines that the container has printed since the last look; half a line only at the end."""
        with self._output.open("rb") as lines:
            lines.seek(self._read)
            new = lines.read()
        whole = len(new) if last else new.rfind(b"\n") + 1
        self._read += whole
        if whole:
            self.log(new[:whole].decode(errors="replace").splitlines())

    def _uploads(self) -> list[Upload]:
        config = self.job.asked.get("ProcessingOutputConfig") or {}
        return [
            Upload(each["S3Output"], self.container.path(each["S3Output"]["LocalPath"]), self.store, config.get("KmsKeyId"))
            for each in config.get("Outputs") or ()
        ]

    def _reason(self, status: int, message: str) -> str:
        match self.switches.job_failure_reason:
            case "logs":
                return "AlgorithmError: See job logs for more information"
            case "message":
                return f"AlgorithmError: {message}, exit code: {status}"
        return f"AlgorithmError: , exit code: {status}"


def _ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(GLANCE)
    return process.returncode is not None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()
