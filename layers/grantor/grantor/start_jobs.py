"""From raw events to jobs: an upload, the end of a run, a change of grants, the clock: each is a doorbell, and what it leads to is read.

However often an upload rings, it is looked at as it is now, and one batch looks at it once. So doubled, late, replayed and reordered
events start nothing twice, and nothing is lost: what can't be started yet is written down, and looked at again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit

from grantor.aws.errors import NotYet
from grantor.core.jobs.doorbells import JobBell, job_bell
from grantor.intake import Intake, intake
from grantor.jobs.ending import ended
from grantor.jobs.looking import Looker
from grantor.jobs.telling import metrics
from grantor.jobs.world import JobWorld
from grantor.messages import carried, sooner

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
