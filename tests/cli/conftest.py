"""The command line as people use it, in an estate of their own, on a server that its worker keeps for these tests alone."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from grantor.cli.main import main
from tests.cli.deployed import deploy, session_of
from tests.conftest import Sandbox
from tests.estate import Estate, lay, session

ADMINISTRATOR = {"AccessKeyId": "test", "SecretAccessKey": "test"}


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """Somebody who sits at the command line of the estate's stack."""

    estate: Estate
    capsys: pytest.CaptureFixture[str]
    outputs: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = deploy(self.estate)

    def person(self, *policies: str) -> dict[str, str]:
        """The keys of somebody with just these of the stack's managed policies."""
        return session_of(self.estate, *(self.outputs[policy] for policy in policies))

    def grantor(self, *words: str, keys: dict[str, str] = ADMINISTRATOR) -> Said:
        """What `grantor WORDS` answers to whoever has the keys."""
        self.capsys.readouterr()
        code = main(words, session(self.estate.config, keys))
        return Said(code, *self.capsys.readouterr())

    def rung(self) -> list[list[str]]:
        """What the bells in the queue are about."""
        names = self.estate.names
        messages = self.estate.client("sqs").receive_message(QueueUrl=names.bells, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["detail"]["bells"] for message in messages]


@pytest.fixture(scope="session")
def cli_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def estate(cli_sandbox: Sandbox, tmp_path: Path) -> Estate:
    return lay(cli_sandbox, tmp_path)


@pytest.fixture
def desk(estate: Estate, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(estate, capsys)
