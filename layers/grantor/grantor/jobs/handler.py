"""One upload is looked at: which jobs it starts, by the policy files as they are now, and whether it is to be looked at again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit

from grantor.aws.clients import NotYet
from grantor.aws.job_store import Waiting
from grantor.aws.services import JobWorld
from grantor.core.jobs.match import as_rule, candidates, needed, starts, subjects
from grantor.core.jobs.upload_triggers import JobBell, job_bell
from grantor.core.rules import Job
from grantor.core.snapshot import Facts, Focus
from grantor.jobs import finish
from grantor.jobs.finish import ended, metrics
from grantor.jobs.start import Came, Starter, Wait
from grantor.reconcile.handler import carried, sooner
from grantor.reconcile.policies import Intake, intake
from grantor.reconcile.read import focused, whole

ATTEMPTS = 30  # messages of an upload's own, the last of them after some four hours; then the clock's bell is soon enough
SLACK = 60.0  # seconds that a message may be late before another one takes its place
PATIENCE = 900.0  # seconds that may pass until a person hears of what should have come by itself


@dataclass(frozen=True)
class Looker:
    """Looks at uploads, by the policies in force."""

    jobs: JobWorld
    policies: Intake

    def look(self, bell: JobBell) -> list[Came]:
        """What came of the upload that the bell is about. Raises NotYet or ClientError where the world can't be read or written."""
        every = [job for policy in self.policies.policies.values() for job in policy.jobs]
        meant = candidates(every, bell.upload)
        came = self._start(every, meant, bell) if meant else []
        if meant or bell.waiting:
            self._remember(bell, came)
        return came

    def _start(self, every: Iterable[Job], meant: tuple[Job, ...], bell: JobBell) -> list[Came]:
        found = starts(every, bell.upload, self._facts(meant, bell.upload), self.jobs.names.roles)
        for refused in found.refused:
            finish.person(self.jobs, "a job is refused", str(refused))
        came = [Came(str(refused), Wait.RUNG) for refused in found.refused]
        came += [Came(unread, Wait.SOON) for unread in found.unread]
        starter = Starter(self.jobs, self.policies, bell)
        return came + [starter.begin(start) for start in found.starts]

    def _facts(self, meant: tuple[Job, ...], upload: str) -> Facts:
        """The profiles that the jobs can be for, and who stands beside them."""
        world, now = self.jobs.world, datetime.fromtimestamp(self.jobs.clock(), UTC)
        rules = [as_rule(job) for job in meant if needed([job])]
        chosen = subjects(meant, upload)
        if chosen is None:
            return whole(world, rules, now, ())
        return focused(world, rules, Focus.of(chosen), now) if chosen else Facts(now)

    def _remember(self, bell: JobBell, came: list[Came]) -> None:
        """Whether it is looked at again is written down, and, if that is to be soon, a message is sent: one at a time."""
        records, waiting = self.jobs.records, self.jobs.records.waiting(bell.upload)
        why = "; ".join(one.sentence for one in came if one.wait is not Wait.NO)
        if not why:
            if waiting:
                records.waits_no_more(bell.upload)
        elif soon := [one.after for one in came if one.wait is Wait.SOON]:
            self._soon(bell, waiting, why, 0.0 if 0.0 in soon else min(soon))
        elif waiting is None or (waiting.due, waiting.why) != (0.0, why):
            records.wait(Waiting(bell.upload, waiting.since if waiting else self.jobs.clock(), 0.0, 0, why))

    def _soon(self, bell: JobBell, waiting: Waiting | None, why: str, after: float) -> None:
        now = self.jobs.clock()
        since = waiting.since if waiting and waiting.why == why else now
        finish.waits(why)
        if now - since > PATIENCE:
            sentence = f"{bell.upload} has waited for {(now - since) / 60:.0f} minutes: {why}"
            finish.person(self.jobs, "a job waits", sentence, why)
        if waiting and waiting.due > now and waiting.attempt != bell.attempt:
            return  # its message is on its way
        due, attempt = self._sent(bell, now, after)
        self.jobs.records.wait(Waiting(bell.upload, since, due, attempt, why))

    def _sent(self, bell: JobBell, now: float, after: float) -> tuple[float, int]:
        """When a message of its own has come, and its number; (0, 0) where whatever rings for all that waits is soon enough."""
        if bell.attempt >= ATTEMPTS or (bell.waiting and not bell.attempt):
            return 0.0, 0
        attempt = bell.attempt + 1
        return now + self.jobs.queue.later(replace(bell, attempt=attempt), after) + SLACK, attempt


logger = Logger(service="start-spark-job")

MARGIN = 20.0  # seconds before the function's time limit at which no further upload is looked at
FEW = 5  # uploads that wait and are looked at by whoever is rung; of more, each gets a message of its own


def ring(jobs: JobWorld, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer an SQS batch with the messages that must come again, and a bare event with what came of it.

    Raises, for a bare event, whatever could not be read or written.
    """
    logger.append_keys(request=getattr(context, "aws_request_id", ""))
    metrics.add_dimension("stack", jobs.world.names.stack)  # the stacks of an account are told apart by it
    run = Round(jobs, context)
    try:
        if "Records" in event:
            return _batch(jobs, run, event["Records"])
        bell = job_bell(event)
        return {"came": run.answer([bell]) or [_nothing(bell)]}
    finally:
        metrics.add_metric("UploadsLookedAt", MetricUnit.Count, run.looks)
        metrics.flush_metrics()


def _nothing(bell: JobBell) -> str:
    """What somebody reads who rings by hand, and nothing came of it."""
    why = "no job of the policy files in force is for it" if bell.upload else "nothing is to be done"
    return f"{bell}: {why}"


class Round:
    """The bells of one invocation."""

    def __init__(self, jobs: JobWorld, context: Any) -> None:
        self._jobs = jobs
        left = getattr(context, "get_remaining_time_in_millis", None)
        self._until = jobs.clock() + left() / 1000 - MARGIN if left else float("inf")
        self._looker: Looker | None = None
        self.looks = 0  # that were taken

    def answer(self, bells: Sequence[JobBell]) -> list[str]:
        """What came of these bells, which are about the same things. Raises NotYet or ClientError where they must ring again."""
        uploads = merged(upload for bell in bells for upload in self._uploads(bell))
        return [sentence for bell in uploads for sentence in self._look(bell)]

    def _look(self, bell: JobBell) -> list[str]:
        if self._jobs.clock() > self._until:
            raise NotYet("there is no time left for it in this invocation")
        looker = self._looker = self._looker or Looker(self._jobs, _policies(self._jobs))
        sentences = [came.sentence for came in looker.look(bell)]
        self.looks += 1
        if sentences:
            logger.info("looked at", upload=bell.upload, versions=bell.versions, came=sentences)
        if looker.policies.unread:
            raise NotYet(f"what could not be read may hold jobs, too: {dict(looker.policies.unread)}")
        return sentences

    def _uploads(self, bell: JobBell) -> Iterator[JobBell]:
        """The uploads that are to be looked at because of a bell."""
        if bell.upload:
            yield bell
        elif bell.ended:
            if upload := ended(self._jobs, bell.ended):
                yield JobBell(upload=upload)
        elif bell.waiting:
            waiting = [JobBell(upload=one.upload, waiting=True, granted=bell.granted) for one in self._jobs.records.all_waiting()]
            yield from waiting[:FEW]
            self._jobs.queue.now(waiting[FEW:])


def merged(bells: Iterable[JobBell]) -> list[JobBell]:
    """One bell for each upload, for the first time that it rang and the last of its attempts."""
    found: dict[str, JobBell] = {}
    for bell in bells:
        one = found.setdefault(bell.upload, bell)
        times = [time for time in (one.at, bell.at) if time is not None]
        found[bell.upload] = replace(
            one,
            at=min(times, default=None),
            attempt=max(one.attempt, bell.attempt),
            granted=one.granted or bell.granted,
            waiting=one.waiting or bell.waiting,
            versions=(*one.versions, *(version for version in bell.versions if version not in one.versions)),
        )
    return list(found.values())


def _policies(jobs: JobWorld) -> Intake:
    """As a run of the reconciler reads them, and nothing is accepted: what is kept in memory is read again only if it has changed."""
    world = jobs.world
    return intake(world.files, world.records.accepted(), world.names.data_bucket)


def _batch(jobs: JobWorld, run: Round, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Messages about the same thing are one; those that fail come again, and the others don't."""
    failed: list[Mapping[str, Any]] = []
    together: dict[str, list[tuple[Mapping[str, Any], JobBell]]] = {}
    for record in records:
        if (event := carried(record, logger)) is None:
            failed.append(record)
        else:
            bell = job_bell(event)
            together.setdefault(str(bell), []).append((record, bell))
    logger.info("rung", bells=list(together), events=[bell.id for rung in together.values() for _, bell in rung])
    for rung in together.values():
        try:
            run.answer([bell for _, bell in rung])
        except Exception:
            logger.exception("this will ring again", about=str(rung[0][1]))
            failed += [record for record, _ in rung]
    sooner(jobs.queue.again, failed, logger)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}
