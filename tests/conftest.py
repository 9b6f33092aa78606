"""What every test may ask for: a running sandbox of its own worker, and clients that speak to it as anyone would."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings

# Helpers of tests that say with pytest's own words what they saw; whoever imports them first.
pytest.register_assert_rewrite("tests.engine.watch", "tests.engine.change")

# A busy machine makes no test fail: examples are counted, never timed.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

ROOT = Path(__file__).parent.parent
ACCOUNT = "000000000000"
REGION = "us-east-1"
MODELS = botocore.loaders.create_loader()


@dataclass(frozen=True)
class Sandbox:
    """A running server: its port, and clients for it."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self, service: str, credentials: dict[str, str] | None = None, **options: Any) -> Any:
        """A boto3 client; `credentials` as STS and GetDataAccess give them, else the administrator's."""
        given = credentials or {"AccessKeyId": "test", "SecretAccessKey": "test"}
        made = session(given).client(service, endpoint_url=self.url, config=Config(retries={"max_attempts": 1}, **options))
        # Where the account's prefix does not resolve (see `python -m sandbox env`), the host is put back before signing.
        made.meta.events.register_first("before-sign.s3-control", without_account_prefix)
        return made

    def shared(self, service: str) -> Any:
        """The administrator's client that all share who register nothing on it: making one costs as much as five calls."""
        return _shared(self, service)


@cache
def _shared(sandbox: Sandbox, service: str) -> Any:
    return sandbox.client(service)


def session(keys: dict[str, str]) -> boto3.Session:
    """A session with these keys as STS gives them; all share what botocore read from disk, which is most of a client's cost."""
    core = botocore.session.Session()
    core.register_component("data_loader", MODELS)
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"), REGION, core)


def without_account_prefix(request: Any, **_: Any) -> None:
    request.url = request.url.replace(f"://{ACCOUNT}.", "://", 1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def start_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sandbox]]:
    """Starts servers on free ports and stops them all at the end."""
    running: list[subprocess.Popen[bytes]] = []

    def start(port: int | None = None) -> Sandbox:
        port = port or free_port()
        log = tmp_path_factory.mktemp("sandbox") / "server.log"
        python = ROOT / ".tools/server/bin/python"
        environment = {"PATH": os.environ["PATH"], "HOME": str(log.parent), "PYTHONPATH": str(ROOT), "TMPDIR": str(log.parent)}
        environment |= {name: value for name, value in os.environ.items() if name.startswith("SANDBOX_")}
        command = [python, "-m", "sandbox.server", "--port", str(port)]
        with log.open("wb") as out:
            server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        running.append(server)
        wait_until_ready(port, server, log)
        return Sandbox(port, log)

    yield start
    for server in running:
        server.terminate()
        server.wait(10)


def wait_until_ready(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            pytest.fail(f"the server did not start:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server was not ready in 30 s:\n{log.read_text()}")


@pytest.fixture(scope="session")
def server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """One server for this worker's whole session; a test cleans up what it makes, or uses names of its own."""
    return start_sandbox()
