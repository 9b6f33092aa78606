"""Checks what runs write to the table: under the lease, before and after what it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulation.budget import Budget, find_marks
from simulation.doubles.gate import Call
from simulation.estate import find_draft
from simulation.mirror import LedgerWrite, Mirror, MirroredEntry, Written, parse_entry
from simulation.reality import GrantKey, Reality

Require = Callable[[str, bool, Callable[[], str]], None]
BEGINS = {"made", "adopted", "restored", "held"}
ENDS = {"revoked", "gone"}
FREE_KEYS = ("lease", "run", "author ", "approval ")  # that are written without the lease
FREE_METAS = ("alerts", "sessions")


@dataclass
class LedgerChecks:
    """The promises about the table of one world."""

    mirror: Mirror
    reality: Reality
    budget: Budget
    require: Require
    closed: set[str] = field(default_factory=set)  # nonces of plans that were closed
    nonces: dict[str, str] = field(default_factory=dict)  # of pending plans, by hash

    def check(
        self,
        call: Call,
        writes: list[LedgerWrite],
        position: int,
        history: Mapping[str, set[str]],
    ) -> None:
        """Check the writes of one call; the mirror has them already."""
        for mark in find_marks(writes):
            self.budget.note_mark(mark, call.at, position)
        for write in writes:
            self._check_writer(call, write)
            pk = write.key[0]
            if pk == "policy":
                self._check_acceptance(call, write, position)
            elif pk == "plan":
                self._note_plan(write)
            elif pk.startswith("approval ") and write.item:
                self.budget.activate(pk.removeprefix("approval "), write.key[1])
            entry, before = parse_entry(write.item), parse_entry(write.before)
            if entry or before:
                self._check_entry(call, entry, before, history, position)

    def _check_writer(self, call: Call, write: LedgerWrite) -> None:
        pk, sk = write.key
        if pk.startswith(FREE_KEYS) or (pk == "meta" and sk in FREE_METAS):
            return
        is_holder = self.mirror.lease_process is call.process
        self.require("one-writer", is_holder, lambda: f"{call.process.name} writes {pk} {sk}")

    def _check_acceptance(self, call: Call, write: LedgerWrite, position: int) -> None:
        file, window = write.key[1], self.reality.list_since(position)
        if write.item is None:
            was_gone = any(file not in one.files for one in window)
            self.require("deleted-was-gone", was_gone, lambda: f"{file} exists")
            return
        accepted = self.reality.now.accepted.get(file)
        was_current = any(one.files.get(file) == accepted for one in window)
        is_valid = accepted is not None and not _is_broken(accepted)
        self.require(
            "accepted-was-current",
            was_current and is_valid,
            lambda: f"{call.process.name} accepts a version of {file} that was not current",
        )

    def _note_plan(self, write: LedgerWrite) -> None:
        plan_hash = write.key[1]
        if write.item is not None:
            nonce = write.item["nonce"]["S"]
            self.require(
                "approval-is-used-once",
                nonce not in self.closed,
                lambda: f"plan {plan_hash[:8]} has a nonce that was used",
            )
            if self.nonces.get(plan_hash, nonce) != nonce:
                self.budget.close(plan_hash)
            self.nonces[plan_hash] = nonce
            return
        if nonce := self.nonces.pop(plan_hash, ""):
            self.closed.add(nonce)
        self.budget.close(plan_hash)

    def _check_entry(
        self,
        call: Call,
        entry: MirroredEntry | None,
        before: MirroredEntry | None,
        history: Mapping[str, set[str]],
        position: int,
    ) -> None:
        if entry is None and before is not None:
            self._check_forgotten(before, history)
        elif entry and entry.state == "intended" and before is None:
            self.budget.note_intent(entry, call.at)
        elif entry and entry.state == "live":
            known = before is not None and (before.state, before.id) == ("live", entry.id)
            recorded = bool(history.get(entry.id, set()) & BEGINS)
            self.require("history-first", known or recorded, lambda: f"{entry.key} is live")
        elif entry and entry.state == "leaving" and before and before.state != "leaving":
            self._check_additive(entry, position)

    def _check_forgotten(self, before: MirroredEntry, history: Mapping[str, set[str]]) -> None:
        ours = [
            grant_id
            for grant_id, one in self.mirror.grants.items()
            if one.key == before.key and one.is_ours
        ]
        what = f"{before.key} exists"
        self.require("forgotten-last", not ours, lambda: what)
        if before.id:
            recorded = bool(history.get(before.id, set()) & ENDS)
            self.require("history-first", recorded, lambda: f"{before.key} is forgotten")

    def _check_additive(self, entry: MirroredEntry, position: int) -> None:
        kept = [one for one in entry.reasons if self._is_leftover(one, entry.key, position)]
        self.require(
            "additive-takes-nothing", not kept, lambda: f"{entry.key} of {kept[0].rule} is deleted"
        )

    def _is_leftover(self, reason: Written, key: GrantKey, position: int) -> bool:
        """Whether an additive reason keeps the grant for certain."""
        window = self.reality.list_since(position)
        if not reason.additive or reason.until:
            return False
        drafts = [
            draft
            for one in window
            for files in (one.current, one.agreed)
            if (draft := files.get(reason.file))
        ]
        if any(not draft.additive for draft in drafts):
            return False
        if any(key.grantee in one.perhaps_suspended for one in window):
            return False
        names = [one.partition("/")[2] for one in reason.subjects if one.startswith("profile ")]
        roles = {one.profiles.get(name) for one in window for name in names}
        return roles <= {key.grantee}


def _is_broken(body: bytes) -> bool:
    return find_draft(body).broken
