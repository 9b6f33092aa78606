"""A sandbox for tests: a server on a free port, and boto3 clients for it."""

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

from sandbox.process import REGION, START_TIMEOUT, Server, server_command, server_environment
from sandbox.start_keys import StartKeys

ACCOUNT = "000000000000"
MODELS = botocore.loaders.create_loader()


@dataclass(frozen=True)
class Sandbox:
    """A running server: its port, its log, the keys of its start, and clients for it."""

    port: int
    log: Path
    start_keys: StartKeys

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @classmethod
    def find(cls, port: int, log: Path) -> "Sandbox":
        """Return the running server of this port. Raises SandboxError if it has no keys here."""
        return cls(port, log, Server(port).read_keys())

    @property
    def root_keys(self) -> dict[str, str]:
        """Return the administrator's keys, as STS returns keys."""
        return self.start_keys.credentials

    def client(
        self, service: str, credentials: dict[str, str] | None = None, **options: Any
    ) -> Any:
        """Return a boto3 client.

        `credentials` are as STS and GetDataAccess return them; without any it is the
        administrator's.
        """
        keys = credentials or self.root_keys
        config = Config(retries={"max_attempts": 1}, **options)
        made: Any = make_session(keys).client(service, endpoint_url=self.url, config=config)  # type: ignore[call-overload]
        # Where the account's prefix does not resolve, the host is changed back before
        # signing.
        made.meta.events.register_first("before-sign.s3-control", remove_account_prefix)
        return made

    def shared(self, service: str) -> Any:
        """Return the administrator's client that all share; making one costs as much as five calls.

        Nobody may register a handler on it.
        """
        return _make_shared_client(self, service)


@cache
def _make_shared_client(sandbox: Sandbox, service: str) -> Any:
    return sandbox.client(service)


def make_session(keys: dict[str, str]) -> boto3.Session:
    """Return a session with these keys, as STS gives them.

    All sessions share what botocore has read from disk, which is most of a client's cost.
    """
    core = botocore.session.Session()
    core.register_component("data_loader", MODELS)
    return boto3.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"), REGION, core
    )


def remove_account_prefix(request: Any, **_: Any) -> None:
    """Remove the account from the host of a request to S3 Control."""
    request.url = request.url.replace(f"://{ACCOUNT}.", "://", 1)


def find_free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(folder: Path, port: int | None = None) -> tuple[Sandbox, Callable[[], None]]:
    """Start a server that keeps all it writes in `folder`; return it, ready, and what stops it.

    Raises RuntimeError, with the server's log, if it does not answer in time.
    """
    port = port or find_free_port()
    log, keys = folder / "server.log", StartKeys.make()
    keys.write(Server(port).folder)  # for `python -m sandbox env`
    with log.open("wb") as out:
        server = subprocess.Popen(
            server_command(port),
            cwd=folder,
            env=server_environment(folder, keys),
            stdout=out,
            stderr=out,
        )

    def stop() -> None:
        server.terminate()
        server.wait(10)
        shutil.rmtree(Server(port).folder, ignore_errors=True)

    try:
        _wait_until_ready(port, server, log)
    except RuntimeError:
        stop()
        raise
    return Sandbox(port, log, keys), stop


def _wait_until_ready(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(START_TIMEOUT * 10):
        if server.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server was not ready in {START_TIMEOUT} s:\n{log.read_text()}")
