"""Start the Spark jobs of new data, if the roles that run them hold the grants, and report on
them.
"""

from pathlib import Path
from typing import Any

from grantor.aws.job_services import build_job_services
from grantor.jobs.handler import handle

# Kept while the environment is warm: clients, policy files, profiles, and which code is in S3.
JOB_SERVICES = build_job_services(Path(__file__).with_name("job_code"))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an SQS batch with the messages to deliver again, and a bare event with its results."""
    return handle(JOB_SERVICES, event, context)
