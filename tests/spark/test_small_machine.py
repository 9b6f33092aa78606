"""A job on a machine on which AWS's container starts no executor, as somebody can start it by hand:
it ends by itself, long before its time limit.
"""

import pytest

from framework.session import START_SECONDS
from tests.jobs_io.input_rows import build_rows
from tests.jobs_io.job_setup import JobSetup
from tests.spark.spark_worker import JARS
from tests.spark.test_entry import job, setup

__all__ = ["setup"]  # a fixture
pytestmark = pytest.mark.skipif(
    not JARS.is_dir(), reason="needs the jars: make .tools/spark/jars/.made"
)


@pytest.mark.timeout(600)
def test_a_job_without_an_executor_ends_after_minutes_and_says_why(setup: JobSetup):
    setup.upload("UserA/abalone.csv", build_rows(30))
    arguments = setup.build_arguments("UserA", "UserA/output", summary=setup.build_summary_url())

    ended = job(setup, "starved", arguments, ("ml.m5.large", 1), seconds=2.5 * START_SECONDS)

    assert (ended["ProcessingJobStatus"], ended["FailureReason"]) == (
        "Failed",
        "AlgorithmError: , exit code: 20",
    ), ended
    assert setup.read_summary()["sentence"].startswith(
        "Spark had no executor after 180 seconds: no machine has the memory for one, for which "
        "Spark requests 7004m, or none is free. "
    )
