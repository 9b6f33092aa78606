"""The two ways to the service's rules: the server, and inside the process under moto.

Every scenario that asks for `aws` runs on both.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from sandbox.in_process import access_grants
from sandbox.switches import GrantSwitches
from sandbox.testing.helpers import call_control, reset_sandbox
from sandbox.testing.running import ACCOUNT, Sandbox
from sandbox.testing.scenario import AwsAccount, GrantScenario, lay_scenario, make_moto_client


@pytest.fixture(scope="session")
def own_server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server that is reset after each scenario, so that nobody else may use it."""
    return start_sandbox()


@pytest.fixture(params=["server", "in-process"])
def aws(request: pytest.FixtureRequest) -> Iterator[AwsAccount]:
    if request.param == "server":
        sandbox: Sandbox = request.getfixturevalue("own_server")
        yield AwsAccount(ACCOUNT, sandbox.client)
        reset_sandbox(sandbox)
    else:
        with mock_aws(), access_grants():
            yield AwsAccount("123456789012", make_moto_client)


@pytest.fixture
def on_server(own_server: Sandbox) -> Iterator[AwsAccount]:
    """The server alone, for what only it judges: IAM's policies, and those of vended sessions."""
    yield AwsAccount(ACCOUNT, own_server.client)
    reset_sandbox(own_server)


@pytest.fixture
def expire(own_server: Sandbox) -> Callable[[str], None]:
    """Lets the session of an access key be over, as an hour would."""

    def now(key: str) -> None:
        call_control(own_server, f"expire?key={key}")

    return now


@pytest.fixture
def with_switches() -> Iterator[Callable[..., AwsAccount]]:
    """A fresh service, inside the process, with these switches."""
    opened: list[Any] = []

    def way(**switches: Any) -> AwsAccount:
        for manager in (mock_aws(), access_grants(GrantSwitches(**switches))):
            manager.__enter__()
            opened.append(manager)
        return AwsAccount("123456789012", make_moto_client)

    yield way
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


@pytest.fixture
def laid(aws: AwsAccount) -> GrantScenario:
    return lay_scenario(aws)


@pytest.fixture
def laid_on_server(on_server: AwsAccount) -> GrantScenario:
    return lay_scenario(on_server)
