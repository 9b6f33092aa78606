"""What a job's role holds, and what the rules in force would give it; the second is asked only where the first is not enough."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

from grantor.aws.clients import NotYet
from grantor.aws.job_store import Held, JobRun
from grantor.aws.processing import QuotaReached, Refused, Taken
from grantor.aws.services import JobWorld, World
from grantor.core.grant import Grant, Grantee, profile_subject
from grantor.core.jobs.decide import LIMIT, Cause, Decision, Do, Standing, Status, Told, WantedRun, decide
from grantor.core.jobs.identity import Attempt, Input, bucket_and_key, run_id, subject
from grantor.core.jobs.preflight import Answer, Preflight, preflight
from grantor.core.jobs.request import Unsendable, of_attempt, runs
from grantor.core.jobs.upload_triggers import JobBell
from grantor.core.planning import inputs
from grantor.core.planning.expand import expand
from grantor.core.rules import Policy, Principal, Rule, Start
from grantor.core.snapshot import Focus, Wanted
from grantor.jobs import finish
from grantor.jobs.finish import settle
from grantor.reconcile.policies import Intake
from grantor.reconcile.read import focused

EVERYTHING = Focus()


def judge(world: World, policies: Intake, start: Start, now: datetime) -> Preflight:
    """Whether the role holds what the job needs. A call if it does; else what the reconciler would read for it.

    Raises ClientError or NotYet where that can't be read.
    """
    held = world.grants.list([Grantee("IAM", start.role)])
    found = preflight(start, held, ())
    if found.answer is Answer.OK:
        return found
    wanted = _wanted(world, policies, start, now)
    grants: set[Grant] = {grant for one in wanted for grant in one.grants}
    unread = [*(held.why for one in wanted for held in one.held), *policies.unread.values()]
    return preflight(start, held, grants, sorted(set(unread)))


def _wanted(world: World, policies: Intake, start: Start, now: datetime) -> list[Wanted]:
    """What rules for the role itself give, and what rules for the profile do."""
    own = [_only(policy, start.role) for policy in policies.policies.values()]
    found = [_expanded(world, own, EVERYTHING, now)]
    if start.profile:
        focus = Focus.of([profile_subject(*start.profile.split("/", 1))])
        found.append(_expanded(world, policies.policies.values(), focus, now))
    return found


def _expanded(world: World, policies: Iterable[Policy], focus: Focus, now: datetime) -> Wanted:
    listed = list(policies)
    rules = inputs.concerned([rule for policy in listed for rule in policy.rules], focus)
    return expand(listed, focused(world, rules, focus, now), focus) if rules else Wanted()


def _only(policy: Policy, role: str) -> Policy:
    """The policy with those of its rules that name the role."""
    return replace(policy, rules=tuple(rule for rule in policy.rules if _names(rule, role)))


def _names(rule: Rule, role: str) -> bool:
    return isinstance(rule.to, Principal) and (rule.to.arn == role or "{" in rule.to.arn)


ROUNDS = 4  # looks at one input, each of which the world may overtake


class Wait(Enum):
    """When an upload is to be looked at again."""

    NO = "nothing is left to do"
    RUNG = "when something rings: a run ends, grants change, the clock"
    SOON = "soon, by a message of its own"


@dataclass(frozen=True)
class Came:
    """What came of looking at one start."""

    sentence: str
    wait: Wait = Wait.NO
    after: float = 0.0  # seconds until there will be something to do, if that is known


@dataclass(frozen=True)
class _Look:
    held: Held
    given: Input | None
    run: str
    told: Told | None
    decision: Decision


@dataclass(frozen=True)
class Starter:
    """Starts what a bell asks for, by the policies in force."""

    jobs: JobWorld
    policies: Intake
    bell: JobBell

    def begin(self, start: Start) -> Came:
        """What came of it. Raises NotYet or ClientError where the world can't be read or written."""
        for _ in range(ROUNDS):
            look = self._look(start)
            if look.decision.do is Do.SETTLE and look.told:
                settle(self.jobs, look.held, look.told)
            elif look.decision.do is not Do.START or not look.given:
                return self._nothing(start, look)
            elif came := self._launch(start, look, look.given):
                return came
        return Came(f"{start.upload} changes faster than it can be looked at", Wait.SOON)

    def _look(self, start: Start) -> _Look:
        held = self.jobs.records.held(subject(start))
        given = self.jobs.uploads.latest(start.input)
        run = run_id(start, given, self.jobs.carried.code) if given else ""
        told = self.jobs.jobs.describe(held.standing.name) if held.standing.status is Status.IN_PROGRESS else None
        wanted = WantedRun(run, given.version, self.bell.granted, given.uploaded) if given else WantedRun("")
        return _Look(held, given, run, told, decide(held.standing, wanted, told, self.jobs.clock()))

    def _nothing(self, start: Start, look: _Look) -> Came:
        """Why nothing starts now, and whether that may change."""
        do, standing = look.decision.do, look.held.standing
        if do is Do.UNSETTLED and look.given:
            return self._unsettled(start, standing, look.given)
        came = f"{start.job.name} on {start.input}: {do}"
        if do is Do.GIVEN_UP:
            sentence = f"{came} after {LIMIT} attempts, the last of them {standing.name}: {standing.cause}"
            finish.person(self.jobs, "a job is given up", f"{sentence}; upload the data again to try again")
        if do is Do.FAILED and standing.cause is Cause.INPUT:
            sentence = f"{came}: {standing.name} ended because of its input ({standing.cause}), and that is as it was"
            finish.person(self.jobs, "a job failed", f"{sentence}; upload the data again to try again")
        if do is Do.GONE and start.input != start.upload:
            finish.person(self.jobs, "a job has no input", f"{came}; it is started when {start.input} is there")
            return Came(came, Wait.RUNG)
        waits = {Do.DONE: Wait.NO, Do.GONE: Wait.NO, Do.CLAIMED: Wait.SOON}
        return Came(came, waits.get(do, Wait.RUNG))

    def _unsettled(self, start: Start, standing: Standing, given: Input) -> Came:
        """Nothing starts while uploads follow each other so fast that each overtakes the run of the one before."""
        runs = "the last run was" if standing.overtaken == 1 else f"the last {standing.overtaken} runs were"
        why = f"{runs} overtaken by newer data; the next starts when nothing has been uploaded for {standing.quiet:.0f} seconds"
        left = given.uploaded + standing.quiet - self.jobs.clock()
        return Came(f"{start.job.name} on {start.input}: {why}", Wait.SOON, max(1.0, left))

    def _launch(self, start: Start, look: _Look, given: Input) -> Came | None:
        """Make the processing job, if the role holds what it needs; None if somebody else was faster, so look again."""
        check = judge(self.jobs.world, self.policies, start, datetime.fromtimestamp(self.jobs.clock(), UTC))
        if check.answer is Answer.MISSING:
            finish.person(self.jobs, "a grant is missing for a job", f"{start.job.id} on {start.input}: {check.sentence}")
            return Came(check.sentence, Wait.RUNG)
        if check.answer is Answer.NOT_YET:
            return Came(check.sentence, Wait.SOON)
        attempt = Attempt(start, given, look.run, look.decision.attempt)
        try:
            request = of_attempt(attempt, self.jobs.desk)
        except Unsendable as reason:
            finish.person(self.jobs, "a job can not be asked for", f"{attempt.label}: {reason}")
            return Came(str(reason), Wait.RUNG)
        self.jobs.place_code(bucket_and_key(start.input)[0])
        run = self._recorded(attempt, look.held.standing.version)
        claim = look.held.standing.claimed(attempt, look.decision.failures, self.jobs.clock())
        mine = self.jobs.records.swap(look.held, claim, run.key)
        return _Claim(self.jobs, look.held, mine, run, self.bell).make(request) if mine else None

    def _recorded(self, attempt: Attempt, before: str) -> JobRun:
        """What is written down of an attempt; `before` is the input's version that had the last one, if there was one."""
        folder = runs(self.jobs.names.operations, attempt.start.role, attempt.name)
        passed_over = self.jobs.uploads.between(attempt.given, before) if before else 0
        return JobRun.of(attempt, self.jobs.clock(), folder, passed_over)


@dataclass(frozen=True)
class _Claim:
    """A name that is ours to start: what stood before it, what stands now."""

    jobs: JobWorld
    before: Held
    mine: Held
    run: JobRun
    bell: JobBell

    def make(self, request: dict[str, object]) -> Came | None:
        """Make the processing job; None if one of the name was there, so that it is looked at anew."""
        self.jobs.records.keep(self.mine.subject, self.run)
        try:
            self.jobs.jobs.create(request)
        except Taken:
            self._follow()
            return None
        except QuotaReached as quota:
            return self._release(f"{self.run.label} waits for a quota: {quota}", "a quota is reached", Wait.SOON)
        except Refused as refusal:
            return self._release(f"{self.run.label}: {refusal}", "SageMaker refuses a job", Wait.RUNG)
        except NotYet as reason:  # it may have been made: the claim stays, until SageMaker tells
            return Came(f"{self.run.label}: {reason}", Wait.SOON)
        self._follow()
        finish.started(self.jobs, self.run, self.bell.at)
        return Came(f"{self.run.label} is started as {self.run.name}", Wait.RUNG)

    def _follow(self) -> None:
        """The record of the last run ends in time; that of a claim of which nothing came was never a run."""
        if self.before.standing.status is Status.IN_PROGRESS:
            self.jobs.records.drop(self.before.record)
        elif self.before.record:
            self.jobs.records.last_no_more(self.before.record)

    def _release(self, sentence: str, headline: str, wait: Wait) -> Came:
        """No job was made: it stands as it stood before."""
        self.jobs.records.swap(self.mine, self.before.standing, self.before.record)
        self.jobs.records.drop(self.run.key)
        finish.person(self.jobs, headline, sentence)
        return Came(sentence, wait)
