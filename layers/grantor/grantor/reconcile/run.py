"""One run: read policies and snapshot, compute the plan, let the guard judge it, apply it, report.

the guard's judgement                    what the run applies
it has no objection                      the plan; new policy versions are accepted with it
it objects, and the plan is approved     likewise
it objects to a plan of new versions     the interim plan, of the accepted versions
it objects to the interim plan, too      the creates of it; its deletes wait for an approval
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from grantor.aws.lease import Lease, Subjects
from grantor.aws.run_store import AcceptedVersion
from grantor.aws.services import Services
from grantor.core.planning.lint import lint_rules
from grantor.core.planning.plan import Baseline, compute_plan, judge_plan
from grantor.core.planning.required_reads import resolve_focus
from grantor.core.snapshot import EVERYTHING, Focus, Snapshot
from grantor.reconcile.apply import JudgedPlan, apply_plan
from grantor.reconcile.policies import PolicySet, read_accepted_policies, read_policies
from grantor.reconcile.read import read_snapshot
from grantor.reconcile.report import PlanApproval, Report


def judge_run(services: Services, subjects: Subjects) -> JudgedPlan | None:
    """What a run would do now; None if the triggers concern no rule. Reads only; raises as
    read_snapshot does.
    """
    accepted = services.run_store.read_accepted()
    policies = read_policies(services.policy_files, accepted, services.names.data_bucket)
    # A version that was not accepted before may change anything, whatever the triggers are about.
    focus = (
        Focus()
        if policies.is_new
        else resolve_focus(subjects, policies.rules, services.studio.list_domains)
    )
    return _judge_policies(services, policies, focus, _read_clock(services)) if focus else None


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
    took = {
        subject: (services.clock() - at) * 1000
        for subject, at in subjects.items()
        if at is not None
    }
    report.event_to_grant = took if report.done else {}
    return report


def compute_interim(services: Services, judged: JudgedPlan) -> JudgedPlan:
    """What a run applies while the plan waits for an approval: the plan of the accepted policy
    versions, without the deletes that the guard objects to.

    Reads only; raises as judge_run does.
    """
    if judged.policies.is_new:
        accepted, snapshot = services.run_store.read_accepted(), judged.snapshot
        policies = read_accepted_policies(
            judged.policies, services.policy_files, accepted, services.names.data_bucket
        )
        focus, now = snapshot.authority.focus, snapshot.inventory.now
        judged = _judge_policies(services, policies, focus, now)
    if not judged.causes:
        return judged
    agreed = tuple(change for change in judged.plan.delete if change.agreed)
    return replace(judged, plan=replace(judged.plan, delete=agreed))


def read_approval(services: Services, judged: JudgedPlan, now: datetime) -> PlanApproval:
    """Whether the plan requires an approval, and who has given it; a call only if it does."""
    plan_hash = judged.plan.hash
    given = services.run_store.read_approval(plan_hash, now) if judged.causes else None
    by, at = (given.by, given.at) if given else ("", "")
    return PlanApproval(plan_hash, judged.causes, by, at)


def _judge_policies(
    services: Services, policies: PolicySet, focus: Focus, now: datetime
) -> JudgedPlan:
    snapshot = read_snapshot(services, policies, focus, now)
    plan = compute_plan(
        snapshot.wanted.grants, snapshot.entries, snapshot.actual, snapshot.ours, snapshot.authority
    )
    if not plan.delete:
        return JudgedPlan(policies, snapshot, plan, ())
    baseline = _read_baseline(services, snapshot)
    causes = judge_plan(plan, baseline, len(policies.rules), snapshot.count_profiles())
    return JudgedPlan(policies, snapshot, plan, causes)


def _read_baseline(services: Services, snapshot: Snapshot) -> Baseline:
    last = services.run_store.read_last_sweep()
    owned = len(snapshot.entries) if snapshot.authority.focus.everything else last.owned
    return Baseline(owned, last.profiles)


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
        # Only a new version can bring new warnings, and finding them takes time.
        if judged.policies.is_new:
            report.warnings += lint_rules(judged.snapshot.wanted, judged.policies.policies.values())
        report.approval = read_approval(self.services, judged, self.now)
        if not report.approval.is_pending:
            self._accept_policies(judged.policies)
            self._apply_plan(replace(judged, causes=()))
            return
        document = report.to_plan_document(self.services.names.stack_name, judged.plan)
        self.services.run_store.record_pending_plan(judged.plan.hash, document, self.now)
        self._apply_plan(compute_interim(self.services, judged))

    def _apply_plan(self, judged: JudgedPlan) -> None:
        apply_plan(self.services, self.lease, judged, self.go_on, self.report)

    def _accept_policies(self, policies: PolicySet) -> None:
        if not policies.is_new:
            return
        # A new version may concern anyone, whatever the triggers are about; and if this run dies,
        # the next finds nothing new.
        if EVERYTHING not in self.lease.subjects:
            self.services.lease_store.add_subjects(self.lease, {EVERYTHING: None})
        at, run = self.report.timestamp, self.report.run_id
        versions = {
            key: AcceptedVersion(file.version, file.etag, at, run)
            for key, file in policies.changed.items()
        }
        self.services.run_store.record_accepted(self.lease, versions, policies.deleted)
        self.report.accepted = {key: version.version for key, version in versions.items()}
        self.report.removed_files = policies.deleted
