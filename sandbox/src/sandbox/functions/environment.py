"""One execution environment: a process that holds a function, from its init to its last invocation.

The interpreter is bare (`-S`: no site-packages, none of our code). It sees the function's code,
then its layers, then what Lambda itself brings (awslambdaric and boto3). Its output goes to a file,
so that everything printed before an answer has arrived when the answer does, without waiting.
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

from sandbox.functions import moved_clock
from sandbox.functions.moved_clock import read_moved_seconds
from sandbox.functions.runtime_api import Invocation, RuntimeApi, RuntimeMessage

# Seconds. After that init is tried again, within the invocation's time (AWS, "Understanding the
# Lambda execution environment lifecycle").
INIT_TIMEOUT = 10.0
MEMORY_INTERVAL = 0.05  # seconds between two measurements of a running function's memory


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
    """What the machine provides.

    The interpreter, Lambda's own libraries, a folder to write to, the variables that direct
    clients to this AWS, and the file of a clock that was moved on.
    """

    python: Path
    runtime: Path
    folder: Path
    variables: dict[str, str]
    clock: Path | None = None


@dataclass(frozen=True)
class InvocationResult:
    """How an invocation ended: its answer as JSON text, and its log by line.

    If it `failed`, the answer is Lambda's error object.
    """

    body: bytes
    failed: bool
    log: tuple[str, ...]


@dataclass
class Environment:
    """Runs one invocation at a time. A process that has ended is replaced at the next one."""

    function: Function
    host: Host
    process: subprocess.Popen[bytes] | None = None
    _api: RuntimeApi | None = None
    _read: int = 0
    _most: int = 0
    _log: list[str] = field(default_factory=list)

    def invoke(
        self, payload: bytes, request_id: str, trace_id: str | None = None
    ) -> InvocationResult:
        """Run the handler once, within the function's time and memory.

        Nothing that the function does raises.
        """
        self._log = [f"START RequestId: {request_id} Version: {self.function.version}"]
        warm = self.process is not None and self.process.poll() is None
        begun = time.monotonic()
        init = None if warm else self._start_and_wait(request_id)
        duration = 0.0
        if init is None:
            started = time.monotonic()
            init = self._run_invocation(payload, request_id, trace_id)
            duration = time.monotonic() - started
        self._read_output()
        took = None if warm else time.monotonic() - begun - duration
        return self._finish_invocation(init, request_id, duration, took)

    def stop(self) -> None:
        """End the process and everything that it started."""
        process, self.process = self.process, None
        api, self._api = self._api, None
        if process is not None:
            _kill_group(process)
        if api is not None:
            api.close()

    def _start_and_wait(self, request_id: str) -> RuntimeMessage | None:
        """Start the process. Return None once it waits for work, else how it failed."""
        for seconds in (INIT_TIMEOUT, self.function.timeout):
            self._start_process()
            until = time.monotonic() + seconds
            word = self._wait_for_message({"next", "init", "exit"}, until)
            if word is not None:
                return None if word.kind == "next" else self._report_exit(word, request_id)
            self._read_output()
            self.stop()
            self._log.append(
                f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms\tPhase: init\tStatus: timeout"
            )
        return self._report_timeout(request_id)

    def _run_invocation(
        self, payload: bytes, request_id: str, trace_id: str | None
    ) -> RuntimeMessage:
        now = time.time() + read_moved_seconds(self.host.clock)
        invocation = Invocation(
            request_id, payload, self.function.arn, now + self.function.timeout, trace_id
        )
        if self._api is None:
            raise RuntimeError("the environment has no process")  # _start_and_wait comes first
        self._api.send_invocation(invocation)
        word = self._wait_for_message(
            {"response", "error", "exit"}, time.monotonic() + self.function.timeout, request_id
        )
        if word is None:
            return self._report_timeout(request_id)
        return self._report_exit(word, request_id) if word.kind == "exit" else word

    def _wait_for_message(
        self, kinds: set[str], until: float, request_id: str = ""
    ) -> RuntimeMessage | None:
        """Return the first message of these kinds; None after `until`.

        Like Lambda, end the process if it takes more memory than the function has.
        """
        while self._api is not None:
            word = self._api.next_message(min(until, time.monotonic() + MEMORY_INTERVAL))
            if self._measure_memory() > self.function.memory and self.process is not None:
                _kill_group(self.process)
                return RuntimeMessage("exit", request_id, b"signal: killed")
            if word is not None and word.kind in kinds and word.request_id in {request_id, ""}:
                return word
            if word is None and time.monotonic() >= until:
                return None
        return None

    def _report_exit(self, word: RuntimeMessage, request_id: str) -> RuntimeMessage:
        """Return the error for a process that ended or could not start.

        Another one serves the next invocation.
        """
        self._read_output()
        self.stop()
        if word.kind == "init":
            return RuntimeMessage("error", request_id, word.body)
        how = word.body.decode()
        said = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
        return RuntimeMessage("error", request_id, _error_object("Runtime.ExitError", said))

    def _report_timeout(self, request_id: str) -> RuntimeMessage:
        self._read_output()
        self.stop()
        text = f"Task timed out after {self.function.timeout:.2f} seconds"
        self._log.append(
            f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:-6]}Z {request_id} {text}"
        )
        return RuntimeMessage(
            "error",
            request_id,
            _error_object("Sandbox.Timedout", f"RequestId: {request_id} Error: {text}"),
        )

    def _finish_invocation(
        self, word: RuntimeMessage, request_id: str, duration: float, init: float | None
    ) -> InvocationResult:
        spent = duration * 1000
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {spent:.2f} ms",
            f"Billed Duration: {max(1, -int(-spent // 1))} ms",
            f"Memory Size: {self.function.memory} MB",
            f"Max Memory Used: {min(self._measure_memory(), self.function.memory)} MB",
        ]
        report += [] if init is None else [f"Init Duration: {init * 1000:.2f} ms"]
        self._log += [f"END RequestId: {request_id}", "\t".join(report)]
        return InvocationResult(word.body, word.kind == "error", tuple(self._log))

    def _start_process(self) -> None:
        self._api = RuntimeApi()
        self.host.folder.mkdir(parents=True, exist_ok=True)
        output = self.host.folder / "output"
        self._read = self._most = 0
        program = ["-m", "awslambdaric"]
        if self.host.clock:
            program = ["-P", moved_clock.__file__, str(self.host.clock)]
        command = [str(self.host.python), "-S", "-B", *program, self.function.handler]
        with output.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                cwd=self.function.paths[0],
                env=self._build_variables(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        threading.Thread(target=_watch_process, args=(self.process, self._api), daemon=True).start()

    def _build_variables(self) -> dict[str, str]:
        """Return the process's environment.

        The function's own variables may not replace Lambda's (AWS, "Defined runtime
        environment variables").
        """
        function, api = self.function, self._api
        path = [*function.paths, self.host.runtime]
        return (
            function.variables
            | self.host.variables
            | {
                "_HANDLER": function.handler,
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
                "AWS_LAMBDA_FUNCTION_NAME": function.name,
                "AWS_LAMBDA_FUNCTION_VERSION": function.version,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
                "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{self.host.folder.name}",  # noqa: E501  -- one text
                "AWS_LAMBDA_RUNTIME_API": api.address if api else "",
                "LAMBDA_TASK_ROOT": str(function.paths[0]),
                "LAMBDA_RUNTIME_DIR": str(self.host.runtime),
                "LANG": "en_US.UTF-8",
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "TMPDIR": str(self.host.folder),  # Lambda has a /tmp for each environment
                "TZ": ":UTC",
            }
        )

    def _read_output(self) -> None:
        """Move what the process has printed since the last call into the log."""
        output = self.host.folder / "output"
        if not output.exists():
            return
        with output.open("rb") as lines:
            lines.seek(self._read)
            new = lines.read()
        self._read += len(new)
        self._log += new.decode(errors="replace").splitlines()

    def _measure_memory(self) -> int:
        """Return the most memory that the current process was seen to hold, in MB.

        It is 0 on a machine without /proc.
        """
        try:
            status = Path(f"/proc/{self.process.pid if self.process else 0}/status").read_text()
        except OSError:
            return self._most
        peak = next(
            (
                int(line.split()[1]) // 1024
                for line in status.splitlines()
                if line.startswith("VmHWM:")
            ),
            0,
        )
        self._most = max(self._most, peak)
        return self._most


def _watch_process(process: subprocess.Popen[bytes], api: RuntimeApi) -> None:
    code = process.wait()
    api.add_message(
        RuntimeMessage(
            "exit",
            body=(
                f"exit status {code}" if code >= 0 else f"signal: {_signal_name(-code)}"
            ).encode(),
        )
    )


def _signal_name(number: int) -> str:
    return "killed" if number == signal.SIGKILL else signal.strsignal(number) or str(number)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _error_object(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
