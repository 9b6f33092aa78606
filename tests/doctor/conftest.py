"""One deployed stack for the folder, and `grantor doctor` on it."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from grantor.cli.main import main
from sandbox.testing.helpers import call_control, policy_document, unique_name, wait_until
from tests.conftest import ACCOUNT, REGION, Sandbox
from tests.grantor_setup import build_session
from tests.teardown.empty_account import DeployedStack, EmptyAccount, package_stack

Problem = tuple[str, str]  # the id of a finding, and its severity
CALM = ("ok", "skipped")


@dataclass(frozen=True)
class Patient:
    """An account of the sandbox, with a stack or without."""

    account: EmptyAccount
    stack: DeployedStack
    config: Path

    def client(self, service: str) -> Any:
        return self.account.client(service)

    @property
    def sandbox(self) -> Sandbox:
        return self.account.sandbox

    @cached_property
    def outputs(self) -> dict[str, str]:
        return self.stack.read_outputs()

    def run(
        self, *words: str, keys: dict[str, str] | None = None, region: str = REGION
    ) -> tuple[int, str]:
        """Run `grantor WORDS` with these keys, by default the root's: exit code and output."""
        session, printed = build_session(self.config, keys or self.sandbox.root_keys), io.StringIO()
        session.set_config_variable("region", region)
        with redirect_stdout(printed):
            code = main(words, session)
        return code, printed.getvalue()

    def list_problems(
        self, *words: str, keys: dict[str, str] | None = None, region: str = REGION
    ) -> set[Problem]:
        """What `grantor doctor` finds wrong, each with what it means and what to do."""
        code, printed = self.run("doctor", "--json", *words, keys=keys, region=region)
        document = json.loads(printed)
        wrong = [one for one in document["findings"] if one["severity"] not in CALM]
        assert all(one["meaning"] and one["remedy"] for one in wrong)
        counts = document["counts"]
        assert code == int(counts["failure"] + counts["unknown"] > 0)
        return {(one["id"], one["severity"]) for one in wrong}

    @contextmanager
    def switched(self, **switches: Any) -> Iterator[None]:
        """Set switches of the sandbox, and restore them."""
        call_control(self.sandbox, "faults", "POST", {"switches": switches})
        yield
        call_control(self.sandbox, "faults", "DELETE")

    def create_person(self, *policies: str, **inline: str) -> dict[str, str]:
        """Return the keys of a person with these managed policies of the stack, and these inline
        documents.
        """
        iam, name = self.client("iam"), unique_name("person")
        principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        trust = policy_document({"Principal": principal, "Action": "sts:AssumeRole"})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for policy in policies:
            iam.attach_role_policy(RoleName=name, PolicyArn=self.outputs[policy])
        for policy, document in inline.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
        asked = {"RoleArn": arn, "RoleSessionName": "ana"}
        return dict(self.client("sts").assume_role(**asked)["Credentials"])


@pytest.fixture(scope="session")
def account(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> EmptyAccount:
    sandbox = start_sandbox()
    return EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))


@pytest.fixture(scope="session")
def newcomer(account: EmptyAccount, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    """An account without a stack."""
    config = tmp_path_factory.mktemp("config") / "aws-config"
    config.write_text(f"[default]\nregion = {REGION}\nendpoint_url = {account.sandbox.url}\n")
    return Patient(account, account.build_stack(), config)


@pytest.fixture(scope="session")
def patient(newcomer: Patient) -> Patient:
    """A stack with default parameters after its first sweep, with somebody who gets its alerts."""
    newcomer.account.reset()
    assert newcomer.stack.create() == "CREATE_COMPLETE", newcomer.stack.describe_failures()
    sqs, sns = newcomer.client("sqs"), newcomer.client("sns")
    sqs.create_queue(QueueName="on-call")
    on_call = f"arn:aws:sqs:{REGION}:{ACCOUNT}:on-call"
    sns.subscribe(TopicArn=newcomer.outputs["AlertTopic"], Protocol="sqs", Endpoint=on_call)
    call_control(newcomer.sandbox, "fire-schedules", "POST")
    wait_until(lambda: ("first-sweep", "warning") not in newcomer.list_problems(), 30)
    return newcomer
