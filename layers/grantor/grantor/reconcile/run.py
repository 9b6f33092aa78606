"""One run: read policies and snapshot, compute the plan, let the guard judge it, apply it, report,
and publish the report.

the guard's judgement                    what the run applies
it has no objection                      the plan; new policy versions are accepted with it
it objects, and the plan is approved     likewise
it objects to a plan of new versions     the interim plan, of the accepted versions
it objects to the interim plan, too      the interim plan without the changes it objects to
"""

import gc
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError
from grantor.aws.dynamodb import Action
from grantor.aws.lease import Lease, Subjects
from grantor.aws.notifications import DetailType
from grantor.aws.policy_store import AcceptedVersion, encode_acceptance
from grantor.aws.run_store import PlanAltered, RunRecord
from grantor.aws.services import EarlyReads, Services
from grantor.core.planning.approvals import (
    PendingPlan,
    PlanApproval,
    decode_versions,
    describe_objection,
    digest_versions,
    find_authors,
    judge_decisions,
)
from grantor.core.planning.guard import (
    Baseline,
    GuardContext,
    find_gifts,
    find_losses,
    judge_plan,
    remove_objected,
)
from grantor.core.planning.lint import lint_rules
from grantor.core.planning.plan import Plan, compute_plan
from grantor.core.planning.rendering import Json, format_timestamp
from grantor.core.planning.required_reads import resolve_focus
from grantor.core.planning.suspensions import SuspensionReview, explain_review, review_suspensions
from grantor.core.snapshot import EVERYTHING, Focus, Snapshot
from grantor.reconcile.apply import apply_plan
from grantor.reconcile.judged_plan import JudgedPlan
from grantor.reconcile.policies import PolicySet, begin_policies, read_accepted_policies
from grantor.reconcile.read import read_snapshot
from grantor.reconcile.record_history import HistoryRecorder
from grantor.reconcile.report import Report, list_conditions, render_problems
from grantor.settings import SUSPENSION_WINDOW


def judge_run(services: Services, subjects: Subjects) -> JudgedPlan | None:
    """What a run would do now; None if the triggers concern no rule. Reads only; raises as
    read_snapshot does.
    """
    with pause_collector(), EarlyReads(services) as early:
        wait_for_policies = begin_policies(early)
        if EVERYTHING in subjects:
            early.begin_everything()
        policies = wait_for_policies()
        focus = _choose_focus(policies, subjects, early)
        return _judge_policies(early, policies, focus, _read_clock(services)) if focus else None


@contextmanager
def pause_collector() -> Iterator[None]:
    """Pause the search for cyclic garbage. Nearly everything that a run reads stays until its end,
    and looking through it again and again takes a quarter of a sweep's CPU time (measured).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _choose_focus(policies: PolicySet, subjects: Subjects, early: EarlyReads) -> Focus | None:
    """What the run looks at. A version that was not accepted before may change anything, whatever
    the triggers are about.
    """
    if policies.is_new:
        return Focus()
    return resolve_focus(subjects, policies.rules, early.read_domains)


def run_once(
    services: Services, lease: Lease, subjects: Subjects, go_on: Callable[[], bool]
) -> Report:
    """Bring the grants in line with the policy files, as far as the triggers ask; `go_on` is asked
    before each change.

    Running it again at once changes nothing. Raises as judge_run does, before anything is changed,
    and LeaseLost.
    """
    judged = judge_run(services, subjects)
    now = _read_clock(services)
    report = Report.begin(now)
    if judged is None:
        return report
    _Run(services, lease, go_on, report, now).apply(judged)
    took = {one: (services.clock() - at) * 1000 for one, at in subjects.items() if at is not None}
    report.event_to_grant = took if report.done else {}
    return report


def compute_interim(services: Services, judged: JudgedPlan) -> JudgedPlan:
    """What a run applies while the plan waits for an approval: the plan of the accepted policy
    versions, without the changes that the guard objects to.

    Reads only; raises as judge_run does.
    """
    if judged.policies.is_new:
        accepted, snapshot = services.policy_store.read_accepted(), judged.snapshot
        policies = read_accepted_policies(
            judged.policies, services.policy_files, accepted, services.names
        )
        focus, now = snapshot.authority.focus, snapshot.inventory.now
        policies = policies.add_suspensions(_review_suspensions(judged.policies, snapshot).agreed)
        with EarlyReads(services) as early:
            judged = _judge_policies(early, policies, focus, now)
    if not judged.guard:
        return judged
    return replace(judged, plan=remove_objected(judged.plan, judged.objections, judged.guard))


def read_approval(services: Services, judged: JudgedPlan, now: datetime) -> PlanApproval:
    """Whether the plan requires an approval, and what people said about it; calls only if it
    does: one for its record, those of read_decisions, and one for each new policy file.
    """
    approval = PlanApproval(judged.plan.hash, judged.causes, objections=judged.objections)
    if not judged.causes:
        return approval
    brought = judged.policies.brought
    pending = services.run_store.read_pending_plan(approval.hash)
    if pending and pending.is_same(digest_versions(brought), now):
        approval = replace(approval, nonce=pending.nonce)
    return judge_approval(services, approval, brought, now)


def judge_approval(
    services: Services, approval: PlanApproval, brought: Mapping[str, str], now: datetime
) -> PlanApproval:
    """The approval of a plan, that brings these versions of policy files into force ("" for a
    deletion), with what people said about it and who wrote the files.
    """
    store, accepted_files = services.run_store, services.policy_store.read_accepted()
    accepted = {file: version.at for file, version in accepted_files.items()}
    authors = find_authors(brought, accepted, store.read_writes(brought))
    decisions = store.read_decisions(approval.hash)
    return judge_decisions(approval, decisions, authors, format_timestamp(now))


def read_pending_plans(
    services: Services, now: datetime
) -> Iterator[tuple[PendingPlan, PlanApproval]]:
    """The plans that wait for an approval, as runs have recorded them, and what people said about
    each; the last first.
    """
    for plan in services.run_store.list_pending_plans():
        approval = PlanApproval(plan.hash, plan.causes, nonce=plan.nonce)
        try:
            brought = decode_versions(services.run_store.read_plan_document(plan)["policy"])
        except PlanAltered:
            brought = {}
        yield plan, judge_approval(services, approval, brought, now)


def _judge_policies(
    early: EarlyReads, policies: PolicySet, focus: Focus, now: datetime
) -> JudgedPlan:
    snapshot = read_snapshot(early, policies, focus, now)
    plan = compute_plan(
        snapshot.wanted.grants, snapshot.entries, snapshot.actual, snapshot.ours, snapshot.authority
    )
    review = _review_suspensions(policies, snapshot)
    suspensions = explain_review(review) if review.people or review.outside else ()
    guard = _read_guard_context(early, policies, snapshot, plan)
    objections = judge_plan(plan, guard) if guard else ()
    causes = [describe_objection(one, early.services.guard_limits) for one in objections]
    return JudgedPlan(policies, snapshot, plan, (*suspensions, *causes), objections, guard)


def _review_suspensions(policies: PolicySet, snapshot: Snapshot) -> SuspensionReview:
    """Whether the suspensions of new versions require an approval, and which do not."""
    new, inventory = policies.new_suspensions, snapshot.inventory
    if not new:
        return SuspensionReview()
    recent = policies.recent_suspensions(inventory.now - SUSPENSION_WINDOW)
    outside = policies.bounds.find_suspensions_outside(new)
    return review_suspensions(new, recent, outside, snapshot.wanted.suspended, inventory)


def _read_guard_context(
    early: EarlyReads, policies: PolicySet, snapshot: Snapshot, plan: Plan
) -> GuardContext | None:
    """What the guard judges the plan by; None if it takes and gives nothing. Costs a call, unless
    the run reads the whole ledger.
    """
    services = early.services
    now, entries, limits = snapshot.inventory.now, snapshot.entries, services.guard_limits
    losses = find_losses(plan, now, limits)
    if not (losses or find_gifts(plan, entries)):
        return None
    sweep, window = early.read_guard()
    baseline = sweep.baseline if losses else Baseline()
    if losses and snapshot.authority.focus.everything:
        baseline = Baseline.count(entries.values(), baseline.profiles, now)
    return GuardContext(
        now,
        services.names.account_id,
        limits,
        entries,
        baseline,
        window,
        rules=frozenset(rule.id for rule in policies.rules),
        deleted_files=frozenset(policies.deleted),
        profiles=snapshot.count_profiles(),
        changed_files=frozenset(policies.changed),
    )


def _read_clock(services: Services) -> datetime:
    return datetime.fromtimestamp(services.clock(), UTC)


@dataclass
class _Run:
    """One run under its lease."""

    services: Services
    lease: Lease
    go_on: Callable[[], bool]
    report: Report
    now: datetime

    def apply(self, judged: JudgedPlan) -> None:
        """Apply the plan; or record that it requires an approval, and apply what may be done until
        then.
        """
        report = self.report
        report.add_plan(judged.policies, judged.snapshot, judged.plan)
        if rules := judged.list_unrecorded():
            self.services.review_store.record_first_seen(rules, self.now)
        report.approval = read_approval(self.services, judged, self.now)
        if not report.approval.is_pending:
            accepted = self._accept_policies(judged.policies)
            judged_so = replace(judged, causes=(), is_approved=bool(judged.causes))
            self._apply_plan(judged_so, accepted)
            self._add_warnings(judged)
            self._use_approval()
            self._close_other_plans(judged, judged.plan.hash if report.cut_short else "")
            return
        self._add_warnings(judged)
        self._record_pending(judged)
        self._close_other_plans(judged, judged.plan.hash)
        self._apply_plan(compute_interim(self.services, judged))

    def _add_warnings(self, judged: JudgedPlan) -> None:
        """Only a new version can bring new warnings, and finding them takes time."""
        if judged.policies.is_new:
            found = lint_rules(judged.snapshot.wanted, judged.policies.policies.values())
            self.report.warnings += found

    def _apply_plan(self, judged: JudgedPlan, first: Iterable[Action] = ()) -> None:
        ledger = self.services.ledger.joining(self.lease)
        ledger.write_actions(first)
        apply_plan(self.services, ledger, judged, self.go_on, self.report)

    def _record_pending(self, judged: JudgedPlan) -> None:
        """Record the plan with its nonce, and note who has rejected it."""
        report, brought = self.report, judged.policies.brought
        approval, store = report.approval, self.services.run_store
        known = store.read_pending_plan(approval.hash)
        rejections = frozenset(one.id for one in approval.rejections)
        report.newly_rejected = bool(rejections - (known.noted if known else frozenset()))
        if report.newly_rejected:
            self._record_rejections(approval)
        accepted = {file: version for file, version in brought.items() if version}
        planned = replace(report, accepted=accepted, removed_files=judged.policies.deleted)
        document = planned.to_plan_document(self.services.names.stack_name, judged.plan)
        pending = PendingPlan(
            approval.hash,
            secrets.token_hex(16),
            report.timestamp,
            report.timestamp,
            approval.causes,
            document["counts"],
            digest_versions(brought),
            noted=rejections,
        ).go_on_with(known, self.now)
        store.record_pending_plan(self.lease, pending, document, self.now)
        report.approval = replace(approval, nonce=pending.nonce)

    def _record_rejections(self, approval: PlanApproval) -> None:
        services = self.services
        history = HistoryRecorder(services.history, services.clock, self.report.run_id)
        history.note_rejections(approval)
        history.record()
        history.raise_failure()

    def _use_approval(self) -> None:
        """Remove the approval and its plan: an equal plan needs another one. If time was over, the
        plan is not applied yet. Last: after a crash the next run goes on with the approval.
        """
        approval, store = self.report.approval, self.services.run_store
        pending = store.read_pending_plan(approval.hash) if approval.causes else None
        if pending and not self.report.cut_short:
            store.close_plan(self.lease, pending, [approval.approved_by])

    def _close_other_plans(self, judged: JudgedPlan, pending: str) -> None:
        """Remove the plans that a run which has read everything no longer computes."""
        snapshot = judged.snapshot
        if snapshot.authority.focus.everything and not snapshot.inventory.unread:
            self.services.run_store.close_other_plans(self.lease, pending)

    def _accept_policies(self, policies: PolicySet) -> list[Action]:
        """The actions that accept new versions, before anything of them is applied."""
        if not policies.is_new:
            return []
        # A new version may concern anyone, whatever the triggers are about; and if this run dies,
        # the next finds nothing new.
        if EVERYTHING not in self.lease.subjects:
            self.services.lease_store.add_subjects(self.lease, {EVERYTHING: None})
        at, run = self.report.timestamp, self.report.run_id
        versions = {
            key: AcceptedVersion(file.version, file.etag, at, run, policies.find_suspensions(key))
            for key, file in policies.changed.items()
        }
        self.report.accepted = {key: version.version for key, version in versions.items()}
        self.report.removed_files = policies.deleted
        return encode_acceptance(versions, policies.deleted)


def publish_run(services: Services, report: Report) -> None:
    """Publish a run that has news, or a problem that no alert of the last day was about.

    Raises ClientError or RetryableError, after it has tried everything.
    """
    # Whoever reads the alerts also learns who has approved what, and why.
    is_alert = report.needs_action or report.approval.approved_by or report.sessions
    alerts = is_alert and not services.run_store.was_alerted(report.alert_keys(), report.started_at)
    if not (report.has_news or alerts):
        return
    document = report.to_document(services.names.stack_name)
    steps: list[Callable[[], None]] = [
        partial(services.notifications.put_event, choose_detail_type(report), document),
        partial(_record_run, services, report, document),
    ]
    if alerts:
        steps.append(partial(_send_alert, services, report, document))
    errors = list(filter(None, map(_try_step, steps)))
    if errors:
        raise errors[0]


def choose_detail_type(report: Report) -> DetailType:
    """The detail-type of the run's event."""
    if report.approval.is_pending:
        return DetailType.APPROVAL_REQUIRED
    if report.errors:
        return DetailType.POLICY_REJECTED
    return DetailType.RECONCILED if report.is_finished else DetailType.RUN_DEFERRED


def _try_step(step: Callable[[], None]) -> Exception | None:
    try:
        step()
    except (ClientError, RetryableError) as error:
        return error
    return None


def _record_run(services: Services, report: Report, document: Json) -> None:
    services.run_store.record_run(
        RunRecord(report.timestamp, report.run_id, document), report.started_at
    )


def _send_alert(services: Services, report: Report, document: Json) -> None:
    names = services.names
    subject = f"Grantor {names.stack_name}: {list_conditions(document)[0]}"
    services.notifications.send_alert(
        subject, render_problems(report, names.home, names.stack_name)
    )
    # Last: after a crash the alert is sent twice rather than never.
    services.run_store.record_alert(report.alert_keys(), report.started_at)
