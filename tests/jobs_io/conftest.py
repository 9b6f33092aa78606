"""What becomes of a job's output whatever happens to the job: here without Spark, whose part the plain-Python rules take, so that it is fast."""

import sys
from collections.abc import Callable

import pytest

from tests.conftest import ROOT, Sandbox
from tests.jobs_io.grounds import Grounds, lay

# The job is imported as its container imports it: as the package `abalone`.
sys.path.insert(0, str(ROOT / "spark_jobs"))


@pytest.fixture(scope="session")
def job_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server for these tests alone: they put faults in force."""
    return start_sandbox()


@pytest.fixture
def grounds(job_sandbox: Sandbox) -> Grounds:
    """The article's: one grant for all that is below the folder."""
    return lay(job_sandbox, ("UserA/*", "READWRITE"))
