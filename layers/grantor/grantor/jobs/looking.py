"""One upload is looked at: which jobs it starts, by the policy files as they are now, and whether it is to be looked at again."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from grantor.aws.job_records import Waiting
from grantor.core.facts import Facts
from grantor.core.focus import Focus
from grantor.core.job import Job
from grantor.core.jobs.doorbells import JobBell
from grantor.core.jobs.matching import candidates, subjects
from grantor.core.jobs.starting import as_rule, needed, starts
from grantor.intake import Intake
from grantor.jobs import telling
from grantor.jobs.starting import Came, Starter, Wait
from grantor.jobs.world import JobWorld
from grantor.surroundings import focused, whole

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
            telling.person(self.jobs, "a job is refused", str(refused))
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
        telling.waits(why)
        if now - since > PATIENCE:
            sentence = f"{bell.upload} has waited for {(now - since) / 60:.0f} minutes: {why}"
            telling.person(self.jobs, "a job waits", sentence, why)
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
