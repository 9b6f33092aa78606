"""The server as a process: started in the background, found again, stopped with its children."""

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

from sandbox.paths import PACKAGE, SOURCES, SandboxError, find_server_python, find_state_folder
from sandbox.start_keys import StartKeys

REGION = "us-east-1"
AWS_CLI = PACKAGE / "aws_cli"  # what makes the AWS CLI talk to a sandbox alone
START_TIMEOUT = 30  # seconds until a server that does not answer is given up


def server_command(port: int) -> list[str]:
    """Return the command that runs the server in the foreground.

    Raises SandboxError if the server is not set up.
    """
    return [str(find_server_python()), "-P", "-m", "sandbox.server", "--port", str(port)]


def server_environment(scratch: Path, keys: StartKeys) -> dict[str, str]:
    """Return the server's environment, which holds nothing of the caller's but PATH and SANDBOX_*.

    So nothing of the caller's reaches the functions either. `keys` are those of this start.
    """
    environment = {name: value for name, value in os.environ.items() if name.startswith("SANDBOX_")}
    environment.pop("SANDBOX_TOKEN", None)  # of another start
    if record := environment.get("SANDBOX_JUDGEMENTS"):
        environment["SANDBOX_JUDGEMENTS"] = str(Path(record).absolute())
    places = {"HOME": str(scratch), "TMPDIR": str(scratch), "PYTHONPATH": str(SOURCES)}
    return environment | places | keys.variables | {"PATH": os.environ["PATH"]}


@dataclass(frozen=True)
class Server:
    """The server of one port."""

    port: int

    @property
    def folder(self) -> Path:
        return find_state_folder() / str(self.port)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def find_pid(self) -> int | None:
        """Return the process id of the server if we started it and it still runs."""
        try:
            pid = int((self.folder / "pid").read_text())
            has_proc = Path("/proc").is_dir()
            command = Path(f"/proc/{pid}/cmdline").read_bytes() if has_proc else b"sandbox.server"
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if b"sandbox.server" in command else None

    def start(self, switches: Sequence[str] = ()) -> None:
        """Start the server and wait until it answers.

        Raises SandboxError if it is not set up, if the port is taken, or if it does not
        answer in time.
        """
        command = server_command(self.port)
        if self._is_port_open():
            raise SandboxError(
                f"port {self.port} is taken by another program; stop that one, or choose another: "
                f"up --port {self.port + 1}"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        keys = StartKeys.make()
        keys.write(self.folder)
        process = self._spawn(command, switches, keys)
        (self.folder / "pid").write_text(str(process.pid))
        self._wait_until_ready(process)

    def stop(self) -> bool:
        """Stop the server and everything that it started; return False if it was not running."""
        pid = self.find_pid()
        if pid is not None:
            _signal_group(pid, signal.SIGTERM)
            for _ in range(100):
                if self.find_pid() is None:
                    break
                time.sleep(0.05)
            _signal_group(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        return pid is not None

    def request_json(self, path: str, method: str = "GET") -> Any:
        """Return what the server itself answers for `path`.

        Raises SandboxError if it does not run, or refuses.
        """
        if self.find_pid() is None and not self._is_port_open():
            raise SandboxError(
                f"no sandbox answers on port {self.port}; start one: python -m sandbox up --port "
                f"{self.port}"
            )
        token = {"Authorization": keys.token} if (keys := StartKeys.read(self.folder)) else {}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method, headers=token
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  -- loopback
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise SandboxError(json.load(refusal).get("error", str(refusal))) from refusal

    def client_variables(
        self, profile: str | None = None, domain: str | None = None
    ) -> dict[str, str]:
        """Return the environment variables that make AWS's clients talk to this server, and to no
        other: https ends at an authority that nobody has.

        They hold the administrator's keys and the token of /_sandbox/, or with `profile` the
        keys of a notebook of that Studio user profile, which has no token.
        """
        self.request_json("/_ministack/health")
        start = self.read_keys()
        keys = start.credentials | {"SessionToken": ""}
        if profile:
            within = f"&domain={domain}" if domain else ""
            keys = self.request_json(f"/_sandbox/notebook?profile={profile}{within}")
        return {
            "SANDBOX_TOKEN": "" if profile else start.token,
            "AWS_ENDPOINT_URL": self.url,
            # AWS's tools put the account before the host of S3 Control, a name that
            # does not resolve here. That service goes through the server as its
            # proxy, which resolves no name.
            "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.sandbox",
            "HTTP_PROXY": self.url,
            "http_proxy": self.url,
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            # The AWS CLI, version 1, has addresses of its own for some services, SQS among them.
            # A plug-in undoes that; the CLI finds it in its configuration and on Python's path.
            "AWS_CONFIG_FILE": str(AWS_CLI / "config"),
            "AWS_PROFILE": "default",
            "PYTHONPATH": _add_to_path(AWS_CLI, os.environ.get("PYTHONPATH", "")),
            "AWS_CA_BUNDLE": str(AWS_CLI / "no_authority.pem"),
        }

    def app_variables(self, domain: str, space: str) -> dict[str, str]:
        """Return the whole environment of a process in a space's running app.

        It holds where the credentials of the space's owner are, and no keys and no token. The
        space has a home folder of its own, which is created. Raises SandboxError if no app runs.
        """
        found: dict[str, str] = self.request_json(
            f"/_sandbox/notebook?domain={domain}&space={space}"
        )
        home = self.folder / "spaces" / domain / space
        home.mkdir(parents=True, exist_ok=True)
        return found | {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}

    def read_keys(self) -> StartKeys:
        """Return the keys of this start. Raises SandboxError if we did not start the server."""
        if keys := StartKeys.read(self.folder):
            return keys
        raise SandboxError(
            f"the sandbox on port {self.port} was not started from here, and its keys are in "
            f"{self.folder} only: run this where it was started, or start one of your own"
        )

    def _is_port_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _spawn(
        self, command: list[str], switches: Sequence[str], keys: StartKeys
    ) -> subprocess.Popen[bytes]:
        scratch = self.folder / "tmp"
        scratch.mkdir()
        # SANDBOX_SWITCHES in the caller's environment takes precedence: it applies to
        # every server.
        environment = {"SANDBOX_SWITCHES": " ".join(switches)} | server_environment(scratch, keys)
        with self.log.open("wb") as out:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(START_TIMEOUT * 20):
            if process.poll() is not None:
                end = self.log.read_text()[-2000:]
                raise SandboxError(
                    f"the server ended while it started; the end of {self.log}:\n{end}"
                )
            try:
                self.request_json("/_ministack/health")
            except (OSError, SandboxError):
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise SandboxError(f"the server did not answer within {START_TIMEOUT} s; see {self.log}")


def _add_to_path(folder: Path, path: str) -> str:
    """Return a search path with the folder at its end, once."""
    others = (place for place in path.split(os.pathsep) if place and place != str(folder))
    return os.pathsep.join([*others, str(folder)])


def list_running() -> list[Server]:
    """List every server that was started from this state folder and still runs."""
    ports = [int(path.name) for path in find_state_folder().glob("*") if path.name.isdigit()]
    return [Server(port) for port in sorted(ports) if Server(port).find_pid()]


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
