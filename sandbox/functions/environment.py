"""One execution environment: a process that holds a function, from its init to its last invocation.

The interpreter is bare (`-S`: no site-packages, nothing of ours) and sees the function's code, then its layers, then what
Lambda itself brings (awslambdaric and boto3). Its output goes to a file, so that everything printed before an answer
has arrived with the answer, and nothing has to be waited for.
"""

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.functions.runtime_api import Invocation, RuntimeApi, Word

INIT = 10.0  # seconds; AWS, "Understanding the Lambda execution environment lifecycle": then init is tried again, on the invocation's time
GLANCE = 0.05  # seconds between two looks at the memory of a running function


@dataclass(frozen=True)
class Function:
    """What Lambda knows of a function when it starts an environment for it."""

    name: str
    arn: str
    version: str
    handler: str
    memory: int  # MB
    timeout: float  # seconds
    variables: dict[str, str]
    log_group: str
    paths: tuple[Path, ...]  # its code, then what its layers put on Python's path


@dataclass(frozen=True)
class Host:
    """What the machine brings: the interpreter, Lambda's own libraries, a folder to write to, the variables that lead to this AWS."""

    python: Path
    runtime: Path
    folder: Path
    variables: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: its answer as JSON text or, if `failed`, Lambda's error object; and its log, line by line."""

    body: bytes
    failed: bool
    log: tuple[str, ...]


@dataclass
class Environment:
    """Runs one invocation at a time; a process that ended, or was ended, is replaced at the next one."""

    function: Function
    host: Host
    process: subprocess.Popen[bytes] | None = None
    _api: RuntimeApi | None = None
    _read: int = 0
    _most: int = 0
    _log: list[str] = field(default_factory=list)

    def invoke(self, payload: bytes, request_id: str, trace_id: str | None = None) -> Outcome:
        """Run the handler once, within the function's time and memory; never raises for what the function does."""
        self._log = [f"START RequestId: {request_id} Version: {self.function.version}"]
        warm = self.process is not None and self.process.poll() is None
        begun = time.monotonic()
        init = None if warm else self._init(request_id)
        duration = 0.0
        if init is None:
            started = time.monotonic()
            init = self._run(payload, request_id, trace_id)
            duration = time.monotonic() - started
        self._collect()
        took = None if warm else time.monotonic() - begun - duration
        return self._end(init, request_id, duration, took)

    def stop(self) -> None:
        """End the process and all that it started."""
        process, self.process = self.process, None
        api, self._api = self._api, None
        if process is not None:
            _kill(process)
        if api is not None:
            api.close()

    def _init(self, request_id: str) -> Word | None:
        """Start the process; None when it waits for work, else how it failed."""
        for seconds in (INIT, self.function.timeout):
            self._start()
            until = time.monotonic() + seconds
            word = self._heard({"next", "init", "exit"}, until)
            if word is not None:
                return None if word.kind == "next" else self._failed(word, request_id)
            self._collect()
            self.stop()
            self._log.append(f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms\tPhase: init\tStatus: timeout")
        return self._timed_out(request_id)

    def _run(self, payload: bytes, request_id: str, trace_id: str | None) -> Word:
        now = time.time()
        invocation = Invocation(request_id, payload, self.function.arn, now + self.function.timeout, trace_id)
        if self._api is None:
            raise RuntimeError("the environment has no process")  # _init comes first
        self._api.give(invocation)
        word = self._heard({"response", "error", "exit"}, time.monotonic() + self.function.timeout, request_id)
        if word is None:
            return self._timed_out(request_id)
        return self._failed(word, request_id) if word.kind == "exit" else word

    def _heard(self, kinds: set[str], until: float, request_id: str = "") -> Word | None:
        """The first word of these kinds; ends the process, as Lambda does, when it takes more memory than it may have."""
        while self._api is not None:
            word = self._api.hear(min(until, time.monotonic() + GLANCE))
            if self._peak() > self.function.memory and self.process is not None:
                _kill(self.process)
                return Word("exit", request_id, b"signal: killed")
            if word is not None and word.kind in kinds and word.request_id in {request_id, ""}:
                return word
            if word is None and time.monotonic() >= until:
                return None
        return None

    def _failed(self, word: Word, request_id: str) -> Word:
        """What the caller is told of a process that ended, or could not start; another one serves the next invocation."""
        self._collect()
        self.stop()
        if word.kind == "init":
            return Word("error", request_id, word.body)
        how = word.body.decode()
        said = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
        return Word("error", request_id, _error("Runtime.ExitError", said))

    def _timed_out(self, request_id: str) -> Word:
        self._collect()
        self.stop()
        text = f"Task timed out after {self.function.timeout:.2f} seconds"
        self._log.append(f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:-6]}Z {request_id} {text}")
        return Word("error", request_id, _error("Sandbox.Timedout", f"RequestId: {request_id} Error: {text}"))

    def _end(self, word: Word, request_id: str, duration: float, init: float | None) -> Outcome:
        spent = duration * 1000
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {spent:.2f} ms",
            f"Billed Duration: {max(1, -int(-spent // 1))} ms",
            f"Memory Size: {self.function.memory} MB",
            f"Max Memory Used: {min(self._peak(), self.function.memory)} MB",
        ]
        report += [] if init is None else [f"Init Duration: {init * 1000:.2f} ms"]
        self._log += [f"END RequestId: {request_id}", "\t".join(report)]
        return Outcome(word.body, word.kind == "error", tuple(self._log))

    def _start(self) -> None:
        self._api = RuntimeApi()
        self.host.folder.mkdir(parents=True, exist_ok=True)
        output = self.host.folder / "output"
        self._read = self._most = 0
        command = [self.host.python, "-S", "-B", "-m", "awslambdaric", self.function.handler]
        with output.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=self.function.paths[0], env=self._variables(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        threading.Thread(target=_watch, args=(self.process, self._api), daemon=True).start()

    def _variables(self) -> dict[str, str]:
        """AWS, "Defined runtime environment variables": the function's own may not replace these."""
        function, api = self.function, self._api
        path = [*function.paths, self.host.runtime]
        return function.variables | self.host.variables | {
            "_HANDLER": function.handler,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{self.host.folder.name}",
            "AWS_LAMBDA_RUNTIME_API": api.address if api else "",
            "LAMBDA_TASK_ROOT": str(function.paths[0]),
            "LAMBDA_RUNTIME_DIR": str(self.host.runtime),
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "TMPDIR": str(self.host.folder),  # Lambda has a /tmp for each environment
            "TZ": ":UTC",
        }  # fmt: skip

    def _collect(self) -> None:
        """Move what the process has printed since the last look into the log."""
        output = self.host.folder / "output"
        if not output.exists():
            return
        with output.open("rb") as lines:
            lines.seek(self._read)
            new = lines.read()
        self._read += len(new)
        self._log += new.decode(errors="replace").splitlines()

    def _peak(self) -> int:
        """The most memory that the latest process was ever seen to hold, in MB; 0 where the machine does not tell (it has no /proc)."""
        try:
            status = Path(f"/proc/{self.process.pid if self.process else 0}/status").read_text()
        except OSError:
            return self._most
        told = next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
        self._most = max(self._most, told)
        return self._most


def _watch(process: subprocess.Popen[bytes], api: RuntimeApi) -> None:
    code = process.wait()
    api.tell(Word("exit", body=(f"exit status {code}" if code >= 0 else f"signal: {_signal_name(-code)}").encode()))


def _signal_name(number: int) -> str:
    return "killed" if number == signal.SIGKILL else signal.strsignal(number) or str(number)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def answer(outcome: Outcome) -> Any:
    """The outcome's body as a value."""
    return json.loads(outcome.body) if outcome.body else None
