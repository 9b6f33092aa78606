"""A running sandbox: boto3 clients, SAM CLI and the command line, for any identity in it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from harness.steps import ExpectationError
from sandbox.testing.running import find_free_port

ROOT = Path(__file__).parent.parent
COMMAND_SECONDS = 300  # the longest command takes about one minute
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AccessKeyId",
    "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
    "AWS_SESSION_TOKEN": "SessionToken",
}


@dataclass(frozen=True)
class SandboxSession:
    """A running sandbox and one identity in it: the port, and the environment of AWS's tools."""

    port: int
    environment: dict[str, str] = field(repr=False)

    @classmethod
    def start(cls, port: int) -> "SandboxSession":
        """Start the sandbox on `port`. Raises ExpectationError with its output if it fails."""
        _run_sandbox("up", "--port", str(port))
        return cls(port, json.loads(_run_sandbox("env", "--json", "--port", str(port))))

    def stop(self) -> None:
        """Stop the sandbox."""
        _run_sandbox("down", "--port", str(self.port))

    def as_profile(self, profile: str) -> "SandboxSession":
        """The same sandbox with a Studio notebook's credentials: those of the execution role."""
        printed = _run_sandbox("env", "--json", "--port", str(self.port), "--as", profile)
        return SandboxSession(self.port, json.loads(printed))

    def with_credentials(self, keys: dict[str, str]) -> "SandboxSession":
        """The same sandbox with credentials from STS."""
        own = {variable: keys[name] for variable, name in CREDENTIALS.items()}
        return SandboxSession(self.port, self.environment | own)

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        """A boto3 client for this identity, or for `credentials` as GetDataAccess returns them."""
        own = {name: self.environment.get(variable) for variable, name in CREDENTIALS.items()}
        key, secret, token = ((credentials or own).get(name) for name in CREDENTIALS.values())
        session: Any = boto3.Session(key, secret, token, region_name=self.region)
        config = Config(retries={"max_attempts": 2})
        client = session.client(service, endpoint_url=self.url, config=config)
        # boto3 puts the account before the host of S3 Control, and the sandbox has one host.
        client.meta.events.register_first("before-sign.s3-control", _remove_account)
        return client

    @property
    def url(self) -> str:
        """Where the sandbox answers."""
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def region(self) -> str:
        """The Region of the sandbox."""
        return self.environment["AWS_DEFAULT_REGION"]

    @property
    def account(self) -> str:
        """The account id. One call to STS."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def run_sam(self, *arguments: str) -> str:
        """Run the unmodified SAM CLI and return its output. Raises ExpectationError if it fails."""
        # SAM's builders look for python3.12 on PATH, and the project's environment has one.
        path = os.pathsep.join([str(ROOT / ".venv/bin"), os.environ["PATH"]])
        own = {"AWS_ENDPOINT_URL": self.url, "PATH": path, "SAM_CLI_TELEMETRY": "0"}
        return _run([str(ROOT / ".tools/sam/bin/sam"), *arguments], own | self._aws_variables())

    def run_grantor(self, *arguments: str) -> str:
        """Run Grantor's command line and return its output. Raises ExpectationError if it fails."""
        return _run([str(ROOT / ".venv/bin/grantor"), *arguments], self.environment)

    def run_notebook_script(
        self, path: str, variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python script with the libraries of a notebook, whatever its exit code."""
        command = [str(ROOT / ".tools/spark/bin/python"), path]
        environment = os.environ | self.environment | variables
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip

    def _aws_variables(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.environment.items()
            if name.startswith("AWS_") and "ENDPOINT" not in name
        }


@contextmanager
def open_session(port: int | None = None) -> Iterator[SandboxSession]:
    """Start a sandbox on `port` or on a free one, and stop it at the end."""
    session = SandboxSession.start(port or find_free_port())
    try:
        yield session
    finally:
        session.stop()


def _run_sandbox(*arguments: str) -> str:
    return _run([sys.executable, "-m", "sandbox", *arguments], {})


def _run(command: list[str], environment: dict[str, str]) -> str:
    shown = " ".join([Path(command[0]).name, *command[1:]])
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        printed = (late.stdout or b"").decode()
        raise ExpectationError(f"`{shown}` ends within {COMMAND_SECONDS} s\n{printed}") from late
    if done.returncode:
        raise ExpectationError(f"`{shown}` exits with 0\n{done.stdout}{done.stderr}")
    return done.stdout


def _remove_account(request: Any, **_: Any) -> None:
    scheme, _, rest = request.url.partition("://")
    first, _, others = rest.partition(".")
    if first.isdigit() and len(first) == 12:
        request.url = f"{scheme}://{others}"
