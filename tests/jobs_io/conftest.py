"""Tests of a job's output whatever happens to the job. Plain Python replaces Spark, to be fast."""

from collections.abc import Callable

import pytest

from tests.conftest import Sandbox
from tests.jobs_io.job_setup import JobSetup, set_up_job


@pytest.fixture(scope="session")
def job_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox for these tests alone, since they inject faults."""
    return start_sandbox()


@pytest.fixture
def setup(job_sandbox: Sandbox) -> JobSetup:
    """A job with the article's grant: READWRITE on everything below UserA/."""
    return set_up_job(job_sandbox, ("UserA/*", "READWRITE"))
