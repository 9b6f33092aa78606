"""Every grant of ours goes, and then the location that they were made at, if that is ours too."""

from collections.abc import Mapping
from itertools import batched
from typing import Any

from grantor.aws.access_grants import OWNER
from grantor.aws.clients import AT_ONCE, NotYet, each
from grantor.aws.processing import ProcessingJobs
from grantor.aws.services import World, world
from grantor.core.jobs.identity import PREFIX
from grantor.reconcile.read import certain
from grantor.teardown.custom_resource import Turn

HOLDER = "leaving"
FOR_GOOD = 7200  # seconds, longer than any deletion: no run may make a grant again
SHOWN = 3  # foreign grants that a refusal names


def revoke(properties: Mapping[str, Any], turn: Turn) -> dict[str, str]:
    """Delete what the ledger knows, or may know, then the location of `Location`, an id or empty.

    NotYet while a run is going on, or while the service still sees grants there that are gone. RuntimeError, with their ids,
    when somebody else's grants stand at the location.
    """
    here = world()
    # The doorbells are silent by now, but a run that they began may still be going on; after this none begins.
    if here.leases.ring(HOLDER, {}, here.clock(), FOR_GOOD) is None:
        raise NotYet("a run of Grantor is still going on")
    count = _revoke_ours(here, turn)
    # Deletes are seen late: CloudFormation would be refused and not try again, but what it finds gone is fine with it.
    if properties["Location"] and not here.grants.drop_location(properties["Location"]):
        _look_again(here, properties["Location"])
        raise NotYet("the location is said to hold grants that are gone")
    return {"Grants": str(count)}


def _revoke_ours(here: World, turn: Turn) -> int:
    entries = {entry.grant: entry for entry in here.ledger.entries()}
    actual, asked = certain(here.grants, entries, (), here.grants.list())
    ours = [actual[grant] for grant, entry in entries.items() if actual.get(grant) == entry.id or grant in asked]
    for some in batched(ours, AT_ONCE * 10):
        turn.go_on("grants are still being revoked")
        each(here.grants.take_away, some)
    return len(ours)


def _look_again(here: World, location: str) -> None:
    """Take away what a lost ledger does not know; RuntimeError if the rest is somebody else's."""
    tags = {grant: here.grants.tags(grant) for grant in here.grants.at(location)}
    there = {grant: told.get(OWNER) for grant, told in tags.items() if told is not None}
    for grant, owner in there.items():
        if owner == here.names.stack:
            here.grants.take_away(grant)
    if foreign := sorted(grant for grant, owner in there.items() if owner != here.names.stack):
        raise RuntimeError(_not_ours(foreign, location))


def _not_ours(foreign: list[str], location: str) -> str:
    more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
    what = f"{len(foreign)} grants at location {location} are not this stack's: {', '.join(foreign[:SHOWN])}{more}"
    return f"{what}. What others made is not deleted: let them delete it, then delete the stack again"


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
