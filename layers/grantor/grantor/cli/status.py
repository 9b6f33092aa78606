"""grantor status: whether the stack is at work, what past runs have recorded, and policy files as
they are now.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from grantor.aws.lease import LeaseStatus
from grantor.aws.policy_store import AcceptedVersion
from grantor.aws.run_store import RunRecord, Sweep
from grantor.aws.stack_health import (
    EventRule,
    QueueDepth,
    QueueMapping,
    StackHealth,
    read_stack_health,
)
from grantor.cli.approve import encode_pending_plan
from grantor.cli.changing import describe_run, read_time
from grantor.cli.history import (
    AccessState,
    Unsettled,
    find_last_change,
    find_unsettled,
)
from grantor.cli.output import (
    LABEL_WIDTH,
    MAX_LISTED_LINES,
    Progress,
    describe_age,
    format_count,
    format_time,
)
from grantor.cli.session import Session
from grantor.core.diagnostics import Problem
from grantor.core.planning.approvals import PendingPlan, PlanApproval
from grantor.core.planning.lint import warn_of_ignored
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Json,
    describe_approval_given,
    describe_omitted,
    encode_problem,
    format_timestamp,
    shorten_hash,
)
from grantor.reconcile.policies import PolicySet, read_policies
from grantor.reconcile.run import read_pending_plans

MAX_LISTED_WORDS = 10  # of a list in one line
# From then on something is wrong; the alarms of stacks/operations.yaml go on at the same ages.
SWEEP_OVERDUE = timedelta(hours=1)
WORK_DEFERRED = timedelta(hours=1)
MAX_MESSAGE_SECONDS = {"EventQueue": 900, "UploadQueue": 3_600}


def run_status(session: Session) -> int:
    """Exits with 0, or with 1 if a line begins with attention."""
    with Progress("reading the ledger"):
        status = _Status.read(session)
    session.output.print_lines(f"{label:<{LABEL_WIDTH}} {text}" for label, text in status.lines())
    session.output.print_json(status.to_json())
    return 1 if status.attention else 0


@dataclass(frozen=True)
class Attention:
    """Something that is wrong, or that a person must decide: its kind as docs/json.md lists them,
    what it is about, and a sentence with the remedy.
    """

    kind: str
    about: str
    text: str


def judge_health(health: StackHealth) -> Iterator[Attention]:
    """What is wrong with a stack's triggers, queues and alarms."""
    triggers: list[EventRule | QueueMapping] = [*health.rules, *health.mappings]
    for one in triggers:
        if not one.is_enabled:
            yield Attention("trigger", one.name, _explain_trigger(one))
    for queue in health.queues:
        if queue.is_dead_letter_queue and queue.total:
            count = format_count(queue.total, "message")
            text = f"{queue.name} has {count}{_describe_oldest(queue)}: grantor redrive --list"
            yield Attention("dead_letters", queue.name, text)
        elif (queue.oldest_seconds or 0) > MAX_MESSAGE_SECONDS.get(queue.name, 3_600):
            text = f"{queue.name} is not emptied: its oldest message waits for "
            yield Attention("queue", queue.name, text + describe_age(queue.oldest_seconds or 0))
    for alarm in health.alarms:
        if alarm.is_on:
            since = f" since {format_timestamp(alarm.since)}" if alarm.since else ""
            yield Attention("alarm", alarm.name, f"{alarm.name} is on{since}: {alarm.about}")
    for what, why in sorted(health.unread.items()):
        yield Attention("unread", what, f"{what} could not be read: {why}")


def _explain_trigger(one: EventRule | QueueMapping) -> str:
    service = "EventBridge" if isinstance(one, EventRule) else "Lambda"
    if one.state == "missing":
        return f"trigger {one.name} is gone: make it again as template.yaml has it"
    return f"trigger {one.name} is {one.state}: enable it in {service}"


def _describe_oldest(queue: QueueDepth) -> str:
    if queue.oldest_seconds is None:
        return ""
    return f", the oldest {describe_age(queue.oldest_seconds)} old"


def describe_health(health: StackHealth) -> Iterator[tuple[str, str]]:
    """Lines, each with its label, of a stack that has any of these."""
    triggers: list[EventRule | QueueMapping] = [*health.rules, *health.mappings]
    if triggers:
        enabled = sum(one.is_enabled for one in triggers)
        yield "triggers", f"{enabled} of {len(triggers)} enabled"
    if health.queues:
        listed = (f"{one.name} {one.total:,}{_describe_oldest(one)}" for one in health.queues)
        yield "queues", "; ".join(listed)
    if health.alarms:
        count = sum(alarm.is_on for alarm in health.alarms)
        yield "alarms", f"{count} of {len(health.alarms)} on"


def encode_health(health: StackHealth) -> Json:
    """The same for a document of docs/json.md."""
    triggers: list[EventRule | QueueMapping] = [*health.rules, *health.mappings]
    return {
        "triggers": [{"name": one.name, "state": one.state} for one in triggers],
        "queues": [
            {
                "name": one.name,
                "waiting": one.waiting,
                "in_flight": one.in_flight,
                "delayed": one.delayed,
                "oldest_seconds": one.oldest_seconds and round(one.oldest_seconds),
            }
            for one in health.queues
        ],
        "alarms": [
            {
                "name": one.name,
                "state": one.state,
                "since": format_timestamp(one.since) if one.since else None,
            }
            for one in health.alarms
        ],
    }


def list_some(words: Iterable[str]) -> str:
    """The first words of a list, sorted, and how many more there are.

    >>> list_some(["b", "a"]), list_some(map(str, range(12)))
    ('a, b', '0, 1, 10, 11, 2, 3, 4, 5, 6, 7 and 2 more')
    """
    found = sorted(words)
    more = len(found) - MAX_LISTED_WORDS
    return ", ".join(found[:MAX_LISTED_WORDS]) + (f" and {more:,} more" if more > 0 else "")


@dataclass(frozen=True)
class _Status:
    access: AccessState
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
    health: StackHealth
    unsettled: tuple[Unsettled, ...]

    @classmethod
    def read(cls, session: Session) -> "_Status":
        services, store = session.services, session.services.run_store
        now, sweep, accepted = (
            read_time(services),
            store.read_last_sweep(),
            services.policy_store.read_accepted(),
        )
        policies = read_policies(services.policy_files, accepted, services.names)
        entries = list(services.ledger.iterate_entries())
        return cls(
            access=AccessState.read(session, entries, policies, now),
            stack=services.names.stack_name,
            where=f"{services.clients.region} of account {services.names.account_id}",
            now=now,
            owned=Counter(str(entry.state) for entry in entries),
            sweep=sweep,
            lease=services.lease_store.read_status(services.clock()),
            accepted=accepted,
            policies=policies,
            pending_plans=[*read_pending_plans(services, now)],
            last_change=find_last_change(services),
            health=read_stack_health(session.clients, services.names.stack_name, now),
            unsettled=find_unsettled(entries, store.iterate_runs()),
        )

    @property
    def ignored(self) -> tuple[Problem, ...]:
        """The files of the policy bucket that nobody reads."""
        return warn_of_ignored(self.policies.ignored)

    @property
    def attention(self) -> list[Attention]:
        """What is wrong, or what a person must decide."""
        return [*judge_health(self.health), *self._judge_records()]

    def _judge_records(self) -> Iterator[Attention]:
        for problem in self.policies.problems:
            yield Attention("error", problem.file, f"{problem.file} is wrong, see below")
        for file, why in sorted(self.policies.unread.items()):
            yield Attention("unread", file, f"{file} could not be read: {why}")
        for plan, approval in self.pending_plans:
            if not approval.approved_by:
                short = shorten_hash(plan.hash)
                yield Attention("approval", plan.hash, f"plan {short} waits for an approval")
        at = self.sweep.at and datetime.fromisoformat(self.sweep.at)
        if at and self.now - at > SWEEP_OVERDUE:
            text = "no run has read everything and brought it in line for "
            ago = describe_age((self.now - at).total_seconds())
            yield Attention("sweep", self.sweep.at, text + ago)
        for one in self.unsettled:
            since = datetime.fromisoformat(one.since) if one.since else self.now
            if one.outcome == "failed" or self.now - since > WORK_DEFERRED:
                text = f"{one.outcome}: {one.describe(self.access.home)}"
                yield Attention(one.outcome, one.grant.scope, text)

    def lines(self) -> Iterator[tuple[str, str]]:
        """Lines, each with its label."""
        changed = (
            describe_run(self.last_change)
            if self.last_change
            else "no run has changed anything in the last 90 days"
        )
        yield "stack", f"{self.stack} in {self.where}"
        attention = self.attention
        yield from (("attention", one.text) for one in attention[:MAX_LISTED_LINES])
        if len(attention) > MAX_LISTED_LINES:
            yield "attention", describe_omitted(len(attention) - MAX_LISTED_LINES)
        yield from describe_health(self.health)
        yield "sweep", self._describe_sweep()
        yield (
            "grants",
            f"{format_count(self.owned.total(), 'grant')} owned{self._describe_unsettled()}",
        )
        yield "changed", changed
        yield "lease", self._describe_lease()
        yield "pending", list_some(self.lease.pending) or "no triggers"
        yield from self._describe_unsettled_grants()
        yield from (("policy", line) for line in self._describe_policies())
        yield from (("error", str(problem)) for problem in self.policies.problems)
        yield from (
            ("unread", f"{file}: {why}") for file, why in sorted(self.policies.unread.items())
        )
        yield from (("ignored", f"{one.file}: {one.what}; {one.remedy}") for one in self.ignored)
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
            "diagnostics": [
                *(encode_problem(problem, "error") for problem in policies.problems),
                *(encode_problem(problem, "warning") for problem in self.ignored),
            ],
            "attention": [vars(one) for one in self.attention],
            **encode_health(self.health),
            "unsettled": [one.to_json() for one in self.unsettled],
            "unread": [
                {"what": what, "why": why}
                for what, why in sorted({**policies.unread, **self.health.unread}.items())
            ],
            "pending_plans": [
                encode_pending_plan(plan, approval) for plan, approval in self.pending_plans
            ],
            **self.access.to_json(),
        }

    def _describe_sweep(self) -> str:
        if not self.sweep.at:
            return "none is complete yet"
        profiles = sorted(self.sweep.baseline.profiles.items())
        domains = list_some(
            f"{format_count(number, 'profile')} in {domain}" for domain, number in profiles
        )
        ago = describe_age((self.now - datetime.fromisoformat(self.sweep.at)).total_seconds())
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

    def _describe_unsettled_grants(self) -> Iterator[tuple[str, str]]:
        shown = self.unsettled[:MAX_LISTED_LINES]
        yield from ((one.outcome, one.describe(self.access.home)) for one in shown)
        if len(self.unsettled) > len(shown):
            yield "deferred", describe_omitted(len(self.unsettled) - len(shown))

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
