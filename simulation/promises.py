"""Watches the calls of one world, and checks after each what must hold at every moment.

The checks know the calls (mirror.py) and what is true (reality.py), and nothing of the product's
own values: a run that reports something else than it did is found out.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from grantor.cli.approve import ShownPlan
from grantor.core.planning.approvals import Decision
from grantor.core.planning.plan import Action
from grantor.reconcile.report import Report
from simulation.budget import Budget, Licence
from simulation.cloud import Cloud
from simulation.doubles.gate import Call
from simulation.estate import OPERATIONS, POLICIES
from simulation.ledger_checks import LedgerChecks
from simulation.mirror import OWNER, RULES, Mirror, MirroredGrant
from simulation.reality import GrantKey, covers, list_rights
from simulation.scheduler import Process
from simulation.sentences import PROMISES

READS = ("Get", "List", "Describe", "Query", "Scan", "TransactGet")
HISTORY = "history/grants/"


@dataclass
class BrokenPromise:
    """A promise that did not hold: its key, what happened, and after which call."""

    promise: str
    what: str
    call: int

    def __str__(self) -> str:
        return f"{self.promise}: {self.what} (after call {self.call})"


@dataclass
class RunWindow:
    """What one process has read and done since its run began to read."""

    listed: int = 0
    began: float = 0.0
    accepted: int = 0
    made: dict[str, GrantKey] = field(default_factory=dict)
    deleted: dict[str, GrantKey] = field(default_factory=dict)
    unheard: set[str] = field(default_factory=set)  # ids of changes whose answer the run lacks
    late: set[int] = field(default_factory=set)  # changes that it began after its lease

    @property
    def position(self) -> int:
        """The first snapshot that the run may have seen."""
        return min(self.listed, self.accepted)


@dataclass
class Promises:
    """The promises of one world."""

    cloud: Cloud
    mirror: Mirror = field(default_factory=Mirror)
    broken: list[BrokenPromise] = field(default_factory=list)
    windows: dict[str, RunWindow] = field(default_factory=lambda: defaultdict(RunWindow))
    history: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_hand: dict[str, int] = field(default_factory=dict)  # where somebody deleted by hand, by whom
    used: set[str] = field(default_factory=set)  # nonces of approvals
    checks: int = 0
    _call: Call | None = None

    def __post_init__(self) -> None:
        """Begin with nothing lost and nothing given."""
        self.budget = Budget(self.mirror, self.cloud.reality, self.require)
        self.ledger = LedgerChecks(self.mirror, self.cloud.reality, self.budget, self.require)

    @property
    def grants(self) -> Iterable[MirroredGrant]:
        """The grants that exist."""
        return self.mirror.grants.values()

    def require(self, promise: str, holds: bool, what: Callable[[], str]) -> None:
        """Note that a promise does not hold."""
        assert promise in PROMISES, promise
        self.checks += 1
        if not holds:
            self.broken.append(BrokenPromise(promise, what(), self.cloud.gate.count))

    def watch(self, call: Call) -> None:
        """Check a call that has had its effect, or none."""
        if call.answer is None:
            return
        self._call = call
        window = self.windows[call.process.name]
        position = self.cloud.reality.position
        is_read = call.operation.startswith(READS)
        self.require(
            "plan-changes-nothing",
            is_read or call.process.may_write,
            lambda: f"{call.process.name} calls {call.name}",
        )
        if is_read:
            self._note_read(call, window, position)
        elif call.service == "s3control":
            self._check_change(call, window)
        elif call.service == "dynamodb":
            leases = self.mirror.leases
            writes = self.mirror.list_writes(call)
            if self.mirror.leases > leases:
                self.windows[call.process.name] = window = RunWindow(position, call.at, position)
            self.ledger.check(call, writes, window.position, self.history)
        elif call.service == "s3" and call.request["Bucket"] == OPERATIONS:
            self._note_history(call)

    # Reads begin windows

    def _note_read(self, call: Call, window: RunWindow, position: int) -> None:
        if call.operation == "ListObjectsV2" and call.request["Bucket"] == POLICIES:
            if not call.request.get("ContinuationToken"):
                window.listed, window.began = position, call.at
        elif call.operation == "Query":
            values = call.request["ExpressionAttributeValues"].values()
            if {"S": "policy"} in values:
                window.accepted = position

    def _note_history(self, call: Call) -> None:
        if call.request["Key"].startswith(HISTORY):
            for line in call.request["Body"].decode().splitlines():
                event = json.loads(line)
                if event["grant_id"]:
                    self.history[event["grant_id"]].add(event["kind"])

    # Changes of grants

    def _check_change(self, call: Call, window: RunWindow) -> None:
        if call.operation == "CreateAccessGrant":
            self._check_create(call, window)
        elif call.operation == "DeleteAccessGrant":
            self._check_delete(call, window)
        elif call.operation == "TagResource":
            grant_id = call.request["ResourceArn"].rpartition("/")[2]
            owner = self.cloud.grants.read_tags(grant_id).get(OWNER, "")
            found = self.mirror.grants[grant_id]
            self.mirror.grants[grant_id] = MirroredGrant(found.key, owner, found.maker)

    def _check_lease(self, call: Call, window: RunWindow) -> None:
        expires = self.mirror.expiry.get(call.process.name, 0.0)
        if call.at + call.process.skew > expires:
            window.late.add(call.number)
        self.require(
            "lease-ends-work",
            len(window.late) <= 1,
            lambda: f"{call.process.name} makes {len(window.late)} changes after its lease",
        )

    def _check_create(self, call: Call, window: RunWindow) -> None:
        answer, request, name = call.answer, call.request, call.process.name
        grantee = request["Grantee"]["GranteeIdentifier"]
        key = GrantKey(grantee, request["Permission"], answer["GrantScope"])
        tags = {one["Key"]: one["Value"] for one in request.get("Tags", ())}
        self.mirror.grants[answer["AccessGrantId"]] = MirroredGrant(key, tags.get(OWNER, ""), name)
        window.made[answer["AccessGrantId"]] = key
        if call.fault:
            window.unheard.add(answer["AccessGrantId"])
        self._check_lease(call, window)
        is_tagged = self.mirror.grants[answer["AccessGrantId"]].is_ours and bool(tags.get(RULES))
        self.require("tagged", is_tagged, lambda: f"{key} has the tags {tags}")
        holds_lease = self.mirror.lease_process is call.process
        has_entry = self.mirror.find_entry(key) is not None
        self.require("intent-first", has_entry or not holds_lease, lambda: f"{key} has no entry")
        self._check_given(key, window)

    def _check_given(self, key: GrantKey, window: RunWindow) -> None:
        reality, position = self.cloud.reality, window.position
        gives = reality.may_give(key, position)
        self.require("no-more-than-asked", gives, lambda: f"{key} is given by nothing")
        snapshots = reality.list_since(position)
        bounds = [one for snapshot in snapshots for one in snapshot.bounds]
        files = {one.file for one in snapshots[-1].derived if one.grant == key}
        inside = any(one.allow(file, key.grantee, key.scope) for one in bounds for file in files)
        self.require("bounds-hold", inside or not files, lambda: f"{key} is outside of the bounds")
        suspended = reality.is_suspended_throughout(key.grantee, position)
        self.require("suspended-gets-nothing", not suspended, lambda: f"{key} is made")

    def _check_delete(self, call: Call, window: RunWindow) -> None:
        grant_id = call.request["AccessGrantId"]
        found = self.mirror.grants.pop(grant_id)
        key, process = found.key, call.process
        window.deleted[grant_id] = key
        if call.fault:
            window.unheard.add(grant_id)
        self.require(
            "unmanaged-stays", found.is_ours, lambda: f"{key} of {found.owner or 'nobody'}"
        )
        if found.maker == process.name and self.mirror.lease_process is not process:
            return  # it takes back what it has made since it lost the lease
        self._check_lease(call, window)
        entry = self.mirror.find_entry(key)
        is_marked = entry is not None and entry.state == "leaving"
        holds_lease = self.mirror.lease_process is process
        self.require("mark-first", is_marked or not holds_lease, lambda: f"{key} is {entry}")
        self._check_right(key, window)

    def _check_right(self, key: GrantKey, window: RunWindow) -> None:
        if self.by_hand.get(key.grantee, -1) >= window.position:
            return
        sure = self.cloud.reality.find_sure(window.position, self.cloud.scheduler.now)
        left = [one.key for one in self.mirror.grants.values()]
        lost = {
            right for right in list_rights(key) if not any(covers(other, right) for other in left)
        }
        taken = sorted({source for source in sure if source[0] in lost})
        self.require(
            "right-stays",
            not taken,
            lambda: f"{key} is deleted, and {taken[0][1]}#{taken[0][2]} gives {taken[0][0]}",
        )

    # What others do

    def note_foreign_grant(self, grant_id: str, key: GrantKey) -> None:
        """Somebody else has made a grant."""
        self.mirror.grants[grant_id] = MirroredGrant(key, "")

    def note_deletion(self, grant_id: str) -> None:
        """Somebody has deleted a grant by hand."""
        found = self.mirror.grants.pop(grant_id, None)
        if found:
            self.by_hand[found.key.grantee] = self.cloud.reality.position

    # Approvals and reports

    def note_decision(self, shown: ShownPlan, decision: Decision) -> None:
        """A person decides about a plan after seeing it."""
        if not decision.approves:
            return
        keys: dict[Action, set[GrantKey]] = defaultdict(set)
        for change in shown.changes:
            grant = change.grant
            key = GrantKey(grant.grantee.identifier, str(grant.permission), grant.scope)
            keys[change.action].add(key)
        licence = Licence(
            shown.plan.hash,
            decision.nonce,
            decision.user,
            frozenset(keys[Action.DELETE]),
            frozenset(keys[Action.CREATE]),
            dict(shown.brought),
        )
        self.budget.licences.append(licence)

    def check_report(self, process: Process, report: Report) -> None:
        """Check what a run reports against what it did."""
        window = self.windows[process.name]
        done: dict[Action, set[str]] = defaultdict(set)
        for change in report.done:
            done[change.action].add(change.grant_id)
        made = window.made.keys() - window.unheard
        self._require_same("made", made, done[Action.CREATE] & window.made.keys())
        deleted = window.deleted.keys() - window.unheard
        self._require_same("deleted", deleted, done[Action.DELETE] & window.deleted.keys())
        still = done[Action.DELETE] & self.mirror.grants.keys()
        self.require("report-is-true", not still, lambda: f"{still} is reported as deleted")
        never = done[Action.CREATE] - self.mirror.grants.keys() - set(self.history)
        never -= window.made.keys()
        self.require("report-is-true", not never, lambda: f"{never} is reported as made")
        if report.approval.approved_by:
            self._check_approval(process, report, window)
        self.windows[process.name] = RunWindow(window.listed, window.began, window.accepted)

    def _require_same(self, what: str, did: Iterable[str], said: Iterable[str]) -> None:
        lacking = set(did) - set(said)
        self.require(
            "report-is-true", not lacking, lambda: f"{lacking} was {what}, and not reported"
        )

    def _check_approval(self, process: Process, report: Report, window: RunWindow) -> None:
        approval = report.approval
        given = [
            one
            for one in self.budget.given
            if one.hash == approval.hash and one.user == approval.approved_by
        ]
        self.require(
            "approval-was-given", bool(given), lambda: f"nobody approved {approval.hash[:8]}"
        )
        wrote = [
            author
            for author in self.mirror.authors
            for one in given
            if author.principal == one.user
            and author.at < window.began
            and one.brought.get(author.file) == author.version != ""
        ]
        self.require(
            "author-does-not-approve", not wrote, lambda: f"{approval.approved_by} wrote {wrote[0]}"
        )
        was_used = approval.nonce in self.used
        self.require("approval-is-used-once", not was_used, lambda: f"{process.name} uses it again")
        if not report.cut_short:
            self.used.add(approval.nonce)
        shown = partial(self._was_shown, given)
        changed = {*window.made.values(), *window.deleted.values()}
        extra = [key for key in changed if not shown(key)]
        self.require(
            "approval-is-for-what-was-shown",
            not extra or not given,
            lambda: f"{process.name} changed {extra[0]}",
        )

    def _was_shown(self, given: Iterable[Licence], key: GrantKey) -> bool:
        return any(key in one.deletes or key in one.creates for one in given)
