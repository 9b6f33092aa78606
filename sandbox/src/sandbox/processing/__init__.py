"""SageMaker's processing jobs as plain rules, and a job's container as a process with a folder."""

from sandbox.processing.jobs import JOB_OPERATIONS, ProcessingJob, ProcessingJobs
from sandbox.switches import JobSwitches

__all__ = ["JOB_OPERATIONS", "JobSwitches", "ProcessingJob", "ProcessingJobs"]
