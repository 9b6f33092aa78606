"""Many worlds, one seed after the other: what was counted, and which promises broke."""

import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from simulation.sentences import PROMISES
from simulation.substitutes import substituted
from simulation.world import World, WorldResult

CHUNK = 50  # worlds between two looks at the results
COLLECT_EVERY = 200  # worlds after which the memory of their cycles is freed


@dataclass
class Tally:
    """The counts of many worlds."""

    worlds: int = 0
    calls: int = 0
    runs: int = 0
    steps: int = 0
    switches: int = 0
    checks: int = 0
    cpu_seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    rounds: Counter[int] = field(default_factory=Counter)
    broken: list[WorldResult] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add the counts of other worlds."""
        for name in ("worlds", "calls", "runs", "steps", "switches", "checks", "cpu_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("faults", "actions", "events", "rounds"):
            getattr(self, name).update(getattr(other, name))
        self.broken += other.broken

    def add_world(self, result: WorldResult) -> None:
        """Add one world."""
        self.worlds += 1
        for name in ("calls", "runs", "steps", "switches", "checks"):
            setattr(self, name, getattr(self, name) + getattr(result, name))
        self.faults.update(result.faults)
        self.actions.update(result.actions)
        self.events.update(result.events)
        self.rounds[result.rounds] += 1
        if result.broken:
            self.broken.append(result)

    def lines(self) -> Iterator[str]:
        """What people read."""
        yield f"{self.worlds:,} worlds, {len(self.broken)} with a broken promise"
        yield f"{self.calls:,} calls, {self.runs:,} runs, {self.checks:,} checks of promises"
        yield f"{self.switches:,} times another task went on"
        yield f"faults  {_list_counts(self.faults)}"
        yield f"events  {_list_counts(self.events)}"
        yield f"actions {_list_counts(self.actions)}"
        rounds = ", ".join(f"{count:,} after {n}" for n, count in sorted(self.rounds.items()))
        yield f"at rest {rounds}"
        for result in self.broken[:10]:
            yield f"seed {result.seed}: {result.broken[0]}"
            yield f"    {PROMISES[result.broken[0].promise]}"


def _list_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def run_worlds(seeds: Iterable[int], *, stop: bool = False) -> Tally:
    """Run worlds in this process; with `stop`, only until a promise breaks."""
    tally, began = Tally(), time.process_time()
    gc.disable()
    with substituted():
        for number, seed in enumerate(seeds):
            if number % COLLECT_EVERY == 0:
                gc.collect()
                gc.freeze()
            world = World(seed)
            tally.add_world(world.run())
            world.close()
            if stop and tally.broken:
                break
    gc.enable()
    tally.cpu_seconds = time.process_time() - began
    return tally


def run_campaign(seeds: Sequence[int], workers: int) -> Tally:
    """Run worlds in several processes."""
    if workers < 2:
        return run_worlds(seeds)
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    tally = Tally()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for part in pool.imap_unordered(run_worlds, chunks):
            tally.add(part)
    return tally


def require_fixed_hashes(arguments: Sequence[str], module: str = "simulation") -> None:
    """Start this command again with fixed hashes: the order of sets must follow from the seed."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, "-m", module, *arguments]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606
