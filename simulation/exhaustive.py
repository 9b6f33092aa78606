"""Every interleaving of a small scope: two people, two prefixes, two rules, two changes, two
runners, one kill, one stale list.

    python -m simulation.exhaustive

A path is a list of decisions: who makes the next call, or what happens before it. A state is what
the account holds, and which answers each runner has got: a run follows from its answers alone, so
two paths to one state go on alike, and only one of them is followed. The clock stands still, and
within one run its reads come in a fixed order.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from simulation.campaign import require_fixed_hashes
from simulation.doubles.gate import Call
from simulation.estate import AUDITOR, EXPORTER, FileDraft, RuleDraft
from simulation.promises import BrokenPromise
from simulation.scheduler import Process, Task
from simulation.substitutes import active, substituted
from simulation.world import World

FILE = "policy/audit.yaml"
MAX_STATES = 2_000_000
SHORT_SLEEP_SECONDS = 5.0  # of a run that lets triggers gather
ONE = RuleDraft("one", AUDITOR, ("s3://data/docs/*",))
TWO = RuleDraft("two", EXPORTER, ("s3://data/e1/*",))
MORE = RuleDraft("two", EXPORTER, ("s3://data/e1/*",), "READWRITE")
BEFORE = FileDraft((ONE, TWO))
CHANGES = (FileDraft((TWO,)), FileDraft((ONE, MORE)))  # one after the other
State = tuple[object, ...]


@dataclass
class Scope:
    """One path through the scope: a world of its own, steered by the path."""

    path: list[int]
    world: World = field(default_factory=lambda: World(record=()))
    answers: dict[str, int] = field(default_factory=dict)  # what each process has read, as a hash
    changes: int = 0
    killed: bool = False
    stale: bool = False
    options: int = 0  # at the end of the path
    _at: int = 0

    def run(self) -> list[BrokenPromise]:
        """Follow the path; at its end, if nothing is left to decide, come to rest."""
        world = self.world
        with active(world.scheduler):
            self._prepare()
            self._follow()
            if not self.options:
                world.come_to_rest()
        return world.promises.broken

    processes: list[Process] = field(default_factory=list)

    @property
    def state(self) -> State:
        """What decides how the world goes on."""
        cloud, mirror = self.world.cloud, self.world.promises.mirror
        grants = frozenset((one.key, one.owner) for one in mirror.grants.values())
        items = frozenset((key, str(item)) for key, item in cloud.table.items.items())
        alive = tuple(sorted(self.answers.items()))
        done = tuple(task.done for task in self.world.scheduler.tasks)
        return grants, items, alive, done, self.changes, self.killed, self.stale

    def _prepare(self) -> None:
        world = self.world
        world.cloud.bus.is_reliable = True
        world.cloud.objects.add_version("policies", FILE, BEFORE.body)
        world.runners.apply()
        world.settle()
        world.cloud.gate.watchers.append(self._note_answer)
        world.scheduler.call_seconds, world.scheduler.switch_one_in = 0.0, 1
        for _ in range(2):
            world.runners.apply()
        self.processes = [task.process for task in world.scheduler.tasks if not task.done]

    def _note_answer(self, call: Call) -> None:
        name = call.process.name
        known = self.answers.get(name, 0)
        self.answers[name] = hash((known, call.operation, str(call.answer), call.refusal))

    def _follow(self) -> None:
        while True:
            found = self._list_options()
            if not found and self._let_sleep_pass():
                continue
            self.options = len(found)
            if not found or self._at == len(self.path):
                return
            choice = self.path[self._at]
            self._at += 1
            found[choice]()

    def _list_options(self) -> list[Callable[[], None]]:
        """What can happen next; nothing once all runs are over and all changes are made."""
        running = [one for one in self.processes if self._find_next(one)]
        found: list[Callable[[], None]] = [partial(self._go_on, one) for one in running]
        if self.changes < len(CHANGES):
            found.append(self._change)
        if running and not self.killed:
            found += [partial(self._kill, one) for one in running]
        if running and not self.stale:
            found.append(self._make_stale)
        return found

    def _let_sleep_pass(self) -> bool:
        """If all that is left to do sleeps for a moment, let it pass."""
        scheduler = self.world.scheduler
        soon = scheduler.now + SHORT_SLEEP_SECONDS
        if scheduler.next_time is None or scheduler.next_time > soon or not scheduler.has_work:
            return False
        scheduler.advance(scheduler.next_time)
        return True

    def _find_next(self, process: Process) -> Task | None:
        if not process.alive:
            return None
        return next((one for one in self.world.scheduler.ready if one.process is process), None)

    def _go_on(self, process: Process) -> None:
        """The process makes its next call."""
        scheduler, before = self.world.scheduler, self.world.cloud.gate.count
        found = self._find_next(process)
        while found and self.world.cloud.gate.count == before:
            scheduler.step(found)
            scheduler.advance(scheduler.now)
            found = self._find_next(process)

    def _change(self) -> None:
        self.world.cloud.put_file(FILE, CHANGES[self.changes].body)
        self.changes += 1

    def _kill(self, process: Process) -> None:
        self.killed = True
        self.world.scheduler.kill(process)
        self.world.scheduler.advance(self.world.scheduler.now)

    def _make_stale(self) -> None:
        """The next list of grants shows nothing that the two runs have changed."""
        self.stale = True
        self.world.cloud.grants.stale_next = True


@dataclass
class Exploration:
    """All states that were found."""

    states: int = 0
    ends: int = 0
    paths: int = 0
    is_complete: bool = False
    broken: list[tuple[list[int], BrokenPromise]] = field(default_factory=list)

    def explore(self, most: int) -> None:
        """Follow every path, one after the other; stop after so many states."""
        seen: set[int] = set()
        waiting: list[list[int]] = [[]]
        while waiting:
            self.paths += 1
            scope = Scope(waiting.pop())
            broken = scope.run()
            key, options = hash(scope.state), scope.options
            scope.world.close()
            self.broken += [(scope.path, one) for one in broken]
            if not options:
                self.ends += 1
                continue
            if key in seen:
                continue
            seen.add(key)
            self.states = len(seen)
            if self.states >= most:
                return
            waiting += [[*scope.path, choice] for choice in range(options)]
        self.is_complete = True


def main() -> int:
    """Exits with 0 if every end of the whole scope is stable."""
    require_fixed_hashes(sys.argv[1:], "simulation.exhaustive")
    parser = argparse.ArgumentParser(prog="python -m simulation.exhaustive", description=__doc__)
    parser.add_argument("--most", type=int, default=MAX_STATES, help="states")
    arguments = parser.parse_args()
    found, began = Exploration(), time.monotonic()
    with substituted():
        found.explore(arguments.most)
    extent = "the whole scope" if found.is_complete else "a part of the scope"
    print(f"{extent}: {found.states:,} states, {found.paths:,} paths, {found.ends:,} ends")
    print(f"{len(found.broken)} broken promises")
    print(f"{time.monotonic() - began:.0f} s")
    for path, one in found.broken[:10]:
        print(path, one)
    return int(bool(found.broken) or not found.is_complete)


if __name__ == "__main__":
    sys.exit(main())
