"""Accounts for the probes: one in process, whose switches each test sets, and one on the sandbox's
server.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from sandbox.in_process import access_grants
from sandbox.process import Server
from sandbox.switches import GrantSwitches
from sandbox.testing.helpers import call_control, policy_document, reset_sandbox
from tests.conftest import REGION, Sandbox
from tests.live.account import LIVE, Account
from tests.live.workspace import Workspace, open_workspace

INSIDE = "123456789012"
RIGHTS = Path(__file__).parent / "rights.json"


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Account]]:
    """Opens an account in process, with these switches, found by AWS's usual credential chain."""
    opened: list[Any] = []

    def open_account(**switches: Any) -> Account:
        for manager in (mock_aws(), access_grants(GrantSwitches(**switches))):
            manager.__enter__()
            opened.append(manager)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        return Account.from_environment({LIVE: INSIDE})

    yield open_account
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


@pytest.fixture(scope="module")
def on_server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def engineer(on_server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The sandbox's account with exactly the permissions that docs/live.md asks for, found by AWS's
    usual credential chain.
    """
    reset_sandbox(on_server)
    call_control(on_server, "faults", "DELETE")
    for name, value in (
        Server(on_server.port).client_variables() | _assume_engineer(on_server)
    ).items():
        monkeypatch.setenv(name, value)
    return Account.from_environment({LIVE: "000000000000"})


def _assume_engineer(sandbox: Sandbox) -> dict[str, str]:
    iam = sandbox.client("iam")
    trust = policy_document(
        {"Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    )
    role = iam.create_role(RoleName="engineer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="engineer", PolicyName="live", PolicyDocument=RIGHTS.read_text())
    keys = sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName="eva")["Credentials"]
    names = {
        "AccessKeyId": "AWS_ACCESS_KEY_ID",
        "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
        "SessionToken": "AWS_SESSION_TOKEN",
    }
    return {variable: keys[name] for name, variable in names.items()}


@pytest.fixture
def workspace(engineer: Account, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace on the server."""
    with open_workspace(engineer, tmp_path, patience=10, doubt=0) as opened:
        opened.set_up()
        yield opened
