"""What the product's modules get in place of threads, sleep and random ids, from the scheduler.

SUBSTITUTES lists every name that is replaced; the product's code is unchanged. A test reads the
imports of the product's modules and compares them with this table.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self

from simulation.scheduler import Scheduler, Task

_active: list[Scheduler] = []


def scheduler() -> Scheduler:
    """The scheduler of the world that runs now."""
    return _active[-1]


@contextmanager
def active(one: Scheduler) -> Iterator[None]:
    """Let the product's modules use this scheduler."""
    _active.append(one)
    try:
        yield
    finally:
        _active.pop()


class SimulatedFuture:
    """The result of a task."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._result: Any = None
        self._work = work
        own = scheduler()
        self.task = own.start_task(own._expect_current().process, self._run)  # noqa: SLF001

    def _run(self) -> None:
        self._result = self._work()

    def wait(self) -> None:
        """Wait until the task is done."""
        own = scheduler()
        while not self.task.done:
            own.check_alive()
            self.task.waiters.append(own._expect_current())  # noqa: SLF001
            own.block()

    def result(self) -> Any:
        """What the task has returned; raises what it has raised."""
        self.wait()
        if self.task.error is not None:
            raise self.task.error
        return self._result


class SimulatedExecutor:
    """An executor whose threads are tasks."""

    def __init__(self, _: int = 0) -> None:
        self._begun: list[SimulatedFuture] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        wait(self._begun)

    def submit(self, run: Callable[..., Any], *given: Any, **named: Any) -> SimulatedFuture:
        """Begin a task."""
        return SimulatedFuture(lambda: run(*given, **named))

    def map(self, run: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Begin a task for each item; iterate over the results in the items' order."""
        self._begun = [self.submit(run, item) for item in items]
        return (future.result() for future in self._begun)


def wait(futures: Iterable[SimulatedFuture]) -> None:
    """Wait until all are done."""
    for future in futures:
        future.wait()


class SimulatedEvent:
    """threading.Event."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Task] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        for task in self._waiting:
            scheduler().wake(task)

    def wait(self, seconds: float | None = None) -> bool:
        own = scheduler()
        if not self._is_set:
            task = own._expect_current()  # noqa: SLF001
            self._waiting.append(task)
            own.block(seconds)
            self._waiting.remove(task)
        return self._is_set


class SimulatedThread:
    """threading.Thread."""

    def __init__(self, target: Callable[[], object], **_: object) -> None:
        self._target = target
        self._future: SimulatedFuture | None = None

    def start(self) -> None:
        self._future = SimulatedFuture(self._target)

    def join(self) -> None:
        if self._future:
            self._future.wait()


class SimulatedUuid:
    """uuid.UUID, as far as it is used: which process, and the how manyth of it, not random."""

    def __init__(self) -> None:
        own = scheduler()
        process = own.current.process if own.current else own.nobody
        process.ids += 1
        mixed = (process.number * 4099 + process.ids) * 2_654_435_761 % 2**32
        self.hex = f"{mixed:08x}{process.number:08x}{process.ids:016x}"

    def __str__(self) -> str:
        return self.hex


def _token_hex(_: int = 16) -> str:
    return SimulatedUuid().hex


def _sleep(seconds: float) -> None:
    scheduler().block(seconds)


THREADING = SimpleNamespace(Event=SimulatedEvent, Thread=SimulatedThread)
TIME = SimpleNamespace(sleep=_sleep, time=lambda: scheduler().now)
UUID = SimpleNamespace(uuid4=SimulatedUuid)
RANDOM = SimpleNamespace(uniform=lambda low, high: (low + high) / 2)
SECRETS = SimpleNamespace(token_hex=_token_hex)

# Module and name, and what stands there in a world.
SUBSTITUTES: dict[tuple[str, str], Any] = {
    ("grantor.aws.clients", "ThreadPoolExecutor"): SimulatedExecutor,
    ("grantor.aws.dynamodb", "random"): RANDOM,
    ("grantor.aws.dynamodb", "time"): TIME,
    ("grantor.aws.history_store", "secrets"): SECRETS,
    ("grantor.aws.lease", "uuid"): UUID,
    ("grantor.aws.services", "ThreadPoolExecutor"): SimulatedExecutor,
    ("grantor.aws.services", "time"): TIME,
    ("grantor.aws.services", "wait"): wait,
    ("grantor.reconcile.lease", "threading"): THREADING,
    ("grantor.reconcile.lease", "time"): TIME,
    ("grantor.reconcile.lease", "uuid"): UUID,
    ("grantor.reconcile.lease", "wait"): wait,
    ("grantor.reconcile.recovery", "ThreadPoolExecutor"): SimulatedExecutor,
    ("grantor.reconcile.report", "uuid"): UUID,
    ("grantor.reconcile.run", "secrets"): SECRETS,
    ("sandbox.access_grants.grants", "uuid"): UUID,
    ("sandbox.access_grants.locations", "uuid"): UUID,
}


@contextmanager
def substituted() -> Iterator[None]:
    """Replace the names of SUBSTITUTES as long as this lasts."""
    modules = {name: importlib.import_module(name) for name, _ in SUBSTITUTES}
    # Another version of the product may not have a name any more.
    places = [place for place in SUBSTITUTES if hasattr(modules[place[0]], place[1])]
    before = {(module, name): getattr(modules[module], name) for module, name in places}
    for module, name in places:
        setattr(modules[module], name, SUBSTITUTES[module, name])
    try:
        yield
    finally:
        for (module, name), value in before.items():
            setattr(modules[module], name, value)
