"""Sweep the inputs of all jobs for uploads that no event has reported.

A sweep makes one list call for each input that is one key, at most MAX_SWEPT_INPUTS of them. A
pattern costs a list call for each 1,000 versions of objects that begin like it, at most
MAX_BATCH_PAGES; at most MAX_SWEPT_GLOBS patterns are looked at, and of each at most
MAX_SWEPT_BATCHES runs. Of more, the next sweep looks at the next ones. Each input or run that is
young enough costs one read of the ledger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grantor.aws.clients import map_concurrently
from grantor.aws.job_services import JobServices
from grantor.core.jobs.batches import BatchTooLarge, build_batch, group_members
from grantor.core.jobs.request import compute_input_id, compute_run_id
from grantor.core.jobs.unreported import (
    choose_swept,
    fill_start,
    is_swept_age,
    is_unreported,
    list_starts,
    sort_starts,
)
from grantor.core.key_pattern import KeyPattern
from grantor.core.rules import Job, Start
from grantor.core.snapshot import InputObject, Inventory
from grantor.core.triggers import UploadTrigger
from grantor.jobs.follow_up import logger
from grantor.settings import MAX_SWEPT_BATCHES, MAX_SWEPT_GLOBS, MAX_SWEPT_INPUTS


@dataclass(frozen=True)
class InputSweep:
    """One sweep; the inventory has every profile of the jobs."""

    services: JobServices
    jobs: Sequence[Job]
    inventory: Inventory

    def find_unreported(self) -> list[UploadTrigger]:
        """Find new objects at the inputs of jobs that no event has reported.

        Raises RetryableError or ClientError if something cannot be read.
        """
        starts = sort_starts(list_starts(self.jobs, self.inventory))
        now = self.services.clock()
        keys = [start for start in starts if KeyPattern(start.upload).is_plain]
        patterns = [start for start in starts if not KeyPattern(start.upload).is_plain]
        found = map_concurrently(self._judge_key, choose_swept(keys, now, MAX_SWEPT_INPUTS))
        for start in choose_swept(patterns, now, MAX_SWEPT_GLOBS):
            found += list(self._judge_pattern(start))
        unique = {one.upload: one for one in reversed(list(filter(None, found)))}
        return list(reversed(unique.values()))

    def _judge_key(self, start: Start) -> UploadTrigger | None:
        found = self.services.uploads.read_latest(start.upload)
        return None if found is None else self._judge_upload(start, found)

    def _judge_pattern(self, pattern: Start) -> Iterator[UploadTrigger]:
        """Yield the uploads or batches of a pattern that no event has reported."""
        try:
            listed = self.services.uploads.list_matching(pattern.upload)
        except BatchTooLarge as reason:
            logger.warning("a sweep has not looked at all objects", why=str(reason))
            return
        groups = sorted(group_members(pattern.upload, listed).items())
        now = self.services.clock()
        young = [one for one in groups if any(is_swept_age(found, now) for found in one[1])]
        for values, members in choose_swept(young, now, MAX_SWEPT_BATCHES):
            start = fill_start(pattern, dict(values))
            try:
                found = build_batch(start.upload, members)
            except BatchTooLarge:  # its own look reports that
                yield UploadTrigger(start.upload, at=members[-1].uploaded)
                continue
            if found and (trigger := self._judge_upload(start, found)):
                yield trigger

    def _judge_upload(self, start: Start, found: InputObject) -> UploadTrigger | None:
        if not is_swept_age(found, self.services.clock()):
            return None
        given = found if KeyPattern(start.upload).is_glob or not found.members else found.members[0]
        held = self.services.store.read_input(compute_input_id(start))
        code = self.services.codes[start.job.run].code
        run = compute_run_id(start, given, code) if start.input == start.upload else ""
        if not is_unreported(held.status, given, run):
            return None
        return UploadTrigger(start.upload, at=given.uploaded, versions=(given.version,))
