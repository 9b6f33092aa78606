"""Decide what to do about a job's input: from the status of its last run and what is there now, and
before a cluster is paid for, from the grants that the role holds.

S3A asks Access Grants for each request. Its requests were measured: HEAD and GET of the input's key
and a list of what is below `key/` need READ; it reads, writes and copies the output, which needs
READWRITE in one grant. That grant may be on exactly the output folder: no request is for the folder
itself, since a run writes below OUTPUT/runs/RUN/ and its plain files are put one by one.

A batch needs READ on everything that begins like its objects, in one grant: the job asks once for
all of them, and S3A's requests for each of them are covered, too.

A job with access: staged calls GetDataAccess itself: for READ on the key, and for READ and WRITE on
the output, which may be two grants.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from grantor.core.diagnostics import join_words
from grantor.core.grant import Grant, Permission, covers, iam_grantee
from grantor.core.jobs.job_status import FailureCause, JobDescription, JobStatus
from grantor.core.jobs.request import Attempt
from grantor.core.key_pattern import KeyPattern
from grantor.core.planning.rendering import Home, describe_grantee
from grantor.core.policy.language import format_rule
from grantor.core.rules import Start, Suspension
from grantor.core.triggers import compute_delay
from grantor.settings import (
    CLOCK_SKEW_SECONDS,
    INPUT_QUIET_FIRST_SECONDS,
    INPUT_QUIET_MAX_SECONDS,
    JOB_CLAIM_SECONDS,
    MAX_JOB_FAILURES,
    MAX_REMEMBERED_RUNS,
)

STAGED_ARGUMENT = ("access", "staged")  # the argument by which a policy file orders staging
STAGING_HINT = (
    "\nThe grants that it holds are enough for a job that stages: "
    "write `arguments: {access: staged}` in the policy file."
)


@dataclass(frozen=True)
class InputStatus:
    """The last attempt on an input, and what the decision on the next one needs.

    The status is "in progress" from the moment that the job's name is claimed, before the job
    exists. `at` is that moment, in seconds since the epoch.
    """

    name: str = ""
    run: str = ""
    attempt: int = 0
    status: JobStatus = JobStatus.NEVER
    at: float = 0.0
    version: str = ""  # of the input
    cause: FailureCause = FailureCause.NONE
    failures: int = 0  # in a row, of this run
    superseded: int = 0  # runs in a row whose input was replaced or deleted meanwhile
    done: str = ""  # the last run that completed, which LATEST follows
    tried: Mapping[str, int] = field(default_factory=dict)  # run → attempts
    request: str = ""  # hash_request of what was claimed; "" in a claim of 0.2.0 and before

    def is_own_job(self, job: JobDescription) -> bool:
        """Whether a processing job of the claimed name is the one that was claimed.

        A job that does the same as the same role is: only who may pass this role to SageMaker could
        have created it, and it does nothing else. It was created after the claim, and before the
        claim could be taken over.
        """
        begin, end = self.at - CLOCK_SKEW_SECONDS, self.at + JOB_CLAIM_SECONDS + CLOCK_SKEW_SECONDS
        return self.request in ("", job.request) and begin <= job.created <= end

    @property
    def quiet_seconds(self) -> float:
        """How many seconds must pass without an upload before the next run starts.

        They double with each run in a row that was superseded.

        >>> [InputStatus(superseded=runs).quiet_seconds for runs in (0, 1, 2, 9)]
        [0.0, 30.0, 60.0, 600.0]
        """
        if not self.superseded:
            return 0.0
        return compute_delay(self.superseded, INPUT_QUIET_FIRST_SECONDS, INPUT_QUIET_MAX_SECONDS)

    def claim_attempt(
        self, attempt: Attempt, failures: int, at: float, request: str = ""
    ) -> "InputStatus":
        """Return the status once a new attempt is claimed; `request` is its hash_request."""
        run, version = attempt.run, attempt.input.version
        tried = {past: count for past, count in self.tried.items() if past != run} | {
            run: attempt.number
        }
        kept = dict(list(tried.items())[-MAX_REMEMBERED_RUNS:])
        return InputStatus(
            attempt.name, run, attempt.number, JobStatus.IN_PROGRESS, at, version,
            failures=failures, superseded=self.superseded, done=self.done, tried=kept,
            request=request,
        )  # fmt: skip

    def end_attempt(self, status: JobStatus, cause: FailureCause) -> "InputStatus":
        """Return the status once the attempt has ended."""
        if status is JobStatus.COMPLETED:
            return replace(
                self,
                status=status,
                cause=FailureCause.NONE,
                failures=0,
                superseded=0,
                done=self.run,
            )
        superseded = self.superseded + 1 if cause is FailureCause.INPUT else 0
        return replace(
            self, status=status, cause=cause, failures=self.failures + 1, superseded=superseded
        )


class StartAction(StrEnum):
    """What to do about an input."""

    START = "start"
    RUNNING = "already running"
    DONE = "already done"
    CLAIMED = "about to be started"
    WAIT = "wait until the other run ends"
    UNSETTLED = "wait until uploads pause"
    SETTLE = "record the outcome of the last run"
    FAILED = "failed, and another attempt would change nothing"
    DENIED = "failed for lack of access, and is tried again when grants change"
    GIVEN_UP = "given up"
    GONE = "the input is gone"


@dataclass(frozen=True)
class WantedRun:
    """The run that the latest version of the input calls for; `run` is "" if the input is gone.

    `granted`: grants have changed. `uploaded` is when the version was put, in seconds since the
    epoch.
    """

    run: str
    version: str = ""
    granted: bool = False
    uploaded: float = 0.0


@dataclass(frozen=True)
class StartDecision:
    """What to do; for a start, the attempt's number and the failures in a row of this run.

    `name` is that of a processing job that was claimed and never created, and which is used now.
    """

    action: StartAction
    attempt: int = 0
    failures: int = 0
    name: str = ""


def decide_start(
    current: InputStatus, wanted: WantedRun, description: JobDescription | None, now: float
) -> StartDecision:
    """Decide what to do about an input; `now` is in seconds since the epoch.

    `description` is the processing job of the run in progress, None if SageMaker does not know it.
    """
    if current.status is JobStatus.IN_PROGRESS:
        return _decide_running(current, wanted, description, now)
    if not wanted.run:
        return StartDecision(StartAction.GONE)
    if wanted.run == current.done:
        return StartDecision(StartAction.DONE)
    return (
        _decide_retry(current, wanted, now)
        if wanted.run == current.run
        else _decide_first(current, wanted, now)
    )


def _decide_running(
    current: InputStatus, wanted: WantedRun, description: JobDescription | None, now: float
) -> StartDecision:
    same = wanted.run == current.run
    if description is None:
        return _decide_unknown(current, wanted, same, now)
    if description.status.is_over or not current.is_own_job(description):
        return StartDecision(StartAction.SETTLE)
    return StartDecision(StartAction.RUNNING if same else StartAction.WAIT)


def _decide_unknown(
    current: InputStatus, wanted: WantedRun, same: bool, now: float
) -> StartDecision:
    if now < current.at + JOB_CLAIM_SECONDS:
        return StartDecision(StartAction.CLAIMED)
    if same:
        attempt, failures = current.attempt, current.failures
        return StartDecision(StartAction.START, attempt, failures, current.name)
    return _decide_first(current, wanted, now) if wanted.run else StartDecision(StartAction.GONE)


def _decide_retry(current: InputStatus, wanted: WantedRun, now: float) -> StartDecision:
    if wanted.version != current.version:  # uploaded again, which asks for another try
        return _decide_first(current, wanted, now)
    if current.failures >= MAX_JOB_FAILURES:
        return StartDecision(StartAction.GIVEN_UP)
    if current.cause.is_retryable or (wanted.granted and current.cause is FailureCause.ACCESS):
        return StartDecision(StartAction.START, current.attempt + 1, current.failures)
    denied = current.cause is FailureCause.ACCESS
    return StartDecision(StartAction.DENIED if denied else StartAction.FAILED)


def _decide_first(current: InputStatus, wanted: WantedRun, now: float) -> StartDecision:
    # A run that starts while uploads follow each other would be superseded, at full cost.
    if now < wanted.uploaded + current.quiet_seconds:
        return StartDecision(StartAction.UNSETTLED)
    return StartDecision(StartAction.START, current.tried.get(wanted.run, 0) + 1)


class PreflightAnswer(StrEnum):
    """Whether the job can be started."""

    OK = "ok"
    NOT_YET = "not yet"  # a rule gives the grant, or rules could not be read
    MISSING = "missing"


@dataclass(frozen=True)
class PreflightResult:
    """The answer, and a sentence for people; "" if the job can be started."""

    answer: PreflightAnswer
    sentence: str = ""


@dataclass(frozen=True)
class Need:
    """A permission that the job needs.

    `on` describes what it is needed on, `scope` is that as a scope, and `rule` is the scope that a
    rule for it would have.
    """

    permission: Permission
    on: str
    scope: str
    rule: str

    def __str__(self) -> str:
        return f"{self.permission} on {self.on}"

    def is_met_by(self, grant: Grant) -> bool:
        """Whether this grant gives the permission."""
        sufficient = (self.permission, Permission.READWRITE)
        return grant.permission in sufficient and covers(grant.scope, self.scope)


def list_needs(start: Start) -> tuple[Need, ...]:
    """List what the job's requests need."""
    output, is_staged = f"{start.output}*", STAGED_ARGUMENT in start.job.arguments
    read = Need(Permission.READ, output, output, output)
    writes = (
        (read, replace(read, permission=Permission.WRITE))
        if is_staged
        else (replace(read, permission=Permission.READWRITE),)
    )
    if start.is_batch:
        pattern = KeyPattern(start.input)
        scope, folder = f"{pattern.stem}*", f"{pattern.stem_folder}*"
        return (Need(Permission.READ, scope, scope, folder), *writes)
    folder = f"{start.input[: start.input.rindex('/')]}/*"
    key = Need(Permission.READ, start.input, start.input, folder)
    below = Need(Permission.READ, f"everything below {start.input}/", f"{start.input}/*", folder)
    return (key, *writes) if is_staged else (key, below, *writes)


def find_unmet(start: Start, grants: Iterable[Grant]) -> tuple[Need, ...]:
    """Return the needs that none of the grants meets for the job's role."""
    grantee = iam_grantee(start.role)
    # A grant with an application is for sessions that Identity Center made; a job's role has none.
    own = [grant for grant in grants if grant.grantee == grantee and not grant.application]
    needs = list_needs(start)
    return tuple(need for need in needs if not any(map(need.is_met_by, own)))


def check_grants(
    start: Start,
    held: Collection[Grant],
    wanted: Iterable[Grant],
    unread: Iterable[str] = (),
    home: Home | None = None,
) -> PreflightResult:
    """Check the grants that the role holds, and those that rules in force give it.

    `unread` says which rules could not be read. `home` is the stack's account: roles of other
    accounts, or all without it, are shown with their full ARNs.
    """
    lacking = find_unmet(start, held)
    if not lacking:
        return PreflightResult(PreflightAnswer.OK)
    without_rule = set(map(str, find_unmet(start, wanted)))
    missing = [need for need in lacking if str(need) in without_rule]
    runner = _describe_runner(start, home)
    why = "; ".join(unread)
    if missing and not why:
        hint = "" if find_unmet(_as_staged(start), held) else STAGING_HINT
        sentence = f"{runner} lacks {_join_needs(missing)}. {_propose_rules(start, missing)}{hint}"
        return PreflightResult(PreflightAnswer.MISSING, sentence)
    cause = f": {why}" if missing else ", although a rule grants it"
    sentence = f"{runner} does not have {_join_needs(lacking)} yet{cause}"
    return PreflightResult(PreflightAnswer.NOT_YET, sentence)


def check_suspension(
    start: Start, suspensions: Iterable[Suspension], now: datetime, home: Home
) -> PreflightResult:
    """Check that neither the role nor the profile is suspended, whatever grants are still there."""
    for one in suspensions:
        is_over = one.until is not None and one.until <= now
        if one.name in (start.role, f"profile {start.profile}") and not is_over:
            return explain_suspension(start, one, home)
    return PreflightResult(PreflightAnswer.OK)


def explain_suspension(start: Start, suspension: Suspension, home: Home) -> PreflightResult:
    """The answer for a job whose role is suspended."""
    where = f"{suspension.file}, line {suspension.line}"
    sentence = f"{_describe_runner(start, home)} is suspended by {where}: {suspension.because}"
    return PreflightResult(PreflightAnswer.MISSING, sentence)


def _as_staged(start: Start) -> Start:
    return replace(start, job=replace(start.job, arguments=(STAGED_ARGUMENT,)))


def _describe_runner(start: Start, home: Home | None) -> str:
    grantee = iam_grantee(start.role)
    role = describe_grantee(grantee, home) if home else str(grantee)
    domain, _, name = start.profile.partition("/")
    return f"profile {name} of {domain} ({role})" if name else role


def _join_needs(lacking: Iterable[Need]) -> str:
    return join_words(map(str, lacking), "and")


def _propose_rules(start: Start, missing: Iterable[Need]) -> str:
    scopes: dict[str, Permission] = {}
    for need in missing:
        same = scopes.get(need.rule, need.permission) is need.permission
        scopes[need.rule] = need.permission if same else Permission.READWRITE
    rules = (
        _format_rule(start, number, scope, permission)
        for number, (scope, permission) in enumerate(scopes.items(), 1)
    )
    owner = f", or ask its owner, {start.job.owner}" if start.job.owner else ""
    head = f"To grant it, add below `rules:` in {start.job.file}{owner}:"
    return "\n".join([head, *rules])


def _format_rule(start: Start, number: int, scope: str, permission: Permission) -> str:
    domain, _, name = start.profile.partition("/")
    selector = f"{{domain: {json.dumps(domain)}, names: [{json.dumps(name)}]}}"
    grantee = f"profiles: {selector}" if name else f"role: {start.role}"
    return format_rule(f"{start.job.name}-{number}", grantee, json.dumps(scope), permission)
