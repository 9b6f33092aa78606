"""`python -m simulation`: one world by its seed, or many worlds."""

import argparse
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from simulation.campaign import Tally, require_fixed_hashes, run_campaign, run_worlds
from simulation.minimise import minimise
from simulation.page import render_page
from simulation.substitutes import substituted
from simulation.trace import Journal
from simulation.world import World

SEED_BITS = 40


def main(given: Sequence[str]) -> int:
    """Exits with 0 if no promise broke, else 1."""
    require_fixed_hashes(given)
    arguments = _parse(given)
    if arguments.seed is not None:
        return _run_one(arguments)
    first = arguments.first if arguments.first is not None else secrets.randbits(SEED_BITS)
    seeds = range(first, first + arguments.worlds)
    print(f"seeds {seeds[0]} to {seeds[-1]}", flush=True)
    began = time.monotonic()
    if arguments.stop:
        tally = run_worlds(seeds, stop=True)
    else:
        tally = run_campaign(seeds, arguments.workers)
    _print_tally(tally, time.monotonic() - began)
    return int(bool(tally.broken))


def _parse(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="one world")
    parser.add_argument("--trace", action="store_true", help="print the world step by step")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page that plays it")
    parser.add_argument("--minimise", action="store_true", help="shrink a world that breaks")
    parser.add_argument("--worlds", type=int, default=1000, help="how many, without a seed")
    parser.add_argument("--first", type=int, help="the first of their seeds; else a fresh one")
    parser.add_argument("--workers", type=int, default=2, help="processes beside each other")
    parser.add_argument("--stop", action="store_true", help="stop at the first broken promise")
    return parser.parse_args(given)


def _run_one(arguments: argparse.Namespace) -> int:
    with substituted():
        smaller = minimise(arguments.seed) if arguments.minimise else None
        world = World(arguments.seed) if smaller is None else World(record=smaller)
        journal = Journal(world)
        result = journal.run()
    if arguments.trace or arguments.minimise:
        print(*journal.steps, sep="\n")
    if arguments.html:
        arguments.html.write_text(render_page(journal, result, f"seed {arguments.seed}"))
    print(f"{result.calls} calls, {result.runs} runs, {len(result.record)} decisions")
    print(*map(str, result.broken), sep="\n")
    print("" if result.broken else "no promise broke")
    return int(bool(result.broken))


def _print_tally(tally: Tally, seconds: float) -> None:
    print(*tally.lines(), sep="\n")
    speed = tally.worlds / seconds
    print(f"{speed:.0f} worlds a second, {seconds:.1f} s, {tally.cpu_seconds:.1f} s of CPU")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
