"""What becomes of a job's output whatever happens to the job: here without Spark, whose part the plain-Python rules take, so that it is fast."""

from collections.abc import Callable

import pytest

from tests.conftest import Sandbox
from tests.jobs_io.grounds import Grounds, lay


@pytest.fixture(scope="session")
def job_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server for these tests alone: they put faults in force."""
    return start_sandbox()


@pytest.fixture
def grounds(job_sandbox: Sandbox) -> Grounds:
    """The article's: one grant for all that is below the folder."""
    return lay(job_sandbox, ("UserA/*", "READWRITE"))
