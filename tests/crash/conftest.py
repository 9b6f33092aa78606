"""One server and one warm process for all kills of a worker; a fresh estate for each change."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.crash.runs import Runs, warm
from tests.estate import Estate, lay


@pytest.fixture(scope="module")
def crash_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crash")


@pytest.fixture(scope="module")
def runs(crash_sandbox: Sandbox, folder: Path) -> Iterator[Runs]:
    with warm(lay(crash_sandbox, folder), folder / "runs.log") as runs:
        yield runs


@pytest.fixture
def estate(crash_sandbox: Sandbox, folder: Path) -> Estate:
    return lay(crash_sandbox, folder)
