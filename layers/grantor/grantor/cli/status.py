"""grantor status and history: what past runs have recorded, and policy files as they are now."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from grantor.aws.lease import LeaseStatus
from grantor.aws.run_store import AcceptedVersion, Approval, PendingPlan, RunRecord, Sweep
from grantor.aws.services import Services
from grantor.cli.changing import read_time
from grantor.cli.output import LABEL_WIDTH, MAX_LISTED_LINES, Progress, format_count, format_time
from grantor.cli.session import CommandError, Session
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Json,
    describe_approval_given,
    describe_focus,
    encode_problem,
    format_timestamp,
    shorten_hash,
)
from grantor.reconcile.policies import PolicySet, read_policies
from grantor.reconcile.report import Report, list_conditions, render_report


def run_status(session: Session) -> int:
    """Exits with 0."""
    with Progress("reading the ledger"):
        status = _Status.read(session)
    session.output.print_lines(f"{label:<{LABEL_WIDTH}} {text}" for label, text in status.lines())
    session.output.print_json(status.to_json())
    return 0


@dataclass(frozen=True)
class _Status:
    stack: str
    where: str
    now: datetime
    owned: Counter[str]  # grants of the ledger by their state
    sweep: Sweep
    lease: LeaseStatus
    accepted: dict[str, AcceptedVersion]
    policies: PolicySet
    pending_plans: list[tuple[PendingPlan, Approval | None]]  # since the last sweep
    last_change: RunRecord | None

    @classmethod
    def read(cls, session: Session) -> "_Status":
        services, store = session.services, session.services.run_store
        now, sweep, accepted = read_time(services), store.read_last_sweep(), store.read_accepted()
        # A run records its pending plan before its sweep, so the plans before the last sweep no
        # longer wait.
        plans = [plan for plan in store.list_pending_plans() if plan.at >= sweep.at]
        return cls(
            stack=services.names.stack_name,
            where=f"{services.clients.session.region_name} of account {services.names.account_id}",
            now=now,
            owned=Counter(str(entry.state) for entry in services.ledger.iterate_entries()),
            sweep=sweep,
            lease=services.lease_store.read_status(services.clock()),
            accepted=accepted,
            policies=read_policies(services.policy_files, accepted, services.names.data_bucket),
            pending_plans=[(plan, store.read_approval(plan.hash, now)) for plan in plans],
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
                _encode_plan(plan, approval) for plan, approval in self.pending_plans
            ],
        }

    def _describe_sweep(self) -> str:
        if not self.sweep.at:
            return "none is complete yet"
        profiles = sorted(self.sweep.profiles.items())
        domains = ", ".join(
            f"{format_count(number, 'profile')} in {domain}" for domain, number in profiles
        )
        ago = _describe_age((self.now - datetime.fromisoformat(self.sweep.at)).total_seconds())
        return f"{format_time(self.sweep.at)}, {ago} ago" + (f": {domains}" if domains else "")

    def _encode_sweep(self) -> Json | None:
        sweep = self.sweep
        if not sweep.at:
            return None
        return {"started_at": sweep.at, "owned": sweep.owned, "profiles": dict(sweep.profiles)}

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

    def _describe_plan(self, plan: PendingPlan, approval: Approval | None) -> tuple[str, str]:
        if approval:
            return "approved", describe_approval_given(
                plan.hash, approval.by, format_time(approval.at)
            )
        changes, short = format_count(plan.count_changes(), "change"), shorten_hash(plan.hash)
        command = f"grantor approve {short} --stack {self.stack}"
        return "approval", f"plan {short}, {changes}, {format_time(plan.at)}: {command}"


def _encode_accepted(file: str, accepted: AcceptedVersion) -> Json:
    return {
        "file": file,
        "version": accepted.version,
        "accepted_at": accepted.at or None,
        "run_id": accepted.run or None,
    }


def _encode_plan(plan: PendingPlan, approval: Approval | None) -> Json:
    return {
        "hash": plan.hash,
        "planned_at": plan.at,
        "causes": plan.document["approval"]["causes"],
        "counts": plan.document["counts"],
        "approved_by": approval.by if approval else None,
        "approved_at": approval.at if approval else None,
    }


def _find_last_change(services: Services) -> RunRecord | None:
    runs = services.run_store.iterate_runs()
    return next(
        (
            run
            for run in runs
            if run.document["counts"]["created"] or run.document["counts"]["deleted"]
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


def run_history(session: Session) -> int:
    """Exits with 0, or with 1 if no run has the given id."""
    wanted = session.arguments.run
    return _show_run(session, wanted) if wanted else _list_runs(session)


def describe_run(run: RunRecord) -> str:
    """One run in a line."""
    counts, policy = run.document["counts"], run.document["policy"]
    files = [one["file"] for one in policy["accepted"]] + [
        f"{file} was deleted" for file in policy["deleted"]
    ]
    activity = run.document["activity"]
    about = describe_focus(run.document["focus"]) if activity == "reconcile" else activity
    parts = [
        about,
        *list_conditions(run.document),
        *([f"accepted {', '.join(files)}"] if files else []),
    ]
    changes = f"+{counts['created']} -{counts['deleted']}"
    return f"{format_time(run.at)}  {run.id}  {changes}  {'; '.join(parts)}"


def _list_runs(session: Session) -> int:
    runs = tuple(islice(session.services.run_store.iterate_runs(), session.arguments.limit))
    session.output.print_lines(map(describe_run, runs))
    if not runs:
        session.output.print_line("no run of the last 90 days has changed or reported anything")
    documents = [dict(run.document) for run in runs]
    session.output.print_json({"schema_version": SCHEMA_VERSION, "kind": "runs", "runs": documents})
    return 0


def _show_run(session: Session, wanted: str) -> int:
    names, runs = session.services.names, session.services.run_store.iterate_runs()
    run = next((run for run in runs if run.id == wanted), None)
    if run is None:
        raise CommandError(
            f"the history has no run {wanted}: grantor history lists the runs of the last 90 days "
            "that changed or reported anything"
        )
    truncated: dict[str, Any] = run.document["truncated"]
    session.output.print_line(describe_run(run))
    session.output.print_lines(
        render_report(
            Report.from_document(run.document), names.home, names.stack_name, MAX_LISTED_LINES
        )
    )
    session.output.print_lines(
        f"… and {number:,} more of {name}" for name, number in truncated.items()
    )
    session.output.print_json(dict(run.document))
    return 0
