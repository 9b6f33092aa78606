"""SageMaker's processing jobs as plain rules, and the container of one job as a process with a folder of its own."""

from sandbox.processing.jobs import OPERATIONS, Job, Jobs
from sandbox.processing.switches import JobSwitches

__all__ = ["OPERATIONS", "Job", "JobSwitches", "Jobs"]
