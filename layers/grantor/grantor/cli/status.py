"""grantor status: how things stand, from what runs have written down and the policy files as they are."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from grantor.aws.lease import Standing
from grantor.aws.run_store import Accepted, Approval, RefusedPlan, Run, Sweep
from grantor.aws.services import World
from grantor.cli.output import Progress, count, format_time, lines
from grantor.cli.session import Call, Misused, Trouble
from grantor.reconcile.policies import Intake, intake

WIDE = 9  # characters of the word that a line begins with


def run_status(call: Call) -> int:
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
        yield "changed", line(self.last) if self.last else "no run has changed anything within the last 90 days"
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
        return f"{format_time(self.sweep.at)}, {ago} ago" + (f": {domains}" if domains else "")

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
            yield f"{key} version {accepted.version}, accepted {format_time(accepted.at)}"
        yield from (f"{key} has a version that no run has accepted yet" for key in sorted(self.policies.changed))
        yield from (f"{key} is gone, and no run has accepted that yet" for key in self.policies.gone)

    def _refused(self, plan: RefusedPlan, approval: Approval | None) -> tuple[str, str]:
        if approval:
            return "approved", f"plan {plan.hash} by {approval.by} at {format_time(approval.at)}"
        changes = count(plan.text.count("\n") + 1, "change")
        return "waiting", f"plan {plan.hash}, {changes}, {format_time(plan.at)}: grantor approve {plan.hash} --stack {self.stack}"


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


PRESSING = {
    "approval": "a plan waits for approval",
    "rejected": "a policy file is wrong",
    "refused": "AWS refuses a change",
    "later": "not all could be done",
}


def run_history(call: Call) -> int:
    """0; 1 if no run has that id."""
    return _one(call, call.asked.run) if call.asked.run else _several(call)


def line(past: Run) -> str:
    """One run in a line."""
    return f"{format_time(past.at)}  {past.id}  +{past.summary['created']} -{past.summary['deleted']}  {'; '.join(_said(past.summary))}"


def _said(summary: Mapping[str, Any]) -> Iterator[str]:
    yield str(summary["focus"])
    yield from (said for kind, said in PRESSING.items() if summary.get(kind))
    if adopted := summary.get("adopted"):
        yield f"accepted {', '.join(adopted)}"


def _several(call: Call) -> int:
    if call.asked.most < 1:
        raise Misused("-n wants a number from 1")
    runs = tuple(islice(call.world.records.history(), call.asked.most))
    call.show.lines(map(line, runs))
    if not runs:
        call.show.line("no run has done or said anything within the last 90 days")
    call.show.value([dict(past.summary) for past in runs])
    return 0


def _one(call: Call, wanted: str) -> int:
    past = next((past for past in call.world.records.history() if past.id == wanted), None)
    if past is None:
        raise Trouble(f"no run {wanted} is remembered: grantor history lists those of the last 90 days that did or said anything")
    call.show.line(line(past))
    call.show.lines(lines(past.summary))
    call.show.lines(f"… and {count(more, 'line')} more of {kind}" for kind, more in past.summary.get("left_out", {}).items())
    call.show.value(dict(past.summary))
    return 0
