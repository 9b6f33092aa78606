"""Start jobs: check the role's grants, claim the run, create its processing job."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from grantor.aws.clients import RetryableError
from grantor.aws.job_services import JobServices, NameTaken, QuotaReached, RequestRefused
from grantor.aws.job_store import InputItem, JobRun
from grantor.aws.s3 import CodeChanged
from grantor.aws.services import EarlyReads, Services
from grantor.core.grant import Grant, iam_grantee, profile_subject
from grantor.core.jobs.batches import INPUTS_FILE, BatchTooLarge, QuietCheck, dump_inputs
from grantor.core.jobs.decide import (
    InputStatus,
    PreflightAnswer,
    PreflightResult,
    StartAction,
    StartDecision,
    WantedRun,
    check_grants,
    check_suspension,
    decide_start,
    explain_suspension,
)
from grantor.core.jobs.job_status import FailureCause, JobDescription, JobStatus
from grantor.core.jobs.outcome import explain_quota, quote_foreign
from grantor.core.jobs.request import (
    Attempt,
    UnsendableRequest,
    build_attempt_request,
    compute_input_id,
    compute_run_id,
    format_job_name,
    hash_request,
    list_buckets,
    run_folder,
)
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.required_reads import filter_rules
from grantor.core.rules import IamPrincipal, Instances, Policy, Rule, Start
from grantor.core.snapshot import Focus, InputObject, WantedGrants
from grantor.core.triggers import UploadTrigger
from grantor.jobs import follow_up
from grantor.jobs.follow_up import RetryWhen, StartResult
from grantor.reconcile.policies import PolicySet
from grantor.reconcile.read import read_focused
from grantor.settings import JOB_NAME_SECRET_BYTES, JOB_START_ROUNDS, MAX_JOB_FAILURES

FULL_FOCUS = Focus()


@dataclass(frozen=True)
class _InputCheck:
    """What was read about an input, and the decision that follows."""

    held: InputItem
    input: InputObject | None
    run: str
    description: JobDescription | None
    decision: StartDecision

    @property
    def uploaded(self) -> float:
        """When the newest object of the input was put, in seconds since the epoch; 0 for none."""
        return self.input.uploaded if self.input else 0.0


@dataclass(frozen=True)
class JobStarter:
    """Starts the jobs that an upload triggers, by the policies in force."""

    jobs: JobServices
    policies: PolicySet
    trigger: UploadTrigger

    def start_job(self, start: Start) -> StartResult:
        """Start one job, or say why not.

        Raises RetryableError or ClientError if something cannot be read or written.
        """
        try:
            return self._start_job(start)
        except BatchTooLarge as reason:
            sentence = f"{start.job.id} starts no run: {reason}"
            cause = f"{start.job.id} on {start.input} has too many objects"
            follow_up.alert_once(self.jobs, "a batch is too large", sentence, cause)
            return StartResult(sentence, RetryWhen.ON_EVENT)

    def _start_job(self, start: Start) -> StartResult:
        for _ in range(JOB_START_ROUNDS):
            check = self._check_input(start)
            quiet = QuietCheck(
                start.job, start.upload, check.uploaded, check.uploaded, self.jobs.clock()
            )
            if start.job.quiet and check.uploaded and quiet.seconds_left > 0:
                return StartResult(
                    quiet.sentence, RetryWhen.PAUSE, quiet.seconds_left, check.uploaded
                )
            if check.decision.action is StartAction.SETTLE and check.description:
                follow_up.settle_run(self.jobs, check.held, check.description)
            elif check.decision.action is not StartAction.START or not check.input:
                return self._explain_no_start(start, check)
            elif result := self._launch_job(start, check, check.input):
                return result
        return StartResult(
            f"{start.upload} changes faster than it can be processed", RetryWhen.SOON
        )

    def _check_input(self, start: Start) -> _InputCheck:
        held = self.jobs.store.read_input(compute_input_id(start))
        found = self.jobs.read_input(start)
        run = compute_run_id(start, found, self.jobs.codes[start.job.run].code) if found else ""
        in_progress = held.status.status is JobStatus.IN_PROGRESS
        description = self.jobs.jobs.describe_job(held.status.name) if in_progress else None
        wanted = WantedRun("")
        if found:
            wanted = WantedRun(run, found.version, self.trigger.granted, found.uploaded)
        decision = decide_start(held.status, wanted, description, self.jobs.clock())
        return _InputCheck(held, found, run, description, decision)

    def _explain_no_start(self, start: Start, check: _InputCheck) -> StartResult:
        """Say why nothing starts now, alert a person if one must act, and choose the retry."""
        action, status = check.decision.action, check.held.status
        if action is StartAction.UNSETTLED and check.input:
            return self._explain_unsettled(start, status, check.input)
        sentence = f"{start.job.name} on {start.input}: {action}"
        again = "upload the data again to try again"
        if action is StartAction.GIVEN_UP:
            last = f"the last of them {status.name}: {status.cause}"
            why = f"{sentence} after {MAX_JOB_FAILURES} attempts, {last}; {again}"
            follow_up.alert_once(self.jobs, "a job is given up", why)
        if action is StartAction.FAILED and status.cause is FailureCause.INPUT:
            cause = f"{status.name} ended because of its input ({status.cause})"
            why = f"{sentence}: {cause}, which has not changed; {again}"
            follow_up.alert_once(self.jobs, "a job failed", why)
        if action is StartAction.GONE and start.input != start.upload:
            why = f"{sentence}; it starts when {start.input} is there"
            follow_up.alert_once(self.jobs, "a job has no input", why)
            return StartResult(sentence, RetryWhen.ON_EVENT)
        retries = {
            StartAction.DONE: RetryWhen.NEVER,
            StartAction.GONE: RetryWhen.NEVER,
            # Nothing waits: other data starts a run by its own event, and newer code by a sweep.
            StartAction.FAILED: RetryWhen.NEVER,
            StartAction.GIVEN_UP: RetryWhen.NEVER,
            StartAction.CLAIMED: RetryWhen.SOON,
        }
        return StartResult(sentence, retries.get(action, RetryWhen.ON_EVENT))

    def _explain_unsettled(
        self, start: Start, status: InputStatus, found: InputObject
    ) -> StartResult:
        """Say that the start waits until uploads pause, since each superseded the last run."""
        count = status.superseded
        runs = "the last run was" if count == 1 else f"the last {count} runs were"
        pause = f"nothing has been uploaded for {status.quiet_seconds:.0f} seconds"
        why = f"{runs} superseded by newer data; the next starts when {pause}"
        left = max(1.0, found.uploaded + status.quiet_seconds - self.jobs.clock())
        return StartResult(f"{start.job.name} on {start.input}: {why}", RetryWhen.SOON, left)

    def _launch_job(
        self, start: Start, check: _InputCheck, found: InputObject
    ) -> StartResult | None:
        """Create the processing job if the role holds the grants that the job needs.

        None if another invocation was faster; then the caller looks at the input again.
        """
        now = datetime.fromtimestamp(self.jobs.clock(), UTC)
        start = self._complete_start(start, found)
        grants = check_role_grants(self.jobs.services, self.policies, start, now)
        if grants.answer is PreflightAnswer.MISSING:
            why = f"{start.job.id} on {start.input}: {grants.sentence}"
            follow_up.alert_once(self.jobs, "a grant is missing for a job", why)
            return StartResult(grants.sentence, RetryWhen.ON_EVENT)
        if grants.answer is PreflightAnswer.NOT_YET:
            return StartResult(grants.sentence, RetryWhen.SOON)
        decision, code = check.decision, self.jobs.codes[start.job.run]
        name = decision.name or format_job_name(
            start.job.name, check.run, decision.attempt, secrets.token_hex(JOB_NAME_SECRET_BYTES)
        )
        attempt = Attempt(start, found, check.run, decision.attempt, name)
        try:
            request = build_attempt_request(attempt, self.jobs.launch_environment(code.code))
        except UnsendableRequest as reason:
            follow_up.alert_once(
                self.jobs, "a job cannot be requested", f"{attempt.label}: {reason}"
            )
            return StartResult(str(reason), RetryWhen.ON_EVENT)
        try:
            self.jobs.place_code(code, list_buckets(start))
        except CodeChanged as changed:
            why = (
                f"{attempt.label} does not start, because somebody has changed its code in "
                f"s3://{self.jobs.names.operations_bucket}/: {quote_foreign(changed.key)} "
                f"{changed}; find out who, then delete it, and the launcher puts its own"
            )
            follow_up.alert_once(self.jobs, "the code of a job was changed", why)
            return StartResult(why, RetryWhen.ON_EVENT)
        if found.members:
            folder = run_folder(self.jobs.names.operations_bucket, start.role, name)
            self.jobs.operations.put_small(f"{folder}{INPUTS_FILE}", dump_inputs(found))
        run = self._build_run_record(attempt, check.held.status.version)
        status = check.held.status
        claim = status.claim_attempt(
            attempt, decision.failures, self.jobs.clock(), hash_request(request)
        )
        claimed = self.jobs.store.replace_input(check.held, claim, run.sort_key)
        if not claimed:
            return None
        return _StartClaim(self.jobs, check.held, claimed, run, self.trigger).create_job(request)

    def _complete_start(self, start: Start, found: InputObject) -> Start:
        """Add what follows from the input: the machines for its size."""
        job = start.job
        if job.instances.is_auto:
            bounds = self.policies.bounds.find(job.file).jobs
            # A job for which the bounds allow no machine is refused before.
            job = replace(job, instances=bounds.choose_machines(found.size) or Instances())
        return replace(start, job=job)

    def _build_run_record(self, attempt: Attempt, before: str) -> JobRun:
        """Build the record of an attempt; `before` is the last input's version, or ""."""
        folder = run_folder(self.jobs.names.operations_bucket, attempt.start.role, attempt.name)
        uploads = self.jobs.uploads
        passed_over = 0
        if before and not attempt.input.members:
            passed_over = uploads.count_versions_between(attempt.input, before)
        return JobRun.from_attempt(attempt, self.jobs.clock(), folder, passed_over)


@dataclass(frozen=True)
class _StartClaim:
    """A claimed name of a processing job: the input's item before the claim, and with it."""

    jobs: JobServices
    before: InputItem
    claimed: InputItem
    run: JobRun
    trigger: UploadTrigger

    def create_job(self, request: dict[str, object]) -> StartResult | None:
        """Create the processing job; None if its name exists, so that the caller looks again."""
        label = self.run.label
        self.jobs.store.record_run(self.claimed.subject, self.run)
        try:
            self.jobs.jobs.create_job(request)
        except NameTaken:
            self._close_previous_record()
            return None
        except QuotaReached as quota:
            region = self.jobs.services.clients.region
            why = f"{label} waits for {explain_quota(str(quota), region)}"
            return self._release_claim(why, "a quota is reached", RetryWhen.SOON)
        except RequestRefused as refusal:
            why = f"{label}: {refusal}"
            return self._release_claim(why, "SageMaker refuses a job", RetryWhen.ON_EVENT)
        except RetryableError as reason:
            # The job may exist: the claim stays until SageMaker describes it or does not know it.
            return StartResult(f"{label}: {reason}", RetryWhen.SOON)
        self._close_previous_record()
        follow_up.report_started(self.jobs, self.run, self.trigger.at)
        return StartResult(f"{label} is started as {self.run.name}", RetryWhen.ON_EVENT)

    def _close_previous_record(self) -> None:
        """Let the record of the input's last run expire; delete that of a claim without a job."""
        if self.before.status.status is JobStatus.IN_PROGRESS:
            self.jobs.store.delete_run(self.before.record)
        elif self.before.record:
            self.jobs.store.expire_run(self.before.record)

    def _release_claim(self, sentence: str, headline: str, retry: RetryWhen) -> StartResult:
        """Restore the input's item, since no job was created, and alert a person."""
        self.jobs.store.replace_input(self.claimed, self.before.status, self.before.record)
        self.jobs.store.delete_run(self.run.sort_key)
        follow_up.alert_once(self.jobs, headline, sentence)
        return StartResult(sentence, retry)


def check_role_grants(
    services: Services, policies: PolicySet, start: Start, now: datetime
) -> PreflightResult:
    """Check that the role holds what the job needs.

    One call if it does; otherwise also what the reconciler reads for the role and its profile, to
    see whether rules in force give it. Raises ClientError or RetryableError if that cannot be read.
    """
    home, suspensions = services.names.home, policies.accepted_suspensions
    suspended = check_suspension(start, suspensions, now, home)
    if suspended.answer is not PreflightAnswer.OK:
        return suspended
    held = services.grants.list_grants([iam_grantee(start.role)])
    result = check_grants(start, held, ())
    if result.answer is PreflightAnswer.OK:
        return result
    wanted = _list_wanted_grants(services, policies, start, now)
    suspensions_found = (one.suspended.find(iam_grantee(start.role)) for one in wanted)
    if suspension := next(filter(None, suspensions_found), None):
        return explain_suspension(start, suspension, home)
    grants: set[Grant] = {grant for one in wanted for grant in one.grants}
    unread = {*(held.why for one in wanted for held in one.on_hold), *policies.unread.values()}
    return check_grants(start, held, grants, sorted(unread), home)


def _list_wanted_grants(
    services: Services, policies: PolicySet, start: Start, now: datetime
) -> list[WantedGrants]:
    """Return what rules for the role itself give, and what rules for the profile give."""
    own = [_select_role_rules(policy, start.role) for policy in policies.in_force]
    found = [_expand_policies(services, own, FULL_FOCUS, now)]
    if start.profile:
        focus = Focus.build([profile_subject(*start.profile.split("/", 1))])
        found.append(_expand_policies(services, policies.in_force, focus, now))
    return found


def _expand_policies(
    services: Services, policies: Iterable[Policy], focus: Focus, now: datetime
) -> WantedGrants:
    listed = list(policies)
    rules = filter_rules([rule for policy in listed for rule in policy.rules], focus)
    if not rules:
        return WantedGrants()
    suspensions = [one for policy in listed for one in policy.suspensions]
    with EarlyReads(services) as early:
        return expand_rules(listed, read_focused(early, rules, focus, now, suspensions), focus)


def _select_role_rules(policy: Policy, role: str) -> Policy:
    """Return the policy with those of its rules that name the role."""
    return replace(policy, rules=tuple(rule for rule in policy.rules if _names_role(rule, role)))


def _names_role(rule: Rule, role: str) -> bool:
    return isinstance(rule.to, IamPrincipal) and (rule.to.arn == role or "{" in rule.to.arn)
