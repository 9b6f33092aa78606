"""One sandbox and one fork server for all kills of a worker; a new setup for each change."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.crash.forked_runs import ForkedRuns, start_fork_server
from tests.grantor_setup import GrantorSetup, set_up_grantor


@pytest.fixture(scope="module")
def crash_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crash")


@pytest.fixture(scope="module")
def runs(crash_sandbox: Sandbox, folder: Path) -> Iterator[ForkedRuns]:
    with start_fork_server(set_up_grantor(crash_sandbox, folder), folder / "runs.log") as runs:
        yield runs


@pytest.fixture
def setup(crash_sandbox: Sandbox, folder: Path) -> GrantorSetup:
    return set_up_grantor(crash_sandbox, folder)
