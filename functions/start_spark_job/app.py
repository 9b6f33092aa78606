"""New data starts its job, if the role that runs it holds the grants for it; what comes of the job is recorded and told."""

from pathlib import Path
from typing import Any

from grantor.aws.services import job_world
from grantor.jobs.handler import ring

# Kept while the environment is warm: clients, policy files and profiles, and the knowledge that the job's code is where it belongs.
WORLD = job_world(Path(__file__).with_name("carried"))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers an SQS batch with the messages to ring again, and a bare EventBridge event with what came of it."""
    return ring(WORLD, event, context)
