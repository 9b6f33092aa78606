"""The processes of a world: the function's environments, people at the command line, approvers.

Each runs the product's own code. What it raises ends the process's work, as in the product.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.clients import CONNECTION_ERRORS, RetryableError
from grantor.cli.approve import ShownPlan
from grantor.core.planning.approvals import Decision
from grantor.core.snapshot import EVERYTHING
from grantor.core.triggers import Trigger, parse_event, parse_trigger
from grantor.reconcile.lease import Runner, record_authors, run_until_drained
from grantor.reconcile.record_history import record_writes
from grantor.reconcile.report import Report
from grantor.reconcile.run import judge_run, publish_run
from simulation.cloud import Cloud, ProcessServices
from simulation.doubles.messages import Message
from simulation.estate import POLICIES
from simulation.scheduler import Process, ProcessKilled, Task
from simulation.substitutes import SimulatedUuid

COLD_STARTS_ONE_IN = 4  # invocations, even if a warm environment is free
FUNCTION_SECONDS, MARGIN_SECONDS = 120.0, 20.0
FOR_EVERYTHING = Trigger("own", (EVERYTHING,))
OnReport = Callable[[Process, Report], None]


@dataclass
class Environment:
    """A warm environment of the function: it keeps its services between invocations."""

    process: Process
    services: ProcessServices
    task: Task | None = None

    @property
    def is_free(self) -> bool:
        return self.task is None or self.task.done


@dataclass
class Runners:
    """Starts the processes of one world."""

    cloud: Cloud
    on_report: OnReport
    environments: list[Environment] = field(default_factory=list)
    runs: int = 0
    crashes: list[tuple[Process, BaseException]] = field(default_factory=list)
    _number: int = 0

    def invoke(self, batch: list[Message]) -> None:
        """Invoke the function with a batch of messages, in a free environment."""
        environment = self._find_environment()
        events = "; ".join(describe_event(one.body) for one in batch)
        self.cloud.notes(f"invoke {environment.process.name}: {events}")
        deadline = self.cloud.scheduler.now + FUNCTION_SECONDS
        process = environment.process
        environment.task = task = self._start(process, lambda: self._handle(environment, batch))

        def time_out() -> None:
            if environment.task is task and not task.done:
                self.cloud.notes(f"{process.name} runs out of time")
                self.cloud.scheduler.kill(process)

        self.cloud.scheduler.call_at(deadline, time_out)

    def has_free_environment(self, most: int) -> bool:
        """Whether the function can be invoked: at most so many at a time."""
        busy = [one for one in self.environments if one.process.alive and not one.is_free]
        return len(busy) < most

    def apply(self) -> None:
        """Somebody runs `grantor apply`."""
        process, services = self._make_process("grantor apply")
        runner = Runner(process.name)
        self._start(process, lambda: self._run(process, services, [FOR_EVERYTHING], 1e12, runner))

    def plan(self) -> None:
        """Somebody runs `grantor plan`, which changes nothing."""
        process, services = self._make_process("grantor plan")
        process.may_write = False
        self._start(process, lambda: judge_run(services, {EVERYTHING: None}))

    def decide(self, user: str, *, approves: bool, on_shown: Callable[..., None]) -> None:
        """Somebody approves or rejects the first plan that waits, after seeing it."""
        process, services = self._make_process("grantor approve")
        self._start(process, lambda: self._decide(services, user, approves, on_shown))

    def work_under_lease(self, name: str, work: Callable[[ProcessServices], object]) -> None:
        """Somebody does other work with the product, such as adopting a grant."""
        process, services = self._make_process(name)
        self._start(process, lambda: work(services))

    def _decide(
        self,
        services: ProcessServices,
        user: str,
        approves: bool,
        on_shown: Callable[..., None],
    ) -> None:
        plans = services.run_store.list_pending_plans()
        if not plans:
            return
        shown = ShownPlan.read(services, plans[0])
        # Nobody's client keeps an author from approving: the run has to.
        despite = frozenset(one.id for one in shown.approval.rejections)
        decision = Decision(
            user, plans[0].nonce, approves, "it is meant", "", SimulatedUuid().hex, despite
        )
        on_shown(shown, decision)
        now = datetime.fromtimestamp(services.clock(), UTC)
        services.run_store.record_decision(plans[0].hash, decision, now)
        services.queue.enqueue_now([EVERYTHING])

    def _handle(self, environment: Environment, batch: list[Message]) -> None:
        """What the function's handler does with a batch (grantor.reconcile.handler)."""
        services, queue = environment.services, self.cloud.queue
        events = [event for one in batch if (event := parse_event(one.body)) is not None]
        triggers = [parse_trigger(event, POLICIES) for event in events]
        until = services.clock() + FUNCTION_SECONDS - MARGIN_SECONDS
        runner = Runner(f"function {environment.process.name}")
        try:
            self._run(environment.process, services, triggers, until, runner)
        except ProcessKilled:
            raise
        except Exception as error:  # noqa: BLE001  -- as the handler does
            self.crashes.append((environment.process, error))
            self.cloud.notes(f"{environment.process.name} fails: {error}")
            self._retry_sooner(services, batch)
        else:
            for message in batch:
                queue.delete(message)

    def _retry_sooner(self, services: ProcessServices, batch: list[Message]) -> None:
        with suppress(ClientError, *CONNECTION_ERRORS):
            services.queue.retry_later([(one.id, one.received) for one in batch])

    def _run(
        self,
        process: Process,
        services: ProcessServices,
        triggers: list[Trigger],
        until: float,
        runner: Runner,
    ) -> None:
        def publish(report: Report) -> None:
            self.runs += 1
            self.on_report(process, report)
            try:
                publish_run(services, report)
            except (ClientError, RetryableError):
                self.cloud.notes(f"{process.name} could not publish its report everywhere")

        if any(trigger.subjects for trigger in triggers):
            run_until_drained(services, triggers, until, publish, runner)
        else:
            record_authors(services.run_store, triggers, services.clock())
        record_writes(services.history, triggers)

    def _find_environment(self) -> Environment:
        self.environments = [one for one in self.environments if one.process.alive]
        free = next((one for one in self.environments if one.is_free), None)
        if free is None or self.cloud.choices.happens(COLD_STARTS_ONE_IN):
            free = Environment(*self._make_process("function"))
            self.environments.append(free)
        return free

    def _make_process(self, name: str) -> tuple[Process, ProcessServices]:
        self._number += 1
        skew = self.cloud.choices.pick((0.0, 0.0, 0.0, -30.0, 30.0))
        process = Process(f"{name} {self._number}", skew, number=self._number)
        return process, ProcessServices(self.cloud, process)

    def _start(self, process: Process, run: Callable[[], object]) -> Task:
        return self.cloud.scheduler.start_task(process, lambda: self._watch(process, run))

    def _watch(self, process: Process, run: Callable[[], object]) -> None:
        try:
            run()
        except ProcessKilled:
            raise
        except Exception as error:  # noqa: BLE001  -- a person sees it, and tries again or not
            self.crashes.append((process, error))
            self.cloud.notes(f"{process.name} fails: {error}")


def describe_event(body: str) -> str:
    """An event in a few words."""
    event: Mapping[str, Any] = json.loads(body)
    return str(parse_trigger(event, POLICIES))
