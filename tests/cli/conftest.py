"""Each test runs commands on a stack of its own, on a sandbox that the worker keeps."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from grantor.cli.main import main
from tests.cli.stack_setup import assume_role_with, deploy_stack
from tests.conftest import Sandbox
from tests.grantor_setup import GrantorSetup, build_session, set_up_grantor


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

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
class CommandLine:
    """Runs commands on the stack of the setup."""

    setup: GrantorSetup
    capsys: pytest.CaptureFixture[str]
    outputs: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = deploy_stack(self.setup)

    def create_person(self, *policies: str) -> dict[str, str]:
        """Return the keys of a person with exactly these managed policies of the stack."""
        return assume_role_with(self.setup, *(self.outputs[policy] for policy in policies))

    def run(self, *words: str, keys: dict[str, str] | None = None) -> Answer:
        """Run `grantor WORDS` with these keys, by default with the administrator's."""
        keys = keys or self.setup.sandbox.root_keys
        self.capsys.readouterr()
        try:
            code = main(words, build_session(self.setup.config, keys))
        except SystemExit as usage:  # argparse exits by itself on invalid usage
            code = int(usage.code or 0)
        return Answer(code, *self.capsys.readouterr())

    def queued_subjects(self) -> list[list[str]]:
        """Receive the messages of the event queue; return the subjects of each."""
        names = self.setup.names
        messages = (
            self.setup.client("sqs")
            .receive_message(QueueUrl=names.event_queue, MaxNumberOfMessages=10)
            .get("Messages", [])
        )
        return [json.loads(message["Body"])["detail"]["subjects"] for message in messages]


@pytest.fixture(scope="session")
def cli_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def setup(cli_sandbox: Sandbox, tmp_path: Path) -> GrantorSetup:
    return set_up_grantor(cli_sandbox, tmp_path)


@pytest.fixture
def cli(setup: GrantorSetup, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(setup, capsys)
