"""Process the triggers of an invocation: for each upload, start its jobs and decide on a retry.

A trigger names an upload, a processing job that has ended, or all uploads that wait. The policy
files in force say which jobs an upload starts.

The schedule's trigger is also a sweep. It looks at the inputs of jobs, and so finds uploads that no
event has reported. S3 sends a bucket's events from about five minutes after EventBridge was enabled
for it:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from grantor.aws.clients import CONNECTION_ERRORS, RetryableError, map_concurrently
from grantor.aws.job_services import JobServices
from grantor.aws.queues import Record, parse_record, retry_sooner
from grantor.core.jobs.match import find_candidates, find_subjects, list_batches, plan_starts
from grantor.core.jobs.unreported import find_near_miss, may_be_near_miss
from grantor.core.rules import Job
from grantor.core.snapshot import Focus, Inventory
from grantor.core.triggers import UploadTrigger, parse_upload_trigger
from grantor.jobs import follow_up
from grantor.jobs.follow_up import RetryWhen, StartResult, WaitingRecord, logger, metrics
from grantor.jobs.start import JobStarter
from grantor.jobs.sweep import InputSweep
from grantor.reconcile.policies import PolicySet, read_policies_in_force
from grantor.reconcile.read_profiles import read_all_profiles, read_some_profiles
from grantor.settings import (
    MAX_NEAR_MISSES,
    MAX_SWEPT_INPUTS,
    MAX_UPLOADS_PER_PASS,
    UPLOAD_MARGIN_SECONDS,
)

# What an AWS call raises if its answer cannot be had.
UNREADABLE = (ClientError, RetryableError, *CONNECTION_ERRORS)


def handle(jobs: JobServices, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer an SQS batch with the messages to deliver again, and a bare event with its results.

    Raises, for a bare event, whatever could not be read or written.
    """
    logger.append_keys(request=getattr(context, "aws_request_id", ""))
    # Tells the stacks of an account apart.
    metrics.add_dimension("stack", jobs.services.names.stack_name)
    invocation = Invocation(jobs, context)
    try:
        if "Records" in event:
            return handle_batch(jobs, invocation, event["Records"])
        trigger = parse_upload_trigger(event)
        results = invocation.process_triggers([trigger])
        return {"results": results or [_explain_no_result(trigger)]}
    finally:
        metrics.add_metric("UploadsProcessed", MetricUnit.Count, invocation.processed_uploads)
        metrics.flush_metrics()


class Invocation:
    """The triggers of one invocation, until its time runs out."""

    def __init__(self, jobs: JobServices, context: Any) -> None:
        self._jobs = jobs
        left = getattr(context, "get_remaining_time_in_millis", None)
        self._deadline = float("inf")  # in seconds since the epoch
        if left:
            self._deadline = jobs.clock() + left() / 1000 - UPLOAD_MARGIN_SECONDS
        self._processor: UploadProcessor | None = None
        self.processed_uploads = 0

    def process_triggers(self, triggers: Sequence[UploadTrigger]) -> list[str]:
        """Process triggers about the same thing; return what was done, as sentences.

        Raises RetryableError or ClientError if their messages must be delivered again.
        """
        uploads = merge_triggers(
            upload for trigger in triggers for upload in self._list_uploads(trigger)
        )
        return [sentence for upload in uploads for sentence in self._process_upload(upload)]

    def name_group(self, trigger: UploadTrigger) -> str:
        """Name what the launcher looks at because of a trigger; triggers of one name are processed
        together.
        """
        if not trigger.upload:
            return str(trigger)
        try:
            return " ".join(self._get_processor().list_batches(trigger.upload))
        except Exception:  # noqa: BLE001  -- processing it finds that again, and reports it
            return trigger.upload

    def _process_upload(self, trigger: UploadTrigger) -> list[str]:
        if self._jobs.clock() > self._deadline:
            raise RetryableError("this invocation has no time left for it")
        processor = self._get_processor()
        results = [result.sentence for result in processor.process_upload(trigger)]
        self.processed_uploads += 1
        if results:
            logger.info(
                "upload processed",
                upload=trigger.upload, versions=trigger.versions, results=results,
            )  # fmt: skip
        if unread := processor.policies.unread:
            raise RetryableError(f"files that could not be read may contain jobs: {dict(unread)}")
        return results

    def _get_processor(self) -> "UploadProcessor":
        if not self._processor:
            self._processor = UploadProcessor(self._jobs, _read_policies(self._jobs))
        return self._processor

    def _list_uploads(self, trigger: UploadTrigger) -> Iterator[UploadTrigger]:
        """Yield the uploads to process because of a trigger."""
        if trigger.upload:
            for about in self._get_processor().list_batches(trigger.upload):
                yield replace(trigger, upload=about)
        elif trigger.ended:
            if upload := follow_up.settle_ended_job(self._jobs, trigger.ended):
                yield UploadTrigger(upload=upload)
        elif trigger.waiting:
            waiting = [
                UploadTrigger(upload=item.upload, waiting=True, granted=trigger.granted)
                for item in self._jobs.store.iterate_waiting()
            ]
            known = frozenset(one.upload for one in waiting)
            found = self._sweep_inputs(known) if trigger.sweep else []
            uploads = [*waiting, *found]
            yield from uploads[:MAX_UPLOADS_PER_PASS]
            # A message of ours is the first attempt, which may be followed by others.
            later = [
                one if one.waiting else replace(one, attempt=1)
                for one in uploads[MAX_UPLOADS_PER_PASS:]
            ]
            self._jobs.queue.enqueue_now(later)

    def _sweep_inputs(self, waiting: frozenset[str]) -> list[UploadTrigger]:
        """Find uploads that no event has reported, and that do not wait.

        What cannot be read now is found by the next sweep, so errors are logged, and what waits is
        processed all the same.
        """
        try:
            processor = self._get_processor()
            processor.forget_near_misses()
            found = [one for one in processor.sweep.find_unreported() if one.upload not in waiting]
        except UNREADABLE:
            logger.exception("the inputs of jobs could not be swept; the next sweep tries again")
            return []
        if found:
            uploads = [one.upload for one in found]
            logger.warning("no event has reported these uploads", uploads=uploads)
            metrics.add_metric("UploadsFound", MetricUnit.Count, len(found))
        return found


@dataclass(frozen=True)
class UploadProcessor:
    """Processes uploads by the policies in force."""

    jobs: JobServices
    policies: PolicySet

    def process_upload(self, trigger: UploadTrigger) -> list[StartResult]:
        """Start the jobs of an upload, and record whether to look at it again.

        Raises RetryableError or ClientError if something cannot be read or written.
        """
        candidates = find_candidates(self._every_job, trigger.upload)
        if not candidates and not trigger.waiting:
            return self._report_near_miss(trigger.upload)
        record = WaitingRecord(self.jobs, trigger)
        checked = [(job, record.check_pause(job)) for job in candidates]
        settled = tuple(job for job, paused in checked if not paused)
        results = [paused for _, paused in checked if paused]
        results += self._start_jobs(settled, trigger) if settled else []
        record.update(results)
        return results or self._report_near_miss(trigger.upload)

    def list_batches(self, upload: str) -> tuple[str, ...]:
        """What the launcher looks at because of an upload: itself, or batches."""
        return list_batches(self._every_job, upload)

    @cached_property
    def sweep(self) -> "InputSweep":
        """Looks at the inputs of all jobs, for all profiles."""
        return InputSweep(self.jobs, self._every_job, self._every_profile)

    def forget_near_misses(self) -> None:
        """Forget near misses that have been deleted since, which most people rename.

        Costs a call for each of at most MAX_SWEPT_INPUTS of them.
        """
        for missed in islice(self.jobs.store.iterate_missed(), MAX_SWEPT_INPUTS // MAX_NEAR_MISSES):
            there = map_concurrently(self.jobs.uploads.read_latest, missed.uploads)
            kept = {one.uri: missed.uploads[one.uri] for one in there if one}
            if len(kept) < len(missed.uploads):
                self.jobs.store.replace_missed(replace(missed, uploads=kept), self.jobs.clock())

    def _report_near_miss(self, upload: str) -> list[StartResult]:
        """Record an upload that starts nothing, if it nearly has the name of a job's input.

        Costs no call for any other upload. It informs people, so its errors are only logged.
        """
        if not may_be_near_miss(self._every_job, upload):
            return []
        try:
            miss = find_near_miss(self._every_job, upload, self._every_profile)
            if miss:
                self.jobs.store.record_near_miss(miss, self.jobs.clock())
        except UNREADABLE:
            logger.exception("a near miss could not be recorded", upload=upload)
            return []
        return [StartResult(str(miss))] if miss else []

    @cached_property
    def _every_job(self) -> list[Job]:
        return [job for policy in self.policies.policies.values() for job in policy.jobs]

    @cached_property
    def _roles(self) -> frozenset[str]:
        """The roles that jobs may run as; they are read once in an invocation."""
        return self.jobs.read_roles()

    @cached_property
    def _every_profile(self) -> Inventory:
        """All profiles, if a job is for profiles; they are read once in an invocation."""
        queries = [query for job in self._every_job if (query := job.profile_query)]
        now = datetime.fromtimestamp(self.jobs.clock(), UTC)
        return read_all_profiles(self.jobs.services, queries, now) if queries else Inventory(now)

    def _start_jobs(self, candidates: tuple[Job, ...], trigger: UploadTrigger) -> list[StartResult]:
        inventory = self._read_inventory(candidates, trigger.upload)
        bounds = self.policies.bounds
        plan = plan_starts(self._every_job, trigger.upload, inventory, self._roles, bounds)
        for refused in plan.refused:
            follow_up.alert_once(self.jobs, "a job is refused", str(refused))
        results = [StartResult(str(refused), RetryWhen.ON_EVENT) for refused in plan.refused]
        results += [StartResult(unread, RetryWhen.SOON) for unread in plan.unread]
        starter = JobStarter(self.jobs, self.policies, trigger)
        return results + [starter.start_job(start) for start in plan.starts]

    def _read_inventory(self, candidates: tuple[Job, ...], upload: str) -> Inventory:
        """Read the profiles that the jobs may be for, and those that share a role with them."""
        services, now = self.jobs.services, datetime.fromtimestamp(self.jobs.clock(), UTC)
        queries = [query for job in candidates if (query := job.profile_query)]
        subjects = find_subjects(candidates, upload)
        if subjects is None:
            return read_all_profiles(services, queries, now)
        if not subjects:
            return Inventory(now)
        return read_some_profiles(services, queries, Focus.build(subjects), now)


def merge_triggers(triggers: Iterable[UploadTrigger]) -> list[UploadTrigger]:
    """Merge the triggers of each upload, with the earliest time and the last attempt."""
    merged: dict[str, UploadTrigger] = {}
    for trigger in triggers:
        first = merged.setdefault(trigger.upload, trigger)
        times = [time for time in (first.at, trigger.at) if time is not None]
        merged[trigger.upload] = replace(
            first,
            at=min(times, default=None),
            attempt=max(first.attempt, trigger.attempt),
            granted=first.granted or trigger.granted,
            waiting=first.waiting or trigger.waiting,
            versions=tuple(dict.fromkeys((*first.versions, *trigger.versions))),
            arrived=max(first.arrived, trigger.arrived),
        )
    return list(merged.values())


def handle_batch(
    jobs: JobServices, invocation: Invocation, records: Sequence[Record]
) -> dict[str, Any]:
    """Process messages about the same thing together; return those that failed."""
    failed: list[Record] = []
    groups: dict[str, list[tuple[Record, UploadTrigger]]] = {}
    for record in records:
        if (event := parse_record(record, logger)) is None:
            failed.append(record)
        else:
            trigger = parse_upload_trigger(event)
            groups.setdefault(invocation.name_group(trigger), []).append((record, trigger))
    events = [trigger.id for group in groups.values() for _, trigger in group]
    logger.info("events received", triggers=list(groups), events=events)
    for about, group in groups.items():
        try:
            invocation.process_triggers([trigger for _, trigger in group])
        except Exception:  # noqa: BLE001  -- logged; its messages are delivered again
            logger.exception("this failed; SQS delivers its messages again", about=about)
            failed += [record for record, _ in group]
    retry_sooner(jobs.queue.retry_later, failed, logger)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}


def _explain_no_result(trigger: UploadTrigger) -> str:
    """Explain to a person who invokes the function by hand why nothing was done."""
    if trigger.upload:
        return f"{trigger}: no job in the policy files in force is for it"
    return f"{trigger}: nothing to do"


def _read_policies(jobs: JobServices) -> PolicySet:
    """Read the policies in force as the reconciler does, without accepting new versions.

    Files that are kept in memory are read again only if they have changed.
    """
    return read_policies_in_force(jobs.services)
