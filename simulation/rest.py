"""What must hold once faults have stopped and the world is at rest."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from simulation.cloud import Cloud
from simulation.estate import find_draft
from simulation.mirror import LEASE, Item, Key, Written
from simulation.promises import Promises
from simulation.reality import CLOCK_TOLERANCE, GrantKey, Snapshot

Why = tuple[str, float | None]  # a rule, and its end
HASH_DIGITS = 8  # of a plan's hash, at least, in an alert
CHANGING = (("lease", "lease"), ("meta", "sweep"), ("meta", "guard"))  # that every run writes


@dataclass
class RestChecks:
    """Compares what exists with what is true."""

    cloud: Cloud
    promises: Promises

    def find_differences(self) -> Iterator[tuple[str, str]]:
        """Each promise that does not hold, with what is wrong."""
        yield from self._compare_grants()
        yield from self._compare_ledger()
        yield from self._compare_reasons()
        yield from self._check_files()
        lease = self.promises.mirror.items.get(LEASE, {})
        if lease and (lease["holder"]["S"] or lease["pending"]["M"] or lease["current"]["M"]):
            yield "nothing-waits", f"the lease is {lease}"

    def check_ended(self) -> None:
        """After the first run, before anybody approves anything: what is over is gone."""
        mirror, reality = self.promises.mirror, self.cloud.reality
        existing = {one.key for one in mirror.grants.values() if one.is_ours}
        for key, entry in mirror.entries.items():
            is_over = key in existing and all(
                self.promises.budget.is_over(
                    one, key, self.cloud.scheduler.now - 2 * CLOCK_TOLERANCE, reality.position
                )
                for one in entry.reasons
            )
            self.promises.require("ended-goes-unasked", not is_over, partial(str, key))

    def check_alerts(self) -> None:
        """After a run over everything: whatever waits for an approval was in an alert."""
        texts = [text for _, text in self.cloud.topic.alerts]
        for pk, plan_hash in self.promises.mirror.items:
            if pk == "plan":
                is_known = any(plan_hash[:HASH_DIGITS] in text for text in texts)
                self.promises.require("waiting-is-known", is_known, partial(str, plan_hash))

    def save_state(self) -> tuple[dict[str, GrantKey], dict[Key, Item]]:
        """What one more run must not change."""
        grants = {key: one.key for key, one in self.promises.mirror.grants.items()}
        items = self.promises.mirror.items
        return grants, {
            key: item for key, item in items.items() if key not in CHANGING and key[0] != "run"
        }

    def _compare_grants(self) -> Iterator[tuple[str, str]]:
        truth = self.cloud.reality.now
        existing = self.promises.mirror.grants.values()
        ours = {one.key for one in existing if one.is_ours}
        for key in sorted(self._list_required(truth) - {one.key for one in existing}):
            yield "wanted-exists", f"{key} is missing"
        for key in sorted(ours - self._list_allowed(truth)):
            suspended = key.grantee in truth.suspended
            yield "suspended-is-gone" if suspended else "nothing-else-exists", f"{key} exists"

    def _list_required(self, truth: Snapshot) -> set[GrantKey]:
        now = self.cloud.scheduler.now
        return {
            one.grant
            for one in truth.derived
            if not one.held
            and one.grant.grantee not in truth.suspended
            and (one.until is None or one.until > now + CLOCK_TOLERANCE)
        }

    def _list_allowed(self, truth: Snapshot) -> set[GrantKey]:
        now, suspended = self.cloud.scheduler.now, truth.suspended
        given = {
            one.grant
            for one in truth.derived
            if one.until is None or one.until > now - CLOCK_TOLERANCE
        }
        left = {
            one.grant
            for snapshot in self.cloud.reality.snapshots
            for one in snapshot.derive(snapshot.agreed, bounded=False)
            if one.additive  # narrower bounds leave it over, too
        }
        return {key for key in given | left if key.grantee not in suspended}

    def _compare_ledger(self) -> Iterator[tuple[str, str]]:
        mirror = self.promises.mirror
        ours = {one.key: grant_id for grant_id, one in mirror.grants.items() if one.is_ours}
        entries = mirror.entries
        for key in sorted(ours.keys() | entries.keys()):
            entry = entries.get(key)
            found = (entry.state, entry.id) if entry else None
            wanted = ("live", ours[key]) if key in ours else None
            if found != wanted:
                yield "ledger-is-true", f"{key} is {found}, and should be {wanted}"

    def _compare_reasons(self) -> Iterator[tuple[str, str]]:
        truth, now = self.cloud.reality.now, self.cloud.scheduler.now
        given: dict[GrantKey, set[Why]] = defaultdict(set)
        for one in truth.derived:
            has_ended = one.until is not None and one.until <= now
            if one.grant.grantee not in truth.suspended and not has_ended:
                given[one.grant].add((f"{one.file}#{one.rule}", one.until))
        held = {one.grant for one in truth.derived if one.held}
        for key, entry in self.promises.mirror.entries.items():
            written = {_describe_reason(one) for one in entry.reasons if not one.additive}
            also = {_describe_reason(one) for one in entry.reasons if one.additive}
            wanted = given.get(key, set())
            if key not in held and not (written <= wanted <= written | also):
                yield "reasons-are-true", f"{key} has {written | also}, and {wanted} give it"

    def _check_files(self) -> Iterator[tuple[str, str]]:
        truth = self.cloud.reality.now
        for file in sorted(truth.files.keys() | truth.accepted.keys()):
            body, accepted = truth.files.get(file), truth.accepted.get(file)
            is_broken = body is not None and find_draft(body).broken
            if not is_broken and body != accepted:
                yield "files-are-accepted", f"{file} is another one than the accepted version"


def _describe_reason(reason: Written) -> Why:
    end = datetime.fromisoformat(reason.until).timestamp() if reason.until else None
    return reason.rule, end
