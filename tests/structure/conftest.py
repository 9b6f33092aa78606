"""The sandbox in which the traces run."""

from collections.abc import Callable

import pytest

from tests.conftest import Sandbox


@pytest.fixture(scope="session")
def trace_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()
