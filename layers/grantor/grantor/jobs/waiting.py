"""Record whether to look at an upload again, and enqueue a message if that is to be soon.

An upload, or a batch, has one message of its own at a time. A batch whose uploads have not paused
yet costs one read and at most one write for all its events in one invocation; its message comes
when it may be complete. So a batch of a thousand uploads is listed a few times, not a thousand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from grantor.aws.job_services import JobServices
from grantor.aws.job_store import WaitingUpload
from grantor.core.jobs.batches import QuietCheck
from grantor.core.rules import Job
from grantor.core.triggers import UploadTrigger
from grantor.jobs import finish
from grantor.jobs.finish import logger
from grantor.jobs.start import RetryWhen, StartResult
from grantor.settings import (
    UPLOAD_ALERT_SECONDS,
    UPLOAD_RETRY_ATTEMPTS,
    UPLOAD_RETRY_MAX_SECONDS,
    UPLOAD_RETRY_SLACK_SECONDS,
)


@dataclass(frozen=True)
class WaitingRecord:
    """What is recorded about an upload that waits, during one look at it."""

    jobs: JobServices
    trigger: UploadTrigger

    @cached_property
    def _held(self) -> WaitingUpload | None:
        return self.jobs.store.read_waiting(self.trigger.upload)

    @cached_property
    def _now(self) -> float:
        return self.jobs.clock()

    def check_pause(self, job: Job) -> StartResult | None:
        """Say that the job waits until uploads pause; None if it does not, as far as events tell.

        Costs one read for a job with `quiet`, and nothing for others. It lists nothing.
        """
        if not job.quiet:
            return None
        arrived = self._last_arrival
        began = (self._held.began if self._held else 0.0) or self._now
        check = QuietCheck(job, self.trigger.upload, arrived, began, self._now)
        if check.seconds_left <= 0:
            return None
        if not check.is_endless:
            return StartResult(check.sentence, RetryWhen.PAUSE, check.seconds_left, arrived)
        why = check.explain_endless()
        finish.alert_once(self.jobs, "a batch does not end", why)
        return StartResult(why, RetryWhen.PAUSE, UPLOAD_RETRY_MAX_SECONDS, arrived)

    @property
    def _last_arrival(self) -> float:
        """When the last object has arrived, as far as events tell; none is in the future."""
        held = self._held.arrived if self._held else 0.0
        return max(held, min(self.trigger.arrived, self._now))

    def update(self, results: Sequence[StartResult]) -> None:
        """Record that the upload waits for what the results say, or that it waits no longer."""
        store, held = self.jobs.store, self._held
        pending = [result for result in results if result.retry is not RetryWhen.NEVER]
        why = "; ".join(result.sentence for result in pending)
        soon = [result.delay for result in pending if result.retry is RetryWhen.SOON]
        paused = [result for result in pending if result.retry is RetryWhen.PAUSE]
        if not pending:
            if held:
                store.delete_waiting(self.trigger.upload)
        elif soon:
            self._retry_soon(why, 0.0 if 0.0 in soon else min(soon))
        elif paused:
            self._wait_for_pause(why, paused)
        elif held is None or (held.due, held.why) != (0.0, why):
            since = held.since if held else self._now
            store.record_waiting(WaitingUpload(self.trigger.upload, since, 0.0, 0, why))

    def _retry_soon(self, why: str, delay: float) -> None:
        held, now = self._held, self._now
        since = held.since if held and held.why == why else now
        finish.report_waiting(why)
        if now - since > UPLOAD_ALERT_SECONDS:
            sentence = (
                f"{self.trigger.upload} has waited for {(now - since) / 60:.0f} minutes: {why}"
            )
            finish.alert_once(self.jobs, "a job waits", sentence, why)
        if self._has_message:
            return
        # Without a message, events about all waiting uploads are soon enough.
        due, attempt = self._enqueue_message(delay) if self._may_retry else (0.0, 0)
        found = WaitingUpload(self.trigger.upload, since, due, attempt, why)
        self.jobs.store.record_waiting(found)

    def _wait_for_pause(self, why: str, paused: Sequence[StartResult]) -> None:
        """Record the last arrival, and make sure that a message comes when uploads may be over."""
        held, now = self._held, self._now
        began = (held.began if held else 0.0) or now
        arrived = max(result.arrived for result in paused)
        if held and self._has_message:
            due, attempt = held.due, held.attempt
        else:
            logger.info(why, upload=self.trigger.upload)
            due, attempt = self._enqueue_message(min(result.delay for result in paused))
        found = WaitingUpload(self.trigger.upload, began, due, attempt, why, arrived, began)
        if found != held:
            self.jobs.store.record_waiting(found)

    @property
    def _has_message(self) -> bool:
        """Whether a message about the upload is in the queue, besides the one that is processed."""
        held = self._held
        return bool(held and held.due > self._now and held.attempt != self.trigger.attempt)

    @property
    def _may_retry(self) -> bool:
        trigger = self.trigger
        is_own = bool(trigger.attempt) or not trigger.waiting
        return is_own and trigger.attempt < UPLOAD_RETRY_ATTEMPTS

    def _enqueue_message(self, delay: float) -> tuple[float, int]:
        """Enqueue a message about the upload; return when it has arrived, and its number."""
        attempt = self.trigger.attempt + 1
        seconds = self.jobs.queue.enqueue_later(replace(self.trigger, attempt=attempt), delay)
        return self._now + seconds + UPLOAD_RETRY_SLACK_SECONDS, attempt
