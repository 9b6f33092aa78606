"""The custom resources of existing buckets: what CloudFormation asks when a stack changes.

LeavingBuckets comes first in an update: it takes away the buckets that the parameters no longer
name, while the permissions for them are still there, and it can still refuse the update.
ConnectedBuckets, one for each parameter, comes last and connects what is new. If an update is
undone, CloudFormation asks both again with the old names.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws import cleanup, cloudformation
from grantor.aws.bucket_settings import ForeignBucket
from grantor.aws.clients import RetryableError, error_code
from grantor.aws.run_store import PlanAltered
from grantor.aws.services import Services
from grantor.aws.vended_sessions import VendedSessions
from grantor.buckets.connect import BucketConnector, BucketDoor
from grantor.core.data_buckets import BucketGroup
from grantor.core.diagnostics import join_words
from grantor.core.planning.approvals import PendingPlan
from grantor.core.planning.rendering import format_timestamp
from grantor.core.snapshot import EVERYTHING
from grantor.settings import BUCKET_REMOVAL_TIME, NEW_PERMISSION_SECONDS
from grantor.teardown.custom_resource import DENIAL_CODES, TeardownPass

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class StackChange:
    """What CloudFormation asks: the kind of its request, the properties that the resource had, and
    whether an update is being undone.
    """

    kind: str  # Create, Update or Delete
    before: Properties
    is_undone: bool


def read_change(event: Mapping[str, Any], services: Services) -> StackChange:
    """Read what is asked; an update costs a call or two for the stack's status."""
    client = services.clients.cloudformation
    undone = event["RequestType"] == "Update" and cloudformation.is_rolling_back(
        client, event["StackId"]
    )
    return StackChange(event["RequestType"], event.get("OldResourceProperties", {}), undone)


@dataclass
class BucketRemoval:
    """LeavingBuckets: removes the buckets that the stack's parameters no longer name."""

    services: Services
    change: StackChange
    asked_at: str = ""  # when the run was asked for (timestamp)

    def run(self, properties: Properties, turn: TeardownPass) -> dict[str, str]:
        """Remove all buckets but `Buckets`: revoke their grants by a run, then disconnect them.

        Raises RetryableError until the run has done its part, and RuntimeError if the guard
        requires an approval, which names the plan. If an update is undone, a bucket whose grants
        are still there stays until the next update.
        """
        if self.change.kind == "Delete":  # each ConnectedBuckets does its part
            return {}
        connector = BucketConnector(self.services, _read_door(properties))
        wanted = set(properties["Buckets"])
        gone = sorted(_list_known(connector) - wanted)
        if gone and not self._is_revoked(connector, gone, turn):
            return {"Left": ", ".join(gone)}
        for bucket in gone:
            turn.check_time("buckets are still being disconnected")
            connector.disconnect(bucket)
        if self.change.is_undone:
            self._connect_again(connector, wanted - set(self.change.before.get("Buckets", ())))
        return {"Removed": ", ".join(gone)}

    def _is_revoked(
        self, connector: BucketConnector, buckets: list[str], turn: TeardownPass
    ) -> bool:
        left = self._count_grants(buckets)
        if not left:
            return True
        if not self.asked_at:
            self._ask_for_run(connector, buckets)
        if plan := self._find_pending(buckets):
            if self.change.is_undone:
                return False
            raise RuntimeError(_describe_approval(plan, left, buckets, turn))
        raise RetryableError(f"{left} grants in {_name_buckets(buckets)} are still being revoked")

    def _ask_for_run(self, connector: BucketConnector, buckets: list[str]) -> None:
        """Let no rule give anything in the buckets from now on, and enqueue a run."""
        now = self.services.clock()
        until = int(now + BUCKET_REMOVAL_TIME.total_seconds())
        for group in connector.store.read_groups():
            if asked := set(group.names) & set(buckets):
                leaving = {**group.leaving, **dict.fromkeys(sorted(asked), until)}
                connector.store.write_group(replace(group, leaving=leaving))
        self.asked_at = format_timestamp(datetime.fromtimestamp(now, UTC))
        self.services.queue.enqueue_now([EVERYTHING])

    def _count_grants(self, buckets: Iterable[str]) -> int:
        roots = tuple(f"s3://{bucket}/" for bucket in buckets)
        entries = self.services.ledger.iterate_entries()
        return sum(entry.grant.scope.startswith(roots) for entry in entries)

    def _find_pending(self, buckets: Iterable[str]) -> PendingPlan | None:
        """The plan that a run has computed since, and that takes away something in the buckets."""
        roots = tuple(f"s3://{bucket}/" for bucket in buckets)
        store = self.services.run_store
        for plan in store.list_pending_plans():
            try:
                changes = store.read_plan_document(plan)["changes"]
            except PlanAltered:
                continue
            deletes = (one["scope"] for one in changes if one["action"] == "delete")
            if plan.at >= self.asked_at and any(scope.startswith(roots) for scope in deletes):
                return plan
        return None

    def _connect_again(self, connector: BucketConnector, buckets: set[str]) -> None:
        """Connect what this update had removed. Where the permissions are not back yet, the
        group's own resource follows.
        """
        for bucket in sorted(buckets):
            record = connector.store.read_record(bucket)
            try:
                if record and record.role:
                    connector.connect(bucket, record.group, record.role)
            except ForeignBucket:
                continue
            except ClientError as error:
                if error_code(error) not in DENIAL_CODES:
                    raise


def _describe_approval(
    plan: PendingPlan, grants: int, buckets: list[str], turn: TeardownPass
) -> str:
    end = datetime.fromtimestamp(turn.started_at, UTC) + BUCKET_REMOVAL_TIME
    noun = "grant" if grants == 1 else "grants"
    return (
        f"{grants} {noun} in {_name_buckets(buckets)} must be revoked first, and that requires an "
        f"approval ({'; '.join(plan.causes)}). Approve plan {plan.hash[:12]} (grantor approve "
        f"{plan.hash[:12]}), then update the stack again. Until {end:%Y-%m-%d %H:%M} UTC nothing "
        "new is granted there; then the request lapses"
    )


def _name_buckets(buckets: Iterable[str]) -> str:
    return join_words([f"s3://{bucket}/" for bucket in buckets], "and")


def _list_known(connector: BucketConnector) -> set[str]:
    """Every bucket that is connected, or in a group."""
    named = {name for group in connector.store.read_groups() for name in group.names}
    return named | {one.name for one in connector.store.iterate_records() if not one.is_empty}


@dataclass(frozen=True)
class GroupConnection:
    """ConnectedBuckets: connects the buckets of one parameter."""

    services: Services
    change: StackChange

    def run(self, properties: Properties, turn: TeardownPass) -> dict[str, str]:
        """Connect those of `Buckets` that are new, or all if how they are reached has changed; at
        a deletion disconnect all that belong to the group.
        """
        connector = BucketConnector(self.services, _read_door(properties))
        if self.change.kind == "Delete":
            return self._disconnect_all(connector, properties, turn)
        names, group = list(properties["Buckets"]), properties["Group"]
        _check_names(names)
        had = set(self.change.before.get("Buckets", ()))
        others = {name: value for name, value in properties.items() if name != "Buckets"}
        same = all(self.change.before.get(name) == value for name, value in others.items())
        new = [name for name in names if not (same and name in had)]
        for bucket in new:
            turn.check_time("buckets are still being connected")
            with self._explain_foreign(turn):
                connector.connect(bucket, group, properties["LocationRole"])
        self._write_group(connector, group, names)
        for bucket in sorted(had - set(names)):
            connector.forget_bucket(bucket)
        return {"Connected": str(len(new))}

    @contextmanager
    def _explain_foreign(self, turn: TeardownPass) -> Iterator[None]:
        """Try again while the permission may be new. An update is undone in any case."""
        try:
            yield
        except ForeignBucket as foreign:
            is_new = self.services.clock() <= turn.started_at + NEW_PERMISSION_SECONDS
            if foreign.denied and is_new:
                raise RetryableError(str(foreign)) from foreign
            if not self.change.is_undone:
                raise

    def _write_group(self, connector: BucketConnector, group: str, names: list[str]) -> None:
        """Record the names. Whoever asked to remove one of them no longer does, unless that update
        is only being undone because it waits for an approval.
        """
        leaving: dict[str, int] = {}
        if self.change.is_undone:
            known = [one for one in connector.store.read_groups() if one.number == group]
            leaving = {
                name: end for one in known for name, end in one.leaving.items() if name in names
            }
        connector.store.write_group(BucketGroup(group, tuple(sorted(names)), leaving))

    def _disconnect_all(
        self, connector: BucketConnector, properties: Properties, turn: TeardownPass
    ) -> dict[str, str]:
        group, iam = properties["Group"], self.services.clients.iam
        own = [one.name for one in connector.store.iterate_records() if one.group == group]
        for bucket in own:
            turn.check_time("buckets are still being disconnected")
            connector.disconnect(bucket)
            connector.forget_bucket(bucket)
        connector.store.delete_group(group)
        VendedSessions(iam, properties["LocationRole"].rpartition("/")[2]).undo()
        for policy in properties["Policies"]:
            turn.check_time("policies are still being detached")
            cleanup.detach_policy(iam, policy, properties["Kept"])
        return {"Disconnected": str(len(own))}


def _read_door(properties: Properties) -> BucketDoor:
    administrators = tuple(filter(None, properties.get("Administrators", "").split(",")))
    return BucketDoor(
        properties["Instance"], properties["DataAccess"] == "grants-only", administrators
    )


def _check_names(names: list[str]) -> None:
    """Raise ValueError if the parameter names a bucket twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{join_words(twice, 'and')}: named twice; name each bucket once")
