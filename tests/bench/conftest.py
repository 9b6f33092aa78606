"""The short slice of the benchmarks that every check runs: counted calls, never a time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.estate import Estate, lay


@pytest.fixture(scope="session")
def bench_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def bare(bench_sandbox: Sandbox, tmp_path: Path) -> Estate:
    """An estate in which nobody is yet."""
    return lay(bench_sandbox, tmp_path, ())
