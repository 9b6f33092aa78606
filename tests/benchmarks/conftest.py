"""The part of the benchmarks that every check runs: counts of calls, never times."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.grantor_setup import GrantorSetup, set_up_grantor


@pytest.fixture(scope="session")
def bench_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def bare(bench_sandbox: Sandbox, tmp_path: Path) -> GrantorSetup:
    """A setup without profiles."""
    return set_up_grantor(bench_sandbox, tmp_path, ())
