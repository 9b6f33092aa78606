"""One world: a seed, or a record of decisions, and what happens because of it.

First people act and faults strike, at any call and between any two. Then faults stop, events come
in time, approvers approve: within a few runs over everything the grants must be the wanted ones,
and one more run changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simulation.actors import Actors
from simulation.choices import Choices
from simulation.cloud import Cloud
from simulation.estate import APPROVERS, HOUR, START
from simulation.faults import CLIMATES, FaultPlan
from simulation.promises import BrokenPromise, Promises
from simulation.rest import RestChecks
from simulation.runners import Runners
from simulation.scheduler import NeverAtRest, Scheduler
from simulation.substitutes import active

MAX_ROUNDS = 8  # runs over everything after which the world must be at rest
# Longer than lists lag, new roles are unknown, and messages are hidden; or until ends have passed.
QUIET_SECONDS = (1300.0, 1300.0, 3 * HOUR)


@dataclass
class WorldResult:
    """How a world went."""

    seed: int | None
    record: list[int]
    broken: list[BrokenPromise]
    calls: int = 0
    steps: int = 0
    switches: int = 0
    runs: int = 0
    checks: int = 0
    rounds: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    actions: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)


class World:
    """One world, before it runs."""

    def __init__(self, seed: int | None = None, record: Sequence[int] = ()) -> None:
        self.seed, self.choices = seed, Choices(seed, record)
        self.scheduler = Scheduler(self.choices, START)
        self.faults = FaultPlan(self.choices)
        with active(self.scheduler):
            self.cloud = Cloud(self.scheduler, self.choices, self.faults)
        self.promises = Promises(self.cloud)
        self.runners = Runners(self.cloud, self.promises.check_report)
        self.actors = Actors(self.cloud, self.choices, self.runners, self.promises)
        self.rest = RestChecks(self.cloud, self.promises)
        self.cloud.gate.watchers.append(self.promises.watch)
        self.rounds = 0
        self.slow_one_in = 30  # steps after which time passes although a task could go on

    def run(self) -> WorldResult:
        """Run the world to its end."""
        with active(self.scheduler):
            try:
                self._run_phases()
            except NeverAtRest as error:
                self._note_endless(error)
        return WorldResult(
            self.seed,
            self.choices.record,
            self.promises.broken,
            self.cloud.gate.count,
            self.scheduler.steps,
            self.scheduler.switches,
            self.runners.runs,
            self.promises.checks,
            self.rounds,
            self.faults.struck,
            self.actors.counts,
            self.cloud.bus.fates,
        )

    def close(self) -> None:
        """Break the references in a circle, so that the memory is free at once."""
        self.scheduler.close()
        for part in (self.cloud, self.runners, self.actors, self.rest, self.promises):
            vars(part).clear()

    def _run_phases(self) -> None:
        self.actors.begin()
        self._live()
        self.come_to_rest()

    def _live(self) -> None:
        """People act, and faults strike."""
        self.faults.climate = self.choices.pick(CLIMATES)
        self.faults.left = self.choices.draw(8)
        self.cloud.grants.stale_one_in = self.choices.pick((0, 3, 1))
        actions = 2 + self.choices.draw(8)
        while actions or self._is_busy():
            if actions and self.choices.happens(10 if self.scheduler.ready else 2):
                actions -= 1
                self.actors.act()
            self._go_on()

    def _is_busy(self) -> bool:
        return bool(self.scheduler.ready or self.cloud.queue.visible)

    def _go_on(self) -> None:
        """Let one thing happen: an invocation, a task's next steps, or time."""
        runnable = self.scheduler.list_runnable()
        can_invoke = self.cloud.queue.visible and self.runners.has_free_environment(2)
        if can_invoke and (not runnable or self.choices.happens(3)):
            if batch := self.cloud.queue.receive():
                self.runners.invoke(batch)
            return
        if runnable and not self.choices.happens(self.slow_one_in):
            self.scheduler.step(self.choices.pick(runnable))
            return
        if (time := self.scheduler.next_time) is not None:
            self.scheduler.advance(time)
        else:
            self.scheduler.advance(self.scheduler.now + 1)

    def come_to_rest(self) -> None:
        """Faults stop. The world must be at rest after a few runs over everything."""
        self.faults.left = self.slow_one_in = 0
        faults_stop = self.scheduler.now
        self.cloud.grants.stale_one_in = 0
        self.cloud.bus.is_reliable = True
        self.cloud.notes("faults stop")
        self.settle()
        self.scheduler.advance(self.scheduler.now + self.choices.pick(QUIET_SECONDS))
        self.settle()
        differences = [("rest-is-reached", "no run")]
        while differences and self.rounds < MAX_ROUNDS:
            self.rounds += 1
            self._sweep()
            if self.rounds == 1:
                self.rest.check_ended()
            self.rest.check_alerts()
            differences = list(self.rest.find_differences())
            if differences:
                self.actors.approve(APPROVERS[(self.rounds + 1) % 2])
                self.settle()
                differences = list(self.rest.find_differences())
        for promise, what in differences:
            self.promises.require(promise, holds=False, what=partial(str, what))
        if not differences:
            self._check_second_run()
        dead = [one for one in self.cloud.queue.dead if one.sent_at >= faults_stop]
        texts = "; ".join(one.body for one in dead)
        self.promises.require("no-dead-letters", not dead, partial(str, texts))

    def _check_second_run(self) -> None:
        before = self.rest.save_state()
        self._sweep()
        after = self.rest.save_state()
        self.promises.require(
            "second-run-changes-nothing",
            before == after,
            lambda: f"{_compare(before[0], after[0])} {_compare(before[1], after[1])}",
        )

    def _sweep(self) -> None:
        self.cloud.bring_schedule()
        self.settle()

    def settle(self) -> None:
        """Until nothing happens by itself within the hour."""
        until = self.scheduler.now + HOUR
        while True:
            if self._is_busy():
                self._go_on()
                continue
            time = self.scheduler.next_time
            is_idle = not (self.cloud.queue.messages or self.scheduler.has_work)
            if time is None or time > until or is_idle:
                return
            self.scheduler.advance(time)

    def _note_endless(self, error: NeverAtRest) -> None:
        self.promises.require("rest-is-reached", holds=False, what=lambda: str(error))


def _compare(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[Any, Any]:
    """What has changed, by key: before and after."""
    return {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }
