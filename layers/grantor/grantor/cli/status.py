"""grantor status: how things stand, from what runs have written down and the policy files as they are."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from grantor.aws.lease import Standing
from grantor.aws.records import Accepted, Approval, RefusedPlan, Run, Sweep
from grantor.cli import history
from grantor.cli.call import Call
from grantor.cli.sentences import count, time
from grantor.cli.show import Progress
from grantor.intake import Intake, intake
from grantor.world import World

WIDE = 9  # characters of the word that a line begins with


def run(call: Call) -> int:
    """0, however things stand."""
    with Progress("reading the ledger"):
        status = _Status.of(call)
    call.show.lines(f"{word:<{WIDE}} {said}" for word, said in status.said())
    call.show.value(status.value())
    return 0


@dataclass(frozen=True)
class _Status:
    stack: str
    where: str
    now: datetime
    owned: Counter[str]  # grants of the ledger by their state
    sweep: Sweep
    lease: Standing
    accepted: dict[str, Accepted]
    policies: Intake
    refused: list[tuple[RefusedPlan, Approval | None]]  # since the last sweep
    last: Run | None  # that changed something

    @classmethod
    def of(cls, call: Call) -> "_Status":
        world, records = call.world, call.world.records
        now, sweep, accepted = datetime.fromtimestamp(world.clock(), UTC), records.last_sweep(), records.accepted()
        return cls(
            stack=world.names.stack,
            where=f"{world.clients.session.region_name} of account {world.names.account}",
            now=now,
            owned=Counter(str(entry.state) for entry in world.ledger.entries()),
            sweep=sweep,
            lease=world.leases.standing(world.clock()),
            accepted=accepted,
            policies=intake(world.files, accepted, world.names.data_bucket),
            # A sweep is complete only when nothing of it was refused, and each run that refuses a plan says so anew.
            refused=[(plan, records.approval(plan.hash, now)) for plan in records.all_refused() if plan.at >= sweep.at],
            last=_last_change(world),
        )

    def said(self) -> Iterator[tuple[str, str]]:
        """Lines, each with the word that it begins with."""
        yield "stack", f"{self.stack} in {self.where}"
        yield "sweep", self._sweep()
        yield "grants", f"{count(self.owned.total(), 'grant')} owned{self._unsettled()}"
        yield "changed", history.line(self.last) if self.last else "no run has changed anything within the last 90 days"
        yield "lease", self._lease()
        yield "bells", ", ".join(sorted(self.lease.bells)) or "none waits"
        yield from (("policy", said) for said in self._policy())
        yield from (("wrong", str(problem)) for problem in self.policies.problems)
        yield from (("unread", f"{key}: {why}") for key, why in sorted(self.policies.unread.items()))
        yield from (self._refused(plan, approval) for plan, approval in self.refused)

    def value(self) -> dict[str, Any]:
        """The same as plain values; times of the lease in seconds since 1970."""
        return {
            "stack": self.stack,
            "owned": dict(self.owned),
            "sweep": asdict(self.sweep),
            "changed": asdict(self.last) if self.last else None,
            "lease": asdict(self.lease),
            "policy": {key: asdict(accepted) for key, accepted in sorted(self.accepted.items())},
            "new": sorted(self.policies.changed),
            "gone": list(self.policies.gone),
            "wrong": [asdict(problem) for problem in self.policies.problems],
            "unread": dict(self.policies.unread),
            "refused": [asdict(plan) | {"approval": approval and asdict(approval)} for plan, approval in self.refused],
        }

    def _sweep(self) -> str:
        if not self.sweep.at:
            return "there was no complete one yet"
        domains = ", ".join(f"{count(number, 'profile')} in {domain}" for domain, number in sorted(self.sweep.profiles.items()))
        ago = _ago((self.now - datetime.fromisoformat(self.sweep.at)).total_seconds())
        return f"{time(self.sweep.at)}, {ago} ago" + (f": {domains}" if domains else "")

    def _unsettled(self) -> str:
        others = [f"{number:,} {state}" for state, number in sorted(self.owned.items()) if state != "live"]
        return f", of which {' and '.join(others)}" if others else ""

    def _lease(self) -> str:
        if not self.lease.holder:
            return "free"
        since, until = (f"{datetime.fromtimestamp(at, UTC):%H:%M:%SZ}" for at in (self.lease.since, self.lease.expires))
        return f"held by {self.lease.holder} since {since}, until {until} unless renewed"

    def _policy(self) -> Iterator[str]:
        for key, accepted in sorted(self.accepted.items()):
            yield f"{key} version {accepted.version}, accepted {time(accepted.at)}"
        yield from (f"{key} has a version that no run has accepted yet" for key in sorted(self.policies.changed))
        yield from (f"{key} is gone, and no run has accepted that yet" for key in self.policies.gone)

    def _refused(self, plan: RefusedPlan, approval: Approval | None) -> tuple[str, str]:
        if approval:
            return "approved", f"plan {plan.hash} by {approval.by} at {time(approval.at)}"
        changes = count(plan.text.count("\n") + 1, "change")
        return "waiting", f"plan {plan.hash}, {changes}, {time(plan.at)}: grantor approve {plan.hash} --stack {self.stack}"


def _last_change(world: World) -> Run | None:
    return next((past for past in world.records.history() if past.summary["created"] or past.summary["deleted"]), None)


def _ago(seconds: float) -> str:
    """How long ago, in the largest unit that says enough.

    >>> _ago(42), _ago(600), _ago(7500), _ago(200_000)
    ('42 s', '10 min', '2 h', '2 days')
    """
    for unit, size in (("s", 1), ("min", 60), ("h", 3600)):
        following = size * (24 if unit == "h" else 60)
        if seconds < 2 * following:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} days"
