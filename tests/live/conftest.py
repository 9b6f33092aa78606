"""The account that the probes are tried on: one inside the process, whose switches each test sets, and the sandbox's server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from sandbox.__main__ import variables_of
from sandbox.access_grants import Switches
from sandbox.in_process import access_grants
from sandbox.process import Server
from tests.conftest import REGION, Sandbox
from tests.live.account import LIVE, Account
from tests.live.ground import Ground, ground
from tests.sandbox.desk import allowing, ask, reset

INSIDE = "123456789012"
RIGHTS = Path(__file__).parent / "rights.json"


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Account]]:
    """An account inside the process, with these switches, found by AWS's usual chain."""
    opened: list[Any] = []

    def way(**switches: Any) -> Account:
        for manager in (mock_aws(), access_grants(Switches(**switches))):
            manager.__enter__()
            opened.append(manager)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        return Account.of({LIVE: INSIDE})

    yield way
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


@pytest.fixture(scope="module")
def on_server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def engineer(on_server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The sandbox's account, as somebody who may do what docs/live.md asks for and nothing else; found by AWS's usual chain."""
    reset(on_server)
    ask(on_server, "faults", "DELETE")
    for name, value in (variables_of(Server(on_server.port), None, None) | _keys(on_server)).items():
        monkeypatch.setenv(name, value)
    return Account.of({LIVE: "000000000000"})


def _keys(sandbox: Sandbox) -> dict[str, str]:
    iam = sandbox.client("iam")
    trust = allowing({"Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="engineer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="engineer", PolicyName="live", PolicyDocument=RIGHTS.read_text())
    keys = sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName="eva")["Credentials"]
    names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY", "SessionToken": "AWS_SESSION_TOKEN"}
    return {variable: keys[name] for name, variable in names.items()}


@pytest.fixture
def here(engineer: Account, tmp_path: Path) -> Iterator[Ground]:
    """A ground on the server."""
    with ground(engineer, tmp_path, patience=10, doubt=0) as laid:
        laid.open()
        yield laid
