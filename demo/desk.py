"""The desk that the story is played on: a sandbox of its own, SAM CLI, and boto3 clients for anyone in the story."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from demo.stage import Unmet

ROOT = Path(__file__).parent.parent
PATIENCE = 300  # seconds for a command that takes one minute where all is well


@dataclass(frozen=True)
class Desk:
    """A running sandbox: where it answers and the variables that make AWS's tools talk to it."""

    port: int
    environment: dict[str, str] = field(repr=False)

    @classmethod
    def up(cls, port: int) -> "Desk":
        """Start the sandbox on `port`; Unmet with its own words if it can't."""
        _sandbox("up", "--port", str(port))
        return cls(port, json.loads(_sandbox("env", "--json", "--port", str(port))))

    def down(self) -> None:
        _sandbox("down", "--port", str(self.port))

    def notebook(self, profile: str) -> "Desk":
        """The same desk with the credentials that a Studio notebook of `profile` has: its execution role's, nothing else."""
        return Desk(self.port, json.loads(_sandbox("env", "--json", "--port", str(self.port), "--as", profile)))

    def holding(self, keys: dict[str, str]) -> "Desk":
        """The same desk with the credentials that STS has given somebody."""
        names = {
            "AWS_ACCESS_KEY_ID": "AccessKeyId",
            "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
            "AWS_SESSION_TOKEN": "SessionToken",
        }
        return Desk(self.port, self.environment | {variable: keys[name] for variable, name in names.items()})

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        """A boto3 client for whoever sits here, or for whoever holds `credentials` as GetDataAccess gives them."""
        own = {key: self.environment.get(key) for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
        keys = [(credentials or {}).get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        session = boto3.Session(*(keys if credentials else own.values()), region_name=self.region)
        client = session.client(service, endpoint_url=self.url, config=Config(retries={"max_attempts": 2}))
        # boto3 puts the account before the host of S3 Control; `python -m sandbox env` says how a shell lives with it.
        client.meta.events.register_first("before-sign.s3-control", _without_account)
        return client

    @property
    def url(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def region(self) -> str:
        return self.environment["AWS_DEFAULT_REGION"]

    @property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    def sam(self, *words: str) -> str:
        """Run the unmodified SAM CLI against this desk and return what it printed; Unmet with all of it if it fails."""
        # The builders look for python3.12 on PATH, and the project's environment has one.
        path = os.pathsep.join([str(ROOT / ".venv/bin"), os.environ["PATH"]])
        environment = {"AWS_ENDPOINT_URL": self.url, "PATH": path, "SAM_CLI_TELEMETRY": "0"} | self._keys()
        return _run([str(ROOT / ".tools/sam/bin/sam"), *words], environment)

    def grantor(self, *words: str) -> str:
        """Run the command line of Grantor for whoever sits here, and return what it printed; Unmet if it fails."""
        return _run([str(ROOT / ".venv/bin/grantor"), *words], self.environment)

    def script(self, path: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a Python program with the libraries that a notebook has, as whoever the environment makes it; however it ends."""
        command = [str(ROOT / ".tools/spark/bin/python"), path]
        return subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def _keys(self) -> dict[str, str]:
        return {key: value for key, value in self.environment.items() if key.startswith("AWS_") and "ENDPOINT" not in key}


def _sandbox(*words: str) -> str:
    return _run([sys.executable, "-m", "sandbox", *words], {})


def _run(command: list[str], environment: dict[str, str]) -> str:
    shown = " ".join([Path(command[0]).name, *command[1:]])
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise Unmet(f"`{shown}` ends within {PATIENCE} s\n{(late.stdout or b'').decode()}") from late
    if done.returncode:
        raise Unmet(f"`{shown}` ends with 0\n{done.stdout}{done.stderr}")
    return done.stdout


def _without_account(request: Any, **_: Any) -> None:
    scheme, _, rest = request.url.partition("://")
    first, _, others = rest.partition(".")
    if first.isdigit() and len(first) == 12:
        request.url = f"{scheme}://{others}"
