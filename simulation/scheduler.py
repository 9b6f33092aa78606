"""The scheduler: runs the tasks of simulated processes one at a time, and moves the clock.

A task is a greenlet, so the product's own code runs in it unchanged. It gives way at each call to
AWS, when it sleeps, and when it waits. What goes on then is a decision of the world.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenlet import getcurrent, greenlet

from simulation.choices import Choices

CALL_SECONDS = 0.02  # what a call to AWS takes, at least
SWITCH_ONE_IN = 4  # calls after which another task goes on, if one can
MAX_STEPS = 60_000  # of one world; more of them mean that it never comes to rest


class ProcessKilled(BaseException):
    """The process has been killed: none of its tasks has any effect any more."""


class NeverAtRest(RuntimeError):
    """The world goes on for ever."""


@dataclass(eq=False)
class Process:
    """A simulated process. `skew` is how far its clock is ahead, in seconds."""

    name: str
    skew: float = 0.0
    alive: bool = True
    may_write: bool = True
    tasks: list["Task"] = field(default_factory=list)
    number: int = 0  # of the processes of its world
    ids: int = 0  # that it has made
    suspended_until: float = 0.0  # a process that is suspended runs none of its tasks


class Task:
    """One thread of a process."""

    def __init__(self, process: Process, run: Callable[[], object], hub: greenlet) -> None:
        self.process, self._run = process, run
        self.greenlet = greenlet(self._guard, parent=hub)
        self.done = False
        self.error: BaseException | None = None
        self.waiters: list[Task] = []
        self.wait = 0  # counts its waits, so that a timer of an earlier one is known

    def _guard(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001  -- the scheduler must survive every task
            self.error = error
        self.done = True


class Scheduler:
    """All tasks of one world, and its clock (seconds since the epoch)."""

    def __init__(self, choices: Choices, now: float) -> None:
        self.choices, self.now = choices, now
        self.hub = getcurrent()
        self.nobody = Process("nobody")  # who makes what no process makes
        self.tasks: list[Task] = []
        self.ready: list[Task] = []
        self.current: Task | None = None
        self.steps = self.switches = 0
        self.call_seconds, self.switch_one_in = CALL_SECONDS, SWITCH_ONE_IN
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def start_task(self, process: Process, run: Callable[[], object]) -> Task:
        """Begin a task; it goes on when the scheduler says so."""
        task = Task(process, run, self.hub)
        process.tasks.append(task)
        self.tasks.append(task)
        self.ready.append(task)
        return task

    def call_at(self, time: float, what: Callable[[], None]) -> None:
        """Have something happen at a time."""
        self._number += 1
        heapq.heappush(self._timers, (time, self._number, what))

    @property
    def next_time(self) -> float | None:
        """When the next thing happens by itself."""
        return self._timers[0][0] if self._timers else None

    def advance(self, until: float) -> None:
        """Move the clock, and let happen what is due by then."""
        while self._timers and self._timers[0][0] <= until:
            time, _, what = heapq.heappop(self._timers)
            self.now = max(self.now, time)
            what()
        self.now = max(self.now, until)

    @property
    def has_work(self) -> bool:
        """Whether a task has not ended."""
        self.tasks = [one for one in self.tasks if not one.done]
        return any(one.process.alive for one in self.tasks)

    def close(self) -> None:
        """Forget every task; nothing goes on after that."""
        for task in self.tasks:
            task.process.alive = False
            self._end_task(task)
            task.process.tasks.clear()
            vars(task).clear()
        self.tasks.clear()
        self.ready.clear()
        self._timers.clear()

    # For the code of a task

    def give_way(self) -> None:
        """A call begins: perhaps something else goes on first."""
        self.check_alive()
        self.now += self.call_seconds
        if self.choices.draw(self.switch_one_in) == self.switch_one_in - 1:
            task = self._expect_current()
            self.ready.append(task)
            self._switch_to_hub()

    def block(self, seconds: float | None = None) -> None:
        """Wait until somebody wakes this task, or until so many seconds have passed."""
        self.check_alive()
        task = self._expect_current()
        task.wait += 1
        if seconds is not None:
            number = task.wait
            self.call_at(self.now + seconds, lambda: self._wake_from(task, number))
        self._switch_to_hub()

    def wake(self, task: Task) -> None:
        """Let a task that waits go on."""
        if not task.done and task not in self.ready:
            task.wait += 1
            self.ready.append(task)

    def check_alive(self) -> None:
        """Raise ProcessKilled in a task of a process that is dead."""
        task = self.current
        if task is not None and not task.process.alive:
            raise ProcessKilled

    # For the hub

    def step(self, task: Task) -> None:
        """Let one of the ready tasks go on until it gives way."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise NeverAtRest(f"the world has taken {MAX_STEPS:,} steps")
        self.ready.remove(task)
        self._run_task(task)

    def kill(self, process: Process) -> None:
        """End a process where it is. Its tasks learn it at their next call, and call no more."""
        process.alive = False
        for task in process.tasks:
            if task is not self.current and not task.done:
                self.call_at(self.now, lambda task=task: self._end_task(task))  # type: ignore[misc]

    def list_runnable(self) -> list[Task]:
        """The tasks that can go on now."""
        return [task for task in self.ready if task.process.suspended_until <= self.now]

    def _end_task(self, task: Task) -> None:
        if task.done:
            return
        if task in self.ready:
            self.ready.remove(task)
        if task.greenlet:  # it has begun
            before, self.current = self.current, task
            task.greenlet.throw(ProcessKilled())
            self.current = before
        task.done = True

    def _run_task(self, task: Task) -> None:
        self.current = task
        self.switches += 1
        task.greenlet.switch()
        self.current = None
        if task.done:
            for waiter in task.waiters:
                self.wake(waiter)

    def _wake_from(self, task: Task, number: int) -> None:
        if task.wait == number:
            self.wake(task)

    def _expect_current(self) -> Task:
        assert self.current is not None, "only a task waits"
        return self.current

    def _switch_to_hub(self) -> Any:
        task = self.current
        answer = self.hub.switch()
        self.current = task
        self.check_alive()
        return answer
