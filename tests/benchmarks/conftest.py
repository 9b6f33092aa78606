"""The part of the benchmarks that every check runs: counts of calls, never times."""

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
    """An estate without profiles."""
    return lay(bench_sandbox, tmp_path, ())
