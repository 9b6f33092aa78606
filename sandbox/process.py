"""The server as a process: started in the background, found again, stopped with all that it started."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "sandbox"
PYTHON = ROOT / ".tools" / "server" / "bin" / "python"
PATIENCE = 30  # seconds until a server that does not answer is given up


class Trouble(RuntimeError):
    """What went wrong, where, and what to do about it: a sentence for whoever typed the verb."""


@dataclass(frozen=True)
class Server:
    """The server of one port."""

    port: int

    @property
    def folder(self) -> Path:
        return FOLDER / str(self.port)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def running(self) -> int | None:
        """The process id, if the server that we started still lives."""
        try:
            pid = int((self.folder / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").is_dir() else b"sandbox.server"
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if b"sandbox.server" in command else None

    def up(self, switches: Sequence[str] = ()) -> None:
        """Start the server and wait until it answers; Trouble if the port is taken or it does not come up."""
        if not PYTHON.exists():
            raise Trouble(f"{PYTHON.relative_to(ROOT)} is missing: the sandbox is not set up; say `make setup` first")
        if self._taken():
            raise Trouble(
                f"port {self.port} is taken by another program; stop that one, or choose another: up --port {self.port + 1}"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        process = self._start(switches)
        (self.folder / "pid").write_text(str(process.pid))
        self._wait(process)

    def down(self) -> bool:
        """Stop the server and everything that it started; False if it was not running."""
        pid = self.running()
        if pid is not None:
            _signal(pid, signal.SIGTERM)
            for _ in range(100):
                if self.running() is None:
                    break
                time.sleep(0.05)
            _signal(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        return pid is not None

    def ask(self, path: str, method: str = "GET") -> Any:
        """The server's own answer to `path`; Trouble if it does not run, or refuses."""
        if self.running() is None and not self._taken():
            raise Trouble(f"no sandbox answers on port {self.port}; start one: python -m sandbox up --port {self.port}")
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  -- loopback
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            raise Trouble(json.load(refused).get("error", str(refused))) from refused

    def _taken(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _start(self, switches: Sequence[str]) -> subprocess.Popen[bytes]:
        scratch = self.folder / "tmp"
        scratch.mkdir()
        # Nothing of the caller's environment reaches the server, nor by it the functions.
        environment = {"PATH": os.environ["PATH"], "HOME": str(scratch), "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)}
        environment["SANDBOX_SWITCHES"] = " ".join(switches)
        environment |= {name: value for name, value in os.environ.items() if name.startswith("SANDBOX_")}
        with self.log.open("wb") as out:
            command = [PYTHON, "-m", "sandbox.server", "--port", str(self.port)]
            return subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(PATIENCE * 20):
            if process.poll() is not None:
                raise Trouble(f"the server ended while it started; the end of {self.log}:\n{self.log.read_text()[-2000:]}")
            try:
                self.ask("/_ministack/health")
            except (OSError, Trouble):
                time.sleep(0.05)
            else:
                return
        self.down()
        raise Trouble(f"the server did not answer within {PATIENCE} s; see {self.log}")


def running() -> list[Server]:
    """Every server that was started from this folder and still lives."""
    ports = [int(path.name) for path in FOLDER.glob("*") if path.name.isdigit()]
    return [Server(port) for port in sorted(ports) if Server(port).running()]


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
