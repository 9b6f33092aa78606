"""What runs record besides the grants: accepted policy files, plans that wait for an approval,
approvals, sweeps, past runs.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from grantor.aws.dynamodb import DynamoDBTable, Item, delete_action, put_action
from grantor.aws.lease import Lease
from grantor.aws.notifications import dump_json, shorten_lists
from grantor.core.planning.rendering import format_timestamp
from grantor.settings import (
    ALERT_QUIET_TIME,
    APPROVAL_LIFETIME,
    MAX_REMEMBERED_ALERTS,
    MAX_STORED_DOCUMENT_BYTES,
    PLAN_RETENTION,
    RUN_RETENTION,
)


@dataclass(frozen=True)
class AcceptedVersion:
    """The version of a policy file that is in force; `at` is when it was accepted (timestamp), by
    the run `run`.
    """

    version: str
    etag: str
    at: str = ""
    run: str = ""


@dataclass(frozen=True)
class Approval:
    """Who approved a plan, and when (timestamp)."""

    by: str
    at: str


@dataclass(frozen=True)
class PendingPlan:
    """A plan that requires an approval: its full hash, when a run last computed it (timestamp), its
    document (docs/json.md).
    """

    hash: str
    at: str
    document: Mapping[str, Any]

    def count_changes(self) -> int:
        """How many changes the plan has, also if its document lacks some."""
        counts = self.document["counts"]
        return int(counts["to_create"] + counts["to_delete"])


@dataclass(frozen=True)
class Sweep:
    """What the last run that read everything found: when (timestamp), how many grants we own, how
    many profiles by domain.
    """

    at: str = ""
    owned: int = 0
    profiles: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """A past run: when it began (timestamp), its id, and its document (docs/json.md)."""

    at: str
    id: str
    document: Mapping[str, Any]


class RunStore:
    """The records of one table. Writes under a lease raise LeaseLost if it has passed to another
    run; the others need none.
    """

    approval_lifetime = APPROVAL_LIFETIME

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table

    def read_accepted(self) -> dict[str, AcceptedVersion]:
        """The accepted version of each policy file, by its key; a call for each megabyte, some
        5,000 files.
        """
        return {
            item["sk"]: AcceptedVersion(item["version"], item["etag"], item["at"], item["run"])
            for item in self._table.query_partition("policy")
        }

    def record_accepted(
        self, lease: Lease, files: Mapping[str, AcceptedVersion], gone: Iterable[str] = ()
    ) -> None:
        """Put these versions in force, and the files `gone` out of force; one transaction for each
        90 of them.
        """
        puts = [
            put_action({"pk": "policy", "sk": key, **vars(accepted)})
            for key, accepted in files.items()
        ]
        self._table.write_under_lease(
            lease.token, lease.holder, [*puts, *(delete_action("policy", key) for key in gone)]
        )

    def record_pending_plan(
        self, plan_hash: str, document: Mapping[str, Any], now: datetime
    ) -> None:
        """Keep a plan that requires an approval for thirty days, its longest lists cut to what an
        item holds; one call.
        """
        text = dump_json(shorten_lists(document, MAX_STORED_DOCUMENT_BYTES))
        self._keep({"pk": "plan", "sk": plan_hash, "document": text}, now, PLAN_RETENTION)

    def list_pending_plans(self) -> tuple[PendingPlan, ...]:
        """Every plan that required an approval in the last thirty days, the last first; a call for
        each megabyte.
        """
        found = map(_parse_plan, self._table.query_partition("plan"))
        return tuple(sorted(found, key=lambda plan: (plan.at, plan.hash), reverse=True))

    def record_approval(self, plan: str, by: str, now: datetime) -> None:
        """Approve the plan with this full hash for one day; one call."""
        self._keep({"pk": "approval", "sk": plan, "by": by}, now, APPROVAL_LIFETIME)

    def read_approval(self, plan: str, now: datetime) -> Approval | None:
        """The approval of the plan with this full hash, unless it has expired; one call."""
        item = self._table.get_item("approval", plan)
        # DynamoDB deletes expired items within a few days, not at once.
        return Approval(item["by"], item["at"]) if item and item["ttl"] > now.timestamp() else None

    def record_sweep(self, lease: Lease, sweep: Sweep) -> None:
        """Record a run that has read everything; one transaction."""
        self._table.write_under_lease(
            lease.token, lease.holder, [put_action({"pk": "meta", "sk": "sweep", **vars(sweep)})]
        )

    def read_last_sweep(self) -> Sweep:
        """The last complete sweep; an empty one if there was none. One call."""
        item = self._table.get_item("meta", "sweep")
        return Sweep(item["at"], item["owned"], item["profiles"]) if item else Sweep()

    def was_alerted(self, keys: Sequence[str], now: datetime) -> bool:
        """Whether alerts of the last day were about each of these, whatever else they were about;
        one call.
        """
        return self._read_alerts(now).keys() >= set(map(_digest, keys))

    def record_alert(self, keys: Sequence[str], now: datetime) -> None:
        """Record that an alert about these was sent; two calls."""
        end = int((now + ALERT_QUIET_TIME).timestamp())
        alerts = {**self._read_alerts(now), **dict.fromkeys(map(_digest, keys), end)}
        newest = sorted(alerts, key=lambda digest: -alerts[digest])[:MAX_REMEMBERED_ALERTS]
        kept = {digest: alerts[digest] for digest in newest}
        self._keep({"pk": "meta", "sk": "alerts", "alerts": kept}, now, ALERT_QUIET_TIME)

    def _read_alerts(self, now: datetime) -> dict[str, int]:
        """Digests of what alerts of the last day were about, each with the time at which its day
        ends.
        """
        item = self._table.get_item("meta", "alerts")
        alerts = item["alerts"].items() if item else ()
        return {digest: end for digest, end in alerts if end > now.timestamp()}

    def record_run(self, run: RunRecord, now: datetime) -> None:
        """Keep a run for ninety days, its longest lists cut to what an item holds; one call."""
        text = dump_json(shorten_lists(run.document, MAX_STORED_DOCUMENT_BYTES))
        self._keep({"pk": "run", "sk": f"{run.at} {run.id}", "document": text}, now, RUN_RETENTION)

    def list_runs(self, limit: int) -> tuple[RunRecord, ...]:
        """The last runs, the newest first; a call for each megabyte that they take."""
        return tuple(islice(self.iterate_runs(), limit))

    def iterate_runs(self) -> Iterator[RunRecord]:
        """Every run of the last ninety days, the newest first; a call for each megabyte, made as it
        is read.
        """
        return map(_parse_run, self._table.query_partition("run", backwards=True))

    def _keep(self, item: Item, now: datetime, lasts: timedelta) -> None:
        ttl = int((now + lasts).timestamp())
        self._table.put_item({**item, "at": format_timestamp(now), "ttl": ttl})


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _parse_plan(item: Item) -> PendingPlan:
    return PendingPlan(item["sk"], item["at"], json.loads(item["document"]))


def _parse_run(item: Item) -> RunRecord:
    at, _, run_id = item["sk"].partition(" ")
    return RunRecord(at, run_id, json.loads(item["document"]))
