"""Every test of the launcher has a stack of its own, with the article's grants and job."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.jobs.launcher import LauncherSetup, set_up_launcher


@pytest.fixture(scope="session")
def jobs_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def launcher(jobs_sandbox: Sandbox, tmp_path: Path) -> LauncherSetup:
    return set_up_launcher(jobs_sandbox, tmp_path)
