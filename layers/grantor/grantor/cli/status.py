"""grantor status: what past runs have recorded, and policy files as they are now."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from grantor.aws.lease import LeaseStatus
from grantor.aws.run_store import AcceptedVersion, RunRecord, Sweep
from grantor.aws.services import Services
from grantor.cli.changing import describe_run, read_sessions_end, read_time
from grantor.cli.output import LABEL_WIDTH, MAX_LISTED_LINES, Progress, format_count, format_time
from grantor.cli.session import Session
from grantor.core.grant import Grant, LedgerEntry
from grantor.core.planning.approvals import PendingPlan, PlanApproval
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    Json,
    describe_approval_given,
    describe_grant,
    describe_horizon,
    describe_omitted,
    encode_grant,
    encode_problem,
    format_timestamp,
    shorten_hash,
)
from grantor.core.rules import Suspension
from grantor.reconcile.policies import PolicySet, read_policies
from grantor.reconcile.report import (
    SessionsEnd,
    describe_sessions,
    find_credentials_end,
)
from grantor.reconcile.run import read_pending_plans


def run_status(session: Session) -> int:
    """Exits with 0."""
    with Progress("reading the ledger"):
        status = _Status.read(session)
    session.output.print_lines(f"{label:<{LABEL_WIDTH}} {text}" for label, text in status.lines())
    session.output.print_json(status.to_json())
    return 0


@dataclass(frozen=True)
class _Access:
    """Access that no rule gives, and access that was taken away."""

    home: Home
    suspensions: tuple[Suspension, ...]
    unmanaged: list[Grant]
    leftover: list[LedgerEntry]  # that only additive files keep, whose rules are gone
    credentials_until: datetime | None  # those of grants that the last runs have deleted
    ended: SessionsEnd | None  # that is in force

    @classmethod
    def read(
        cls, session: Session, entries: Iterable[LedgerEntry], policies: PolicySet, now: datetime
    ) -> "_Access":
        """Costs a call per 1,000 grants, and some more."""
        services, ours = session.services, list(entries)
        listed = services.grants.list_grants(known={entry.id for entry in ours})
        known, rules = {entry.grant for entry in ours}, {rule.id for rule in policies.rules}
        ended = read_sessions_end(session)
        until = _find_credentials_end(services, now)
        if until and ended and ended.before and find_credentials_end(ended.before) >= until:
            until = None
        return cls(
            services.names.home,
            tuple(one for one in policies.suspensions if not one.until or one.until > now),
            sorted(listed.keys() - known, key=Grant.sort_key),
            [
                entry
                for entry in ours
                if all(one.additive and one.rule not in rules for one in entry.reasons)
                and policies.unread.keys().isdisjoint(one.file for one in entry.reasons)
            ],
            until,
            ended,
        )

    def lines(self, stack: str, now: datetime) -> Iterator[tuple[str, str]]:
        """Lines, each with its label."""
        for one in self.suspensions:
            until = f", until {format_timestamp(one.until)}" if one.until else ""
            yield "suspended", f"{one.name}{until}, by {one.file}: {one.because}"
        if self.credentials_until:
            yield "horizon", describe_horizon(self.credentials_until, stack)
        if self.ended and self.ended.before:
            useless = find_credentials_end(self.ended.before)
            effect = f"needed until {format_timestamp(useless)}"
            if useless <= now:
                effect = "not needed any more: grantor end-sessions --undo --because TEXT"
            yield "sessions", f"{describe_sessions(self.ended)}; {effect}"
        grants = [entry.grant for entry in self.leftover]
        for label, found in (("leftover", grants), ("unmanaged", self.unmanaged)):
            shown = found[:MAX_LISTED_LINES]
            yield from ((label, describe_grant(grant, self.home)) for grant in shown)
            if len(found) > len(shown):
                yield label, describe_omitted(len(found) - len(shown))

    def to_json(self) -> Json:
        until = self.credentials_until
        return {
            "suspensions": [
                {
                    "file": one.file,
                    "who": one.name,
                    "because": one.because,
                    "until": format_timestamp(one.until) if one.until else None,
                }
                for one in self.suspensions
            ],
            "credentials_until": format_timestamp(until) if until else None,
            "sessions": self.ended.to_json() if self.ended else None,
            "leftover": [encode_grant(entry.grant) for entry in self.leftover],
            "unmanaged": list(map(encode_grant, self.unmanaged)),
        }


def _find_credentials_end(services: Services, now: datetime) -> datetime | None:
    """Until when credentials of grants can live that recent runs have deleted."""
    for run in services.run_store.iterate_runs():
        if find_credentials_end(datetime.fromisoformat(run.at)) + timedelta(hours=1) < now:
            break  # a run takes minutes
        if until := run.document.get("credentials_until"):
            found = datetime.fromisoformat(until)
            return found if found > now else None
    return None


@dataclass(frozen=True)
class _Status:
    access: _Access
    stack: str
    where: str
    now: datetime
    owned: Counter[str]  # grants of the ledger by their state
    sweep: Sweep
    lease: LeaseStatus
    accepted: dict[str, AcceptedVersion]
    policies: PolicySet
    pending_plans: list[tuple[PendingPlan, PlanApproval]]
    last_change: RunRecord | None

    @classmethod
    def read(cls, session: Session) -> "_Status":
        services, store = session.services, session.services.run_store
        now, sweep, accepted = read_time(services), store.read_last_sweep(), store.read_accepted()
        policies = read_policies(services.policy_files, accepted, services.names)
        entries = list(services.ledger.iterate_entries())
        return cls(
            access=_Access.read(session, entries, policies, now),
            stack=services.names.stack_name,
            where=f"{services.clients.region} of account {services.names.account_id}",
            now=now,
            owned=Counter(str(entry.state) for entry in entries),
            sweep=sweep,
            lease=services.lease_store.read_status(services.clock()),
            accepted=accepted,
            policies=policies,
            pending_plans=[*read_pending_plans(services, now)],
            last_change=_find_last_change(services),
        )

    def lines(self) -> Iterator[tuple[str, str]]:
        """Lines, each with its label."""
        changed = (
            describe_run(self.last_change)
            if self.last_change
            else "no run has changed anything in the last 90 days"
        )
        yield "stack", f"{self.stack} in {self.where}"
        yield "sweep", self._describe_sweep()
        yield (
            "grants",
            f"{format_count(self.owned.total(), 'grant')} owned{self._describe_unsettled()}",
        )
        yield "changed", changed
        yield "lease", self._describe_lease()
        yield "pending", ", ".join(sorted(self.lease.pending)) or "no triggers"
        yield from (("policy", line) for line in self._describe_policies())
        yield from (("error", str(problem)) for problem in self.policies.problems)
        yield from (
            ("unread", f"{file}: {why}") for file, why in sorted(self.policies.unread.items())
        )
        yield from (self._describe_plan(plan, approval) for plan, approval in self.pending_plans)
        yield from self.access.lines(self.stack, self.now)

    def to_json(self) -> Json:
        """The same as a document of docs/json.md."""
        policies = self.policies
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "status",
            "stack": self.stack,
            "owned": dict(self.owned),
            "sweep": self._encode_sweep(),
            "last_change": dict(self.last_change.document) if self.last_change else None,
            "lease": self._encode_lease(),
            "policy": {
                "accepted": [
                    _encode_accepted(file, version)
                    for file, version in sorted(self.accepted.items())
                ],
                "new": sorted(policies.changed),
                "deleted": list(policies.deleted),
            },
            "diagnostics": [encode_problem(problem, "error") for problem in policies.problems],
            "unread": [{"what": file, "why": why} for file, why in sorted(policies.unread.items())],
            "pending_plans": [
                encode_pending_plan(plan, approval) for plan, approval in self.pending_plans
            ],
            **self.access.to_json(),
        }

    def _describe_sweep(self) -> str:
        if not self.sweep.at:
            return "none is complete yet"
        profiles = sorted(self.sweep.baseline.profiles.items())
        domains = ", ".join(
            f"{format_count(number, 'profile')} in {domain}" for domain, number in profiles
        )
        ago = _describe_age((self.now - datetime.fromisoformat(self.sweep.at)).total_seconds())
        return f"{format_time(self.sweep.at)}, {ago} ago" + (f": {domains}" if domains else "")

    def _encode_sweep(self) -> Json | None:
        sweep = self.sweep
        if not sweep.at:
            return None
        profiles = dict(sweep.baseline.profiles)
        return {"started_at": sweep.at, "owned": sweep.owned, "profiles": profiles}

    def _describe_unsettled(self) -> str:
        others = [
            f"{number:,} {state}" for state, number in sorted(self.owned.items()) if state != "live"
        ]
        return f", of which {' and '.join(others)}" if others else ""

    def _describe_lease(self) -> str:
        lease = self.lease
        if not lease.holder:
            return "free"
        since, until = (
            f"{datetime.fromtimestamp(at, UTC):%H:%M:%SZ}" for at in (lease.since, lease.expires)
        )
        return f"held by {lease.holder} since {since}, until {until} unless renewed"

    def _encode_lease(self) -> Json:
        lease = self.lease
        times = {"since": lease.since, "expires": lease.expires} if lease.holder else {}
        return {
            "holder": lease.holder or None,
            **{
                name: format_timestamp(datetime.fromtimestamp(at, UTC))
                for name, at in times.items()
            },
            "pending": sorted(lease.pending),
        }

    def _describe_policies(self) -> Iterator[str]:
        for file, accepted in sorted(self.accepted.items()):
            yield f"{file} version {accepted.version}, accepted {format_time(accepted.at)}"
        yield from (
            f"{file} has a version that no run has accepted yet"
            for file in sorted(self.policies.changed)
        )
        yield from (
            f"{file} was deleted, and no run has accepted that yet"
            for file in self.policies.deleted
        )

    def _describe_plan(self, plan: PendingPlan, approval: PlanApproval) -> tuple[str, str]:
        if approval.approved_by:
            return "approved", describe_approval_given(approval)
        changes, short = format_count(plan.count_changes(), "change"), shorten_hash(plan.hash)
        despite = " --despite-rejection" if approval.is_rejected else ""
        command = f"grantor approve {short}{despite} --because TEXT --stack {self.stack}"
        rejected = "".join(
            f", rejected by {one.who}, because: {one.because}" for one in approval.rejections
        )
        return "approval", f"plan {short}, {changes}, {format_time(plan.at)}{rejected}: {command}"


def _encode_accepted(file: str, accepted: AcceptedVersion) -> Json:
    return {
        "file": file,
        "version": accepted.version,
        "accepted_at": accepted.at or None,
        "run_id": accepted.run or None,
    }


def encode_pending_plan(plan: PendingPlan, approval: PlanApproval) -> Json:
    """A plan that waits for an approval, and what people said about it."""
    encoded = approval.to_json()
    return {
        "hash": plan.hash,
        "planned_at": plan.at,
        "causes": list(plan.causes),
        "counts": dict(plan.counts),
        "approved_by": encoded["approved_by"],
        "approved_at": encoded["approved_at"],
        "approval": encoded,
    }


def _find_last_change(services: Services) -> RunRecord | None:
    runs = services.run_store.iterate_runs()
    return next(
        (
            run
            for run in runs
            if any(run.document["counts"].get(name) for name in ("created", "deleted", "updated"))
        ),
        None,
    )


def _describe_age(seconds: float) -> str:
    """How long ago, in the largest unit that is exact enough.

    >>> _describe_age(42), _describe_age(600), _describe_age(7500), _describe_age(200_000)
    ('42 s', '10 min', '2 h', '2 days')
    """
    for unit, size in (("s", 1), ("min", 60), ("h", 3600)):
        following = size * (24 if unit == "h" else 60)
        if seconds < 2 * following:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86_400)} days"
