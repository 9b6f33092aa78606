"""Our jobs that still run are stopped: they cost by the second, and would write into buckets that are being emptied."""

from collections.abc import Mapping
from typing import Any

from grantor.aws.errors import NotYet
from grantor.aws.grant_tags import OWNER
from grantor.aws.processing_jobs import ProcessingJobs
from grantor.core.jobs.identity import PREFIX
from grantor.leaving.turn import Turn
from grantor.world import world


def stop(_: Mapping[str, Any], turn: Turn) -> dict[str, str]:
    """Stop each job that carries this stack's tag. NotYet until all are over: SageMaker gives a job two minutes to end."""
    here = world()
    client = here.clients.sagemaker
    jobs = ProcessingJobs(client)
    left = 0
    for status in ("InProgress", "Stopping"):
        # All stacks' jobs have the prefix; the tag says whose they are.
        for page in client.get_paginator("list_processing_jobs").paginate(NameContains=PREFIX, StatusEquals=status):
            for job in page["ProcessingJobSummaries"]:
                turn.go_on("jobs are still being stopped")
                if _owner(client, job["ProcessingJobArn"]) == here.names.stack:
                    jobs.stop(job["ProcessingJobName"])
                    left += 1
    if left:
        raise NotYet(f"{left} jobs are still stopping")
    return {}


def _owner(client: Any, arn: str) -> str | None:
    return next((tag["Value"] for tag in client.list_tags(ResourceArn=arn)["Tags"] if tag["Key"] == OWNER), None)
