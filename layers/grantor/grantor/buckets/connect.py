"""Connects an existing bucket to the stack, and takes back exactly what that has changed.

Whatever was there is recorded before it is changed, so that a repeated or interrupted call goes on
where the last one stopped, and so that nothing is taken back that others have made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from grantor.aws.bucket_settings import BucketSettings, OwnLocations
from grantor.aws.clients import RetryableError, suppress_code
from grantor.aws.policy_store import BucketStore
from grantor.aws.services import Services
from grantor.core.data_buckets import (
    BucketRecord,
    KeptText,
    add_events,
    build_vended_only,
    digest_text,
    find_covering,
    merge_statement,
    name_statement,
    remove_events,
    remove_statement,
    sends_events,
)
from grantor.core.grant import Location
from grantor.teardown.steps import delete_untracked_grants


@dataclass(frozen=True)
class BucketDoor:
    """Whether a bucket refuses what S3 Access Grants did not vend (`closes`), except for
    administrators (ARNs). `instance` is the ARN of the Access Grants instance.
    """

    instance: str
    closes: bool
    administrators: tuple[str, ...] = ()


@dataclass(frozen=True)
class BucketConnector:
    """Connects and disconnects existing buckets."""

    services: Services
    door: BucketDoor

    @cached_property
    def store(self) -> BucketStore:
        return BucketStore(self.services.table)

    @cached_property
    def settings(self) -> BucketSettings:
        clients = self.services.clients
        return BucketSettings(clients.s3, self.services.names.account_id, clients.region)

    @cached_property
    def locations(self) -> OwnLocations:
        names, clients = self.services.names, self.services.clients
        return OwnLocations(clients.s3control, names.account_id, clients.region, names.stack_name)

    @cached_property
    def known(self) -> Sequence[Location]:
        """The locations of the instance as they were first read."""
        return self.services.grants.list_locations()

    def connect(self, bucket: str, group: str, role: str) -> None:
        """Make grants, events and the closed door work for a bucket; `role` is the ARN of the
        group's location role.

        Costs eight calls of S3 for a new bucket and a few of the ledger, and none for any other.
        Does nothing that is done already. Raises ForeignBucket.
        """
        self.settings.check_bucket(bucket)
        record = self.store.read_record(bucket) or BucketRecord(bucket)
        record = self._settle_location(replace(record, group=group), role)
        record = self._switch_events_on(record)
        self._settle_policy(record)

    def disconnect(self, bucket: str) -> None:
        """Take back what connecting the bucket has changed; its grants must be revoked.

        Does nothing if it is not connected. Leaves a record without content, see forget_bucket.
        Raises RetryableError while the service still counts deleted grants at our location, and
        RuntimeError if grants of others are there.
        """
        record = self.store.read_record(bucket)
        if record is None:
            return
        grants = self.services.grants
        if record.location and not grants.delete_location(record.location):
            delete_untracked_grants(self.services, record.location)
            raise RetryableError("the service still counts deleted grants at the location")
        with suppress_code("NoSuchBucket"):  # then there is nothing to take back
            self._restore_policy(record)
            self._restore_notifications(record)
        self.store.write_record(BucketRecord(bucket, record.group, role=record.role))

    def forget_bucket(self, bucket: str) -> None:
        """Delete the record of a disconnected bucket; one that is connected keeps it."""
        record = self.store.read_record(bucket)
        if record and record.is_empty:
            self.store.delete_record(bucket)

    def _settle_location(self, record: BucketRecord, role: str) -> BucketRecord:
        scope = f"s3://{record.name}/"
        found = find_covering(record.name, self.known)
        if found and found.scope == scope and self._is_own(record, found):
            if record.role != role:
                self.locations.change_role(found.id, role)
            location = found.id
        else:
            location = "" if found else self.locations.create_location(scope, role)
        return self._keep(record, replace(record, location=location, role=role))

    def _is_own(self, record: BucketRecord, found: Location) -> bool:
        """Whether the location is ours: an earlier attempt may have ended before it was noted."""
        return found.id == record.location or self.locations.is_ours(found)

    def _switch_events_on(self, record: BucketRecord) -> BucketRecord:
        current = self.settings.read_notifications(record.name)
        if sends_events(current):
            return record
        wanted = add_events(current)
        kept = replace(record, notifications=KeptText(current, digest_text(wanted)))
        kept = self._keep(record, kept)
        self.settings.write_notifications(record.name, wanted)
        # S3 may return other letters than it was sent.
        now = digest_text(self.settings.read_notifications(record.name))
        return self._keep(kept, replace(kept, notifications=KeptText(current, now)))

    def _settle_policy(self, record: BucketRecord) -> None:
        """Merge the statement into the policy; or take it out if the door is to be open."""
        current, kept = self.settings.read_policy(record.name), record.policy
        sid = name_statement(self.services.names.stack_name)
        before = kept.restore(current, remove_statement(current, sid)) if kept.after else current
        wanted = self._close_door(record.name, before) if self.door.closes else before
        if wanted == current:
            return
        ours = KeptText(before, digest_text(wanted)) if self.door.closes else KeptText()
        if self.door.closes:
            record = self._keep(record, replace(record, policy=ours))
        self.settings.write_policy(record.name, wanted)
        if self.door.closes:
            now = digest_text(self.settings.read_policy(record.name))
            ours = KeptText(before, now)
        self._keep(record, replace(record, policy=ours))

    def _close_door(self, bucket: str, policy: str) -> str:
        stack, door = self.services.names.stack_name, self.door
        statement = build_vended_only(bucket, stack, door.instance, door.administrators)
        return merge_statement(policy, statement)

    def _restore_policy(self, record: BucketRecord) -> None:
        if not record.policy.after:
            return
        current = self.settings.read_policy(record.name)
        sid = name_statement(self.services.names.stack_name)
        wanted = record.policy.restore(current, remove_statement(current, sid))
        if wanted != current:
            self.settings.write_policy(record.name, wanted)

    def _restore_notifications(self, record: BucketRecord) -> None:
        if not record.notifications.after:
            return
        current = self.settings.read_notifications(record.name)
        wanted = record.notifications.restore(current, remove_events(current))
        if wanted != current:
            self.settings.write_notifications(record.name, wanted)

    def _keep(self, before: BucketRecord, after: BucketRecord) -> BucketRecord:
        if after != before:
            self.store.write_record(after)
        return after
