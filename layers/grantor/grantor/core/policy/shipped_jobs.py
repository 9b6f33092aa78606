"""The jobs that ship with Grantor: the one place that lists them.

The policy language, the JSON schema, the packer (functions/start_spark_job/pack.py), the launcher
and the outcome of a run look a job up here by its name, which is the value of `run` in a policy
file. docs/jobs.md says how to add a job.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from grantor.core.policy.text_forms import ACCESS, QUARANTINE
from grantor.core.policy.value_types import Form


@dataclass(frozen=True)
class ShippedJob:
    """One job: its code in spark_jobs/, and what policy files and messages say about it."""

    name: str  # `run` in a policy file
    summary: str  # of what it makes, for the documentation of the language
    package: str  # a folder in spark_jobs/, which spark-submit gets as a zip
    entry: str  # a script in spark_jobs/, which spark-submit runs
    arguments: Mapping[str, Form]  # that a policy file can pass, besides Grantor's own
    input_remedy: str  # what to do about an input that breaks the job's contract


_JOBS = (
    ShippedJob(
        name="abalone",
        summary="features of the Abalone data for training, in sets for training and validation",
        package="abalone",
        entry="preprocess.py",
        arguments={"max_quarantine": QUARANTINE, "access": ACCESS},
        input_remedy="upload a file with abalone's nine columns, as lines of plain text",
    ),
)
SHIPPED_JOBS: Mapping[str, ShippedJob] = {job.name: job for job in _JOBS}
