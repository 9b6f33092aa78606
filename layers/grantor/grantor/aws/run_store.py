"""What runs record besides the grants: who wrote policy files, plans that wait for an approval,
sweeps, past runs. And what people say about those plans.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from grantor.aws.dynamodb import Action, DynamoDBTable, Item, delete_action, put_action
from grantor.aws.lease import Lease
from grantor.aws.ledger import WINDOW_KEY, pack_json, parse_window, unpack_json
from grantor.aws.notifications import limit_lists, shorten_lists
from grantor.core.diagnostics import dump_json
from grantor.core.planning.approvals import Decision, PendingPlan
from grantor.core.planning.guard import Baseline
from grantor.core.planning.rendering import format_timestamp
from grantor.core.snapshot import TOTAL, Window
from grantor.core.triggers import PolicyWrite
from grantor.settings import (
    ALERT_QUIET_TIME,
    AUTHOR_RETENTION,
    DECISION_RETENTION,
    MAX_BECAUSE_CHARACTERS,
    MAX_GUARD_COUNTS,
    MAX_LOGGED_ITEMS,
    MAX_PLAN_PART_BYTES,
    MAX_PLAN_PARTS,
    MAX_PLAN_TEXT_BYTES,
    MAX_REMEMBERED_ALERTS,
    MAX_SORT_KEY_CHARACTERS,
    MAX_STORED_DOCUMENT_BYTES,
    PLAN_RETENTION,
    RUN_RETENTION,
)

DECISIONS_INDEX = "approvals"  # of the table: what people say about a plan, by its hash
SWEEP_KEY = ("meta", "sweep")
DECISION_OF = "approval "  # before the id of the caller, in the partition key


class PlanAltered(ValueError):
    """The record of a pending plan is not what a run has written."""


@dataclass(frozen=True)
class Sweep:
    """What the last run that read everything found, and when (timestamp): how many grants we own,
    how many profiles each domain has, and what else the guard compares later runs with.
    """

    at: str = ""
    baseline: Baseline = field(default_factory=Baseline)

    @property
    def owned(self) -> int:
        """How many grants we own."""
        return self.baseline.owned.get(TOTAL, (0, 0))[0]


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

    def __init__(self, table: DynamoDBTable) -> None:
        self._table = table

    def record_pending_plan(
        self, lease: Lease, plan: PendingPlan, document: Mapping[str, Any], now: datetime
    ) -> None:
        """Keep a plan that requires an approval for thirty days, with each of its changes; the
        other lists of its document are shortened.

        Costs a call, and a transaction for each part of some 20,000 changes.
        """
        stored, ttl = _compress_document(document), int((now + PLAN_RETENTION).timestamp())
        content = hashlib.sha256(b"".join(stored)).hexdigest()[:16]
        plan = replace(plan, content=content, parts=len(stored))
        parts = {
            sk: {"pk": f"plan {plan.hash}", "sk": sk, "data": data, "ttl": ttl}
            for sk, data in zip(_list_parts(plan), stored, strict=True)
        }
        puts = [put_action(item) for item in (*parts.values(), {**_encode_plan(plan), "ttl": ttl})]
        known = self.read_pending_plan(plan.hash)
        gone = [sk for sk in _list_parts(known) if sk not in parts] if known else []
        deletes = [delete_action(f"plan {plan.hash}", sk) for sk in gone]
        self._table.write_under_lease(lease.token, lease.holder, [*puts, *deletes])

    def read_pending_plan(self, plan_hash: str) -> PendingPlan | None:
        """The pending plan with this full hash; one call. Plans of version 0.2.0 do not count."""
        item = self._table.get_item("plan", plan_hash)
        return _parse_plan(item) if item and "nonce" in item else None

    def list_pending_plans(self) -> tuple[PendingPlan, ...]:
        """Every plan that waits for an approval, the last first; a call for each megabyte."""
        found = [
            _parse_plan(item) for item in self._table.query_partition("plan") if "nonce" in item
        ]
        return tuple(sorted(found, key=lambda plan: (plan.at, plan.hash), reverse=True))

    def read_plan_document(self, plan: PendingPlan) -> dict[str, Any]:
        """All that a run has recorded of a pending plan, as a document of docs/json.md.

        A call for each megabyte. Raises PlanAltered if it is not what the run has written.
        """
        parts = {
            item["sk"]: item["data"] for item in self._table.query_partition(f"plan {plan.hash}")
        }
        try:
            stored = b"".join(parts[sk] for sk in _list_parts(plan))
            text = zlib.decompressobj().decompress(stored, MAX_PLAN_TEXT_BYTES)
            return {**json.loads(text), "started_at": plan.since}
        except (KeyError, TypeError, ValueError, RecursionError, zlib.error) as error:
            raise PlanAltered(str(error)) from error

    def close_plan(self, lease: Lease, plan: PendingPlan, users: Iterable[str] = ()) -> None:
        """Remove a pending plan, and what these users and others said about it: a call and a
        transaction.
        """
        said = sorted({*users, *self._list_deciders(plan.hash)})
        decisions = [delete_action(f"{DECISION_OF}{user}", plan.hash) for user in said]
        parts = [delete_action(f"plan {plan.hash}", sk) for sk in _list_parts(plan)]
        actions = [delete_action("plan", plan.hash), *decisions, *parts]
        self._table.write_under_lease(lease.token, lease.holder, actions)

    def close_other_plans(self, lease: Lease, pending: str) -> None:
        """Remove the pending plans that are no longer computed: all but the one with this hash.

        One call, and two for each of them.
        """
        for item in list(self._table.query_partition("plan")):
            if item["sk"] != pending:
                # A plan of version 0.2.0 is one item.
                known = _parse_plan(item) if "nonce" in item else _NO_PLAN
                self.close_plan(lease, replace(known, hash=item["sk"]))

    def record_decision(self, plan_hash: str, decision: Decision, now: datetime) -> None:
        """Record what a person says about the plan with this full hash, in place of what they said
        before; one call, which IAM allows only under the caller's own id.
        """
        item = {
            "pk": f"{DECISION_OF}{decision.user}",
            "sk": plan_hash,
            "approves": plan_hash,  # the key of the index, whatever is said
            "says": "approve" if decision.approves else "reject",
            "nonce": decision.nonce,
            "because": decision.because,
            "by": decision.claimed,
            "id": decision.id,
            "despite": dict.fromkeys(sorted(decision.despite), True),
        }
        self._keep(item, now, DECISION_RETENTION)

    def is_decision_listed(self, plan_hash: str, user: str) -> bool:
        """Whether the index, by which runs find decisions, has this one yet; one call."""
        return user in self._list_deciders(plan_hash)

    def read_decisions(self, plan_hash: str) -> tuple[Decision, ...]:
        """What people say about the plan; a call, and one for each of them. What no client of ours
        has written counts as not said.
        """
        users = self._list_deciders(plan_hash)
        found = (self._read_decision(plan_hash, user) for user in sorted(users))
        return tuple(filter(None, found))

    def _list_deciders(self, plan_hash: str) -> set[str]:
        keys = self._table.query_index(DECISIONS_INDEX, "approves", plan_hash)
        return {
            pk.removeprefix(DECISION_OF)
            for pk, sk in keys
            if sk == plan_hash and pk.startswith(DECISION_OF)
        }

    def _read_decision(self, plan_hash: str, user: str) -> Decision | None:
        try:
            item = self._table.get_item(f"{DECISION_OF}{user}", plan_hash)
            return _parse_decision(user, item) if item else None
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def record_write(self, write: PolicyWrite, now: datetime) -> None:
        """Keep who wrote a version of a policy file for ninety days; one call. It only adds."""
        sk = f"{write.at} {write.principal} {write.version}"[:MAX_SORT_KEY_CHARACTERS]
        item = {"pk": f"author {write.file}", "sk": sk, **vars(write), "written": write.at}
        self._keep(item, now, AUTHOR_RETENTION)

    def read_writes(self, files: Iterable[str]) -> Iterator[PolicyWrite]:
        """What is known about who wrote these policy files; a call for each."""
        for file in sorted(files):
            for item in self._table.query_partition(f"author {file}"):
                version, at = item["version"], item["written"]
                yield PolicyWrite(file, version, at, item["principal"], item["arn"])

    def read_last_sweep(self) -> Sweep:
        """The last complete sweep; an empty one if there was none. One call."""
        return _parse_sweep(self._table.get_item(*SWEEP_KEY))

    def read_guard(self) -> tuple[Sweep, Window]:
        """The last complete sweep, and what runs have taken and given lately; one call for both."""
        return parse_guard(*self._table.get_items(SWEEP_KEY, WINDOW_KEY))

    def record_sessions_end(self, ended: Mapping[str, Any]) -> None:
        """Record that somebody has ended the sessions of vended credentials; one call."""
        self._table.put_item({"pk": "meta", "sk": "sessions", **ended})

    def read_sessions_end(self) -> Mapping[str, Any] | None:
        """What record_sessions_end has written last; one call."""
        return self._table.get_item("meta", "sessions")

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


def encode_sweep(sweep: Sweep) -> Action:
    """The action that records a complete run; of very many rules, those with the most grants."""
    found, (pk, sk) = sweep.baseline, SWEEP_KEY
    most = sorted(found.rules, key=lambda rule: (-found.rules[rule], rule))[:MAX_GUARD_COUNTS]
    counts = [dict(sorted(found.owned.items())), {one: found.rules[one] for one in most}]
    item = {"at": sweep.at, "owned": sweep.owned, "profiles": found.profiles}
    return put_action({"pk": pk, "sk": sk, **item, "counts": pack_json(counts)})


def parse_guard(sweep: Item | None, window: Item | None) -> tuple[Sweep, Window]:
    """The last complete sweep, and what runs have taken and given lately, of their items."""
    return _parse_sweep(sweep), parse_window(window)


def _parse_sweep(item: Item | None) -> Sweep:
    if not item:
        return Sweep()
    number = item["owned"]  # version 0.2.0 recorded no other counts
    owned, rules = unpack_json(item.get("counts", f'[{{"{TOTAL}":[{number},{number}]}},{{}}]'))
    by_file = {file: (every, settled) for file, (every, settled) in owned.items()}
    return Sweep(item["at"], Baseline(by_file, rules, item["profiles"]))


_NO_PLAN = PendingPlan("", "", "", "", (), {})


def _compress_document(document: Mapping[str, Any]) -> list[bytes]:
    """The document of a plan in parts that items hold; none if it is too large."""
    lists = limit_lists({**document, "changes": [], "approval": {}, "policy": {}}, MAX_LOGGED_ITEMS)
    whole = {name: document[name] for name in ("changes", "approval", "policy")}
    text = dump_json({**lists, **whole, "started_at": ""}).encode()
    data, size = zlib.compress(text), MAX_PLAN_PART_BYTES
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return parts if len(parts) <= MAX_PLAN_PARTS and len(text) <= MAX_PLAN_TEXT_BYTES else []


def _list_parts(plan: PendingPlan) -> list[str]:
    """The sort keys of the parts of the plan's document, in their order."""
    return [f"{plan.content} {number:03}" for number in range(plan.parts)]


def _encode_plan(plan: PendingPlan) -> Item:
    noted = dict.fromkeys(sorted(plan.noted), True)
    causes = shorten_lists({"causes": list(plan.causes)}, MAX_PLAN_PART_BYTES)["causes"]
    others = {name: value for name, value in vars(plan).items() if name != "hash"}
    return {"pk": "plan", "sk": plan.hash, **others, "noted": noted, "causes": dump_json(causes)}


def _parse_plan(item: Item) -> PendingPlan:
    values = {name: item[name] for name in ("nonce", "since", "at", "counts", "brought", "content")}
    causes = tuple(json.loads(item["causes"]))
    return PendingPlan(
        item["sk"], **values, causes=causes, parts=item["parts"], noted=frozenset(item["noted"])
    )


def _parse_decision(user: str, item: Item) -> Decision:
    nonce, because, claimed, own = (str(item[name]) for name in ("nonce", "because", "by", "id"))
    return Decision(
        user,
        nonce,
        item["says"] == "approve",
        because[:MAX_BECAUSE_CHARACTERS],
        claimed[:MAX_BECAUSE_CHARACTERS],
        own,
        frozenset(item["despite"]),
    )


def _parse_run(item: Item) -> RunRecord:
    at, _, run_id = item["sk"].partition(" ")
    return RunRecord(at, run_id, json.loads(item["document"]))
