"""Teardown steps that revoke the stack's grants, stop its jobs and detach its policies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from grantor.aws import cleanup
from grantor.aws.access_grants import OWNER
from grantor.aws.clients import Clients, RetryableError, map_concurrently
from grantor.aws.job_services import ProcessingJobs
from grantor.aws.services import Services, build_services
from grantor.aws.vended_sessions import VendedSessions
from grantor.core.grant import Grant, LedgerEntry, sort_reasons
from grantor.core.planning.plan import Action, Change
from grantor.core.triggers import JOB_NAME_PREFIX
from grantor.reconcile.read import settle_doubts
from grantor.reconcile.record_history import TEARDOWN, HistoryRecorder
from grantor.reconcile.report import Report
from grantor.settings import CONCURRENT_CALLS, MAX_LISTED_NAMES, TEARDOWN_LEASE_SECONDS
from grantor.teardown.custom_resource import TeardownPass

LEASE_HOLDER = "teardown"


def revoke_grants(properties: Mapping[str, Any], turn: TeardownPass) -> dict[str, str]:
    """Delete the grants in the ledger, then the location whose id is `Location`, unless it is
    empty. Undo `grantor end-sessions` at the role `LocationRole`, whose policy IAM would not delete
    with the role.

    Raises RetryableError while a run is in progress, or while the service still counts deleted
    grants at the location. Raises RuntimeError, with their ids, if grants of others are at the
    location.
    """
    services = build_services()
    # No events arrive any more, but a run may be in progress. No run begins after this.
    if (
        services.lease_store.acquire(LEASE_HOLDER, {}, services.clock(), TEARDOWN_LEASE_SECONDS)
        is None
    ):
        raise RetryableError("a run of Grantor is still in progress")
    count = _delete_ledger_grants(services, turn)
    # The service notices deleted grants late. CloudFormation would then fail to delete the location
    # and not retry, but it accepts a location that is gone.
    if properties["Location"] and not services.grants.delete_location(properties["Location"]):
        delete_untracked_grants(services, properties["Location"])
        raise RetryableError("the service still counts deleted grants at the location")
    if properties.get("LocationRole"):
        VendedSessions(services.clients.iam, properties["LocationRole"]).undo()
    return {"Grants": str(count)}


def _delete_ledger_grants(services: Services, turn: TeardownPass) -> int:
    entries = {entry.grant: entry for entry in services.ledger.iterate_entries()}
    listed = services.grants.list_grants()
    actual, ours = settle_doubts(services.grants, entries, (), listed)
    changes = [
        Change(Action.DELETE, grant, sort_reasons(entry.reasons), actual[grant])
        for grant, entry in entries.items()
        if actual.get(grant) == entry.id or grant in ours
    ]
    history = _build_recorder(services, entries)
    # An earlier attempt may have died before it could record what it had deleted.
    history.note_missing(entries.keys() - {change.grant for change in changes})
    for some in batched(changes, CONCURRENT_CALLS * 10):
        turn.check_time("grants are still being revoked")
        map_concurrently(services.grants.delete_grant, [change.grant_id for change in some])
        for change in some:
            history.note_change(change)
        history.record()
    history.record()
    history.raise_failure()
    return len(changes)


def _build_recorder(services: Services, entries: Mapping[Grant, LedgerEntry]) -> HistoryRecorder:
    run = Report.begin(datetime.fromtimestamp(services.clock(), UTC)).run_id
    return HistoryRecorder(services.history, services.clock, run, entries=entries, ending=TEARDOWN)


def delete_untracked_grants(services: Services, location: str) -> None:
    """Delete our grants that a lost ledger does not know; raise RuntimeError if others remain. The
    history has them from the runs that made them, and does not have their end.
    """
    grants, ours = services.grants, services.names.stack_name
    tags = {grant: grants.read_tags(grant) for grant in grants.list_grants_at(location)}
    owners = {grant: found.get(OWNER) for grant, found in tags.items() if found is not None}
    for grant, owner in owners.items():
        if owner == ours:
            grants.delete_grant(grant)
    if unmanaged := sorted(grant for grant, owner in owners.items() if owner != ours):
        raise RuntimeError(_describe_unmanaged(unmanaged, location))


def _describe_unmanaged(grants: list[str], location: str) -> str:
    named = ", ".join(grants[:MAX_LISTED_NAMES])
    left = len(grants) - MAX_LISTED_NAMES
    more = f" and {left} more" if left > 0 else ""
    what = f"{len(grants)} grants at location {location} are not this stack's: {named}{more}"
    remedy = "let their owners delete them, then delete the stack again"
    return f"{what}. Grants that others made are not deleted: {remedy}"


def detach_policies(properties: Mapping[str, Any], turn: TeardownPass) -> dict[str, str]:
    """Detach each of `Policies` from everybody but the stack's own roles, which `Kept` names.

    IAM deletes no policy that is attached. Raises RuntimeError, with what to do, if one is
    somebody's permissions boundary.
    """
    iam, count = Clients().iam, 0
    for policy in properties["Policies"]:
        turn.check_time("policies are still being detached")
        count += cleanup.detach_policy(iam, policy, properties["Kept"])
    return {"Bearers": str(count)}


def stop_jobs(_: Mapping[str, Any], turn: TeardownPass) -> dict[str, str]:
    """Stop each job that has this stack's tag.

    Raises RetryableError until all have ended: SageMaker gives a job two minutes to stop.
    """
    services = build_services()
    client = services.clients.sagemaker
    pages = client.get_paginator("list_processing_jobs")
    jobs, left = ProcessingJobs(client), 0
    for status in ("InProgress", "Stopping"):
        # The jobs of all stacks have the prefix; the tag names the stack.
        for page in pages.paginate(NameContains=JOB_NAME_PREFIX, StatusEquals=status):
            for job in page["ProcessingJobSummaries"]:
                turn.check_time("jobs are still being stopped")
                if _read_owner(client, job["ProcessingJobArn"]) == services.names.stack_name:
                    jobs.stop_job(job["ProcessingJobName"])
                    left += 1
    if left:
        raise RetryableError(f"{left} jobs are still stopping")
    return {}


def _read_owner(client: Any, arn: str) -> str | None:
    tags = client.list_tags(ResourceArn=arn)["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == OWNER), None)
