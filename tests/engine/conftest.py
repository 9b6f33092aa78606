"""Every test of the engine has an estate of its own, on a server that its worker keeps for these tests alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.estate import Estate, lay

pytest.register_assert_rewrite("tests.engine.watch")


@pytest.fixture(scope="session")
def engine_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def estate(engine_sandbox: Sandbox, tmp_path: Path) -> Estate:
    return lay(engine_sandbox, tmp_path)
