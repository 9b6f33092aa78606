"""Every test of the engine has an estate of its own, on a server that its worker keeps for these tests alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.engine.change import begin, change
from tests.engine.watch import rules
from tests.estate import Estate, lay


@pytest.fixture(scope="session")
def engine_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def estate(engine_sandbox: Sandbox, tmp_path: Path) -> Estate:
    return lay(engine_sandbox, tmp_path)


@pytest.fixture
def thirty(estate: Estate) -> Estate:
    """Thirty grants of one file, and one of another."""
    estate.role("auditor")
    estate.policy("many", rules(30))
    estate.policy("else", rules(1).replace("READ", "WRITE"))
    estate.run()
    return estate


@pytest.fixture
def changing(estate: Estate) -> Estate:
    """A change has happened, of which no run knows yet."""
    begin(estate)
    change(estate)
    return estate
